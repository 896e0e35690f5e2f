"""Carriers: they take rendered bytes to a vendor and bring its bytes back.

A carrier knows no dialect. Keys join a request here, at the last step, and only when it goes to the
origin that they are meant for.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from interlock_core import HttpRequest, Secret
from interlock_core.errors import EgressRefusedError
from interlock_providers.codecs import Headers


class Reply(Protocol):
    """A whole answer, of any status."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def headers(self) -> Headers:
        """Headers as they came."""
        ...

    @property
    def body(self) -> bytes:
        """The decompressed body."""
        ...


class ReplyStream(Protocol):
    """An answer of any status, whose body is read as it comes; iterating yields its bytes, once."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def headers(self) -> Headers:
        """Headers as they came."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def read(self, limit: int) -> bytes:
        """The rest of the body.

        Raises:
            ProtocolError: It is longer than the limit.
        """
        ...


class Carrier(Protocol):
    """Takes requests to one vendor.

    All methods raise only errors of `interlock_core.errors`; an answer with an error's status is an answer.
    """

    async def send(self, request: HttpRequest, *, timeout_s: float | None = None) -> Reply:
        """Send a request and read the whole answer.

        Args:
            request: What to send, without the key.
            timeout_s: Seconds for everything.
        """
        ...

    def stream(
        self, request: HttpRequest, *, timeout_s: float | None = None
    ) -> AbstractAsyncContextManager[ReplyStream]:
        """Send a request and read the answer as it comes.

        Leaving the context before the end closes the connection at once.

        Args:
            request: What to send, without the key.
            timeout_s: Seconds for everything, the body included.
        """
        ...

    async def aclose(self) -> None:
        """Give back connections. Closing twice does nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A key and the one origin that it may be sent to.

    Attributes:
        secret: The key.
        origin: The origin, as `interlock_core.http.origin_of` writes it.
        header: Header that carries it, lower case.
        scheme: Word before it; empty for none.
    """

    secret: Secret
    origin: str
    header: str = "authorization"
    scheme: str = "Bearer"

    @property
    def value(self) -> str:
        """The header's value: call this only where it joins a request."""
        key = self.secret.reveal()
        return f"{self.scheme} {key}" if self.scheme else key

    def check(self, origin: str) -> None:
        """Refuse to go anywhere else.

        Raises:
            EgressRefusedError: The origin is another one.
        """
        if origin != self.origin:
            raise EgressRefusedError(
                f"The {self.secret.name} is meant for {self.origin} and is not sent to {origin}.",
                remedy="Name that origin as the base URL of a provider of its own.",
            )

    def place(self, request: HttpRequest, origin: str) -> HttpRequest:
        """The request with the key.

        Raises:
            EgressRefusedError: It goes to another origin.
        """
        self.check(origin)
        return replace(request, headers=(*request.headers, (self.header, self.value)))


__all__ = ["Carrier", "Credential", "Reply", "ReplyStream"]
