"""A whole answer, both ways."""

from dataclasses import replace

from interlock_core import Completion, Json, JsonObject, Message
from interlock_core.errors import InvalidRequestError, ProtocolError
from interlock_core.jsontypes import as_array, as_int, as_object, as_text
from interlock_providers.codecs import Headers, Rendered, VendorReply
from interlock_providers.codecs._answers import broken, forwarded, read_answer
from interlock_providers.codecs._fields import Fields, to_bytes
from interlock_providers.codecs._notes import PREFIX
from interlock_providers.codecs._original import AnswerBytes
from interlock_providers.codecs.mistral_chat._errors import is_error, parse_error
from interlock_providers.codecs.mistral_chat._logprobs import write_probabilities
from interlock_providers.codecs.mistral_chat._messages import Heard, read_assistant, write_assistant
from interlock_providers.codecs.mistral_chat._notes import DIALECT, NOTES
from interlock_providers.codecs.mistral_chat._usage import (
    read_finish,
    read_tier,
    read_usage,
    write_finish,
    write_usage,
)
from interlock_providers.codecs.mistral_chat._wire import Wire

_KNOWN = {"id", "object", "created", "model", "choices", "usage"}


def parse_response(body: bytes, sent: Rendered, headers: Headers = ()) -> Completion:
    """Read a vendor's whole answer; see `Codec.parse_response`."""
    provider = sent.target.provider
    answer = read_answer(body, provider)
    if is_error(answer):
        raise parse_error(VendorReply(status=200, headers=headers, body=body, provider=provider, now=0.0))
    choices = [as_object(item) for item in as_array(answer.get("choices"))]
    if not choices:
        raise broken(provider, "no choices")
    choices.sort(key=lambda choice: as_int(choice.get("index")) or 0)
    heard = Heard(sent.names, "", provider)
    rest: JsonObject = {name: value for name, value in answer.items() if name not in _KNOWN}
    usage = read_usage(answer.get("usage"))
    if usage is not None:
        rest["usage"] = answer["usage"]
    messages: list[Message] = []
    for index, choice in enumerate(choices):
        heard.seed = f"{as_text(answer.get('id')) or ''}\0{index}"
        messages.append(_read_choice(choice, heard, None if index else rest))
    first = messages[0]
    native = as_text(choices[0].get("finish_reason"))
    completion = Completion(
        model=sent.target.id,
        message=first,
        finish=read_finish(native, calls=bool(first.tool_calls)),
        native_finish=native,
        usage=usage,
        id=as_text(answer.get("id")) or "",
        created=as_int(answer.get("created")) or 0,
        alternatives=tuple(messages[1:]),
        logprobs=choices[0].get("logprobs"),
        service_tier=read_tier(answer.get("usage")),
    )
    raw = AnswerBytes(dialect=DIALECT, body=body, headers=headers, parsed=completion, plain=not heard.mended)
    return replace(completion, raw=raw)


def _read_choice(choice: JsonObject, heard: Heard, rest: JsonObject | None) -> Message:
    """One answer.

    Args:
        choice: As the vendor said it.
        heard: The vendor.
        rest: Fields of the whole answer, which the first of several keeps; None for another.
    """
    note: JsonObject = {"answer": rest}
    taken = {"index", "message"} if rest is None else {"index", "message", "finish_reason", "logprobs"}
    note["choice"] = {name: value for name, value in choice.items() if name not in taken}
    try:
        fields = Fields(_message(choice), "choices[].message")
        fields.take("role")
        parts = read_assistant(fields, note, heard)
    except InvalidRequestError as exc:
        raise ProtocolError(
            f"The answer of {heard.provider} breaks its format: {exc.message}", vendor=heard.provider
        ) from exc
    left = {name: value for name, value in fields.rest().items() if not name.startswith(PREFIX)}
    return Message("assistant", tuple(parts), None, NOTES.kept(left, note))


def _message(choice: JsonObject) -> Json:
    """What the assistant says; where the vendor ran tools between, the last of its messages."""
    message = choice.get("message")
    if message is not None:
        return message
    several = [as_object(item) for item in as_array(choice.get("messages"))]
    spoken = [item for item in several if item.get("role") in (None, "assistant")]
    return spoken[-1] if spoken else None


def render_response(completion: Completion, interlock: JsonObject | None = None) -> bytes:
    """Write a whole answer for a client; see `Codec.render_response`."""
    body = forwarded(completion, DIALECT, interlock)
    return to_bytes(_written(completion, interlock)) if body is None else body


def _written(completion: Completion, interlock: JsonObject | None) -> JsonObject:
    note = NOTES.of(completion.message.extra)
    first: JsonObject = {
        "index": 0,
        "message": _write_message(completion.message),
        "finish_reason": write_finish(completion.finish, completion.native_finish),
    }
    if completion.logprobs is not None:
        first["logprobs"] = write_probabilities(completion.logprobs)
    choices: list[Json] = [{**first, **as_object(note.get("choice"))}]
    for index, message in enumerate(completion.alternatives, 1):
        kept = {"finish_reason": "stop", **as_object(NOTES.of(message.extra).get("choice"))}
        choices.append({"index": index, "message": _write_message(message), **kept})
    body: JsonObject = {
        "id": completion.id,
        "object": "chat.completion",
        "created": completion.created,
        "model": completion.model,
        "choices": choices,
        **as_object(note.get("answer")),
    }
    if completion.usage is None or read_usage(body.get("usage")) != completion.usage:
        body["usage"] = write_usage(completion.usage, completion.service_tier)
    if interlock is not None:
        body["interlock"] = interlock
    return body


def _write_message(message: Message) -> JsonObject:
    rest = NOTES.shown(message.extra)
    return {"role": "assistant", **write_assistant(message, rest, Wire()), **rest}
