"""A whole answer, both ways."""

from dataclasses import replace

from interlock_core import Completion, FinishReason, JsonObject, Refusal
from interlock_core.errors import InvalidRequestError, ProtocolError
from interlock_core.jsontypes import as_object, as_text
from interlock_providers.codecs import Headers, Rendered, VendorReply
from interlock_providers.codecs._answers import broken, forwarded, read_answer
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._original import AnswerBytes
from interlock_providers.codecs.anthropic_messages._answer_out import refusal_of, stop_details, write_answer
from interlock_providers.codecs.anthropic_messages._blocks_in import Reader
from interlock_providers.codecs.anthropic_messages._errors import parse_error
from interlock_providers.codecs.anthropic_messages._messages_in import read_answer as read_blocks
from interlock_providers.codecs.anthropic_messages._notes import DIALECT, NOTES
from interlock_providers.codecs.anthropic_messages._usage import (
    NO_USAGE,
    read_finish,
    read_tier,
    read_usage,
    write_finish,
    write_usage,
)

_KNOWN = frozenset({"id", "type", "role", "model", "content", "stop_reason"})


def parse_response(body: bytes, sent: Rendered, headers: Headers = ()) -> Completion:
    """Read a vendor's whole answer; see `Codec.parse_response`."""
    provider = sent.target.provider
    answer = read_answer(body, provider)
    if answer.get("type") == "error" or (answer.get("error") is not None and "content" not in answer):
        raise parse_error(VendorReply(status=200, headers=headers, body=body, provider=provider, now=0.0))
    content = answer.get("content")
    if not isinstance(content, list):
        raise broken(provider, "without content")
    reader = Reader(provider=provider, names=sent.names)
    kept: JsonObject = {name: value for name, value in answer.items() if name not in _KNOWN}
    try:
        message = read_blocks(content, "content", reader, {"answer": kept})
    except InvalidRequestError as exc:
        raise ProtocolError(
            f"The answer of {provider} breaks its format: {exc.message}", vendor=provider
        ) from exc
    refusal = as_text(as_object(answer.get("stop_details")).get("explanation"))
    if refusal:
        message = replace(message, content=(*message.content, Refusal(refusal)))
    native = as_text(answer.get("stop_reason"))
    completion = Completion(
        model=sent.target.id,
        message=message,
        finish=read_finish(native),
        native_finish=native,
        usage=read_usage(answer.get("usage")),
        id=as_text(answer.get("id")) or "",
        service_tier=read_tier(answer.get("usage")),
    )
    plain = not reader.mended and answer.get("type") == "message"
    raw = AnswerBytes(dialect=DIALECT, body=body, headers=headers, parsed=completion, plain=plain)
    return replace(completion, raw=raw)


def render_response(completion: Completion, interlock: JsonObject | None = None) -> bytes:
    """Write a whole answer for a client; see `Codec.render_response`."""
    body = forwarded(completion, DIALECT, interlock)
    return to_bytes(_written(completion, interlock)) if body is None else body


def _written(completion: Completion, interlock: JsonObject | None) -> JsonObject:
    message = completion.message
    raw = completion.raw
    kept = as_object(NOTES.of(message.extra).get("answer"))
    body: JsonObject = {
        "id": completion.id,
        "type": "message",
        "role": "assistant",
        "model": completion.model,
        "content": write_answer(message, own=raw is not None and raw.dialect == DIALECT),
        "stop_reason": stop_reason(completion.finish, completion.native_finish, refusal_of(message)),
        "stop_sequence": None,
    }
    body.update(kept)
    if refusal := refusal_of(message):
        told = as_object(kept.get("stop_details"))
        same = told.get("explanation") == refusal
        body["stop_details"] = told if same else {**told, **stop_details(refusal)}
    usage = completion.usage
    if usage is None or read_usage(kept.get("usage")) != usage:
        # The dialect has no way to say that usage is not known.
        body["usage"] = dict(NO_USAGE) if usage is None else write_usage(usage, completion.service_tier)
    if interlock is not None:
        body["interlock"] = interlock
    return body


def stop_reason(finish: FinishReason, native: str | None, refusal: str) -> str:
    """Why the model stopped, in the dialect's word."""
    if refusal and finish in {FinishReason.STOP, FinishReason.UNKNOWN}:
        return "refusal"
    return write_finish(finish, native)
