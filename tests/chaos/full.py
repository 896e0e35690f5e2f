"""A disk that is full for a while: side effects are refused, and go on when there is space again."""

import asyncio
import random
from pathlib import Path

from interlock_core import Call, CallKind, Effect
from interlock_core.errors import AuditUnavailableError
from interlock_core.store import Store
from interlock_core.testing import make_call
from interlock_security import BRANCH, AuditGuard, AuditLog

from .disk import Disk

CALLS = 40


async def fill(home: Path, times: int, *, seed: int = 1) -> tuple[int, int, int, list[str]]:
    """Let the disk be full so many times while calls are made.

    Returns:
        Calls that were made, calls that were refused, calls that were made without an intent in the log or
        refused and made, and what verification found in the end.
    """
    rng = random.Random(seed)
    url = f"sqlite:///{home / 'interlock.db'}"
    await (await Store.open(url, branches=[BRANCH])).aclose()
    disk = Disk(home)
    made: list[str] = []
    refused: list[str] = []
    with disk.watched():
        store = await Store.open(url, branches=[BRANCH])
        log = AuditLog(store, home=home, witness=None)
        guard = AuditGuard(log)

        async def make(call: Call) -> None:
            try:
                async with guard.around(call):
                    made.append(call.id)
            except AuditUnavailableError:
                refused.append(call.id)
            disk.full = disk.full != (rng.random() < 2 / CALLS)

        for turn in range(times):
            calls = [
                make_call("t.write", kind=CallKind.TOOL, effect=Effect.WRITE, call_id=f"c{turn}-{number}")
                for number in range(CALLS)
            ]
            await asyncio.gather(*(make(call) for call in calls))
        disk.full = True
        await make(make_call("t.write", kind=CallKind.TOOL, effect=Effect.WRITE, call_id="last-refused"))
        disk.full = False
        await make(make_call("t.write", kind=CallKind.TOOL, effect=Effect.WRITE, call_id="last-made"))
        disk.full = False
        await log.aclose()
        rows = await store.fetch_all("SELECT payload FROM audit_records WHERE kind = 'intent'")
        intents = "\n".join(str(payload) for (payload,) in rows)
        report = await log.verify()
        await store.aclose()
    wrong = sum(f'"call":"{call}"' not in intents or call in refused for call in made)
    wrong += (refused[-1:], made[-1:]) != (["last-refused"], ["last-made"])
    return len(made), len(refused), wrong, [problem.detail for problem in report.problems]
