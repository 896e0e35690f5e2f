"""Decompression, piece by piece, that a bomb cannot fill the memory with."""

import zlib
from collections.abc import Iterator

from interlock_core.errors import ProtocolError

_PIECE = 256 * 1024
_GZIP = 31
_ZLIB = 15
_RAW = -15
_KNOWN = frozenset({"gzip", "x-gzip", "deflate"})


def coding_of(value: str | None) -> str | None:
    """The one content coding of an answer; None when it has none.

    Raises:
        ProtocolError: It is one that was not asked for, or there are several.
    """
    coding = (value or "").strip().lower()
    if coding in {"", "identity"}:
        return None
    if coding not in _KNOWN:
        raise ProtocolError(
            "The answer is compressed in a way that was not asked for.",
            field="content-encoding",
            remedy="The other side must answer with gzip, deflate or nothing.",
        )
    return coding


class Decoder:
    """Decompresses one body.

    Args:
        coding: `gzip`, `x-gzip` or `deflate`.
    """

    __slots__ = ("_fresh", "_gzip", "_inflate", "_started")

    def __init__(self, coding: str) -> None:
        self._gzip = coding != "deflate"
        self._inflate = zlib.decompressobj(_GZIP if self._gzip else _ZLIB)
        self._fresh = True
        self._started = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decompressed pieces of the next bytes, none longer than 256 KiB.

        Raises:
            ProtocolError: The bytes are not what the coding says.
        """
        while data:
            if self._inflate.eof:
                data = self._after_end(data)
                continue
            piece = self._step(data)
            data = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            if piece:
                yield piece
            elif not data:
                return

    def finish(self) -> None:
        """Say that no bytes follow.

        Raises:
            ProtocolError: The compressed data ends too early.
        """
        if self._started and not self._inflate.eof:
            raise _broken("ends too early")

    def _step(self, data: bytes) -> bytes:
        fresh, self._fresh = self._fresh, False
        self._started = True
        try:
            return self._inflate.decompress(data, _PIECE)
        except zlib.error as exc:
            if self._gzip or not fresh:
                raise _broken("is damaged") from exc
        # "deflate" means zlib's format, but some servers send the bare stream.
        self._inflate = zlib.decompressobj(_RAW)
        return self._step(data)

    def _after_end(self, data: bytes) -> bytes:
        """Begin the next member of a gzip stream; zero padding after the last one is dropped."""
        rest = data.lstrip(b"\0")
        if not rest:
            return b""
        if not self._gzip:
            raise _broken("goes on after its end")
        self._inflate = zlib.decompressobj(_GZIP)
        return rest


def _broken(how: str) -> ProtocolError:
    return ProtocolError(f"The answer's compressed body {how}.", remedy="Try again.")
