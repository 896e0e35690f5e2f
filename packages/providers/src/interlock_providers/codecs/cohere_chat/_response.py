"""A whole answer, both ways."""

from dataclasses import replace

from interlock_core import Completion, Json, JsonObject, Message, ToolCall
from interlock_core.errors import InvalidRequestError, ProtocolError
from interlock_core.jsontypes import as_array, as_number, as_object, as_text
from interlock_providers.codecs import Headers, Rendered, VendorReply
from interlock_providers.codecs._answers import broken, read_answer
from interlock_providers.codecs._conversation import Heard
from interlock_providers.codecs._fields import Fields, to_bytes
from interlock_providers.codecs._notes import PREFIX
from interlock_providers.codecs._original import AnswerBytes
from interlock_providers.codecs._splice import splice
from interlock_providers.codecs.cohere_chat._errors import parse_error
from interlock_providers.codecs.cohere_chat._messages import read_assistant, write_answer
from interlock_providers.codecs.cohere_chat._notes import DIALECT, NOTES
from interlock_providers.codecs.cohere_chat._usage import read_finish, read_usage, write_finish, write_usage

_KNOWN = {"id", "finish_reason", "message", "usage", "logprobs"}


def parse_response(body: bytes, sent: Rendered, headers: Headers = ()) -> Completion:
    """Read a vendor's whole answer; see `Codec.parse_response`."""
    provider = sent.target.provider
    answer = read_answer(body, provider)
    said = answer.get("message")
    if isinstance(said, str) or (said is None and "error" in answer):
        raise parse_error(VendorReply(status=200, headers=headers, body=body, provider=provider, now=0.0))
    if not isinstance(said, dict):
        raise broken(provider, "without a message")
    heard = Heard(provider, sent.names)
    rest: JsonObject = {name: value for name, value in answer.items() if name not in _KNOWN}
    usage = read_usage(answer.get("usage"))
    if answer.get("usage") is not None:
        rest["usage"] = answer["usage"]
    message = _read_message(said, heard, rest)
    native = as_text(answer.get("finish_reason"))
    completion = Completion(
        model=sent.target.id,
        message=message,
        finish=read_finish(native, calls=any(isinstance(part, ToolCall) for part in message.content)),
        native_finish=native,
        usage=usage,
        id=as_text(answer.get("id")) or "",
        logprobs=answer.get("logprobs"),
    )
    raw = AnswerBytes(dialect=DIALECT, body=body, headers=headers, parsed=completion, plain=not heard.mended)
    return replace(completion, raw=raw)


def _read_message(said: JsonObject, heard: Heard, rest: JsonObject) -> Message:
    note: JsonObject = {}
    try:
        fields = Fields(said, "message")
        fields.take("role")
        parts = read_assistant(fields, note, heard)
    except InvalidRequestError as exc:
        raise ProtocolError(
            f"The answer of {heard.provider} breaks its format: {exc.message}", vendor=heard.provider
        ) from exc
    note["answer"] = rest
    left = {name: value for name, value in fields.rest().items() if not name.startswith(PREFIX)}
    return Message("assistant", tuple(parts), None, NOTES.kept(left, note))


def render_response(completion: Completion, interlock: JsonObject | None = None) -> bytes:
    """Write a whole answer for a client; see `Codec.render_response`."""
    raw = completion.raw
    told_before = interlock is not None and raw is not None and b'"interlock"' in raw.body
    if isinstance(raw, AnswerBytes) and raw.dialect == DIALECT and raw.fits(completion) and not told_before:
        added = {} if interlock is None else {"interlock": to_bytes(interlock)}
        if (body := splice(raw.body, replace={}, add=added)) is not None:
            return body
    return to_bytes(_written(completion, interlock))


def _written(completion: Completion, interlock: JsonObject | None) -> JsonObject:
    body: JsonObject = {
        "id": completion.id,
        "finish_reason": write_finish(completion.finish, completion.native_finish),
        "message": write_answer(completion.message),
    }
    if (logprobs := write_logprobs(completion.logprobs)) is not None:
        body["logprobs"] = logprobs
    body.update(as_object(NOTES.of(completion.message.extra).get("answer")))
    if completion.usage is not None and read_usage(body.get("usage")) != completion.usage:
        body["usage"] = write_usage(completion.usage)
    if interlock is not None:
        body["interlock"] = interlock
    return body


def write_logprobs(value: Json) -> Json:
    """Log probabilities as the dialect tells them, or None when they are in a form that nobody knows.

    Those of Chat Completions, which name each token, come without the ids of the tokens.
    """
    if isinstance(value, list):
        items = [as_object(item) for item in value]
        return [*items] if items and all(isinstance(item.get("token_ids"), list) for item in items) else None
    told: list[Json] = []
    for item in as_array(as_object(value).get("content")):
        token = as_object(item)
        number = as_number(token.get("logprob"))
        if number is not None:
            told.append({"text": as_text(token.get("token")), "token_ids": [], "logprobs": [number]})
    return told or None
