"""What carriers over official SDKs have in common; a carrier for a new SDK names four things and is done.

An SDK brings its HTTP stack, its limits and what it says of itself. Its retries, redirects, parsing, cookies
and environment stay out: on the wire are the codec's bytes and headers, what the SDK says of itself, and the
key, which joins at the last step. Everything else is the provider's business.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Protocol, TypeVar

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

MOST_CONNECTIONS = 1000
"""Most connections of one client."""
MOST_IDLE_CONNECTIONS = 100
"""Most connections that one client keeps for the next request."""
PLACEHOLDER = "placed-by-the-carrier"
"""The key that an SDK is told: it never goes on the wire."""

_MOST_BODY = 64 * 1024 * 1024
_MOST_CAUSES = 10
_ASKED: ContextVar[HttpRequest] = ContextVar("interlock_carried_request")
"""The request that is being sent, for the hook below the SDK, which sees only what the SDK made of it."""

Client = TypeVar("Client")


class SdkHeaders(Protocol):
    """Headers of an answer in an SDK's HTTP stack."""

    def multi_items(self) -> list[tuple[str, str]]:
        """Names and values in the order of the wire."""
        ...

    def __contains__(self, name: object, /) -> bool: ...


class SdkResponse(Protocol):
    """An answer in an SDK's HTTP stack, whose body was not read, or was read whole."""

    @property
    def status_code(self) -> int:
        """HTTP status."""
        ...

    @property
    def headers(self) -> SdkHeaders:
        """Headers as they came."""
        ...

    @property
    def is_closed(self) -> bool:
        """The body was read to its end, or given up."""
        ...

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The decompressed body as it comes."""
        ...

    def aiter_raw(self) -> AsyncIterator[bytes]:
        """The body as it comes, compressed if it is; for one that was not read."""
        ...

    async def aclose(self) -> None:
        """Give the body up; the connection is closed unless the body was read to its end."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StackErrors:
    """Errors of an SDK and its HTTP stack, by what they mean to us.

    Attributes:
        slow: The vendor did not answer in time.
        packed: The answer cannot be unpacked.
        broken: No connection, or it broke.
    """

    slow: tuple[type[Exception], ...]
    packed: tuple[type[Exception], ...]
    broken: tuple[type[Exception], ...]

    @property
    def known(self) -> tuple[type[Exception], ...]:
        """All of them."""
        return (TimeoutError, *self.slow, *self.packed, *self.broken)

    def translate(self, error: Exception, origin: str) -> InterlockError:
        """Our error for one of them."""
        if isinstance(error, (TimeoutError, *self.slow)):
            return UpstreamTimeoutError(
                f"{origin} did not answer in the time allowed.", remedy="Try again, or allow more time."
            )
        if isinstance(error, self.packed):
            return ProtocolError(f"The answer of {origin} cannot be unpacked.")
        reason = _why_untrusted(error) or type(error.__cause__ or error).__name__
        return UpstreamConnectionError(f"The connection to {origin} failed: {reason}.", remedy="Try again.")


def _why_untrusted(error: BaseException | None) -> str:
    """What TLS says of a certificate that it refused; empty where none was."""
    for _ in range(_MOST_CAUSES):
        if error is None:
            break
        said = getattr(error, "verify_message", None)
        if isinstance(said, str):
            return f"its certificate is not trusted ({said})"
        error = error.__cause__ or error.__context__
    return ""


@dataclass(frozen=True, slots=True)
class _Whole:
    """A whole answer."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)


class _Streamed:
    """An answer whose body is read as it comes."""

    __slots__ = ("_deadline", "_errors", "_origin", "_response", "headers", "status")

    def __init__(
        self, response: SdkResponse, origin: str, deadline: float | None, errors: StackErrors
    ) -> None:
        self.status = response.status_code
        self.headers: Headers = tuple(response.headers.multi_items())
        self._response = response
        self._origin = origin
        self._deadline = deadline
        self._errors = errors

    async def __aiter__(self) -> AsyncIterator[bytes]:
        response = self._response
        unpacked = response.is_closed or "content-encoding" in response.headers
        pieces = response.aiter_bytes() if unpacked else response.aiter_raw()
        try:
            if self._deadline is None:
                async for piece in pieces:
                    yield piece
                return
            while True:
                # The time holds while the vendor is waited for, never while the reader works.
                async with asyncio.timeout_at(self._deadline):
                    piece = await anext(pieces, None)
                if piece is None:
                    return
                yield piece
        except self._errors.known as exc:
            raise self._errors.translate(exc, self._origin) from exc

    async def read(self, limit: int) -> bytes:
        """The rest of the body."""
        read = bytearray()  # not a list: a small piece would cost many times its length
        async for piece in self:
            if len(read) + len(piece) > limit:
                raise ProtocolError(f"The answer of {self._origin} is longer than {limit} bytes.")
            read += piece
        return bytes(read)


class SdkCarrier(ABC, Generic[Client]):
    """Takes requests to one vendor through the client of its official SDK, which is imported on first use.

    Args:
        origin: The vendor's origin.
        credential: The vendor's key; None where none is needed.
        read_timeout_s: Seconds in which the vendor may say nothing while we wait for it.
        connect_timeout_s: Seconds to connect and shake hands.
    """

    extra: ClassVar[str]
    """The extra of this distribution that brings the SDK."""

    introduces: ClassVar[tuple[bytes, ...]] = (b"user-agent",)
    """How headers begin in which the SDK says what it is and what it runs on, lower case."""

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
        self._opened: tuple[Client, StackErrors] | None = None

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
        opened, self._opened = self._opened, None
        if opened is not None:
            await self._close(opened[0])

    @abstractmethod
    def _open(self) -> tuple[Client, StackErrors]:
        """Import the SDK and make its client, and say how it and its HTTP stack fail.

        The client asks the environment for nothing, tries once, follows nothing, and calls `_headers` just
        before a request goes on the wire.

        Raises:
            ImportError: It is not installed.
        """

    @abstractmethod
    async def _ask(self, client: Client, request: HttpRequest) -> SdkResponse:
        """Send a request and give back the answer, of any status, its body unread where that can be."""

    @abstractmethod
    async def _close(self, client: Client) -> None:
        """Close the client."""

    def _headers(self, url: str, made: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """What goes on the wire: the codec's headers, what the SDK says of itself, and the key.

        Whatever else the SDK has put into the request (from its environment, its cookies) is left out.

        Args:
            url: Where the request is about to go.
            made: Headers that the SDK made.

        Raises:
            EgressRefusedError: The key is meant for another origin.
        """
        asked = _ASKED.get()
        origin = origin_of(url)
        headers = [
            (b"host", origin.partition("://")[2].encode()),
            *((name.encode(), value.encode()) for name, value in asked.headers),
            (b"accept-encoding", b"identity"),
        ]
        if asked.body is not None or asked.method == "POST":
            headers.append((b"content-length", b"%d" % len(asked.body or b"")))
        headers += [(name, value) for name, value in made if name.lower().startswith(self.introduces)]
        if self._credential is not None:
            self._credential.check(origin)
            headers.append((self._credential.header.encode(), self._credential.value.encode()))
        return headers

    @asynccontextmanager
    async def _stream(self, request: HttpRequest, timeout_s: float | None) -> AsyncGenerator[_Streamed, None]:
        origin = origin_of(request.url)
        if self._credential is not None:
            self._credential.check(origin)
        client, errors = self._opened or self._open_once()
        deadline = None if timeout_s is None else asyncio.get_running_loop().time() + timeout_s
        token = _ASKED.set(request)
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._ask(client, request)
        except errors.known as exc:
            raise errors.translate(exc, origin) from exc
        finally:
            _ASKED.reset(token)
        try:
            yield _Streamed(response, origin, deadline, errors)
        finally:
            if not response.is_closed:
                # A cancelled caller must not keep the connection open: only an explicit close ends it.
                with suppress(*errors.known):
                    await asyncio.shield(asyncio.ensure_future(response.aclose()))

    def _open_once(self) -> tuple[Client, StackErrors]:
        try:
            self._opened = self._open()
        except ImportError as exc:
            raise MissingExtraError(
                "The official SDK of this vendor is not installed.",
                remedy=f"Run pip install 'interlock-providers[{self.extra}]', or use the fast carrier.",
            ) from exc
        return self._opened
