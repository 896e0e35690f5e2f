"""A process that makes calls through the audit guard. It is started, and killed, by tests.

Usage: writer.py URL HOME NAME. Eight tasks make calls until it is killed: each is a line in the file `made`
of HOME. What was acknowledged is said on standard output; what is refused is tried again a little later.
"""

import asyncio
import os
import sys
from pathlib import Path

from interlock_core import Call, CallKind, Effect, Outcome
from interlock_core.errors import AuditUnavailableError
from interlock_core.store import Store
from interlock_core.testing import make_call
from interlock_security import BRANCH, WITNESS_FILE, AuditGuard, AuditLog, FileWitness

WRITERS = 8
_PAUSE_S = 0.1


def say(line: str) -> None:
    """One line, with one write, so that no kill tears two together."""
    os.write(1, f"{line}\n".encode())


async def main(url: str, home: Path, name: str) -> None:
    """Make calls, half of them through the guard."""
    store = await Store.open(url, branches=[BRANCH])
    log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE), witness_interval_s=0.05)
    guard = AuditGuard(log)
    parent = os.getppid()
    made = os.open(home / "made", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def guarded(call: Call) -> None:
        async with guard.around(call):
            say(f"intent {call.id}")
            os.write(made, f"{call.id}\n".encode())

    async def recorded(call: Call) -> None:
        entry = await log.intent(call)
        say(f"intent {call.id}")
        os.write(made, f"{call.id}\n".encode())
        await log.outcome(entry, Outcome(ok=True))
        say(f"outcome {call.id}")

    async def work(worker: int) -> None:
        number = 0
        # Without whoever started it, it would go on alone for ever.
        while os.getppid() == parent:
            number += 1
            call = make_call(
                "t.write", kind=CallKind.TOOL, effect=Effect.WRITE, call_id=f"{name}-{worker}-{number}"
            )
            try:
                await (guarded(call) if worker % 2 else recorded(call))
            except AuditUnavailableError:
                await asyncio.sleep(_PAUSE_S)

    await asyncio.gather(*(work(worker) for worker in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
