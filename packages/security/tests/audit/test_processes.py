"""Several processes at one log, and processes that are killed."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from interlock_core.store import Store
from interlock_security import BRANCH, WITNESS_FILE, AuditLog, AuditRecord, FileWitness

WRITER = Path(__file__).with_name("writer.py")
KILLS = 300 if os.environ.get("FULL") == "1" else 3 if os.environ.get("INTERLOCK_QUICK") == "1" else 6


async def start(url: str, home: Path, name: str, count: int) -> asyncio.subprocess.Process:
    """A writer in a process of its own."""
    return await asyncio.create_subprocess_exec(
        sys.executable, str(WRITER), url, str(home), name, str(count), stdout=asyncio.subprocess.PIPE
    )


def acknowledged(lines: Sequence[str]) -> set[tuple[str, int, str]]:
    """What a writer was told is durable, from its whole lines."""
    words = [line.split() for line in lines]
    return {(kind, int(index), call) for kind, index, call in words}


async def everything(log: AuditLog) -> list[AuditRecord]:
    """All records, page by page."""
    records: list[AuditRecord] = []
    while page := await log.tail(1_000, after=records[-1].index if records else -1):
        records += page
    return records


def said(records: Sequence[AuditRecord]) -> set[tuple[str, int, str]]:
    """What the log says, in the writers' words."""
    return {(record.kind, record.index, str(record.data["call"])) for record in records}


@pytest.mark.promise("A2")
async def test_four_processes_append_to_one_log_in_one_order(home: Path, ready: str) -> None:
    """Every record is there once, the tree is whole, and nobody's record was lost."""
    writers = [await start(ready, home, f"p{number}", 60) for number in range(4)]
    outputs = [(await writer.communicate())[0].decode() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4
    told = [acknowledged(output.splitlines()) for output in outputs]
    store = await Store.open(ready, branches=[BRANCH])
    log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE))
    report = await log.verify()
    records = await everything(log)
    await store.aclose()
    assert (report.ok, report.records, len(report.notices)) == (True, 4 * 90, 100)
    assert set[tuple[str, int, str]]().union(*told) == said(records)
    assert [record.index for record in records] == list(range(4 * 90))
    owners = [str(record.data["call"])[:2] for record in records]
    assert len(set(owners[: len(owners) // 2])) > 1, "the processes wrote one after another"


@pytest.mark.promise("A3")
async def test_nothing_that_was_acknowledged_is_lost_when_a_writer_is_killed(home: Path, ready: str) -> None:
    """Killed at any moment: the log is whole, and the intents without outcome are reported."""
    told: set[tuple[str, int, str]] = set()
    for kill in range(KILLS):
        writer = await start(ready, home, f"k{kill}", 0)
        assert writer.stdout is not None
        lines = [await writer.stdout.readline() for _ in range(5 + 7 * (kill % 5))]
        writer.send_signal(signal.SIGKILL)
        rest = (await writer.communicate())[0]
        whole = (b"".join(lines) + rest).rpartition(b"\n")[0].decode()
        told |= acknowledged(whole.splitlines())
    store = await Store.open(ready, branches=[BRANCH])
    log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE))
    report = await log.verify()
    records = await everything(log)
    open_intents = await log.open_intents(1_000)
    await store.aclose()
    assert report.ok, report.problems
    assert told <= said(records)
    closed = {record.ref for record in records if record.kind == "outcome"}
    never = [record.id for record in records if record.kind == "intent" and record.id not in closed]
    assert [record.id for record in open_intents] == never[:1_000]
    assert len(report.notices) == min(len(never), 100) > 0


@pytest.mark.promise("A3")
async def test_a_process_killed_between_intent_and_outcome_leaves_an_open_intent(
    home: Path, ready: str
) -> None:
    """`verify` passes, and says which call it may have been."""
    script = (
        "import asyncio, os, signal, sys\n"
        "from pathlib import Path\n"
        "from interlock_core.call import CallKind\n"
        "from interlock_core.store import Store\n"
        "from interlock_core.testing import make_call\n"
        "from interlock_core.toolspec import Effect\n"
        "from interlock_security import BRANCH, WITNESS_FILE, AuditGuard, AuditLog, FileWitness\n"
        "async def main(url, home):\n"
        "    store = await Store.open(url, branches=[BRANCH])\n"
        "    log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE))\n"
        "    call = make_call('github.createIssue', kind=CallKind.TOOL, effect=Effect.WRITE)\n"
        "    async with AuditGuard(log).around(call):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main(sys.argv[1], Path(sys.argv[2])))\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, ready, str(home))
    assert await process.wait() == -signal.SIGKILL
    store = await Store.open(ready, branches=[BRANCH])
    log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE))
    report = await log.verify()
    (intent,) = await log.open_intents()
    await store.aclose()
    assert (report.ok, report.records) == (True, 1)
    assert "github.createIssue (write) has no outcome" in report.notices[0].detail
    assert intent.data["name"] == "github.createIssue"


async def test_processes_that_make_the_key_at_once_share_one(home: Path, url: str) -> None:
    """Four first starts: one key, one log, one witness."""
    writers = [await start(url, home, f"s{number}", 2) for number in range(4)]
    for writer in writers:
        await writer.communicate()
    assert [writer.returncode for writer in writers] == [0] * 4
    assert [name for name in names(home) if not name.startswith("interlock.db")] == [
        "audit.key",
        "audit.witness",
    ]


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in folder.iterdir())
