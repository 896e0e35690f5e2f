"""A whole answer, both ways."""

from collections.abc import Sequence
from dataclasses import replace

from interlock_core import Completion, Json, JsonObject, Refusal
from interlock_core.errors import InvalidRequestError, ProtocolError
from interlock_core.jsontypes import as_array, as_object, as_text, dump_json, parse_json
from interlock_providers.codecs import Headers, Rendered, VendorReply
from interlock_providers.codecs._conversation import Heard
from interlock_providers.codecs._fields import Fields, to_bytes
from interlock_providers.codecs._original import AnswerBytes
from interlock_providers.codecs._splice import splice
from interlock_providers.codecs.openai_chat._errors import parse_error
from interlock_providers.codecs.openai_responses._items import Turn
from interlock_providers.codecs.openai_responses._notes import DIALECT, NOTES, PREFIX
from interlock_providers.codecs.openai_responses._told import client_items
from interlock_providers.codecs.openai_responses._usage import (
    Ending,
    read_finish,
    read_usage,
    write_finish,
    write_usage,
)

_KNOWN = {
    "id",
    "object",
    "created_at",
    "model",
    "output",
    "service_tier",
    "status",
    "incomplete_details",
    "error",
    "interlock",
}
_TIERS = {"auto", "default", "flex", "scale", "priority", "fast", "ultrafast"}


def parse_response(body: bytes, sent: Rendered, headers: Headers = ()) -> Completion:
    """Read a vendor's whole answer; see `Codec.parse_response`."""
    provider = sent.target.provider
    answer = _read_json(body, provider)
    refuse_failed(answer, provider, headers)
    if not isinstance(answer.get("output"), list):
        raise _broken(provider, "no response: it has no output")
    heard = Heard(provider, sent.names)
    rest: JsonObject = {
        name: value
        for name, value in answer.items()
        if name not in _KNOWN and not name.startswith(PREFIX) and value is not None
    }
    turn = read_output(answer, heard)
    message = turn.message({"answer": rest})
    refused = any(isinstance(part, Refusal) for part in message.content)
    finish, native = read_finish(answer, calls=bool(message.tool_calls), refused=refused)
    logprobs = _logprobs(answer)
    completion = Completion(
        model=sent.target.id,
        message=message,
        finish=finish,
        native_finish=native,
        usage=read_usage(answer),
        id=as_text(answer.get("id")) or "",
        created=_whole(answer.get("created_at")),
        logprobs=chat_logprobs(logprobs),
        service_tier=as_text(answer.get("service_tier")),
    )
    raw = AnswerBytes(dialect=DIALECT, body=body, headers=headers, parsed=completion, plain=not heard.mended)
    return replace(completion, raw=raw)


def refuse_failed(answer: JsonObject, provider: str, headers: Headers = (), *, now: float = 0.0) -> None:
    """Raise the typed error of an answer that is one, whatever its status on the wire.

    Raises:
        InterlockError: It is.
    """
    error = answer.get("error")
    if error is None and answer.get("status") not in ("failed", "cancelled"):
        return
    said: JsonObject = {"error": error or {"message": f"The answer is {answer.get('status')}"}}
    raise parse_error(
        VendorReply(status=200, headers=headers, body=to_bytes(said), provider=provider, now=now)
    )


def read_output(answer: JsonObject, heard: Heard) -> Turn:
    """The items of an answer.

    Raises:
        ProtocolError: One breaks the dialect's format.
    """
    turn = Turn(heard)
    for index, item in enumerate(as_array(answer.get("output"))):
        read_item(turn, item, f"output[{index}]", heard.provider)
    return turn


def read_item(turn: Turn, item: Json, path: str, provider: str) -> None:
    """One item of an answer.

    Raises:
        ProtocolError: It breaks the dialect's format.
    """
    try:
        fields = Fields(item, path)
        turn.take(fields, fields.need_text("type"), item)
    except InvalidRequestError as exc:
        raise ProtocolError(
            f"The answer of {provider} breaks its format: {exc.message}", vendor=provider
        ) from exc


def _read_json(body: bytes, provider: str) -> JsonObject:
    try:
        value = parse_json(body)
    except (ValueError, RecursionError) as exc:
        raise _broken(provider, "not JSON") from exc
    if not isinstance(value, dict):
        raise _broken(provider, "no JSON object")
    return value


def _broken(provider: str, what: str) -> ProtocolError:
    return ProtocolError(
        f"The answer of {provider} is {what}.",
        remedy="Check that its base URL is that of a server of this dialect.",
        vendor=provider,
    )


def _whole(value: Json) -> int:
    return int(value) if isinstance(value, int | float) and abs(value) < 2**53 else 0


def _logprobs(answer: JsonObject) -> list[Json]:
    parts = (
        as_object(part)
        for item in as_array(answer.get("output"))
        for part in as_array(as_object(item).get("content"))
    )
    return [entry for part in parts for entry in as_array(part.get("logprobs"))]


def chat_logprobs(entries: Sequence[Json]) -> Json:
    """Log probabilities in the one form that clients of every dialect are told: the chat dialect's."""
    return {"content": [*entries]} if entries else None


def own_logprobs(value: Json) -> list[Json]:
    """Log probabilities as this dialect has them, from the chat dialect's form."""
    return [_own_entry(as_object(entry)) for entry in as_array(as_object(value).get("content"))]


def _own_entry(entry: JsonObject) -> JsonObject:
    top: list[Json] = [_with_bytes(as_object(item)) for item in as_array(entry.get("top_logprobs"))]
    return {**_with_bytes(entry), "top_logprobs": top}


def _with_bytes(entry: JsonObject) -> JsonObject:
    token = as_text(entry.get("token")) or ""
    if isinstance(entry.get("bytes"), list):
        return entry
    return {**entry, "token": token, "bytes": [*token.encode("utf-8", "replace")]}


def render_response(completion: Completion, interlock: JsonObject | None = None) -> bytes:
    """Write a whole answer for a client; see `Codec.render_response`."""
    raw = completion.raw
    told_before = interlock is not None and raw is not None and b'"interlock"' in raw.body
    if isinstance(raw, AnswerBytes) and raw.dialect == DIALECT and raw.fits(completion) and not told_before:
        added = {} if interlock is None else {"interlock": to_bytes(interlock)}
        model = dump_json(completion.model).encode()
        if (body := splice(raw.body, replace={"model": model}, add=added)) is not None:
            return body
    return to_bytes(_written(completion, interlock))


def _written(completion: Completion, interlock: JsonObject | None) -> JsonObject:
    message = completion.message
    refused = any(isinstance(part, Refusal) for part in message.content)
    output = client_items(message, completion.id)
    _place_logprobs(output, own_logprobs(completion.logprobs))
    body = response_object(
        number=completion.id,
        created=completion.created,
        model=completion.model,
        output=output,
        ending=write_finish(completion.finish, completion.native_finish, refused=refused),
        tier=completion.service_tier,
    )
    body.update(as_object(NOTES.of(message.extra).get("answer")))
    if completion.usage is None or read_usage(body) != completion.usage:
        body["usage"] = write_usage(completion.usage)
    if interlock is not None:
        body["interlock"] = interlock
    return body


def _place_logprobs(output: Sequence[Json], entries: list[Json]) -> None:
    if not entries:
        return
    for item in output:
        for part in as_array(as_object(item).get("content")):
            found = as_object(part)
            if found.get("type") == "output_text":
                found["logprobs"] = entries
                return


def response_object(
    *,
    number: str,
    created: int,
    model: str,
    output: list[Json],
    ending: Ending,
    tier: str | None = None,
) -> JsonObject:
    """An answer with every field that clients of the dialect count on.

    Args:
        number: Its id.
        created: Seconds since 1970.
        model: `provider/model` that answered.
        output: The items.
        ending: How it ended.
        tier: The vendor's word for the tier that served it.
    """
    return {
        "id": number,
        "object": "response",
        "created_at": created,
        "status": ending.status,
        "background": False,
        "error": ending.error,
        "incomplete_details": ending.details,
        "instructions": None,
        "max_output_tokens": None,
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": _tier(tier),
        "store": False,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "truncation": "disabled",
        "usage": None,
        "user": None,
        "metadata": {},
    }


def _tier(tier: str | None) -> str | None:
    """The dialect's word for a tier; another vendor's word for the usual one means the same."""
    return tier if tier is None or tier in _TIERS else "default" if tier.startswith("standard") else tier
