"""Tools that run in this process: a typed function becomes a tool, its annotations the schema."""

import dataclasses
import enum
import inspect
import types
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, replace
from typing import ForwardRef, Literal, Protocol, TypeAlias, Union, cast, get_args, get_origin, get_type_hints

from interlock_core.call import Call
from interlock_core.errors import ConfigurationError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object
from interlock_core.messages import ToolResult
from interlock_core.toolspec import Effect, ToolSpec

_JSON: object = Json
"""The alias as annotations hold it: the text of the union."""

Handler: TypeAlias = Callable[..., Awaitable["Json | ToolResult"]]
"""An async function. Its keyword parameters are the tool's arguments, by their annotations; one annotated
with `Call` is given the call."""


class RawHandler(Protocol):
    """An async function that takes the arguments as one object, for tools that bring their own schema."""

    def __call__(self, arguments: JsonObject, context: Call, /) -> Awaitable["Json | ToolResult"]:
        """Do it."""
        ...


@dataclass(frozen=True, slots=True)
class InProcessTool:
    """A tool that runs in this process.

    Attributes:
        spec: What a model is shown.
        run: Does it.
    """

    spec: ToolSpec
    run: Callable[[JsonObject, Call], Awaitable["Json | ToolResult"]]


def typed_tool(
    handler: Handler,
    *,
    name: str,
    description: str | None = None,
    effect: Effect = Effect.WRITE,
    category: str = "",
) -> InProcessTool:
    """A tool from a function whose parameters are annotated.

    Known annotations: `str`, `int`, `float`, `bool`, `None`, `list[…]`, `dict[str, …]`, `Literal`, enums,
    dataclasses, unions of them, and `Json`. The docstring's first paragraph is the description.

    Raises:
        ConfigurationError: A parameter has no annotation, or one that is not known.
    """
    signature = inspect.signature(handler)
    hints = get_type_hints(handler)
    takes_call = next((key for key, hint in hints.items() if hint is Call), None)
    properties: JsonObject = {}
    required: list[Json] = []
    for parameter in signature.parameters.values():
        if parameter.name == takes_call:
            continue
        if parameter.name not in hints:
            raise _unknown(name, parameter.name, "no annotation")
        properties[parameter.name] = _schema_of(hints[parameter.name], f"{name}.{parameter.name}")
        if parameter.default is inspect.Parameter.empty:
            required.append(parameter.name)
    schema: JsonObject = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = required

    async def run(arguments: JsonObject, context: Call) -> "Json | ToolResult":
        values = {key: _value_of(hints[key], value) for key, value in arguments.items()}
        if takes_call is not None:
            values[takes_call] = context
        return await handler(**values)

    said = description if description is not None else (inspect.getdoc(handler) or "").partition("\n\n")[0]
    return InProcessTool(_spec(name, said, schema, effect, category), run)


def raw_tool(
    handler: RawHandler,
    *,
    name: str,
    description: str,
    parameters: JsonObject,
    effect: Effect = Effect.WRITE,
    category: str = "",
    untrusted: bool = False,
) -> InProcessTool:
    """A tool from a function that takes its arguments as one object, with a schema of its own."""
    spec = _spec(name, description, parameters, effect, category)
    return InProcessTool(replace(spec, untrusted=untrusted), handler)


def _spec(name: str, description: str, schema: JsonObject, effect: Effect, category: str) -> ToolSpec:
    namespace, dot, _ = name.partition(".")
    legal = name.replace(".", "").replace("_", "").replace("-", "")
    if not dot or name.count(".") != 1 or not legal.isascii() or not legal.isalnum() or len(name) > 64:
        raise ConfigurationError(
            f"{name[:80]!r} cannot be a tool's name.",
            field="name",
            remedy="Write namespace.operation in letters, digits, `_` and `-`, at most 64 characters.",
        )
    return ToolSpec(
        name=name,
        description=" ".join(description.split()),
        parameters=schema,
        effect=effect,
        namespace=namespace,
        category=category or namespace,
        untrusted=False,
    )


_SCALARS: dict[object, JsonObject] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
}


def _schema_of(hint: object, where: str) -> JsonObject:
    if hint in _SCALARS:
        return dict(_SCALARS[hint])
    if _is_json(hint) or hint is object:
        return {}
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in {Union, types.UnionType}:
        return {"anyOf": [_schema_of(one, where) for one in inner]}
    if origin in {list, tuple, Sequence}:
        return {"type": "array", "items": _schema_of(inner[0], where) if inner else {}}
    if origin in {dict, Mapping}:
        return {"type": "object", "additionalProperties": _schema_of(inner[1], where)}
    return _schema_of_class(hint, where)


def _is_json(hint: object) -> bool:
    """Whether an annotation is `Json`, in any form that the evaluation of annotations leaves it in."""
    if isinstance(hint, ForwardRef):
        return hint.__forward_arg__ == _JSON
    if get_origin(hint) in {Union, types.UnionType}:
        return any(get_origin(one) is dict and _is_json(get_args(one)[1]) for one in get_args(hint))
    return hint == _JSON


def _schema_of_class(hint: object, where: str) -> JsonObject:
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint]}
    if not (isinstance(hint, type) and dataclasses.is_dataclass(hint)):
        raise _unknown(where.partition(".")[0], where, f"an annotation that is not known: {hint!r}"[:120])
    hints = get_type_hints(hint)
    fields = dataclasses.fields(hint)
    properties: JsonObject = {f.name: _schema_of(hints[f.name], f"{where}.{f.name}") for f in fields}
    required: list[Json] = [f.name for f in fields if f.default is MISSING and f.default_factory is MISSING]
    schema: JsonObject = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def _value_of(hint: object, value: Json) -> object:
    """A validated JSON value as its annotation says: enums and dataclasses are made, the rest stays."""
    if _is_json(hint):
        return value
    origin, inner = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        made = (_made(one, value) for one in inner)
        return next((one for one in made if one is not None), value)
    if origin in {list, Sequence} and inner:
        return [_value_of(inner[0], item) for item in as_array(value)]
    if origin is tuple and inner:
        return tuple(_value_of(inner[0], item) for item in as_array(value))
    if origin in {dict, Mapping}:
        return {key: _value_of(inner[1], item) for key, item in as_object(value).items()}
    made = _made(hint, value)
    return value if made is None else made


def _made(hint: object, value: Json) -> object:
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return next((member for member in hint if member.value == value), None)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and isinstance(value, dict):
        hints = get_type_hints(hint)
        if value.keys() <= hints.keys():
            return cast("object", hint(**{key: _value_of(hints[key], item) for key, item in value.items()}))
    return None


def _unknown(tool: str, field: str, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"The tool {tool} cannot be made: {field} has {what}.",
        field=field,
        remedy="Annotate it with str, int, float, bool, list, dict, Literal, an enum or a dataclass.",
    )
