"""What stands on which stream."""

import io
import sys

import pytest

from interlock_cli._exit import ExitCode, say
from interlock_cli._globals import Globals
from interlock_cli._screen import Screen, plain


class TerminalText(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> tuple[TerminalText, TerminalText]:
    """Both streams as terminals."""
    out, err = TerminalText(), TerminalText()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "20")
    return out, err


def test_results_and_remarks_go_to_their_own_streams(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output holds results alone, and no colours in a pipe."""
    screen = Screen(Globals())
    screen.result("one")
    screen.say("two")
    screen.heading("three")
    screen.warn("four")
    screen.status("five")
    screen.table(["A", "B"], [["x", "long"], ["yy", ""]])
    screen.table(["A"], [])
    shown = capsys.readouterr()
    assert shown.out == "one\nA   B\nx   long\nyy\n"
    assert shown.err == "two\nthree\nwarning: four\n"


def test_quiet_leaves_results_and_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    """Remarks and headings go."""
    screen = Screen(Globals(quiet=True))
    screen.result("one")
    screen.say("two")
    screen.heading("three")
    screen.warn("four")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("one\n", "warning: four\n")


def test_a_program_gets_the_document_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """Results for people are left out."""
    screen = Screen(Globals(json=True))
    screen.result("one")
    screen.report(["fine"], ok=True)
    screen.report(["bad"], ok=False)
    screen.json({"a": 1})
    assert capsys.readouterr().out == '{"a":1}\n'


def test_the_report_of_a_failed_check_is_part_of_the_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """It stands on standard error, even when quiet."""
    screen = Screen(Globals(quiet=True))
    screen.report(["bad"], ok=False)
    screen.report(["good"], ok=True)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("good\n", "bad\n")


def test_a_terminal_shows_progress_and_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of progress is cut to the width and replaced by what comes next."""
    out, err = terminal(monkeypatch)
    screen = Screen(Globals())
    screen.status("a line that is too long for it")
    screen.heading("next")
    assert err.getvalue() == "a line that is too \r\x1b[K\x1b[1mnext\x1b[0m\n"
    screen.result("evil \x1b[2J\u202e text\ttab")
    assert out.getvalue() == "evil \\x1b[2J\\u202e text\ttab\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """By the usual variables."""
    _, err = terminal(monkeypatch)
    monkeypatch.setenv(name, value)
    Screen(Globals()).warn("plain")
    assert err.getvalue() == "warning: plain\n"


def test_what_steers_a_terminal_is_written_out() -> None:
    """Line ends and tabs stay."""
    assert plain("a\nb\tc\rd\x9be") == "a\nb\tc\\x0dd\\x9be"


def test_an_end_is_told_on_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not behind a line of progress."""
    _, err = terminal(monkeypatch)
    Screen(Globals()).status("half")
    assert say({}, "Stopped.", ExitCode.FAILED, Globals()) == ExitCode.FAILED
    assert err.getvalue() == "half\r\x1b[Kinterlock: Stopped.\n"


def test_a_fitted_table_keeps_to_the_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is cut says so; where there is hardly room, some of the last column stays."""
    out, _ = terminal(monkeypatch)
    Screen(Globals()).table(["A", "B"], [["name", "a summary that is long"], ["x", "short"]], fitted=True)
    assert out.getvalue() == "A     B\nname  a summary tha…\nx     short\n"
    monkeypatch.setenv("COLUMNS", "8")
    Screen(Globals()).table(["A", "B"], [["name", "a summary"], ["x", "a longer summary"]], fitted=True)
    assert out.getvalue().endswith("name  a summary\nx     a longer …\n")


def test_a_fitted_table_is_whole_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """A program cuts for itself."""
    Screen(Globals()).table(["A"], [["a" * 200]], fitted=True)
    assert capsys.readouterr().out == "A\n" + "a" * 200 + "\n"
