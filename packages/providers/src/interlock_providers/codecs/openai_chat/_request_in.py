"""A client's request, read."""

from interlock_core import (
    CompletionRequest,
    Json,
    JsonObject,
    ResponseFormat,
    ToolChoice,
    ToolSpec,
)
from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_providers.codecs import ClientRequest, Headers
from interlock_providers.codecs._fields import Fields, read_client_json, wrong
from interlock_providers.codecs._original import ParsedBytes
from interlock_providers.codecs.openai_chat._messages import read_messages
from interlock_providers.codecs.openai_chat._notes import DIALECT, refuse_reserved, with_note


def parse_request(body: bytes, headers: Headers = ()) -> ClientRequest:
    """Read a client's request; see `Codec.parse_request`."""
    whole = read_client_json(body)
    refuse_reserved(whole, "")
    fields = Fields(whole)
    note: JsonObject = {}
    stream = fields.flag("stream") or False
    options = _stream_options(fields)
    request = CompletionRequest(
        model=fields.need_text("model"),
        messages=read_messages(fields.items("messages"), "messages"),
        tools=_tools(fields, note),
        tool_choice=_tool_choice(fields, note),
        response_format=_response_format(fields),
        max_tokens=_max_tokens(fields, note),
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        top_k=fields.whole("top_k"),
        stop=_stop(fields, note),
        seed=fields.whole("seed"),
        presence_penalty=fields.number("presence_penalty"),
        frequency_penalty=fields.number("frequency_penalty"),
        logprobs=_logprobs(fields),
        n=fields.whole("n", least=1),
        reasoning_effort=fields.text("reasoning_effort"),
        service_tier=fields.text("service_tier"),
        cache_key=fields.text("prompt_cache_key"),
        user=fields.text("user"),
        stream_usage=options,
        metadata=_metadata(fields),
        extra=with_note(fields.rest(), note),
    )
    original = ParsedBytes(
        dialect=DIALECT, body=body, headers=headers, parsed=request, members=frozenset(whole)
    )
    return ClientRequest(request=original.attach(), stream=stream)


def _stream_options(fields: Fields) -> bool:
    options = fields.part("stream_options")
    if options is None:
        return False
    usage = options.flag("include_usage") or False
    if options.rest():
        fields.rest()["stream_options"] = options.rest()
    return usage


def _max_tokens(fields: Fields, note: JsonObject) -> int | None:
    older = fields.whole("max_tokens", least=1)
    newer = fields.whole("max_completion_tokens", least=1)
    if newer is None and older is None:
        return None
    if newer is not None and older is not None:
        raise InvalidRequestError(
            "max_tokens and max_completion_tokens cannot both be given.",
            field="max_tokens",
            remedy="Send one of them.",
        )
    note["max_tokens"] = "max_tokens" if newer is None else "max_completion_tokens"
    return older if newer is None else newer


def _stop(fields: Fields, note: JsonObject) -> tuple[str, ...]:
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


def _logprobs(fields: Fields) -> int | None:
    wanted = fields.flag("logprobs")
    if not wanted:
        return None
    return fields.whole("top_logprobs", least=0) or 0


def _metadata(fields: Fields) -> dict[str, str]:
    inner = fields.part("metadata")
    if inner is None:
        return {}
    tags: dict[str, str] = {}
    for name, value in inner.rest().items():
        if not isinstance(value, str):
            raise wrong(inner.at(name), "a string")
        tags[name] = value
    return tags


def _response_format(fields: Fields) -> ResponseFormat | None:
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


def _tools(fields: Fields, note: JsonObject) -> tuple[ToolSpec, ...]:
    specs: list[ToolSpec] = []
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
        spec = _tool(function)
        if any(spec.name == earlier.name for earlier in specs):
            raise InvalidRequestError(
                f"{function.at('name')} names a tool that stands in the list already.",
                field=function.at("name"),
                remedy="Give each tool a name of its own.",
            )
        specs.append(spec)
        if function.rest():
            tool.rest()["function"] = function.rest()
        if tool.rest():
            left[spec.name] = tool.rest()
    note["tools"], note["other_tools"] = left, others
    return tuple(specs)


def _tool(function: Fields) -> ToolSpec:
    name = function.need_text("name")
    description = function.text("description") or ""
    strict = function.flag("strict")
    parameters = function.take("parameters")
    if parameters is None:
        return ToolSpec(name=name, description=description, strict=strict)
    if not isinstance(parameters, dict):
        raise wrong(function.at("parameters"), "a JSON Schema object")
    return ToolSpec(name=name, description=description, parameters=parameters, strict=strict)


def _tool_choice(fields: Fields, note: JsonObject) -> ToolChoice | None:
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
        case {"type": "function", "function": {"name": str(name), **more_inside}, **more}:
            if name and not more and not more_inside:
                return ToolChoice(mode="required", name=name, parallel=parallel)
        case {"type": str()}:
            pass
        case _:
            raise wrong("tool_choice", "auto, none, required or an object that names a tool")
    fields.rest()["tool_choice"] = value
    return None if parallel is None else ToolChoice(parallel=parallel)
