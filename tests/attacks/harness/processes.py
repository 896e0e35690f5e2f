"""Counts what this process starts, by the interpreter's own audit events."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

_STARTING = frozenset(
    {
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.spawn",
        "os.fork",
        "os.forkpty",
        "pty.spawn",
    }
)


@dataclass(slots=True)
class Started:
    """How many programs were started."""

    count: int = 0


_watching: list[Started] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event in _STARTING:
        for started in _watching:
            started.count += 1


sys.addaudithook(_hook)


@contextmanager
def counting() -> Generator[Started, None, None]:
    """Count what is started until the block ends."""
    started = Started()
    _watching.append(started)
    try:
        yield started
    finally:
        _watching.remove(started)
