"""Where words go: results to standard output, everything else to standard error; JSON alone on the former."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from interlock_cli._globals import Globals
from interlock_core.jsontypes import Json

_SHOWN = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for code in (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


_NARROWEST = 10


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def plain(text: str) -> str:
    """A text whose control characters are written out, so that it cannot steer a terminal."""
    return text.translate(_SHOWN)


class _StatusLine:
    """The line of progress that stands on the terminal: a process has one, whoever writes next."""

    def __init__(self) -> None:
        self._stream: TextIO | None = None

    def show(self, text: str) -> None:
        """Write it."""
        sys.stderr.write(text)
        sys.stderr.flush()
        self._stream = sys.stderr

    def clear(self) -> None:
        """Wipe it away, so that other words begin on an empty line."""
        if self._stream is not None and self._stream is sys.stderr:
            sys.stderr.write("\r\x1b[K")
        self._stream = None


status_line = _StatusLine()


class Screen:
    """Writes for a person, or for a program when `--json` is given.

    Args:
        options: The global options.
    """

    __slots__ = ("_color", "_document", "_json", "_quiet", "_terminal", "verbose")

    def __init__(self, options: Globals) -> None:
        self._json = options.json
        self._document = options.document
        self._quiet = options.quiet
        self.verbose = options.verbose
        self._terminal = sys.stdout.isatty()
        told = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._color = told and not os.environ.get("NO_COLOR")

    @property
    def as_json(self) -> bool:
        """Whether a program reads."""
        return self._json

    def json(self, value: Json) -> None:
        """The result for a program."""
        self._document.write(value)

    def result(self, text: str, *, end: str = "\n") -> None:
        """The result for a person; nothing when a program reads."""
        if not self._json:
            self._clear()
            sys.stdout.write((plain(text) if self._terminal else text) + end)
            sys.stdout.flush()

    def report(self, lines: Iterable[str], *, ok: bool) -> None:
        """What a check found: the result where all is well, else a part of the failure."""
        for line in lines:
            if ok:
                self.result(line)
            elif not self._json:
                self._clear()
                sys.stderr.write(plain(line) + "\n")

    def say(self, text: str = "") -> None:
        """A remark for a person."""
        if not self._quiet:
            self._clear()
            sys.stderr.write(plain(text) + "\n")

    def warn(self, text: str) -> None:
        """A remark that is shown even when quiet."""
        self._clear()
        sys.stderr.write(self._styled(f"warning: {plain(text)}", "33") + "\n")

    def heading(self, text: str) -> None:
        """The heading of what follows."""
        if not self._quiet:
            self._clear()
            sys.stderr.write(self._styled(plain(text), "1") + "\n")

    def status(self, text: str) -> None:
        """One line of progress that the next line replaces; only where a terminal is there."""
        if self._quiet or not sys.stderr.isatty():
            return
        from shutil import get_terminal_size

        width = get_terminal_size().columns - 1
        self._clear()
        status_line.show(plain(text)[:width])

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], *, fitted: bool = False) -> None:
        """Rows in columns, as a result.

        Args:
            header: What stands above the columns.
            rows: Cells by row.
            fitted: On a terminal, cut the last column so that each row is one line.
        """
        if not rows:
            return
        widths = [max(len(row[index]) for row in [header, *rows]) for index in range(len(header))]
        if fitted and self._terminal:
            from shutil import get_terminal_size

            before = sum(widths[:-1]) + 2 * len(widths[:-1])
            widths[-1] = min(widths[-1], max(get_terminal_size().columns - before, _NARROWEST))
        for row in [header, *rows]:
            cells = [_cut(cell, width).ljust(width) for cell, width in zip(row, widths, strict=True)]
            self.result("  ".join(cells).rstrip())

    def _clear(self) -> None:
        status_line.clear()

    def _styled(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color else text
