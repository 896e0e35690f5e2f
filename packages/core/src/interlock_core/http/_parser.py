"""Reads HTTP/1.1 answers from bytes, without any input or output of its own.

It is strict where laxness lets two readers disagree about where an answer ends: lines end in CR LF, a
length is given once or by chunks, never both, and what follows the end is somebody else's fault.
Rules are those of RFC 9112; a proxy's and an upgrade's answers are not read.
"""

import re
from collections.abc import Callable
from typing import Protocol, TypeAlias

from interlock_core.errors import ProtocolError
from interlock_core.http._types import Headers

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_MOST_CHUNK_LINE = 4_096
_MOST_INFORMATIONAL = 16

_MORE = -1

_Step: TypeAlias = "Callable[[bytes, int], int]"


class Sink(Protocol):
    """What takes the pieces of an answer, in order: one head, any number of pieces, one end."""

    def head(self, status: int, headers: Headers) -> None:
        """The final status and its headers."""
        ...

    def piece(self, data: bytes) -> None:
        """The next bytes of the body; never empty."""
        ...

    def end(self, trailers: Headers) -> None:
        """The whole answer is there."""
        ...


class ResponseParser:
    """Reads one answer.

    Args:
        sink: Takes what is read.
        method: Method of the request, because an answer to HEAD has no body.
        max_header_bytes: Longest head, and longest trailer.

    Attributes:
        reusable: After the end, the connection may carry another request.
        started: At least one byte came.
    """

    __slots__ = (
        "_buffer",
        "_headless",
        "_informational",
        "_left",
        "_limit",
        "_sink",
        "_step",
        "reusable",
        "started",
    )

    def __init__(self, sink: Sink, *, method: str, max_header_bytes: int = 65_536) -> None:
        self._sink = sink
        self._headless = method == "HEAD"
        self._limit = max_header_bytes
        self._step: _Step | None = self._read_head
        self._buffer = b""
        self._left = 0
        self._informational = 0
        self.reusable = False
        self.started = False

    @property
    def done(self) -> bool:
        """The whole answer was read."""
        return self._step is None

    def feed(self, data: bytes) -> None:
        """Take the next bytes from the wire.

        Raises:
            ProtocolError: They are no HTTP/1.1 answer; the connection must be closed.
        """
        if not data:
            return
        self.started = True
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        at, size = 0, len(data)
        while at < size and self._step is not None:
            after = self._step(data, at)
            if after == _MORE:
                self._buffer = data[at:]
                return
            at = after
        if at < size:
            # Bytes after the end belong to no request: nothing that follows on this connection is trusted.
            self.reusable = False

    def feed_eof(self) -> None:
        """Say that the other side closed the connection.

        Raises:
            ProtocolError: In the middle of an answer.
        """
        self.reusable = False
        if self._step == self._read_until_close:
            self._end(())
        elif self._step is not None:
            raise ProtocolError("The connection was closed in the middle of the answer.", remedy="Try again.")

    # Each step reads from a position of the data and says where the next one begins, or that it needs more.

    def _read_head(self, data: bytes, at: int) -> int:
        end = data.find(b"\r\n\r\n", at, at + self._limit)
        if end < 0:
            self._check_unfinished_head(data[at:])
            return _MORE
        lines = data[at:end].split(b"\r\n")
        match = _STATUS.fullmatch(lines[0])
        if match is None:
            raise _broken("does not begin with a status line of HTTP/1.1")
        headers = _fields(lines[1:])
        status = int(match[2])
        if status >= 200:
            self._begin(status, headers, minor=match[1])
        else:
            self._informational += 1
            if status == 101 or self._informational > _MOST_INFORMATIONAL:
                raise _broken("switches protocols or never comes to its point")
        return end + 4

    def _check_unfinished_head(self, data: bytes) -> None:
        if len(data) >= self._limit:
            raise _broken(f"has a head of more than {self._limit} bytes")
        if b"\n\n" in data or not b"HTTP/1.".startswith(data[:7]):
            raise _broken("is not HTTP/1.1")

    def _begin(self, status: int, headers: Headers, *, minor: bytes) -> None:
        length, chunked, tokens = _framing(headers)
        if chunked and minor == b"0":
            raise _broken("is chunked, which HTTP/1.0 has not")
        self.reusable = "keep-alive" in tokens if minor == b"0" else "close" not in tokens
        self._sink.head(status, headers)
        if self._headless or status in {204, 304} or length == 0:
            self._end(())
        elif chunked:
            self._step = self._read_chunk_line
        elif length is None:
            self.reusable = False
            self._step = self._read_until_close
        else:
            self._left = length
            self._step = self._read_length

    def _read_length(self, data: bytes, at: int) -> int:
        after = self._take(data, at)
        if self._left == 0:
            self._end(())
        return after

    def _read_chunk_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\r\n", at, at + _MOST_CHUNK_LINE)
        if end < 0:
            if len(data) - at >= _MOST_CHUNK_LINE or data.find(b"\n", at) >= 0:
                raise _broken("has a chunk without a proper size")
            return _MORE
        match = _CHUNK.fullmatch(data, at, end)
        if match is None:
            raise _broken("has a chunk without a proper size")
        begin, size = end + 2, int(match[1], 16)
        after = begin + size
        if size and data[after : after + 2] == b"\r\n":
            # The whole chunk is here, as most are.
            self._sink.piece(data[begin:after])
            return after + 2
        self._left = size
        self._step = self._read_chunk_data if size else self._read_trailer
        return begin

    def _read_chunk_data(self, data: bytes, at: int) -> int:
        after = self._take(data, at)
        if self._left == 0:
            self._step = self._read_chunk_end
        return after

    def _read_chunk_end(self, data: bytes, at: int) -> int:
        ending = data[at : at + 2]
        if ending == b"\r":
            return _MORE
        if ending != b"\r\n":
            raise _broken("has a chunk that is longer than it says")
        self._step = self._read_chunk_line
        return at + 2

    def _read_trailer(self, data: bytes, at: int) -> int:
        if data.startswith(b"\r\n", at):
            self._end(())
            return at + 2
        end = data.find(b"\r\n\r\n", at, at + self._limit)
        if end < 0:
            if len(data) - at >= self._limit:
                raise _broken(f"has a trailer of more than {self._limit} bytes")
            return _MORE
        self._end(_fields(data[at:end].split(b"\r\n")))
        return end + 4

    def _read_until_close(self, data: bytes, at: int) -> int:
        self._sink.piece(data[at:])
        return len(data)

    def _take(self, data: bytes, at: int) -> int:
        after = min(len(data), at + self._left)
        self._left -= after - at
        self._sink.piece(data[at:after])
        return after

    def _end(self, trailers: Headers) -> None:
        self._step = None
        self._sink.end(trailers)


def _fields(lines: list[bytes]) -> Headers:
    found: list[tuple[str, str]] = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise _broken("has a header line that is none")
        name, value = match.groups()
        found.append((name.decode("ascii"), value.rstrip(b" \t").decode("latin-1")))
    return tuple(found)


def _framing(headers: Headers) -> tuple[int | None, bool, frozenset[str]]:
    """The body's length, whether it comes in chunks, and the tokens of Connection."""
    lengths: set[str] = set()
    codings: list[str] = []
    tokens: set[str] = set()
    for name, value in headers:
        lower = name.lower()
        if lower == "content-length":
            lengths.update(part.strip() for part in value.split(","))
        elif lower == "transfer-encoding":
            codings += [part.strip().lower() for part in value.split(",")]
        elif lower == "connection":
            tokens.update(part.strip().lower() for part in value.split(","))
    if codings:
        if lengths:
            raise _broken("gives its length in two ways")
        if codings != ["chunked"]:
            raise _broken("has a transfer coding that was not asked for")
        return None, True, frozenset(tokens)
    if not lengths:
        return None, False, frozenset(tokens)
    text = lengths.pop()
    if lengths or not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise _broken("gives a length that is none, or several")
    return int(text), False, frozenset(tokens)


def _broken(how: str) -> ProtocolError:
    return ProtocolError(f"The answer {how}.", remedy="Check that the address is that of the right server.")
