"""The carrier over OpenAI's official SDK: our bytes go through its client, its bytes come back.

The SDK is imported on first use. Its retries, redirects, environment and parsing are off: what is sent
is what the codec rendered, and everything else is the provider's business.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interlock_core import HttpRequest
from interlock_core.errors import (
    InterlockError,
    MissingExtraError,
    ProtocolError,
    UpstreamConnectionError,
    UpstreamTimeoutError,
)
from interlock_core.http import origin_of
from interlock_providers.carriers import Credential, Reply, ReplyStream
from interlock_providers.codecs import Headers

if TYPE_CHECKING:
    import httpx2
    import openai

_MOST_BODY = 64 * 1024 * 1024
_PLACEHOLDER = "placed-by-the-carrier"
_OF_THE_STACK = frozenset({"host", "accept-encoding", "connection", "content-length", "user-agent"})


@dataclass(frozen=True, slots=True)
class _Whole:
    """A whole answer."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)


class _Streamed:
    """An answer whose body is read as it comes."""

    __slots__ = ("_deadline", "_origin", "_response", "headers", "status")

    def __init__(self, response: "httpx2.Response", origin: str, deadline: float | None) -> None:
        self.status = response.status_code
        self.headers: Headers = tuple(response.headers.multi_items())
        self._response = response
        self._origin = origin
        self._deadline = deadline

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = self._response.aiter_bytes()
        while True:
            async with _translated(self._origin, self._deadline):
                piece = await anext(pieces, None)
            if piece is None:
                return
            yield piece

    async def read(self, limit: int) -> bytes:
        """The rest of the body."""
        read: list[bytes] = []
        size = 0
        async for piece in self:
            size += len(piece)
            if size > limit:
                raise ProtocolError(f"The answer of {self._origin} is longer than {limit} bytes.")
            read.append(piece)
        return b"".join(read)


class OpenAISdkCarrier:
    """Takes requests to one vendor through `openai.AsyncOpenAI`.

    Args:
        origin: The vendor's origin.
        credential: The vendor's key; None where none is needed.
        read_timeout_s: Seconds in which the vendor may say nothing while we wait for it.
        connect_timeout_s: Seconds to connect and shake hands.
    """

    def __init__(
        self,
        origin: str,
        *,
        credential: Credential | None = None,
        read_timeout_s: float = 600.0,
        connect_timeout_s: float = 5.0,
    ) -> None:
        self._origin = origin
        self._credential = credential
        self._read_timeout_s = read_timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._client: openai.AsyncOpenAI | None = None

    async def send(self, request: HttpRequest, *, timeout_s: float | None = None) -> Reply:
        """Send a request and read the whole answer."""
        async with self._stream(request, timeout_s) as streamed:
            return _Whole(streamed.status, streamed.headers, await streamed.read(_MOST_BODY))

    def stream(
        self, request: HttpRequest, *, timeout_s: float | None = None
    ) -> AbstractAsyncContextManager[ReplyStream]:
        """Send a request and read the answer as it comes."""
        return self._stream(request, timeout_s)

    async def aclose(self) -> None:
        """Close the SDK's client."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @asynccontextmanager
    async def _stream(self, request: HttpRequest, timeout_s: float | None) -> AsyncGenerator[_Streamed, None]:
        origin = origin_of(request.url)
        if self._credential is not None:
            self._credential.check(origin)
        client = self._client or self._open()
        deadline = None if timeout_s is None else asyncio.get_running_loop().time() + timeout_s
        async with _translated(origin, deadline):
            response = await _post(client, request)
        try:
            yield _Streamed(response, origin, deadline)
        finally:
            # A cancelled caller must not keep the connection open: only an explicit close ends it.
            await asyncio.shield(asyncio.ensure_future(response.aclose()))

    def _open(self) -> "openai.AsyncOpenAI":
        try:
            import httpx2
            import openai
        except ImportError as exc:
            raise MissingExtraError(
                "The official SDK of this vendor is not installed.",
                remedy="Install interlock-providers[openai], or use the fast carrier.",
            ) from exc
        timeout = httpx2.Timeout(self._read_timeout_s, connect=self._connect_timeout_s)
        self._client = openai.AsyncOpenAI(
            api_key=_PLACEHOLDER,
            base_url=self._origin,
            max_retries=0,
            timeout=timeout,
            http_client=httpx2.AsyncClient(
                timeout=timeout,
                limits=httpx2.Limits(max_connections=1000, max_keepalive_connections=100),
                follow_redirects=False,
                trust_env=False,
                event_hooks={"request": [self._place]},
            ),
        )
        return self._client

    async def _place(self, request: "httpx2.Request") -> None:
        """Last step before the wire: the key joins, and what the SDK read from the environment leaves."""
        for name in list(request.headers):
            known = (
                name in _OF_THE_STACK or name in {"accept", "content-type"} or name.startswith("x-stainless-")
            )
            if not known:
                del request.headers[name]
        if self._credential is not None:
            self._credential.check(origin_of(str(request.url)))
            request.headers[self._credential.header] = self._credential.value


async def _post(client: "openai.AsyncOpenAI", request: HttpRequest) -> "httpx2.Response":
    import httpx2
    import openai

    headers = {**dict(request.headers), "accept-encoding": "identity", "X-Stainless-Raw-Response": "stream"}
    options: openai.RequestOptions = {"headers": headers, "max_retries": 0, "follow_redirects": False}
    try:
        if request.method == "GET":
            return await client.get(request.url, cast_to=httpx2.Response, options=options)
        body = request.body or b""
        return await client.post(request.url, content=body, cast_to=httpx2.Response, options=options)
    except openai.APIStatusError as error:
        return error.response


@asynccontextmanager
async def _translated(origin: str, deadline: float | None) -> AsyncGenerator[None, None]:
    """The one place where errors of the SDK and its HTTP stack become ours."""
    import httpx2
    import openai

    try:
        async with asyncio.timeout_at(deadline):
            yield
    except InterlockError:
        raise
    except (TimeoutError, openai.APITimeoutError, httpx2.TimeoutException) as exc:
        raise UpstreamTimeoutError(
            f"{origin} did not answer in the time allowed.", remedy="Try again, or allow more time."
        ) from exc
    except httpx2.DecodingError as exc:
        raise ProtocolError(f"The answer of {origin} cannot be unpacked.") from exc
    except (openai.APIConnectionError, httpx2.RequestError, httpx2.StreamError) as exc:
        raise UpstreamConnectionError(
            f"The connection to {origin} failed: {type(exc.__cause__ or exc).__name__}.", remedy="Try again."
        ) from exc


def open_carrier(origin: str, credential: Credential | None) -> OpenAISdkCarrier:
    """The carrier for a vendor at an origin, as the registry opens it."""
    return OpenAISdkCarrier(origin, credential=credential)
