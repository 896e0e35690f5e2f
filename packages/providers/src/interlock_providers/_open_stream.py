"""A stream of a vendor that said something, with the connection that it holds."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

from interlock_core import Chunk
from interlock_core.errors import InterlockError, ProtocolError, UpstreamTimeoutError
from interlock_providers._http_settings import HttpSettings
from interlock_providers.carriers import ReplyStream
from interlock_providers.codecs import StreamParser

if TYPE_CHECKING:
    from interlock_providers.codecs import Headers

_MOST_ERROR = 64 * 1024
_MOST_HELD = 1_000
"""Most events that are kept while nothing is said: a vendor may not fill the memory with them."""
_DRAIN_S = 0.1


class OpenStream:
    """A stream that said something, with the connection that it holds; iterating yields its chunks, once.

    Args:
        reply: The answer as it comes.
        parser: Reads it.
        settings: Whom it comes from, and how long it may say nothing.
        amend: Completes an error with what the answer's headers say.
    """

    def __init__(
        self,
        reply: ReplyStream,
        parser: StreamParser,
        settings: HttpSettings,
        amend: "Callable[[InterlockError, Headers], None]",
    ) -> None:
        self._headers = reply.headers
        self._amend = amend
        self._pieces = aiter(reply)
        self._parser = parser
        self._idle_s = settings.timeouts.idle_s
        self._name = settings.name
        self._held: list[Chunk] = []
        self._fresh = self._read()
        self._chunks = self._all()
        self._stack = AsyncExitStack()

    def keep(self, stack: AsyncExitStack) -> None:
        """Take over the connection."""
        self._stack = stack

    async def until_said(self) -> None:
        """Read until a chunk says something of the answer, or the answer ends.

        Raises:
            ProtocolError: Nothing is said in more events than are kept.
        """
        async for chunk in self._fresh:
            self._held.append(chunk)
            if chunk.text or chunk.tool_calls or chunk.reasoning or chunk.refusal or chunk.finish:
                return
            if len(self._held) >= _MOST_HELD:
                raise ProtocolError(
                    f"The stream of {self._name} holds {_MOST_HELD} events that say nothing.",
                    vendor=self._name,
                )

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self._chunks

    async def drain(self) -> None:
        """Read what is left after the end mark, for a moment, so that the connection can be kept."""
        import asyncio

        with suppress(TimeoutError, InterlockError):
            async with asyncio.timeout(_DRAIN_S):
                while await anext(self._pieces, None) is not None:
                    pass

    async def aclose(self) -> None:
        """Close the connection, unless the answer was read to its end."""
        await self._chunks.aclose()
        await self._fresh.aclose()
        await self._stack.aclose()

    async def _all(self) -> AsyncGenerator[Chunk, None]:
        for chunk in self._held:
            yield chunk
        async for chunk in self._fresh:
            yield chunk

    async def _read(self) -> AsyncGenerator[Chunk, None]:
        try:
            while not self._parser.done and (piece := await self._next()) is not None:
                for chunk in self._parser.feed(piece):
                    yield chunk
            for chunk in self._parser.finish():
                yield chunk
        except InterlockError as error:
            self._amend(error, self._headers)
            raise

    async def _next(self) -> bytes | None:
        if self._idle_s is None:
            return await anext(self._pieces, None)
        import asyncio

        try:
            async with asyncio.timeout(self._idle_s):
                return await anext(self._pieces, None)
        except TimeoutError as exc:
            raise UpstreamTimeoutError(
                f"The stream of {self._name} said nothing for {self._idle_s:g} s.",
                remedy="Try again, or allow more time.",
                vendor=self._name,
            ) from exc


async def beginning(reply: ReplyStream) -> bytes:
    """What an error says, which is never long; the rest is left."""
    body = b""
    async for piece in reply:
        body += piece
        if len(body) >= _MOST_ERROR:
            break
    return body[:_MOST_ERROR]


def is_json(headers: "Headers") -> bool:
    kind = next((value for name, value in headers if name.lower() == "content-type"), "")
    return kind.lower().startswith("application/json")
