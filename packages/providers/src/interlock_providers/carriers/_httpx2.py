"""The HTTP stack of most SDKs, as the carriers over them set it up."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

from interlock_providers.carriers._sdk import MOST_CONNECTIONS, MOST_IDLE_CONNECTIONS, StackErrors

if TYPE_CHECKING:
    import httpx2

_MOST_ERROR = 1024 * 1024
_MOST_PACKED_ERROR = 64 * 1024

LastStep: TypeAlias = Callable[[str, Iterable[tuple[bytes, bytes]]], list[tuple[bytes, bytes]]]
"""The headers of a request that is about to go to a URL, out of those that the SDK made."""


def httpx2_client(
    last_step: LastStep, *, read_timeout_s: float, connect_timeout_s: float
) -> "httpx2.AsyncClient":
    """A client that reads no environment and follows no redirect.

    SDKs read an error's body whole, unasked: of one that is longer than any error they get the beginning,
    and the connection is closed.

    Args:
        last_step: Called just before a request goes on the wire, for its headers.
        read_timeout_s: Seconds in which the vendor may say nothing while we wait for it.
        connect_timeout_s: Seconds to connect and shake hands.

    Raises:
        ImportError: The stack is not installed.
    """
    import httpx2

    async def place(request: httpx2.Request) -> None:
        request.headers = httpx2.Headers(last_step(str(request.url), request.headers.raw))

    class Bounded(httpx2.AsyncByteStream):
        def __init__(self, body: httpx2.AsyncByteStream, most: int) -> None:
            self._body = body
            self._left = most

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for piece in self._body:
                yield piece[: self._left]
                self._left -= len(piece)
                if self._left <= 0:
                    return

        async def aclose(self) -> None:
            await self._body.aclose()

    async def bound(response: httpx2.Response) -> None:
        if response.status_code >= 400 and isinstance(response.stream, httpx2.AsyncByteStream):
            packed = "content-encoding" in response.headers
            response.stream = Bounded(response.stream, _MOST_PACKED_ERROR if packed else _MOST_ERROR)

    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(read_timeout_s, connect=connect_timeout_s),
        limits=httpx2.Limits(
            max_connections=MOST_CONNECTIONS, max_keepalive_connections=MOST_IDLE_CONNECTIONS
        ),
        follow_redirects=False,
        trust_env=False,
        event_hooks={"request": [place], "response": [bound]},
    )


def httpx2_errors(
    *, slow: tuple[type[Exception], ...] = (), broken: tuple[type[Exception], ...] = ()
) -> StackErrors:
    """How the stack fails, and with it an SDK that has errors of its own.

    Args:
        slow: The SDK's errors for what took too long.
        broken: The SDK's errors for a connection that failed.
    """
    import httpx2

    return StackErrors(
        slow=(*slow, httpx2.TimeoutException),
        packed=(httpx2.DecodingError,),
        broken=(*broken, httpx2.RequestError, httpx2.StreamError, httpx2.InvalidURL),
    )
