"""The bar that long work shows."""

import io
import sys

import pytest

from interlock_cli._bar import Bar
from interlock_cli._globals import Globals
from interlock_cli._screen import Screen


class TerminalText(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def shown(monkeypatch: pytest.MonkeyPatch, steps: list[tuple[float, int, int]], what: str = "a.json") -> str:
    """What a terminal is told of work that has come so far at these seconds."""
    err = TerminalText()
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("COLUMNS", "80")
    times = iter([0.0, *(at for at, _, _ in steps)])
    bar = Bar(Screen(Globals()), "operations", clock=lambda: next(times))
    for _, done, total in steps:
        bar(what, done, total)
    return err.getvalue()


def test_quick_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar that flashes up tells nobody anything."""
    assert shown(monkeypatch, [(0.2, 1, 2), (0.9, 2, 2)]) == ""


def test_long_work_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second second on, ten times a second at most."""
    text = shown(monkeypatch, [(1.5, 500, 1000), (1.52, 510, 1000), (1.7, 1000, 1000)])
    assert text.split("\r\x1b[K") == [
        "  [############............] 500 of 1,000 operations  a.json",
        "  [########################] 1,000 of 1,000 operations  a.json",
    ]


def test_work_of_unknown_length_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is made up about how much is left."""
    assert "] 7 operations  a.json" in shown(monkeypatch, [(2.0, 7, 0)])


@pytest.mark.parametrize(
    "what",
    [
        "/a/folder/with/a/very/long/path/to/its/documents/petstore.json",
        "https://api.example.org/descriptions/of/many/interfaces/petstore.json",
        "C:\\folder\\petstore.json",
    ],
)
def test_the_name_of_a_document_is_shown_without_its_folders(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """At a common width there is room for the name alone."""
    assert shown(monkeypatch, [(2.0, 500, 1000)], what).endswith("of 1,000 operations  petstore.json")
