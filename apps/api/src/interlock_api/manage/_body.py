"""Reads the body of a management request: JSON of bounded depth, without a field twice."""

import json
from collections.abc import Sequence
from typing import cast

from fastapi import Request

from interlock_api._refusals import CodingError
from interlock_core.errors import InvalidRequestError

_DEEPEST = 32
_JSON = "application/json"


class DepthError(InvalidRequestError):
    """The JSON is nested too deeply."""

    code = "nested_too_deeply"


class CheckedRequest(Request):
    """A request whose body was read and checked.

    Args:
        request: The request.
        read: What its body says; None when it has none.
    """

    def __init__(self, request: Request, read: object) -> None:
        super().__init__(request.scope, request.receive)
        self._raw = b"" if read is None else b"{}"
        self._read = read

    async def body(self) -> bytes:
        """Whether there is a body: empty, or not."""
        return self._raw

    async def json(self) -> object:
        """What the body says."""
        return self._read


async def read_json(request: Request) -> object:
    """What a request's body says; None when it has none.

    Raises:
        InvalidRequestError: It is no JSON object.
        CodingError: It is said to be something else.
    """
    body = await request.body()
    if not body:
        return None
    kind = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if kind != _JSON:
        raise CodingError(
            "The body is not said to be JSON.", field="content-type", remedy=f"Send 'Content-Type: {_JSON}'."
        )
    try:
        read = cast("object", json.loads(body, object_pairs_hook=_once, parse_constant=_refused))
    except RecursionError as exc:
        raise _too_deep() from exc
    except ValueError as exc:
        raise InvalidRequestError(
            f"The body is no JSON: {str(exc)[:120]}.", field="body", remedy="Send one JSON object."
        ) from exc
    if not isinstance(read, dict):
        raise InvalidRequestError("The body is no JSON object.", field="body", remedy="Send one.")
    _check_depth(cast("object", read))
    return cast("object", read)


def _check_depth(read: object) -> None:
    level = [read]
    for _ in range(_DEEPEST):
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                below += cast("dict[str, object]", value).values()
            elif isinstance(value, list):
                below += cast("list[object]", value)
        if not below:
            return
        level = below
    raise _too_deep()


def _too_deep() -> DepthError:
    return DepthError(
        f"The body is nested deeper than {_DEEPEST}.", field="body", remedy="Send flatter JSON."
    )


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field stands in it twice")
    return found


def _refused(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
