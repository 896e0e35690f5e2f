"""Server-sent events, read from bytes in whatever pieces they come."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from interlock_core.errors import ProtocolError

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_BOM = b"\xef\xbb\xbf"
MAX_EVENT_BYTES = 32 * 1024 * 1024
"""Longest event that is read, in bytes."""


class SseEvent(NamedTuple):
    """One event.

    Attributes:
        data: The data lines, joined by line feeds.
        event: Its name, empty when it has none.
        raw: The bytes of the wire, its blank line included.
        plain: It is one line of data and nothing else.
    """

    data: bytes
    event: str = ""
    raw: bytes = b""
    plain: bool = False


class SseReader:
    """Cuts a byte stream into events, by the rules of the HTML standard.

    Lines may end in CRLF, LF or CR; comments and fields beside `data` and `event` are passed over.
    """

    __slots__ = ("_held", "_searched", "_started")

    def __init__(self) -> None:
        self._held = bytearray()
        self._searched = 0
        self._started = False

    def feed(self, data: bytes) -> Iterator[SseEvent]:
        """Take the next bytes and yield the events that they complete.

        Raises:
            ProtocolError: An event is longer than `MAX_EVENT_BYTES`.
        """
        search = self._searched
        if self._held:
            # What drips in is put together in place: copied at each drop, a long event would cost its square.
            self._held += data
            if self._started and _BLANK_LINE.search(self._held, search) is None:
                self._hold()
                return
            data = bytes(self._held)
        if not self._started:
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._held = bytearray(data)
                return
            data = data.removeprefix(_BOM)
            self._started = True
        start = 0
        while (match := _BLANK_LINE.search(data, search)) is not None:
            end = match.end()
            if (event := _event(data[start:end])) is not None:
                yield event
            start = search = end
        self._held = bytearray(data[start:])
        self._hold()

    def _hold(self) -> None:
        """Keep what is no event yet."""
        # A blank line may be cut anywhere in its (at most four) bytes.
        self._searched = max(0, len(self._held) - 3)
        if len(self._held) > MAX_EVENT_BYTES:
            raise ProtocolError(f"An event of the stream is longer than {MAX_EVENT_BYTES} bytes.")

    def rest(self) -> SseEvent | None:
        """The event that the stream's end cut off before its blank line, if any."""
        block, self._held, self._searched = bytes(self._held), bytearray(), 0
        return _event(block)


def _event(block: bytes) -> SseEvent | None:
    if block.startswith(b"data: ") and block.find(b"\n") == len(block) - 2 and b"\r" not in block:
        return SseEvent(block[6:-2], "", block, plain=True)
    if block.startswith(b"event: ") and block.endswith(b"\n\n") and b"\r" not in block:
        title, _, rest = block[7:-2].partition(b"\n")
        if rest.startswith(b"data: ") and b"\n" not in rest:
            return SseEvent(rest[6:], title.decode("utf-8", "replace"), block)
    data: list[bytes] = []
    name = b""
    lines = [line for line in _LINE_END.split(block) if line]
    for line in lines:
        key, _, value = line.partition(b":")
        if key == b"data":
            data.append(value.removeprefix(b" "))
        elif key == b"event":
            name = value.removeprefix(b" ")
    if not data:
        return None
    return SseEvent(b"\n".join(data), name.decode("utf-8", "replace"), block, plain=len(lines) == 1)
