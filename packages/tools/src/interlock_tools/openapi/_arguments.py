"""The arguments of a tool: parameters and body of an operation as one object."""

from dataclasses import dataclass, field

from interlock_core.jsontypes import Json, JsonObject, as_array, as_object
from interlock_tools.openapi._enums import meanings
from interlock_tools.openapi._ir import Body, MediaType, Operation, Parameter, SchemaAt
from interlock_tools.openapi._keywords import without_idle_words
from interlock_tools.openapi._names import ArgumentNames
from interlock_tools.openapi._plan import FILE, FILE_NOTE, BodyForm, BodyPlan, RequestPlan, Slot
from interlock_tools.openapi._prose import says_nothing
from interlock_tools.openapi._schema import SchemaBuilder
from interlock_tools.openapi._shape import (
    Shape,
    chosen,
    essence,
    is_file,
    is_list,
    object_shape,
    resolved,
    sent_as,
)

NOT_SENT = frozenset(
    {
        *("authorization", "proxy-authorization", "cookie", "host"),
        *("connection", "keep-alive", "proxy-connection"),
        *("content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect"),
    }
)
"""Headers that a document may declare and nobody sets by an argument: the operator's credential and the
connection's own."""

_NOT_SENT_NOTE = "Not sent: set by the operator's credential or the connection itself."
_NEGOTIATED = frozenset({"accept", "content-type"})
_SCALARS = ("string", "integer", "number", "boolean")
_SHAPED: frozenset[BodyForm] = frozenset({"json", "form", "multipart", "xml"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How long descriptions may be, in characters.

    Attributes:
        tool: Of a tool.
        argument: Of an argument.
        nested: Inside an argument.
    """

    tool: int = 360
    argument: int = 160
    nested: int = 100

    @classmethod
    def for_size(cls, operations: int) -> "Wording":
        """Wording under which a document of so many operations stays near 200,000 tokens in all."""
        return next(wording for most, wording in _BY_SIZE if operations <= most)


TOLD = Wording(tool=2_000, argument=800, nested=400)
"""For a model that asks for a part of one tool."""

_BY_SIZE: tuple[tuple[float, Wording], ...] = (
    (400, Wording()),
    (800, Wording(tool=200, argument=100, nested=60)),
    (float("inf"), Wording(tool=100, argument=50, nested=0)),
)


@dataclass(slots=True, kw_only=True)
class Arguments:
    """The arguments of one tool.

    Attributes:
        properties: Schema of each.
        required: Names of those that must be given.
        refs: Names of the definitions that the schemas refer to.
        plan: How they become a request.
    """

    properties: JsonObject = field(default_factory=dict[str, Json])
    required: list[str] = field(default_factory=list[str])
    refs: frozenset[str] = frozenset()
    plan: RequestPlan


@dataclass(frozen=True, slots=True)
class _Converted:
    """A parameter's schema as an argument."""

    schema: Json
    refs: frozenset[str]
    fixed: tuple[Json, ...]


class ArgumentMaker:
    """Makes the arguments of each operation of one document.

    Args:
        builder: Converts schemas.
        wording: How long descriptions may be.
    """

    def __init__(self, builder: SchemaBuilder, wording: Wording) -> None:
        self._builder = builder
        self._wording = wording
        self._known: dict[Parameter, _Converted] = {}

    def arguments(self, operation: Operation) -> Arguments:
        """The arguments of an operation.

        Raises:
            InvalidRequestError: A schema cannot be converted.
        """
        media, form, shape = self._body_shape(operation.body)
        wanted = [(parameter.name, parameter.location) for parameter in operation.parameters]
        if operation.body is not None:
            wanted += (
                [(n, "body") for n in shape.properties]
                if shape
                else [(operation.body.name or "body", "body")]
            )
        names = ArgumentNames(wanted)
        made = Arguments(plan=RequestPlan(operation=operation, slots=(), body=None))
        refs: set[str] = set()
        slots = tuple(self._slot(parameter, names, made, refs) for parameter in operation.parameters)
        parameters = {slot.argument: slot.parameter for slot in slots}
        body = None
        if operation.body is not None and media is not None:
            if shape is not None:
                body = self._spread(operation.body, media, form, shape, names, (made, refs))
            else:
                body = self._whole(operation.body, media, form, names, (made, refs))
        said = f"{operation.operation_id} {operation.path} {operation.summary}"
        made.properties = {
            name: self._telling(schema, f"{name} {said}", parameters.get(name))
            for name, schema in made.properties.items()
        }
        made.plan = RequestPlan(operation=operation, slots=slots, body=body)
        made.refs = frozenset(refs)
        return made

    def _body_shape(self, body: Body | None) -> tuple[MediaType | None, BodyForm, Shape | None]:
        if body is None:
            return None, "json", None
        media, form = chosen(body, self._builder.references)
        if form not in _SHAPED or media.schema is None:
            return media, form, None
        shape = object_shape(media.schema, self._builder.references)
        if shape is None:
            return media, form, None
        shown = {
            name: raw for name, raw in shape.properties.items() if not self._builder.hides(raw, shape.base)
        }
        hidden = shape.properties.keys() - shown.keys()
        required = tuple(name for name in dict.fromkeys(shape.required) if name not in hidden)
        if not shown or (required and not body.required):
            return media, form, None
        for name in required:
            shown.setdefault(name, {})
        return media, form, Shape(shown, required, shape.base)

    def _slot(self, parameter: Parameter, names: ArgumentNames, made: Arguments, refs: set[str]) -> Slot:
        converted = self._known.get(parameter)
        if converted is None:
            converted = self._converted(parameter)
            self._known[parameter] = converted
        argument = names.name(parameter.name, parameter.location)
        made.properties[argument] = converted.schema
        refs |= converted.refs
        negotiated = parameter.location == "header" and parameter.name.lower() in _NEGOTIATED | NOT_SENT
        if parameter.required and not negotiated:
            made.required.append(argument)
        return Slot(argument, parameter, converted.fixed if parameter.required else ())

    def _telling(self, schema: Json, known: str, parameter: Parameter | None) -> Json:
        """The schema without a description that repeats what stands beside it; the next sentence instead."""
        telling = without_idle_words(schema, known)
        if telling is schema or parameter is None or not isinstance(telling, dict):
            return telling
        more = self._builder.prose.rest(_said_of(parameter), self._wording.argument)
        return {**telling, "description": more} if more and not says_nothing(more, known) else telling

    def _converted(self, parameter: Parameter) -> _Converted:
        built = self._builder.build(parameter.schema)
        schema = built.schema
        said = self._builder.prose.short(parameter.description, self._wording.argument)
        if parameter.location == "header" and parameter.name.lower() in NOT_SENT:
            said = _NOT_SENT_NOTE
        if isinstance(schema, dict):
            schema = dict(schema)
            if said:
                told = meanings(as_object(resolved(parameter.schema, self._builder.references)[0]))
                schema["description"] = f"{said} {told}".strip()
                schema.pop("examples", None)
            if parameter.deprecated:
                schema["deprecated"] = True
        return _Converted(schema, built.refs, _fixed(built.schema))

    def _spread(
        self,
        body: Body,
        media: MediaType,
        form: BodyForm,
        shape: Shape,
        names: ArgumentNames,
        into: tuple[Arguments, set[str]],
    ) -> BodyPlan:
        """The properties of the body as arguments."""
        made, refs = into
        properties: list[tuple[str, str]] = []
        files: set[str] = set()
        fixed: list[tuple[str, Json]] = []
        for name, raw in shape.properties.items():
            argument = names.name(name, "body")
            at = SchemaAt(raw, shape.base)
            if form == "multipart" and self._is_file_part(name, at, media):
                files.add(name)
                made.properties[argument] = self._file(at)
            else:
                built = self._builder.build(at)
                made.properties[argument] = built.schema
                refs |= built.refs
                fixed += [(name, value) for value in _fixed(built.schema) if name in shape.required]
            properties.append((argument, name))
            if name in shape.required:
                made.required.append(argument)
        return BodyPlan(
            form=form,
            media_type=sent_as(media, form),
            required=body.required,
            properties=tuple(properties),
            encoding=dict(media.encoding),
            files=frozenset(files),
            fixed=tuple(fixed),
            choices=tuple(other.name for other in body.content),
            ranged="*" in media.name,
            schema=media.schema,
        )

    def _whole(
        self,
        body: Body,
        media: MediaType,
        form: BodyForm,
        names: ArgumentNames,
        into: tuple[Arguments, set[str]],
    ) -> BodyPlan:
        """The body as one argument."""
        made, refs = into
        argument = names.name(body.name or "body", "body")
        schema, files = self._whole_schema(media, form, refs)
        said = self._builder.prose.short(body.description, self._wording.argument)
        if isinstance(schema, dict) and said:
            schema = {**schema, "description": f"{said} {FILE_NOTE}" if form == "binary" else said}
        made.properties[argument] = schema
        if body.required:
            made.required.append(argument)
        return BodyPlan(
            form=form,
            media_type=sent_as(media, form),
            required=body.required,
            argument=argument,
            encoding=dict(media.encoding),
            files=files,
            choices=tuple(other.name for other in body.content),
            ranged="*" in media.name,
            schema=media.schema,
        )

    def _whole_schema(self, media: MediaType, form: BodyForm, refs: set[str]) -> tuple[Json, frozenset[str]]:
        if form == "binary":
            return {**FILE, "description": FILE_NOTE}, frozenset({""})
        if media.schema is None:
            return ({"type": "string"} if form in {"text", "xml"} else {}), frozenset()
        built = self._builder.build(media.schema)
        kinds = as_object(built.schema).get("type")
        scalar = any(kind in _SCALARS for kind in (kinds if isinstance(kinds, list) else [kinds]))
        if form == "text" and not scalar:
            return {"type": "string", "description": f"Text of type {essence(media.name)}."}, frozenset()
        refs |= built.refs
        return built.schema, frozenset()

    def _is_file_part(self, name: str, at: SchemaAt, media: MediaType) -> bool:
        if is_file(at, self._builder.references):
            return True
        said = next((encoding.content_type for key, encoding in media.encoding if key == name), None)
        raw = as_object(at.value)
        return said is not None and not said.startswith(("text/", "application/json")) and not raw.get("type")

    def _file(self, at: SchemaAt) -> JsonObject:
        said = as_object(at.value).get("description")
        short = self._builder.prose.short(said, self._wording.nested) if isinstance(said, str) else ""
        note = f"{short} {FILE_NOTE}".strip()
        if is_list(at, self._builder.references):
            return {"type": "array", "items": FILE, "description": note}
        return {**FILE, "description": note}


def _said_of(parameter: Parameter) -> str:
    """What a document says of a parameter, be it in its schema."""
    said = parameter.description or as_object(parameter.schema.value).get("description")
    return said if isinstance(said, str) else ""


def _fixed(schema: Json) -> tuple[Json, ...]:
    """The only value that a schema allows, if there is one."""
    known = as_object(schema)
    if "const" in known:
        return (known["const"],)
    listed = as_array(known.get("enum"))
    return tuple(listed) if len(listed) == 1 else ()
