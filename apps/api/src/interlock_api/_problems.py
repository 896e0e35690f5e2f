"""Errors of the management interface as problem details (RFC 9457)."""

import math
from dataclasses import dataclass
from http.client import responses

from interlock_core.errors import InterlockError
from interlock_core.jsontypes import JsonObject, dump_json

PROBLEM = "application/problem+json"
"""Media type of a problem."""

_HEADERS = (("content-type", PROBLEM), ("cache-control", "no-store"), ("x-content-type-options", "nosniff"))


@dataclass(frozen=True, slots=True)
class ProblemReply:
    """An error as a client of the management interface is told it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def problem(error: InterlockError, **more: JsonObject | list[JsonObject]) -> ProblemReply:
    """An error as a problem: its class in `code`, what to change in `field`, what to do in `remedy`.

    Args:
        error: The error, as it may be told.
        more: Further members.
    """
    content: JsonObject = {
        "type": "about:blank",
        "title": responses.get(error.status, "Error"),
        "status": error.status,
        "detail": error.message,
        "code": error.code,
    }
    content |= {} if error.field is None else {"field": error.field}
    content |= {} if error.remedy is None else {"remedy": error.remedy}
    content |= {} if error.retry_after is None else {"retry_after": error.retry_after}
    content |= {name: [*value] if isinstance(value, list) else value for name, value in more.items()}
    headers = [
        ("content-type", PROBLEM),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ]
    if error.retry_after is not None:
        headers.append(("retry-after", str(math.ceil(error.retry_after))))
    return ProblemReply(error.status, tuple(headers), dump_json(content).encode())
