"""What OpenAI's chat dialect and its siblings say alike: tools, their choice, and the answer's form."""

from collections.abc import Mapping, Sequence

from interlock_core import (
    CompletionRequest,
    Json,
    JsonObject,
    Message,
    ResponseFormat,
    ToolCall,
    ToolChoice,
    ToolSpec,
)
from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import as_array, as_object
from interlock_providers.codecs._fields import Fields, wrong
from interlock_providers.codecs._names import ToolNames


def read_stop(fields: Fields, note: JsonObject) -> tuple[str, ...]:
    """The texts of `stop`, which may be one string or an array."""
    value = fields.take("stop")
    if value is None:
        return ()
    if isinstance(value, str):
        note["stop"] = "text"
        return (value,)
    if not isinstance(value, list):
        raise wrong("stop", "a string or an array of strings")
    texts: list[str] = []
    for index, item in enumerate(value):
        if not isinstance(item, str):
            raise wrong(f"stop[{index}]", "a string")
        texts.append(item)
    return tuple(texts)


def write_stop(stop: Sequence[str], note: Mapping[str, Json]) -> Json:
    """`stop` as the client wrote it."""
    return stop[0] if note.get("stop") == "text" and len(stop) == 1 else [*stop]


def read_logprobs(fields: Fields) -> int | None:
    """How many log probabilities are wanted; None for none."""
    wanted = fields.flag("logprobs")
    if not wanted:
        return None
    return fields.whole("top_logprobs", least=0) or 0


def write_logprobs(logprobs: int | None) -> JsonObject:
    """The fields that ask for log probabilities."""
    if logprobs is None:
        return {}
    return {"logprobs": True, "top_logprobs": logprobs} if logprobs else {"logprobs": True}


def read_format(fields: Fields) -> ResponseFormat | None:
    """The form of the answer; one that says more than the vocabulary can stays where it is."""
    value = fields.take("response_format")
    if value is None:
        return None
    made = _known_format(Fields(value, "response_format"))
    if made is None:
        fields.rest()["response_format"] = value
    return made


def _known_format(fields: Fields) -> ResponseFormat | None:
    """The format in the vocabulary's words, or None when it says more than they can."""
    kind = fields.need_text("type")
    if kind == "json_object" and not fields.rest():
        return ResponseFormat(kind="json_object")
    inner = fields.part("json_schema") if kind == "json_schema" else None
    if inner is None or fields.rest():
        return None
    schema = inner.take("schema")
    if schema is not None and not isinstance(schema, dict):
        raise wrong(inner.at("schema"), "a JSON Schema object")
    made = ResponseFormat(
        kind="json_schema",
        schema=schema,
        name=inner.need_text("name"),
        strict=inner.flag("strict"),
        description=inner.text("description"),
    )
    return None if inner.rest() else made


def write_format(wanted: ResponseFormat) -> JsonObject:
    """The form of the answer as a request says it."""
    if wanted.kind == "json_object":
        return {"type": "json_object"}
    inner: JsonObject = {"name": wanted.name}
    if wanted.description is not None:
        inner["description"] = wanted.description
    if wanted.schema is not None:
        inner["schema"] = wanted.schema
    if wanted.strict is not None:
        inner["strict"] = wanted.strict
    return {"type": "json_schema", "json_schema": inner}


def read_tools(fields: Fields, note: JsonObject) -> tuple[ToolSpec, ...]:
    """The functions among the tools; other tools and unknown fields go into the note."""
    specs: dict[str, ToolSpec] = {}
    others: list[Json] = []
    left: JsonObject = {}
    for index, item in enumerate(fields.items("tools") or ()):
        tool = Fields(item, f"tools[{index}]")
        kind = tool.need_text("type")
        if kind == "mcp":
            # The one kind that is addressed to this gateway: it is never passed on to a vendor.
            raise UnsupportedError(
                "Tools of the type mcp are not served here yet.",
                field=tool.at("type"),
                remedy="Offer the server's tools as functions.",
            )
        if kind != "function":
            others.append([index, item])
            continue
        function = tool.part("function")
        if function is None:
            raise wrong(tool.at("function"), "a JSON object")
        spec = _read_tool(function)
        if spec.name in specs:
            raise InvalidRequestError(
                f"{function.at('name')} names a tool that stands in the list already.",
                field=function.at("name"),
                remedy="Give each tool a name of its own.",
            )
        specs[spec.name] = spec
        if function.rest():
            tool.rest()["function"] = function.rest()
        if tool.rest():
            left[spec.name] = tool.rest()
    note["tools"], note["other_tools"] = left, others
    return tuple(specs.values())


def _read_tool(function: Fields) -> ToolSpec:
    name = function.need_text("name")
    description = function.text("description") or ""
    strict = function.flag("strict")
    parameters = function.take("parameters")
    if parameters is None:
        return ToolSpec(name=name, description=description, strict=strict)
    if not isinstance(parameters, dict):
        raise wrong(function.at("parameters"), "a JSON Schema object")
    return ToolSpec(name=name, description=description, parameters=parameters, strict=strict)


def tool_names(request: CompletionRequest) -> ToolNames:
    """How every tool that a request speaks of is called on the wire."""
    names = {tool.name for tool in request.tools}
    names.update(call.name for message in request.messages for call in _calls(message))
    if request.tool_choice is not None and request.tool_choice.name is not None:
        names.add(request.tool_choice.name)
    return ToolNames(names)


def _calls(message: Message) -> tuple[ToolCall, ...]:
    return message.tool_calls if message.role == "assistant" else ()


def render_tools(tools: Sequence[ToolSpec]) -> list[Json]:
    """Tools as they stand in a request; see `Codec.render_tools`."""
    names = ToolNames(tool.name for tool in tools)
    return [_write_tool(tool, {}, names) for tool in tools]


def write_tools(request: CompletionRequest, note: Mapping[str, Json], names: ToolNames) -> list[Json]:
    """The tools of a request, those of the note where they stood."""
    left = as_object(note.get("tools"))
    tools: list[Json] = [_write_tool(tool, as_object(left.get(tool.name)), names) for tool in request.tools]
    for item in as_array(note.get("other_tools")):
        match item:
            case [int(index), dict(tool)]:
                tools.insert(index, tool)
            case _:
                continue
    return tools


def _write_tool(tool: ToolSpec, rest: JsonObject, names: ToolNames) -> JsonObject:
    function: JsonObject = {"name": names.wire(tool.name)}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.parameters
    if tool.strict is not None:
        function["strict"] = tool.strict
    function.update(as_object(rest.get("function")))
    return {"type": "function", "function": function, **{k: v for k, v in rest.items() if k != "function"}}


def read_choice(
    fields: Fields, note: JsonObject, *, forced: Sequence[str] = ("required",)
) -> ToolChoice | None:
    """How the tools may be used.

    Args:
        fields: The request.
        note: Where to keep how it was written.
        forced: The dialect's words for a call that must be made, the usual one first.
    """
    parallel = fields.flag("parallel_tool_calls")
    value = fields.take("tool_choice")
    if value is None and parallel is None:
        return None
    if value is None:
        note["tool_choice"] = "absent"
        return ToolChoice(parallel=parallel)
    match value:
        case "auto" | "none":
            return ToolChoice(mode=value, parallel=parallel)
        case str() if value in forced:
            note["tool_choice"] = None if value == forced[0] else value
            return ToolChoice(mode="required", parallel=parallel)
        case {"type": "function", "function": {"name": str(name), **more_inside}, **more}:
            if name and not more and not more_inside:
                return ToolChoice(mode="required", name=name, parallel=parallel)
        case {"type": str()}:
            pass
        case _:
            raise wrong("tool_choice", f"auto, none, {', '.join(forced)} or an object that names a tool")
    fields.rest()["tool_choice"] = value
    return None if parallel is None else ToolChoice(parallel=parallel)


def write_choice(
    choice: ToolChoice | None,
    note: Mapping[str, Json],
    names: ToolNames,
    *,
    own: bool,
    forced: str = "required",
) -> JsonObject:
    """The fields that say how the tools may be used.

    Args:
        choice: How they may be used.
        note: How the client wrote it.
        names: How tools are called on the wire.
        own: The client's own `tool_choice` is not sent as it is.
        forced: The dialect's word for a call that must be made.
    """
    made: JsonObject = {}
    if choice is None:
        return made
    said = note.get("tool_choice")
    if own and choice.name is not None:
        made["tool_choice"] = {"type": "function", "function": {"name": names.wire(choice.name)}}
    elif own and choice.mode == "required":
        made["tool_choice"] = said if isinstance(said, str) and said != "absent" else forced
    elif own and (choice.mode != "auto" or said != "absent"):
        made["tool_choice"] = choice.mode
    if choice.parallel is not None:
        made["parallel_tool_calls"] = choice.parallel
    return made
