"""A client's request, read."""

from interlock_core import CompletionRequest, JsonObject
from interlock_providers.codecs import ClientRequest, Headers
from interlock_providers.codecs._fields import Fields, read_client_json, wrong
from interlock_providers.codecs._original import ParsedBytes
from interlock_providers.codecs.anthropic_messages._blocks_in import Reader
from interlock_providers.codecs.anthropic_messages._form import read_config
from interlock_providers.codecs.anthropic_messages._messages_in import read_messages, read_system
from interlock_providers.codecs.anthropic_messages._notes import DIALECT, NOTES, refuse_reserved
from interlock_providers.codecs.anthropic_messages._reasoning import read_thinking
from interlock_providers.codecs.anthropic_messages._tools import read_choice, read_tools

_HEADERS = frozenset({"anthropic-version", "anthropic-beta"})


def parse_request(body: bytes, headers: Headers = ()) -> ClientRequest:
    """Read a client's request; see `Codec.parse_request`."""
    whole = read_client_json(body)
    refuse_reserved(whole, "")
    fields = Fields(whole)
    # Always there, so that a writer knows whose words these are.
    note: JsonObject = {"spoken": True}
    stream = fields.flag("stream") or False
    reader = Reader()
    model = fields.need_text("model")
    max_tokens = fields.whole("max_tokens", least=0)
    if max_tokens is None:
        raise wrong("max_tokens", "a whole number")
    system = read_system(fields.take("system"), "system")
    messages = read_messages(fields.items("messages"), "messages", reader)
    tools = read_tools(fields, note)
    form, effort = read_config(fields)
    # A hint, which another vendor may do without: it is no reason to refuse the request there.
    note["cache_control"] = fields.take("cache_control")
    if reader.mended:
        note["sealed"] = True
    request = CompletionRequest(
        model=model,
        messages=messages if system is None else (system, *messages),
        tools=tools,
        tool_choice=read_choice(fields),
        response_format=form,
        max_tokens=max_tokens,
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        top_k=fields.whole("top_k"),
        stop=_stop(fields),
        reasoning_effort=effort,
        reasoning_budget=read_thinking(fields, note),
        service_tier=fields.text("service_tier"),
        user=_user(fields),
        stream_usage=stream,
        extra=NOTES.kept(fields.rest(), note),
    )
    kept = tuple((name.lower(), value) for name, value in headers if name.lower() in _HEADERS)
    original = ParsedBytes(dialect=DIALECT, body=body, headers=kept, parsed=request, members=frozenset(whole))
    return ClientRequest(request=original.attach(), stream=stream)


def _stop(fields: Fields) -> tuple[str, ...]:
    texts: list[str] = []
    for index, item in enumerate(fields.items("stop_sequences") or ()):
        if not isinstance(item, str):
            raise wrong(f"stop_sequences[{index}]", "a string")
        texts.append(item)
    return tuple(texts)


def _user(fields: Fields) -> str | None:
    metadata = fields.part("metadata")
    if metadata is None:
        return None
    user = metadata.text("user_id")
    if metadata.rest():
        fields.rest()["metadata"] = metadata.rest()
    return user
