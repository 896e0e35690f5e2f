"""Bodies: which media type is sent, and whether the properties of the body can be arguments themselves."""

from dataclasses import dataclass

from interlock_core.jsontypes import Json, JsonObject, as_array, as_object
from interlock_tools.openapi._ir import Body, MediaType, SchemaAt
from interlock_tools.openapi._merge import merged_all_of
from interlock_tools.openapi._plan import BodyForm
from interlock_tools.openapi._references import References

_ANNOTATIONS = frozenset(
    {
        "title",
        "description",
        "example",
        "examples",
        "xml",
        "externalDocs",
        "deprecated",
        "discriminator",
        "default",
    }
)
_LONGEST_CHAIN = 16
_MOST_SPREAD = 200
_TEXTUAL = frozenset(
    {"application/jwt", "application/sdp", "application/yaml", "application/x-yaml", "application/graphql"}
)
_RAW = ("image/", "audio/", "video/", "font/")
_SENT_FOR_RANGE: dict[BodyForm, str] = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "multipart": "multipart/form-data",
    "text": "text/plain",
    "xml": "application/xml",
    "binary": "application/octet-stream",
}
_RANK: dict[BodyForm, int] = {"json": 0, "form": 4, "multipart": 5, "text": 6, "xml": 7, "binary": 8}
_JSON_RANK = {"application/json": 0, "application/merge-patch+json": 1, "application/json-patch+json": 3}


@dataclass(frozen=True, slots=True)
class Shape:
    """A plain object whose properties can stand for it.

    Attributes:
        properties: Schema of each property.
        required: Names of those that must be there.
        base: Address of the file that the schemas stand in.
    """

    properties: JsonObject
    required: tuple[str, ...]
    base: str


def essence(media_type: str) -> str:
    """A media type without parameters, lower case."""
    return media_type.partition(";")[0].strip().lower()


def is_json(media_type: str) -> bool:
    """Whether a media type is written as JSON."""
    name = essence(media_type)
    return name in {"application/json", "text/json", "json"} or name.endswith("+json")


def chosen(body: Body, references: References) -> tuple[MediaType, BodyForm]:
    """The media type that is sent, of those that a body may have: JSON first, files only where they are."""
    forms: list[tuple[MediaType, BodyForm]] = [(media, form_of(media, references)) for media in body.content]
    ranked = sorted(forms, key=lambda pair: _JSON_RANK.get(essence(pair[0].name), _RANK[pair[1]] or 2))
    media, form = ranked[0]
    if form == "form":
        for other, other_form in ranked:
            if other_form == "multipart" and _has_files(other, references):
                return other, other_form
    return media, form


def form_of(media: MediaType, references: References) -> BodyForm:
    """How a body of this media type is written."""
    name = essence(media.name)
    if is_json(name):
        return "json"
    if name == "application/x-www-form-urlencoded":
        return "form"
    if name.startswith("multipart/"):
        return "multipart"
    if name in {"application/xml", "text/xml"} or name.endswith("+xml"):
        return "xml"
    if name.startswith("text/") or name in _TEXTUAL:
        return "text"
    return _form_by_schema(media, references)


def _form_by_schema(media: MediaType, references: References) -> BodyForm:
    """For `*/*` and media types that say nothing: what the schema describes."""
    name = essence(media.name)
    if media.schema is None or name == "application/octet-stream":
        return "binary"
    value, _ = resolved(media.schema, references)
    kind = as_object(value).get("type")
    if name.startswith(_RAW) and kind not in ("object", "array"):
        return "binary"
    if is_file(media.schema, references) or (kind == "string" and name == "*/*"):
        return "binary"
    if kind == "string":
        return "text"
    # From 3.1 on, bytes have no schema to speak of.
    return "binary" if value in ({}, True) and "*" not in name else "json"


def sent_as(media: MediaType, form: BodyForm) -> str:
    """The media type as it is sent: never a range."""
    if "*" in media.name or "/" not in media.name:
        return _SENT_FOR_RANGE[form]
    return media.name.strip()


def resolved(at: SchemaAt, references: References) -> tuple[Json, str]:
    """A schema behind its references, and the file that it stands in.

    Raises:
        InvalidRequestError: It is a reference to nothing.
    """
    value, base = at.value, at.base
    for _ in range(_LONGEST_CHAIN):
        if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
            break
        target = references.target(value, base)
        value, base = target.value, target.base
    return value, base


def is_file(at: SchemaAt, references: References) -> bool:
    """Whether a schema describes raw bytes, or a list of such."""
    value, base = resolved(at, references)
    schema = as_object(value)
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        value, _ = resolved(SchemaAt(schema["items"], base), references)
        schema = as_object(value)
    if schema.get("type") == "file" or schema.get("format") == "binary":
        return True
    return "contentMediaType" in schema and "contentEncoding" not in schema


def is_list(at: SchemaAt, references: References) -> bool:
    """Whether a schema describes a list."""
    return as_object(resolved(at, references)[0]).get("type") == "array"


def _has_files(media: MediaType, references: References) -> bool:
    shape = object_shape(media.schema, references) if media.schema is not None else None
    return shape is not None and any(
        is_file(SchemaAt(raw, shape.base), references) for raw in shape.properties.values()
    )


def object_shape(at: SchemaAt, references: References) -> Shape | None:
    """The properties of a plain object; None when a schema is anything else or open to further properties.

    Raises:
        InvalidRequestError: It is a reference to nothing.
    """
    value, base = at.value, at.base
    for _ in range(_LONGEST_CHAIN):
        if not isinstance(value, dict):
            return None
        if "allOf" in value:
            merged = merged_all_of(value, base, references)
            value = merged.schema if merged is not None else None
            continue
        if not isinstance(value.get("$ref"), str):
            return _plain_shape(value, base)
        if any(key != "$ref" and not _is_annotation(key) for key in value):
            return None
        target = references.target(value, base)
        value, base = target.value, target.base
    return None


def _plain_shape(value: JsonObject, base: str) -> Shape | None:
    properties = as_object(value.get("properties"))
    if not 0 < len(properties) <= _MOST_SPREAD or value.get("type", "object") != "object":
        return None
    for key, item in value.items():
        match key:
            case "type" | "properties":
                continue
            case "required":
                continue
            case "additionalProperties" | "unevaluatedProperties" | "nullable" | "x-nullable":
                if item is not False:
                    return None
            case _:
                if not _is_annotation(key):
                    return None
    required = tuple(name for name in as_array(value.get("required")) if isinstance(name, str))
    return Shape(properties, required, base)


def _is_annotation(key: str) -> bool:
    return (
        key in _ANNOTATIONS
        or (key.startswith("x-") and key != "x-nullable")
        or key in {"readOnly", "writeOnly"}
    )
