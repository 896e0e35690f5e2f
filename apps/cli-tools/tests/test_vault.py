"""Secrets are set from standard input, listed without their values, replaced and removed."""

import io
import os
import pty
from typing import TYPE_CHECKING

import pytest

from interlock_core.jsontypes import as_array, as_object

if TYPE_CHECKING:
    from .conftest import CommandLine

pytestmark = pytest.mark.promise("O15")

VALUE = "canary-5c1f-value"


class Stdin(io.TextIOWrapper):
    """Standard input that is no terminal."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8")


def answered(prompt: str) -> str:
    """What a person types where nothing is shown."""
    assert VALUE not in prompt
    return VALUE


def given(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Have this on standard input."""
    monkeypatch.setattr("sys.stdin", Stdin(content))


def test_a_secret_is_kept_listed_replaced_and_removed(
    cli: "CommandLine", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its line's end is no part of it; no output shows it."""
    given(monkeypatch, f"{VALUE}\n".encode())
    kept = cli("vault", "set", "github", "--for", "tools.github", "--host", "api.github.com")
    assert kept.out == "github: version 1; write vault:github where it is used\n"
    given(monkeypatch, b"canary-5c1f-second")
    again = cli("vault", "rotate", "github", "--json")
    assert (again.document["version"], again.document["former"]) == (2, 1)
    listed = cli("vault", "list", "--json")
    (row,) = [as_object(entry) for entry in as_array(listed.document["secrets"])]
    assert row["scope"] == {"for": ["tools.github"], "hosts": ["api.github.com"]}
    shown = cli("vault", "list")
    assert "github" in shown.out
    changed = cli("vault", "rotate", "--key", "--json")
    assert changed.document["rewrapped"] == 2
    assert cli("vault", "rotate", "--key").code == 0
    given(monkeypatch, b"canary-5c1f-third")
    assert cli("vault", "set", "github", "--anywhere", "--json").document["scope"] == {"for": [], "hosts": []}
    assert cli("vault", "remove", "github@2").out == "github@2: removed\n"
    assert cli("vault", "remove", "github", "--json").document == {"removed": "github"}
    empty = cli("vault", "list")
    assert "No secret yet" in empty.err
    everything = [kept, again, listed, shown, changed, empty]
    assert "canary" not in "".join(ran.out + ran.err for ran in everything)
    stored = b"".join(path.read_bytes() for path in cli.home.iterdir() if path.is_file())
    assert b"canary" not in stored


@pytest.mark.parametrize(
    ("words", "content", "code"),
    [
        (("set", "k"), b"", 1),
        (("set", "k"), b"\xff\xfe", 1),
        (("set", "a b"), b"value-1", 1),
        (("set", "k", "--for", "nowhere"), b"value-1", 1),
        (("set", "k", "--anywhere", "--host", "x.example"), b"value-1", 2),
        (("set", "k", "value-in-argument"), b"", 2),
        (("rotate",), b"value-1", 2),
        (("rotate", "k", "--key"), b"value-1", 2),
        (("rotate", "absent"), b"value-1", 2),
        (("remove", "absent"), b"", 2),
    ],
)
def test_what_cannot_be_is_a_wrong_use(
    cli: "CommandLine",
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    content: bytes,
    code: int,
) -> None:
    """A value has no place among the arguments, and none is repeated."""
    given(monkeypatch, content)
    ran = cli("vault", *words)
    assert ran.code == code
    assert "value-1" not in ran.out + ran.err


def test_a_terminal_is_asked_without_an_echo(cli: "CommandLine", monkeypatch: pytest.MonkeyPatch) -> None:
    """And nobody is asked where that is forbidden."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        ran = cli("vault", "set", "k", "--no-input")
        assert ran.code == 1
        assert "standard input" in ran.err
        monkeypatch.setattr("click.termui.hidden_prompt_func", answered)
        kept = cli("vault", "set", "k")
    os.close(ours)
    assert kept.code == 0
    assert VALUE not in kept.out + kept.err


def test_a_configured_secret_is_read_from_the_vault(acme: "CommandLine") -> None:
    """Set in one process, used in the next."""
    config = acme.folder / "config.toml"
    text = config.read_text("utf-8")
    key = next(line.partition('"')[2].rstrip('"') for line in text.splitlines() if line.startswith("api_key"))
    config.write_text(text.replace(f'api_key = "{key}"', 'api_key = "vault:acme"'), "utf-8")
    env = {"INTERLOCK_CONFIG": str(config)}
    without = acme.apart("ask", "Hello", "-m", "acme/small", env=env)
    assert without.code == 4
    assert "interlock vault set acme" in without.err
    assert acme.apart("vault", "set", "acme", stdin=key, env=env).code == 0
    assert acme.apart("ask", "Hello", "-m", "acme/small", env=env).code == 0
