"""The reader of HTTP/1.1 answers: the same answer however it is cut, and nothing lax about its end."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from interlock_core.errors import ProtocolError
from interlock_core.http._parser import ResponseParser
from interlock_core.http._types import Headers


@dataclass
class Taken:
    """A sink that keeps what it is given."""

    status: int = 0
    headers: Headers = ()
    body: bytes = b""
    trailers: Headers | None = None
    calls: list[str] = field(default_factory=list[str], compare=False)

    def head(self, status: int, headers: Headers) -> None:
        """Take the head."""
        self.calls.append("head")
        self.status, self.headers = status, headers

    def piece(self, data: bytes) -> None:
        """Take a piece."""
        assert data
        self.calls.append("piece")
        self.body += data

    def end(self, trailers: Headers) -> None:
        """Take the end."""
        self.calls.append("end")
        self.trailers = trailers


@dataclass
class Reading:
    """What came out of reading some bytes."""

    taken: Taken
    error: bool
    done: bool
    reusable: bool


def read(pieces: list[bytes], *, method: str = "GET", limit: int = 65_536, eof: bool = False) -> Reading:
    """Feed pieces to a parser, and the end of the connection when asked."""
    taken = Taken()
    parser = ResponseParser(taken, method=method, max_header_bytes=limit)
    try:
        for piece in pieces:
            parser.feed(piece)
        if eof:
            parser.feed_eof()
    except ProtocolError:
        return Reading(taken, error=True, done=parser.done, reusable=False)
    return Reading(taken, error=False, done=parser.done, reusable=parser.reusable)


def whole(wire: bytes, **options: object) -> Reading:
    """Read an answer in one piece."""
    method = str(options.get("method", "GET"))
    return read([wire], method=method, eof=bool(options.get("eof", False)))


def bytewise(wire: bytes) -> list[bytes]:
    """Cut at every byte."""
    return [wire[i : i + 1] for i in range(len(wire))]


LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'5;name=value;q="x"\r\nhello\r\n6 \r\n world\r\n0\r\nX-Sum: 11\r\n\r\n'
)


@pytest.mark.parametrize(
    ("wire", "status", "body", "reusable"),
    [
        (LENGTH, 200, b"hello", True),
        (CHUNKED, 201, b"hello world", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", 304, b"", True),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, b"", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, b"x", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, b"x", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx", 200, b"x", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + LENGTH, 200, b"hello", True),
    ],
)
def test_an_answer_is_read_however_it_is_cut(wire: bytes, status: int, body: bytes, reusable: bool) -> None:
    """One piece, or a byte at a time: status, body and reuse are the same."""
    for pieces in ([wire], bytewise(wire)):
        reading = read(pieces)
        assert (reading.error, reading.done, reading.reusable) == (False, True, reusable)
        assert (reading.taken.status, reading.taken.body) == (status, body)
        assert reading.taken.calls.count("end") == 1


def test_trailers_come_with_the_end() -> None:
    """A chunked answer's trailer is given beside, not among, the headers."""
    taken = whole(CHUNKED).taken
    assert taken.trailers == (("X-Sum", "11"),)
    assert taken.headers == (("Transfer-Encoding", "chunked"),)


def test_an_answer_to_head_has_no_body() -> None:
    """Content-Length of an answer to HEAD speaks of another answer."""
    reading = whole(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", method="HEAD")
    assert (reading.done, reading.reusable, reading.taken.body) == (True, True, b"")


def test_a_body_without_length_ends_with_the_connection() -> None:
    """Reading to the close gives the body and ends the connection."""
    reading = whole(b"HTTP/1.1 200 OK\r\n\r\nall of it", eof=True)
    assert (reading.done, reading.reusable, reading.taken.body) == (True, False, b"all of it")


@pytest.mark.parametrize("cut", range(1, len(CHUNKED)))
def test_a_connection_that_ends_in_the_middle_is_an_error(cut: int) -> None:
    """No cut of a chunked answer passes for the whole one."""
    assert read([CHUNKED[:cut]], eof=True).error


def test_bytes_after_the_end_spoil_the_connection() -> None:
    """A second answer that nobody asked for is never read as the next one."""
    reading = whole(LENGTH + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    assert (reading.taken.body, reading.done, reading.reusable) == (b"hello", True, False)


def test_bytes_that_come_later_spoil_the_connection_too() -> None:
    """It does not matter when they come."""
    reading = read([LENGTH, b"x"])
    assert (reading.done, reading.reusable) == (True, False)


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: b\nX-B: c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: b\rX-B: c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: \x00\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nnothing\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: empty\r\n\r\n",
        b"HTTP/1.1 200 OK\nX-A: b\n\nbody",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 600 OK\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"http/1.1 200 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 17,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000000000000000\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + b"x" * 5000 + b"\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"5" * 5000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nbad trailer\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
    ],
)
def test_what_two_readers_could_read_differently_is_refused(wire: bytes) -> None:
    """Conflicting lengths, lax line ends, odd numbers, oversize parts: an error, however it is cut."""
    assert read([wire]).error
    assert read([wire[i : i + 7] for i in range(0, len(wire), 7)]).error


TOKENS = st.text("abcdefgXYZ-_!0189", min_size=1, max_size=12).map(lambda text: f"x{text}")
VALUES = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20
)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, int, Headers, bytes]:
    """A correct answer as bytes, and what must be read from it."""
    status = draw(st.sampled_from([200, 201, 206, 400, 404, 429, 500, 599]))
    headers = [(draw(TOKENS), draw(VALUES)) for _ in range(draw(st.integers(0, 4)))]
    pieces = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=4))
    body = b"".join(pieces)
    if draw(st.booleans()):
        headers.append(("Content-Length", str(len(body))))
        coded = body
    else:
        headers.append(("Transfer-Encoding", "chunked"))
        coded = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    lines = [f"HTTP/1.1 {status} Fine", *(f"{name}: {value}" for name, value in headers)]
    prefix = b"HTTP/1.1 103 Early Hints\r\n\r\n" * draw(st.integers(0, 2))
    return prefix + "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + coded, status, tuple(headers), body


def cut_at(wire: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at places."""
    edges = sorted({0, len(wire), *(place % (len(wire) + 1) for place in places)})
    return [wire[a:b] for a, b in pairwise(edges)]


@given(answer=answers(), places=st.lists(st.integers(0, 10_000), max_size=8))
def test_every_correct_answer_is_read_back(
    answer: tuple[bytes, int, Headers, bytes], places: list[int]
) -> None:
    """Whole, cut anywhere and cut at every byte give the same status, headers and body."""
    wire, status, headers, body = answer
    for pieces in ([wire], cut_at(wire, places), bytewise(wire)):
        reading = read(pieces)
        assert (reading.error, reading.done, reading.reusable) == (False, True, True)
        assert reading.taken == Taken(status, headers, body, ())


FRAGMENTS = st.lists(
    st.sampled_from(
        [
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.0 200 OK\r\n",
            b"Content-Length: 3\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"\r\n",
            b"\r",
            b"\n",
            b"3\r\n",
            b"abc",
            b"0\r\n",
            b"X: y\r\n",
            b";e=1",
            b"\x00",
        ]
    )
    | st.binary(max_size=6),
    max_size=14,
).map(b"".join)


@settings(max_examples=400)
@given(wire=FRAGMENTS, places=st.lists(st.integers(0, 10_000), max_size=6))
@example(wire=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r", places=[])
def test_any_bytes_mean_the_same_however_they_are_cut(wire: bytes, places: list[int]) -> None:
    """Hostile bytes raise nothing but ProtocolError, and no cut changes what is read."""
    readings = [read(pieces, eof=True) for pieces in ([wire], cut_at(wire, places), bytewise(wire))]
    first = readings[0]
    for other in readings[1:]:
        assert (other.error, other.done) == (first.error, first.done)
        if not first.error:
            assert other.taken == first.taken
