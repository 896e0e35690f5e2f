"""A process that writes to a log and says on standard output what was acknowledged. Started by tests.

Usage: writer.py URL HOME NAME COUNT. Without end when COUNT is 0; an outcome follows every second intent.
"""

import asyncio
import sys
from pathlib import Path

from interlock_core.call import CallKind, Outcome
from interlock_core.store import Store
from interlock_core.testing import make_call
from interlock_core.toolspec import Effect
from interlock_security import BRANCH, WITNESS_FILE, AuditLog, FileWitness


async def main(url: str, home: Path, name: str, count: int) -> None:
    """Write with eight tasks at once."""
    store = await Store.open(url, branches=[BRANCH])
    log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE), witness_interval_s=0.01)
    numbers = iter(range(count or 10**9))

    async def work() -> None:
        for number in numbers:
            call = make_call("t.write", kind=CallKind.TOOL, effect=Effect.WRITE, call_id=f"{name}_{number}")
            entry = await log.intent(call)
            sys.stdout.write(f"intent {entry.index} {call.id}\n")
            if number % 2:
                done = await log.outcome(entry, Outcome(ok=True))
                sys.stdout.write(f"outcome {done.index} {call.id}\n")
            sys.stdout.flush()

    await asyncio.gather(*(work() for _ in range(8)))
    await log.aclose()
    await store.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
