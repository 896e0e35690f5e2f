"""A client's request, read."""

from interlock_core import CompletionRequest, JsonObject
from interlock_core.jsontypes import as_object, as_text
from interlock_providers.codecs import ClientRequest, Headers
from interlock_providers.codecs._fields import Fields, read_client_json
from interlock_providers.codecs._functions import (
    read_choice,
    read_format,
    read_logprobs,
    read_stop,
    read_tools,
)
from interlock_providers.codecs._notes import refuse_reserved
from interlock_providers.codecs._original import ParsedBytes
from interlock_providers.codecs.mistral_chat._messages import read_messages
from interlock_providers.codecs.mistral_chat._notes import DIALECT, NOTES
from interlock_providers.codecs.mistral_chat._request_out import FORCED


def parse_request(body: bytes, headers: Headers = ()) -> ClientRequest:
    """Read a client's request; see `Codec.parse_request`."""
    whole = read_client_json(body)
    refuse_reserved(whole, "")
    fields = Fields(whole)
    note: JsonObject = {}
    stream = fields.flag("stream") or False
    _take_defaults(fields)
    request = CompletionRequest(
        model=fields.need_text("model"),
        messages=read_messages(fields.items("messages"), "messages"),
        tools=read_tools(fields, note),
        tool_choice=read_choice(fields, note, forced=FORCED),
        response_format=read_format(fields),
        max_tokens=fields.whole("max_tokens", least=1),
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        top_k=fields.whole("top_k"),
        stop=read_stop(fields, note),
        seed=fields.whole("random_seed"),
        presence_penalty=fields.number("presence_penalty"),
        frequency_penalty=fields.number("frequency_penalty"),
        logprobs=read_logprobs(fields),
        n=fields.whole("n", least=1),
        reasoning_effort=fields.text("reasoning_effort"),
        service_tier=fields.text("service_tier"),
        cache_key=fields.text("prompt_cache_key"),
        # The dialect tells usage on every stream.
        stream_usage=stream,
        metadata=_metadata(fields),
        extra=NOTES.kept(fields.rest(), note),
    )
    original = ParsedBytes(
        dialect=DIALECT, body=body, headers=headers, parsed=request, members=frozenset(whole)
    )
    return ClientRequest(request=original.attach(), stream=stream)


def _take_defaults(fields: Fields) -> None:
    """What says only what is so anyway, or leaves out what goes without saying."""
    if fields.peek("response_format") == {"type": "text"}:
        fields.take("response_format")
    if fields.peek("safe_prompt") is False:
        fields.take("safe_prompt")
    choice = as_object(fields.peek("tool_choice"))
    if choice and "type" not in choice:
        fields.rest()["tool_choice"] = {"type": "function", **choice}


def _metadata(fields: Fields) -> dict[str, str]:
    """Tags that are texts; a client's other metadata stay a field of the dialect."""
    inner = fields.part("metadata")
    if inner is None:
        return {}
    values = inner.rest()
    tags = {name: text for name, value in values.items() if (text := as_text(value)) is not None}
    if len(tags) != len(values):
        fields.rest()["metadata"] = values
        return {}
    return tags
