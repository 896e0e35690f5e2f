"""Crashes under the audit log: what was acknowledged, and what was lost of it.

By itself: `python tests/bench/audit_crash.py`, with FULL=1 for 300 killed writers, 100 power cuts with torn
writes and 50 killed database servers. What the writers say while their database is away goes to stderr.
"""

import asyncio
import importlib
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Protocol, cast

from figure import ROOT, Figure


class _Count(Protocol):
    kills: int
    acknowledged: int
    lost: int
    made: int
    unannounced: int
    problems: list[str]


class _Cluster(Protocol):
    def remove(self) -> None: ...


class _Kills(Protocol):
    kill_writers: Callable[[str, Path, int], Awaitable[_Count]]
    kill_servers: Callable[[_Cluster, Path, int], Awaitable[_Count]]
    Cluster: Callable[[Path], _Cluster]


class _Power(Protocol):
    cut: Callable[[int], Awaitable[tuple[int, int, int]]]


class _Full(Protocol):
    fill: Callable[[Path, int], Awaitable[tuple[int, int, int, list[str]]]]


def _module(name: str) -> object:
    if str(ROOT / "tests") not in sys.path:
        sys.path.insert(0, str(ROOT / "tests"))
    return importlib.import_module(f"chaos.{name}")


def figures(*, full: bool) -> Iterator[Figure]:
    """Lost records and calls without an intent, for each kind of crash."""
    kills, power, disk = (
        cast("_Kills", _module("kills")),
        cast("_Power", _module("power")),
        cast("_Full", _module("full")),
    )
    with tempfile.TemporaryDirectory(prefix="il-") as folder:
        home = Path(folder) / "writers"
        home.mkdir(mode=0o700)
        store = f"sqlite:///{home / 'interlock.db'}"
        count = asyncio.run(_counted(kills.kill_writers(store, home, 300 if full else 4)))
        yield from _told("sqlite, writers killed", count)
        cuts = 100 if full else 10
        acknowledged, lost, broken = asyncio.run(_cut(power.cut(cuts)))
        yield Figure(f"audit, {cuts} power cuts: {acknowledged} acknowledged, lost", lost, "", 0)
        yield Figure(f"audit, {cuts} power cuts: logs that do not verify", broken, "", 0)
        home = Path(folder) / "full"
        home.mkdir(mode=0o700)
        made, refused, wrong, problems = asyncio.run(_filled(disk.fill(home, 60 if full else 6)))
        yield Figure(f"audit, full disk: {made} made, {refused} refused, wrongly", wrong, "", 0)
        yield Figure("audit, full disk: problems of the log", len(problems), "", 0)
        home = Path(folder) / "servers"
        home.mkdir(mode=0o700)
        cluster = kills.Cluster(Path(folder) / "data")
        try:
            count = asyncio.run(_counted(kills.kill_servers(cluster, home, 50 if full else 1)))
        finally:
            cluster.remove()
        yield from _told("postgresql, servers killed", count)


def _told(what: str, count: _Count) -> Iterator[Figure]:
    name = f"audit, {count.kills} {what}"
    yield Figure(f"{name}: {count.acknowledged} acknowledged, lost", count.lost, "", 0)
    yield Figure(f"{name}: {count.made} calls, without an intent", count.unannounced, "", 0)
    yield Figure(f"{name}: problems of the log", len(count.problems), "", 0)


async def _counted(work: Awaitable[_Count]) -> _Count:
    return await work


async def _cut(work: Awaitable[tuple[int, int, int]]) -> tuple[int, int, int]:
    return await work


async def _filled(work: Awaitable[tuple[int, int, int, list[str]]]) -> tuple[int, int, int, list[str]]:
    return await work


if __name__ == "__main__":
    for figure in figures(full=os.environ.get("FULL") == "1"):
        print(figure, flush=True)
