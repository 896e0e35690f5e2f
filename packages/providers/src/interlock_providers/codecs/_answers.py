"""A whole answer of a JSON dialect: how its bytes are read, and when they can be told on as they are."""

from interlock_core import Completion, JsonObject
from interlock_core.errors import ProtocolError
from interlock_core.jsontypes import dump_json, parse_json
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._original import AnswerBytes
from interlock_providers.codecs._splice import splice


def read_answer(body: bytes, provider: str) -> JsonObject:
    """The JSON object that a vendor answered.

    Raises:
        ProtocolError: It is none.
    """
    try:
        value = parse_json(body)
    except (ValueError, RecursionError) as exc:
        raise broken(provider, "not JSON") from exc
    if not isinstance(value, dict):
        raise broken(provider, "no JSON object")
    return value


def broken(provider: str, what: str) -> ProtocolError:
    """The error for an answer that breaks its format."""
    return ProtocolError(
        f"The answer of {provider} is {what}.",
        remedy="Check that its base URL is that of a server of this dialect.",
        vendor=provider,
    )


def forwarded(completion: Completion, dialect: str, interlock: JsonObject | None) -> bytes | None:
    """The vendor's own bytes under our name of the model; None when they are not what the client is to read.

    Args:
        completion: The answer.
        dialect: What the client speaks.
        interlock: Facts about the call, told under the key `interlock` when given.
    """
    raw = completion.raw
    told_before = interlock is not None and raw is not None and b'"interlock"' in raw.body
    if not isinstance(raw, AnswerBytes) or raw.dialect != dialect or told_before or not raw.fits(completion):
        return None
    added = {} if interlock is None else {"interlock": to_bytes(interlock)}
    return splice(raw.body, replace={"model": dump_json(completion.model).encode()}, add=added)
