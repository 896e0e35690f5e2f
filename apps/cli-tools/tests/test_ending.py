"""How runs end: exit codes, one JSON document, closed pipes, stops."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interlock_cli import __version__
from interlock_cli._document import Document
from interlock_cli._exit import report
from interlock_cli._globals import Globals

if TYPE_CHECKING:
    from .conftest import CommandLine


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["config", "path"], 0),
        (["tools", "call", "github.issues_create"], 1),
        (["stats", "--since", "soon"], 2),
        (["roles", "show", "nobody"], 2),
        (["--config", "nowhere.toml", "stats"], 4),
    ],
)
def test_the_exit_code_says_what_kind_of_end_it_was(
    cli: "CommandLine", arguments: list[str], code: int
) -> None:
    """With JSON the same code, one document, and the error in it."""
    assert cli(*arguments).code == code
    told = cli(*arguments, "--json")
    assert told.code == code
    assert ("error" in told.document) == bool(code)


@pytest.mark.parametrize("arguments", [[], ["--json"], ["tools"], ["tools", "--json"]])
def test_a_missing_command_is_a_usage_error_with_the_help(cli: "CommandLine", arguments: list[str]) -> None:
    """The help stands on standard error; with JSON the error stands on standard output."""
    ended = cli(*arguments)
    assert ended.code == 2
    assert "Commands:" in ended.err
    assert bool(ended.out) == ("--json" in arguments)


def test_an_unknown_command_names_the_nearest(cli: "CommandLine") -> None:
    """One message, on standard error."""
    ended = cli("demmo")
    assert ended.code == 2
    assert "demo" in ended.err
    assert ended.out == ""


def test_a_missing_value_is_told_to_a_program_too(cli: "CommandLine") -> None:
    """`--json` counts although the arguments could not be read to their end."""
    ended = cli("stats", "--json", "--config")
    assert ended.code == 2
    assert ended.document["error"]


def test_verbose_shows_the_trace_of_a_failure(cli: "CommandLine") -> None:
    """Without it there is none."""
    assert "Traceback" in cli("roles", "show", "nobody", "--verbose").err
    assert "Traceback" not in cli("roles", "show", "nobody").err


def test_a_fault_of_our_own_is_named_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    """An error that nobody expected is told with its type, and how to see more."""
    assert report(KeyError("x"), Globals(json=True)) == 1
    shown = capsys.readouterr()
    assert "KeyError" in shown.err
    assert "--verbose" in shown.err
    assert json.loads(shown.out)["error"]["code"] == "internal"
    assert report(OSError("disk"), Globals()) == 1
    assert "OSError: disk" in capsys.readouterr().err


def test_a_document_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    """What comes after it is dropped."""
    document = Document()
    document.write({"a": 1})
    document.write({"b": 2})
    assert capsys.readouterr().out == '{"a":1}\n'


def test_a_reader_that_leaves_is_no_failure(cli: "CommandLine") -> None:
    """`interlock … | head -0` ends quietly with 0."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "interlock_cli", "config", "show"],
            stdout=gone,
            stderr=subprocess.PIPE,
            cwd=cli.folder,
            check=False,
        )
    assert done.returncode == 0
    assert done.stderr == b""


def test_ctrl_c_ends_a_run_with_one_word(cli: "CommandLine", tmp_path: Path) -> None:
    """Exit code 1, no trace, and the error as JSON for a program."""
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    with (
        subprocess.Popen(
            [sys.executable, "-m", "interlock_cli", "ask", "--schema", str(fifo), "hello", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cli.folder,
            text=True,
        ) as process,
        fifo.open("w"),
    ):  # opens once the command reads it
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.strip().endswith("Stopped.")
    assert "Traceback" not in err
    assert json.loads(out)["error"]["code"] == "stopped"


def test_ctrl_c_ends_a_server_of_mcp_whose_client_stays(cli: "CommandLine") -> None:
    """Its client holds standard input open, in which a thread reads that cannot be cancelled."""
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    with subprocess.Popen(
        [sys.executable, "-m", "interlock_cli", "mcp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cli.folder,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(json.dumps(hello) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert process.stderr.read().strip().endswith("Stopped.")


def test_the_version_is_told(cli: "CommandLine") -> None:
    """Alone, and behind a global option."""
    assert cli.apart("--version").out == f"interlock {__version__}\n"
    assert cli("--quiet", "--version").out == f"interlock {__version__}\n"


def test_json_is_utf_8_wherever_it_is_printed(cli: "CommandLine") -> None:
    """The terminal's own encoding counts for people alone."""
    (cli.folder / "names.toml").write_text('[aliases]\n"wörk" = "local/smollm2-135m"\n', "utf-8")
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    told = cli.apart("--config", "names.toml", "config", "show", "--json", env=ascii_only)
    assert "wörk" in json.dumps(told.document, ensure_ascii=False)
    shown = cli.apart("--config", "names.toml", "config", "show", env=ascii_only)
    assert (shown.code, "w\\xf6rk" in shown.out or "w\\u00f6rk" in shown.out) == (0, True)
