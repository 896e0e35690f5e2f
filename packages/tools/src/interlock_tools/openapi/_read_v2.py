"""Swagger 2.0."""

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, as_text
from interlock_tools.openapi._ir import (
    Body,
    Encoding,
    Location,
    MediaType,
    Parameter,
    SchemaAt,
    SecurityScheme,
    Server,
    Style,
)
from interlock_tools.openapi._reading import Reading
from interlock_tools.openapi._references import Target

_LOCATIONS: dict[str, Location] = {"path": "path", "query": "query", "header": "header"}
_COLLECTIONS: dict[str, tuple[Style, bool]] = {
    "multi": ("form", True),
    "ssv": ("spaceDelimited", False),
    "tsv": ("tabDelimited", False),
    "pipes": ("pipeDelimited", False),
}
_DEEPEST_LIST = 8
_FLOWS = {"basic": ("http", "basic")}


class DialectV2:
    """Reads what Swagger 2.0 says in its own way.

    Args:
        reading: The document.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def split(
        self, parameters: list[Target], operation: Target
    ) -> tuple[tuple[Parameter, ...], Body | None, tuple[str, ...]]:
        """The parameters, the body and the media types of answers of an operation.

        Raises:
            InvalidRequestError: One of them cannot be read.
        """
        plain: list[Parameter] = []
        form: list[Target] = []
        whole: Target | None = None
        for at in parameters:
            match as_object(at.value).get("in"):
                case "body":
                    whole = at
                case "formData":
                    form.append(at)
                case _:
                    plain.append(self._parameter(at))
        produces = self._media_types("produces", operation)
        if whole is not None and not form:
            return tuple(plain), self._body(whole, operation), produces
        return tuple(plain), self._form(form, whole, operation) if form else None, produces

    def servers(self, value: JsonObject, base: str) -> tuple[Server, ...]:
        """The one server that the root names; nothing else names any."""
        if value is not self._reading.root:
            return ()
        host = as_text(value.get("host")) or ""
        path = as_text(value.get("basePath")) or ""
        path = f"/{path.strip('/')}" if path.strip("/") else ""
        if not host:
            return (Server(url=path),) if path else ()
        named = [scheme for scheme in as_array(value.get("schemes")) if scheme in ("http", "https")]
        scheme = "https" if "https" in named or not named else "http"
        return (Server(url=f"{scheme}://{host.strip('/')}{path}"),)

    def schemes(self) -> tuple[SecurityScheme, ...]:
        """The security schemes of the document."""
        found: list[SecurityScheme] = []
        for name, raw in as_object(self._reading.root.get("securityDefinitions")).items():
            value = as_object(raw)
            kind = as_text(value.get("type")) or ""
            kind, scheme = _FLOWS.get(kind, (kind, ""))
            found.append(
                SecurityScheme(
                    name=name,
                    kind=kind,
                    location=as_text(value.get("in")) or "",
                    parameter=as_text(value.get("name")) or "",
                    scheme=scheme,
                )
            )
        return tuple(found)

    def _parameter(self, at: Target) -> Parameter:
        value = as_object(at.value)
        location = _LOCATIONS.get(str(value.get("in")))
        if location is None:
            raise self._fault(at, f"A parameter cannot be in {str(value.get('in'))[:40]!r}.")
        style, explode = _collection(value, location)
        return Parameter(
            name=str(value["name"]),
            location=location,
            required=value.get("required") is True or location == "path",
            style=style,
            explode=explode,
            schema=_own_schema(value, at),
            nested=_nested(value),
            description=as_text(value.get("description")) or "",
        )

    def _body(self, at: Target, operation: Target) -> Body:
        value = as_object(at.value)
        schema = value.get("schema")
        at_schema = SchemaAt(schema, at.base) if isinstance(schema, dict | bool) else None
        consumes = self._media_types("consumes", operation) or ("application/json",)
        forms = {"multipart/form-data", "application/x-www-form-urlencoded"}
        names = tuple(name for name in consumes if name not in forms) or ("application/json",)
        return Body(
            required=value.get("required") is True,
            description=as_text(value.get("description")) or "",
            content=tuple(MediaType(name=name, schema=at_schema) for name in names),
            name=str(value["name"]),
        )

    def _form(self, fields: list[Target], whole: Target | None, operation: Target) -> Body:
        if whole is not None:
            raise self._fault(whole, "An operation cannot have both a body and form fields.")
        values = [as_object(field.value) for field in fields]
        properties: JsonObject = {str(value["name"]): value for value in values}
        required: list[Json] = [str(value["name"]) for value in values if value.get("required") is True]
        schema: JsonObject = {"type": "object", "properties": properties, "required": required}
        consumes = self._media_types("consumes", operation)
        files = any(value.get("type") == "file" for value in values)
        multipart = files or (
            "multipart/form-data" in consumes and "application/x-www-form-urlencoded" not in consumes
        )
        encoding = tuple((str(value["name"]), _form_encoding(value)) for value in values)
        return Body(
            required=bool(required),
            description="",
            content=(
                MediaType(
                    name="multipart/form-data" if multipart else "application/x-www-form-urlencoded",
                    schema=SchemaAt(schema, fields[0].base),
                    encoding=encoding,
                ),
            ),
        )

    def _media_types(self, key: str, operation: Target) -> tuple[str, ...]:
        own = as_object(operation.value).get(key)
        listed = own if isinstance(own, list) else self._reading.root.get(key)
        return tuple(name for name in as_array(listed) if isinstance(name, str))

    def _fault(self, at: Target, message: str) -> InvalidRequestError:
        place = self._reading.references.place(at.base, at.pointer)
        return place.fault(message, remedy="Use path, query, header, formData or one body.")


def _own_schema(value: JsonObject, at: Target) -> SchemaAt:
    """The schema of a parameter that is its own schema; one in `schema` is taken where an author put it."""
    nested = value.get("schema")
    if "type" not in value and isinstance(nested, dict):
        return SchemaAt(nested, at.base)
    return SchemaAt(
        {key: item for key, item in value.items() if key not in {"name", "in", "description"}}, at.base
    )


def _collection(value: JsonObject, location: Location) -> tuple[Style, bool]:
    named = _COLLECTIONS.get(str(value.get("collectionFormat")))
    if named is not None and (named[0] != "form" or location == "query"):
        return named
    return ("form", False) if location == "query" else ("simple", False)


def _nested(value: JsonObject) -> tuple[Style, ...]:
    """The collection formats of lists within a list; `multi` is for the outermost alone."""
    found: list[Style] = []
    items = as_object(value.get("items"))
    while items.get("type") == "array" and len(found) < _DEEPEST_LIST:
        style, explode = _COLLECTIONS.get(str(items.get("collectionFormat")), ("simple", False))
        found.append("simple" if explode else style)
        items = as_object(items.get("items"))
    return tuple(found)


def _form_encoding(value: JsonObject) -> Encoding:
    if value.get("type") != "array":
        return Encoding()
    style, explode = _collection(value, "query")
    return Encoding(style=style, explode=explode)
