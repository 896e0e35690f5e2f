"""HTTP of the SDK on our own client: guarded egress, credentials at the last step, bounds on answers."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import httpx2

from interlock_core.errors import EgressRefusedError, InterlockError, ProtocolError
from interlock_core.http import HttpClient, origin_of
from interlock_core.jsontypes import dump_json
from interlock_core.toolspec import HttpRequest

if TYPE_CHECKING:
    from interlock_core.http import HttpStream

_logger = logging.getLogger("interlock.mcp")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})
_CODE = -32_050  # not one that the SDK gives a meaning of its own, such as a connection that ended
_REFUSED = {401: "it wants a credential", 403: "it refuses the credential", 429: "it is asked too often"}
_FAULT = 500

Placing = Callable[[], Awaitable[tuple[str, str] | None]]
"""Gives the header that holds the credential, when there is one."""


class BodyError(httpx2.StreamError):
    """The rest of an answer does not come, or is too long. The SDK expects this class of its transports."""


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends what the SDK asks for, to the one origin that the operator wrote.

    What fails before an answer comes is told as an answer of JSON-RPC: the SDK ends a whole connection on
    an exception, and words fit for a person would be lost.

    Args:
        client: Makes the requests, under its own egress rules.
        url: Address of the server, as the operator wrote it.
        place: Gives the header that holds the credential.
        most_bytes: Longest answer.
    """

    def __init__(self, client: HttpClient, *, url: str, place: Placing, most_bytes: int) -> None:
        self._client = client
        self._origin = origin_of(url)
        self._place = place
        self._most = most_bytes

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request."""
        stack = AsyncExitStack()
        try:
            stream = await stack.enter_async_context(self._client.stream(await self._made(request)))
        except InterlockError as error:
            await stack.aclose()
            _logger.debug("a request to %s failed: %s", self._origin, error)
            return _told(request, 502, error.message)
        except BaseException:
            await stack.aclose()
            raise
        if request.method == "POST" and (why := _why_refused(stream)):
            await stack.aclose()
            return _told(request, stream.status, f"The server answers with HTTP {stream.status}: {why}.")
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in stream.headers]
        body = _Body(stream, stack, self._most)
        return httpx2.Response(stream.status, headers=headers, stream=body, request=request)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _made(self, request: httpx2.Request) -> HttpRequest:
        url = str(request.url)
        if origin_of(url) != self._origin:
            raise EgressRefusedError(
                f"The server leads to {origin_of(url)}, and only {self._origin} is allowed.", field="url"
            )
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in request.headers.raw
            if name.lower().decode("latin-1") not in _OURS
        ]
        if (placed := await self._place()) is not None:
            headers = [entry for entry in headers if entry[0].lower() != placed[0].lower()]
            headers.append(placed)
        body = await request.aread()
        return HttpRequest(method=request.method, url=url, headers=tuple(headers), body=body or None)


class _Body(httpx2.AsyncByteStream):
    """An answer as it comes, up to a bound."""

    def __init__(self, stream: "HttpStream", stack: AsyncExitStack, most: int) -> None:
        self._stream = stream
        self._stack = stack
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for piece in self._stream:
                size += len(piece)
                if size > self._most:
                    raise ProtocolError(f"The answer is longer than {self._most:,} bytes.")
                yield piece
        except InterlockError as error:
            raise BodyError(error.message) from error

    async def aclose(self) -> None:
        await self._stack.aclose()


def _why_refused(stream: "HttpStream") -> str:
    """Why an answer is a refusal that does not explain itself; empty when it is none."""
    if (stream.header("content-type") or "").startswith("application/json"):
        return ""
    return "it failed" if stream.status >= _FAULT else _REFUSED.get(stream.status, "")


def _told(request: httpx2.Request, status: int, message: str) -> httpx2.Response:
    body = dump_json({"jsonrpc": "2.0", "id": None, "error": {"code": _CODE, "message": message}})
    return httpx2.Response(
        status, headers={"content-type": "application/json"}, content=body.encode(), request=request
    )
