"""A client's request, read."""

from interlock_core import CompletionRequest, Json, JsonObject, ResponseFormat, ToolChoice, ToolSpec
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import as_int
from interlock_providers.codecs import ClientRequest, Headers
from interlock_providers.codecs._fields import Fields, read_client_json, wrong
from interlock_providers.codecs._notes import refuse_reserved
from interlock_providers.codecs._original import ParsedBytes
from interlock_providers.codecs.cohere_chat._messages import read_messages
from interlock_providers.codecs.cohere_chat._notes import DIALECT, NOTES, keep_empty


def parse_request(body: bytes, headers: Headers = ()) -> ClientRequest:
    """Read a client's request; see `Codec.parse_request`."""
    whole = read_client_json(body)
    refuse_reserved(whole, "")
    fields = Fields(whole)
    note: JsonObject = {}
    stream = fields.flag("stream") or False
    keep_empty(fields, note, "tools", "stop_sequences")
    request = CompletionRequest(
        model=fields.need_text("model"),
        messages=read_messages(fields.items("messages"), "messages"),
        tools=_tools(fields, note),
        tool_choice=_tool_choice(fields),
        response_format=_response_format(fields, note),
        max_tokens=fields.whole("max_tokens", least=1),
        temperature=fields.number("temperature"),
        top_p=fields.number("p"),
        top_k=fields.whole("k", least=0),
        stop=_stop(fields),
        seed=fields.whole("seed"),
        presence_penalty=fields.number("presence_penalty"),
        frequency_penalty=fields.number("frequency_penalty"),
        logprobs=0 if fields.flag("logprobs") else None,
        reasoning_budget=_thinking(fields),
        # The end of a stream tells usage in this dialect, asked or not.
        stream_usage=stream,
        extra=NOTES.kept(fields.rest(), note),
    )
    original = ParsedBytes(
        dialect=DIALECT, body=body, headers=headers, parsed=request, members=frozenset(whole)
    )
    return ClientRequest(request=original.attach(), stream=stream)


def _stop(fields: Fields) -> tuple[str, ...]:
    texts: list[str] = []
    for index, item in enumerate(fields.items("stop_sequences") or ()):
        if not isinstance(item, str):
            raise wrong(f"stop_sequences[{index}]", "a string")
        texts.append(item)
    return tuple(texts)


def _thinking(fields: Fields) -> int | None:
    """The budget in the vocabulary's words, 0 for none; what says more or less than that stays a field."""
    value = fields.peek("thinking")
    if value is None:
        fields.take("thinking")
        return None
    match value:
        case {"type": "disabled", **more} if not more:
            fields.take("thinking")
            return 0
        case {"type": "enabled", "token_budget": budget, **more} if not more:
            tokens = as_int(budget)
            if tokens is None or tokens < 1:
                raise wrong("thinking.token_budget", "a whole number from 1 on")
            fields.take("thinking")
            return tokens
        case {"type": str()}:
            return None
        case _:
            raise wrong("thinking", "an object with the type enabled or disabled")


def _response_format(fields: Fields, note: JsonObject) -> ResponseFormat | None:
    value = fields.take("response_format")
    if value is None:
        return None
    inner = Fields(value, "response_format")
    kind = inner.need_text("type")
    schema = inner.take("json_schema") if kind == "json_object" else None
    if inner.rest() or kind not in {"text", "json_object"}:
        # An older or a newer form, which only this dialect can pass on.
        fields.rest()["response_format"] = value
        return None
    if kind == "text":
        note["response_format"] = "text"
        return None
    if schema is None:
        return ResponseFormat(kind="json_object")
    if not isinstance(schema, dict):
        raise wrong(inner.at("json_schema"), "a JSON Schema object")
    return ResponseFormat(kind="json_schema", schema=schema)


def _tools(fields: Fields, note: JsonObject) -> tuple[ToolSpec, ...]:
    items = fields.items("tools") or []
    strict = fields.flag("strict_tools") if items else None
    specs: dict[str, ToolSpec] = {}
    left: JsonObject = {}
    for index, item in enumerate(items):
        tool = Fields(item, f"tools[{index}]")
        tool.one_of("type", ("function",))
        function = tool.part("function")
        if function is None:
            raise wrong(tool.at("function"), "a JSON object")
        spec = _tool(function, strict)
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
    note["tools"] = left
    return tuple(specs.values())


def _tool(function: Fields, strict: bool | None) -> ToolSpec:
    name = function.need_text("name")
    description = function.text("description") or ""
    parameters: Json = function.take("parameters")
    if parameters is None:
        return ToolSpec(name=name, description=description, strict=strict)
    if not isinstance(parameters, dict):
        raise wrong(function.at("parameters"), "a JSON Schema object")
    return ToolSpec(name=name, description=description, parameters=parameters, strict=strict)


def _tool_choice(fields: Fields) -> ToolChoice | None:
    match fields.take("tool_choice"):
        case None:
            return None
        case "REQUIRED":
            return ToolChoice(mode="required")
        case "NONE":
            return ToolChoice(mode="none")
        case _:
            raise wrong("tool_choice", "REQUIRED or NONE, or be left out")
