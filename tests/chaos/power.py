"""Power cuts under the audit log: what was acknowledged must be there, and the log whole."""

import asyncio
import random
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from interlock_core import CallKind, Effect, Outcome
from interlock_core.errors import StoreError
from interlock_core.store import Store
from interlock_core.testing import make_call
from interlock_security import BRANCH, AuditLog

from .disk import Disk

WRITERS = 8
CALLS = 1_200
DATABASE = "interlock.db"


async def cut(cuts: int, *, seed: int = 1, syncs: bool = True) -> tuple[int, int, int]:
    """Cut the power so many times at random moments of one run.

    Args:
        cuts: How often.
        seed: Repeats the same cuts.
        syncs: Whether the disk does what a sync asks; without, records must be lost, or nothing was tested.

    Returns:
        Records acknowledged before the cuts, together; how many of them were lost; logs that did not verify.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir(mode=0o700)
        disk, told = await _written(home)
        if not syncs:
            disk.events = [event for event in disk.events if not event.sync]
        rng = random.Random(seed)
        total = [0, 0, 0]
        for number in range(cuts):
            image = Path(folder) / str(number)
            image.mkdir(mode=0o700)
            at = rng.randrange(len(disk.events))
            disk.after_a_cut(at, rng, image)
            due = {record for moment, record in told if moment <= at} if syncs else {r for _, r in told}
            found = await _after(image, due)
            total = [had + more for had, more in zip(total, found, strict=True)]
            shutil.rmtree(image)
    return total[0], total[1], total[2]


async def _written(home: Path) -> tuple[Disk, list[tuple[int, str]]]:
    """Write a log on a watched disk; what was acknowledged after how many events."""
    url = f"sqlite:///{home / DATABASE}"
    await (await Store.open(url, branches=[BRANCH])).aclose()
    log = AuditLog(await Store.open("sqlite://", branches=[BRANCH]), home=home, witness=None)
    await log.verifier_key()
    disk, told = Disk(home), list[tuple[int, str]]()
    numbers = iter(range(CALLS))
    with disk.watched():
        store = await Store.open(url, branches=[BRANCH])
        log = AuditLog(store, home=home, witness=None)

        async def write() -> None:
            for number in numbers:
                call = make_call("t.write", kind=CallKind.TOOL, effect=Effect.WRITE, call_id=f"c{number}")
                entry = await log.intent(replace(call, arguments={"text": "x" * 700}))
                told.append((len(disk.events), entry.id))
                done = await log.outcome(entry, Outcome(ok=True))
                told.append((len(disk.events), done.id))

        await asyncio.gather(*(write() for _ in range(WRITERS)))
        count = len(disk.events)
        await log.aclose()
        await store.aclose()
        # Closing tidies up; the power goes before that.
        del disk.events[count:]
    return disk, told


async def _after(image: Path, due: set[str]) -> tuple[int, int, int]:
    try:
        store = await Store.open(f"sqlite:///{image / DATABASE}", branches=[BRANCH])
    except StoreError:
        return len(due), len(due), 1
    try:
        log = AuditLog(store, home=image, witness=None)
        there = {str(row[0]) for row in await store.fetch_all("SELECT id FROM audit_records")}
        report = await log.verify()
        if report.ok:
            await log.note("test.goes-on", make_call().principal, {})
        return len(due), len(due - there), int(not report.ok)
    except StoreError:
        return len(due), len(due), 1
    finally:
        await store.aclose()
