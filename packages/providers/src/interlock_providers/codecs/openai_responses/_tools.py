"""Tools, their choice, and the form of the answer, both ways."""

import re
from collections.abc import Mapping, Sequence

from interlock_core import Json, JsonObject, ResponseFormat, ToolChoice, ToolSpec
from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import as_object
from interlock_providers.codecs._fields import Fields, wrong
from interlock_providers.codecs._names import ToolNames

_PLACE = re.compile(r"tools\[(\d+)\]\..+", re.ASCII)
_ELSEWHERE = ("server_url", "connector_id", "tunnel_id")


def read_tools(fields: Fields, note: JsonObject) -> tuple[ToolSpec, ...]:
    """The functions among the tools.

    Tools that the vendor runs itself stay among the fields of the request, each under a name that says
    which it is: a vendor of another dialect then refuses it by that name.

    Raises:
        InvalidRequestError: A tool is wrong; `field` names the place.
        UnsupportedError: A tool is one that this gateway should run, and does not.
    """
    specs: dict[str, ToolSpec] = {}
    left: JsonObject = {}
    for index, item in enumerate(fields.items("tools") or ()):
        tool = Fields(item, f"tools[{index}]")
        kind = tool.need_text("type")
        if kind == "mcp" and not any(tool.peek(name) for name in _ELSEWHERE):
            # Without the address of a server it is addressed to this gateway.
            raise UnsupportedError(
                "Tools of the type mcp without a server_url are not served here yet.",
                field=tool.at("type"),
                remedy="Offer the server's tools as functions, or say its server_url.",
            )
        if kind != "function":
            fields.rest()[f"tools[{index}].{kind}"] = item
            continue
        said: JsonObject = {"loose": True} if tool.peek("strict") is None else {}
        spec = _read_tool(tool)
        if spec.name in specs:
            raise InvalidRequestError(
                f"{tool.at('name')} names a tool that stands in the list already.",
                field=tool.at("name"),
                remedy="Give each tool a name of its own.",
            )
        specs[spec.name] = spec
        if tool.rest():
            said["rest"] = tool.rest()
        if said:
            left[spec.name] = said
    note["tools"] = left
    return tuple(specs.values())


def _read_tool(tool: Fields) -> ToolSpec:
    name = tool.need_text("name")
    description = tool.text("description") or ""
    strict = tool.flag("strict")
    parameters = tool.take("parameters")
    if parameters is None:
        return ToolSpec(name=name, description=description, strict=strict)
    if not isinstance(parameters, dict):
        raise wrong(tool.at("parameters"), "a JSON Schema object")
    return ToolSpec(name=name, description=description, parameters=parameters, strict=strict)


def take_others(extra: JsonObject) -> list[tuple[int, Json]]:
    """The vendor's own tools out of a request's further fields, each with its place in the list."""
    found = [(int(match[1]), name) for name in extra if (match := _PLACE.fullmatch(name)) is not None]
    return [(index, extra.pop(name)) for index, name in sorted(found)]


def custom_names(extra: Mapping[str, Json]) -> frozenset[str]:
    """Names of the tools that take free text."""
    tools = (as_object(item) for name, item in extra.items() if _PLACE.fullmatch(name))
    return frozenset(str(tool.get("name")) for tool in tools if tool.get("type") == "custom")


def write_tools(tools: Sequence[ToolSpec], note: Mapping[str, Json], names: ToolNames) -> list[Json]:
    """The functions as they stand in a request."""
    left = as_object(note.get("tools"))
    return [_write_tool(tool, as_object(left.get(tool.name)), names) for tool in tools]


def render_tools(tools: Sequence[ToolSpec]) -> list[Json]:
    """Tools as they stand in a request; see `Codec.render_tools`."""
    return write_tools(tools, {}, ToolNames(tool.name for tool in tools))


def _write_tool(tool: ToolSpec, said: JsonObject, names: ToolNames) -> JsonObject:
    made: JsonObject = {"type": "function", "name": names.wire(tool.name)}
    if tool.description:
        made["description"] = tool.description
    made["parameters"] = tool.parameters
    if tool.strict is not None or said.get("loose") is not True:
        # What is not said here is strict, and most schemas are not made for that.
        made["strict"] = tool.strict or False
    return {**made, **as_object(said.get("rest"))}


def read_choice(fields: Fields, note: JsonObject) -> ToolChoice | None:
    """How the tools may be used; what the vocabulary cannot say stays among the fields."""
    parallel = fields.flag("parallel_tool_calls")
    value = fields.take("tool_choice")
    if value is None and parallel is None:
        return None
    if value is None:
        note["tool_choice"] = "absent"
        return ToolChoice(parallel=parallel)
    match value:
        case "auto" | "none" | "required":
            return ToolChoice(mode=value, parallel=parallel)
        case {"type": "function", "name": str(name), **more} if name and not more:
            return ToolChoice(mode="required", name=name, parallel=parallel)
        case {"type": str()}:
            fields.rest()["tool_choice"] = value
            return None if parallel is None else ToolChoice(parallel=parallel)
        case _:
            raise wrong("tool_choice", "auto, none, required or an object that names a tool")


def write_choice(
    choice: ToolChoice | None, note: Mapping[str, Json], names: ToolNames, *, own: bool
) -> JsonObject:
    """The fields that say how the tools may be used.

    Args:
        choice: How they may be used.
        note: How the client wrote it.
        names: How tools are called on the wire.
        own: The client's own `tool_choice` is not sent as it is.
    """
    made: JsonObject = {}
    if choice is None:
        return made
    if own and choice.name is not None:
        made["tool_choice"] = {"type": "function", "name": names.wire(choice.name)}
    elif own and (choice.mode != "auto" or note.get("tool_choice") != "absent"):
        made["tool_choice"] = choice.mode
    if choice.parallel is not None:
        made["parallel_tool_calls"] = choice.parallel
    return made


def read_text(fields: Fields) -> ResponseFormat | None:
    """The form of the answer out of `text`; what the vocabulary cannot say stays there."""
    text = fields.part("text")
    if text is None:
        return None
    made: ResponseFormat | None = None
    value = text.take("format")
    if value is not None:
        made, known = _read_format(Fields(value, text.at("format")))
        if not known:
            text.rest()["format"] = value
    if text.rest():
        fields.rest()["text"] = text.rest()
    return made


def _read_format(fields: Fields) -> tuple[ResponseFormat | None, bool]:
    kind = fields.need_text("type")
    if kind == "text" and not fields.rest():
        return None, True
    if kind == "json_object" and not fields.rest():
        return ResponseFormat(kind="json_object"), True
    if kind != "json_schema":
        return None, False
    schema = fields.take("schema")
    if not isinstance(schema, dict):
        raise wrong(fields.at("schema"), "a JSON Schema object")
    made = ResponseFormat(
        schema=schema,
        name=fields.need_text("name"),
        strict=fields.flag("strict"),
        description=fields.text("description"),
    )
    return (None, False) if fields.rest() else (made, True)


def write_format(wanted: ResponseFormat) -> JsonObject:
    """The form of the answer as a request says it."""
    if wanted.kind == "json_object":
        return {"type": "json_object"}
    made: JsonObject = {"type": "json_schema", "name": wanted.name}
    if wanted.description is not None:
        made["description"] = wanted.description
    made["schema"] = wanted.schema or {}
    if wanted.strict is not None:
        made["strict"] = wanted.strict
    return made
