"""What the tests of the command line share: runs here and in processes of their own, and real servers."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import pytest

from interlock_cli._app import run
from interlock_core import JsonObject
from interlock_providers.testing import OpenAIChatServer
from interlock_tools.testing.github import GitHubStandIn

T = TypeVar("T")
VENDOR_KEY = "sk-vendor-51b0c3d9ee"


@dataclass(frozen=True)
class Ran:
    """How a run ended.

    Attributes:
        code: Its exit code.
        out: Standard output.
        err: Standard error.
    """

    code: int
    out: str
    err: str

    @property
    def document(self) -> JsonObject:
        """The one JSON document of standard output."""
        return cast("JsonObject", json.loads(self.out))


class CommandLine:
    """Runs the command line on a data folder of its own.

    Args:
        folder: The working folder.
        capture: Reads what was printed.
    """

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.home = folder / "home"
        self._capture = capture

    def __call__(self, *arguments: str) -> Ran:
        """Run in this process."""
        self._capture.readouterr()
        code = run(arguments)
        shown = self._capture.readouterr()
        return Ran(code, shown.out, shown.err)

    def apart(self, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Ran:
        """Run in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "interlock_cli", *arguments],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            env={**os.environ, **(env or {})},
            cwd=self.folder,
            timeout=120,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def configure(self, text: str) -> None:
        """Write the configuration file that every run reads."""
        self.folder.joinpath("config.toml").write_text(text, "utf-8")


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line in a folder of its own, with no key and no configuration of this machine's user."""
    for name in list(os.environ):
        if name.startswith("INTERLOCK_") or name.endswith(("_API_KEY", "GITHUB_TOKEN")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    return CommandLine(tmp_path, capsys)


class Background:
    """An event loop in a thread of its own, on which servers run beside the command."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def wait(self, work: Coroutine[object, object, T]) -> T:
        """Run a coroutine there and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def close(self) -> None:
        """End the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()


@pytest.fixture
def vendor() -> Iterator[OpenAIChatServer]:
    """A simulated vendor that wants a key."""
    background = Background()
    server = OpenAIChatServer(models=("small", "large"), key=VENDOR_KEY)
    background.wait(server.__aenter__())
    yield server
    background.wait(server.__aexit__(None, None, None))
    background.close()


@pytest.fixture
def github() -> Iterator[GitHubStandIn]:
    """A stand-in for GitHub's issues."""
    with GitHubStandIn(owner="acme", repo="notes") as server:
        yield server


@pytest.fixture
def acme(
    cli: CommandLine, vendor: OpenAIChatServer, github: GitHubStandIn, monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """The command line with the simulated vendor and the stand-in configured."""
    cli.configure(f"""
[providers.acme]
kind = "openai-compatible"
base_url = "{vendor.url}"
api_key = "{VENDOR_KEY}"

[providers.local]
kind = "local"
enabled = false

[tools.github]
source = "builtin:github"
base_url = "{github.url}"
credential = "{github.token}"
""")
    monkeypatch.setenv("INTERLOCK_CONFIG", str(cli.folder / "config.toml"))
    return cli
