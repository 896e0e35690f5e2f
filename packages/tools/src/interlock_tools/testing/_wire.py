"""HTTP/1.1 as a small server needs it: read one request, write one response.

Rules, in this order: a head of at most 64 KiB; `Transfer-Encoding` together with `Content-Length` is refused,
as are two lengths and any transfer coding but `chunked`; a body of at most 4 MiB. Trailers are dropped,
pipelined requests are answered one after the other. Not covered: TLS, HTTP/2, and a client that never ends.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

MAX_HEAD_BYTES = 65_536
MAX_BODY_BYTES = 4 * 1024 * 1024
_HEX = re.compile(rb"[0-9a-fA-F]{1,16}")


class WireError(Exception):
    """The bytes on the connection are no request; it is answered with `status` and closed."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it arrived.

    Attributes:
        method: In upper case.
        target: The request target, untouched.
        headers: Names in lower case; a name that came twice holds both values, joined by a comma.
        body: Its bytes, without any transfer coding.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def segments(self) -> tuple[str, ...]:
        """The path's segments, each percent-decoded by itself: `%2F` never makes two of one."""
        path = urlsplit(self.target).path
        return tuple(unquote(part) for part in path.split("/")[1:])

    @property
    def path(self) -> str:
        """The path, untouched."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters; of a repeated one the last."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One response; `Content-Length` and `Connection` are added on the way out."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """The next request of a connection; None when the client closed it between two requests.

    Raises:
        WireError: What came is no request that this server takes.
        asyncio.IncompleteReadError: The client left in the middle of one.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise WireError(431, "the head is larger than 64 KiB") from None
    except asyncio.IncompleteReadError as error:
        if error.partial.strip():
            raise
        return None
    method, target, headers = _parse_head(head)
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
    body = await _read_body(reader, headers)
    return Request(method=method, target=target, headers=headers, body=body)


def render_response(response: Response, *, close: bool, head_only: bool = False) -> bytes:
    """The response's bytes; a 204 or 304 and the answer to a HEAD carry no body."""
    phrase = _phrase(response.status)
    bodyless = response.status in {204, 304}
    lines = [f"HTTP/1.1 {response.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    if not bodyless:
        lines.append(f"content-length: {len(response.body)}")
    lines.append(f"connection: {'close' if close else 'keep-alive'}")
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head if bodyless or head_only else head + response.body


def _parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *rest = head[:-4].decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[0].isalpha() or not parts[1].startswith("/"):
        raise WireError(400, "the request line is malformed")
    if parts[2] not in {"HTTP/1.1", "HTTP/1.0"}:
        raise WireError(505, "only HTTP/1.1 is spoken here")
    headers: dict[str, str] = {}
    for line in rest:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip() or "\n" in line or "\r" in line:
            raise WireError(400, "a header line is malformed")
        key = name.lower()
        value = value.strip()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    if parts[2] == "HTTP/1.0":
        headers.setdefault("connection", "close")
    return parts[0].upper(), parts[1], headers


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    coding = headers.get("transfer-encoding")
    length = headers.get("content-length")
    if coding is not None and length is not None:
        raise WireError(400, "a request has a length or a transfer coding, not both")
    if coding is not None:
        if coding.lower() != "chunked":
            raise WireError(501, "the only transfer coding is chunked")
        return await _read_chunks(reader)
    if length is None:
        return b""
    if not (length.isascii() and length.isdigit() and len(length) <= 18):
        raise WireError(400, "the length is no number")
    if int(length) > MAX_BODY_BYTES:
        raise WireError(413, "the body is larger than 4 MiB")
    return await reader.readexactly(int(length))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        try:
            line = (await reader.readuntil(b"\r\n"))[:-2].split(b";")[0].strip()
        except asyncio.LimitOverrunError:
            raise WireError(400, "a chunk's size is malformed") from None
        if not _HEX.fullmatch(line):
            raise WireError(400, "a chunk's size is malformed")
        size = int(line, 16)
        if len(body) + size > MAX_BODY_BYTES:
            raise WireError(413, "the body is larger than 4 MiB")
        if size == 0:
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass
            return bytes(body)
        body += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise WireError(400, "a chunk is longer than it says")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Status"
