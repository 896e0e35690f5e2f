"""A whole answer, both ways."""

from dataclasses import replace

from interlock_core import Completion, Json, JsonObject, Message, Refusal
from interlock_core.errors import InvalidRequestError, ProtocolError
from interlock_core.jsontypes import as_array, as_int, as_object, as_text
from interlock_providers.codecs import Headers, Rendered, VendorReply
from interlock_providers.codecs._answers import broken, forwarded, read_answer
from interlock_providers.codecs._conversation import Heard
from interlock_providers.codecs._fields import Fields, to_bytes
from interlock_providers.codecs._original import AnswerBytes
from interlock_providers.codecs.openai_chat._errors import parse_error
from interlock_providers.codecs.openai_chat._messages import read_assistant, write_assistant
from interlock_providers.codecs.openai_chat._notes import (
    DIALECT,
    PREFIX,
    note_of,
    shown_fields,
    with_note,
)
from interlock_providers.codecs.openai_chat._usage import read_finish, read_usage, write_finish, write_usage

_KNOWN = {"id", "object", "created", "model", "choices", "usage", "service_tier"}


def parse_response(body: bytes, sent: Rendered, headers: Headers = ()) -> Completion:
    """Read a vendor's whole answer; see `Codec.parse_response`."""
    provider = sent.target.provider
    answer = read_answer(body, provider)
    if answer.get("error") is not None and not answer.get("choices"):
        raise parse_error(VendorReply(status=200, headers=headers, body=body, provider=provider, now=0.0))
    choices = [as_object(item) for item in as_array(answer.get("choices"))]
    if not choices:
        raise broken(provider, "no choices")
    choices.sort(key=lambda choice: as_int(choice.get("index")) or 0)
    heard = Heard(provider, sent.names)
    rest: JsonObject = {name: value for name, value in answer.items() if name not in _KNOWN}
    usage = read_usage(answer.get("usage"))
    if usage is not None:
        rest["usage"] = answer["usage"]
    messages = [
        _read_choice(choice, heard, rest if index == 0 else {}, last=index > 0)
        for index, choice in enumerate(choices)
    ]
    first = messages[0]
    native = as_text(choices[0].get("finish_reason"))
    refused = any(isinstance(part, Refusal) for part in first.content)
    completion = Completion(
        model=sent.target.id,
        message=first,
        finish=read_finish(native, calls=bool(first.tool_calls), refused=refused),
        native_finish=native,
        usage=usage,
        id=as_text(answer.get("id")) or "",
        created=as_int(answer.get("created")) or 0,
        alternatives=tuple(messages[1:]),
        logprobs=choices[0].get("logprobs"),
        service_tier=as_text(answer.get("service_tier")),
    )
    raw = AnswerBytes(dialect=DIALECT, body=body, headers=headers, parsed=completion, plain=not heard.mended)
    return replace(completion, raw=raw)


def _read_choice(choice: JsonObject, heard: Heard, rest: JsonObject, *, last: bool) -> Message:
    note: JsonObject = {"answer": rest}
    taken = {"index", "message"} if last else {"index", "message", "finish_reason", "logprobs"}
    note["choice"] = {name: value for name, value in choice.items() if name not in taken}
    try:
        fields = Fields(choice.get("message"), "choices[].message")
        fields.take("role")
        parts = read_assistant(fields, note, heard)
    except InvalidRequestError as exc:
        raise ProtocolError(
            f"The answer of {heard.provider} breaks its format: {exc.message}", vendor=heard.provider
        ) from exc
    left = {name: value for name, value in fields.rest().items() if not name.startswith(PREFIX)}
    return Message("assistant", tuple(parts), None, with_note(left, note))


def render_response(completion: Completion, interlock: JsonObject | None = None) -> bytes:
    """Write a whole answer for a client; see `Codec.render_response`."""
    body = forwarded(completion, DIALECT, interlock)
    return to_bytes(_written(completion, interlock)) if body is None else body


def _written(completion: Completion, interlock: JsonObject | None) -> JsonObject:
    note = note_of(completion.message.extra)
    choices: list[Json] = [
        {
            "index": 0,
            "message": _write_message(completion.message),
            "logprobs": completion.logprobs,
            "finish_reason": write_finish(completion.finish, completion.native_finish),
            **as_object(note.get("choice")),
        }
    ]
    for index, message in enumerate(completion.alternatives, 1):
        kept = {"finish_reason": "stop", "logprobs": None, **as_object(note_of(message.extra).get("choice"))}
        choices.append({"index": index, "message": _write_message(message), **kept})
    body: JsonObject = {
        "id": completion.id,
        "object": "chat.completion",
        "created": completion.created,
        "model": completion.model,
        "choices": choices,
    }
    if completion.service_tier is not None:
        body["service_tier"] = completion.service_tier
    body.update(as_object(note.get("answer")))
    if completion.usage is None:
        body.pop("usage", None)
    elif read_usage(body.get("usage")) != completion.usage:
        body["usage"] = write_usage(completion.usage)
    if interlock is not None:
        body["interlock"] = interlock
    return body


def _write_message(message: Message) -> JsonObject:
    made: JsonObject = {"role": "assistant", **write_assistant(message, None, None, "message")}
    return {**made, **shown_fields(message.extra)}
