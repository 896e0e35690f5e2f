"""A client's request, read."""

from interlock_core import CompletionRequest, JsonObject
from interlock_core.errors import InvalidRequestError
from interlock_providers.codecs import ClientRequest, Headers
from interlock_providers.codecs._fields import Fields, read_client_json, wrong
from interlock_providers.codecs._functions import (
    read_choice,
    read_format,
    read_logprobs,
    read_stop,
    read_tools,
)
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
        tools=read_tools(fields, note),
        tool_choice=read_choice(fields, note),
        response_format=read_format(fields),
        max_tokens=_max_tokens(fields, note),
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        top_k=fields.whole("top_k"),
        stop=read_stop(fields, note),
        seed=fields.whole("seed"),
        presence_penalty=fields.number("presence_penalty"),
        frequency_penalty=fields.number("frequency_penalty"),
        logprobs=read_logprobs(fields),
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
