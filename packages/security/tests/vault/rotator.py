"""A process that changes the vault's key and dies at a chosen step. Started by tests.

Usage: rotator.py URL HOME STEP. It kills itself at the STEPth of the moments before and after each
transaction and each act of the key's holder; never when STEP is 0. At the end it prints how many there were.
Without STEP it reads steps from its input, a line each, and forks a process for each before anything is
opened: what that one printed comes out first, then a line that says how it ended.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from typing_extensions import override

from interlock_core.call import Principal
from interlock_core.clock import SystemClock
from interlock_core.secret import Secret
from interlock_core.store import Store, Transaction
from interlock_security import BRANCH, WITNESS_FILE, AuditLog, FileWitness
from interlock_security.vault import FileHolder, HeldKey, Vault


class Steps:
    """Counts moments, and dies at one."""

    def __init__(self, fatal: int) -> None:
        self.count = 0
        self._fatal = fatal

    def step(self) -> None:
        """One more moment."""
        self.count += 1
        if self.count == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)


class FatalStore(Store):
    """A store with a moment before a transaction on the vault, before its commit and after it."""

    def __init__(self, inner: Store, steps: Steps) -> None:
        super().__init__(inner, clock=SystemClock())
        self._inner = inner
        self._steps = steps

    @override
    def transaction(self, *, lock: str = "store") -> AbstractAsyncContextManager[Transaction]:
        return self._watched(lock)

    @asynccontextmanager
    async def _watched(self, lock: str) -> AsyncGenerator[Transaction, None]:
        self._steps.step()
        async with self._inner.transaction(lock=lock) as transaction:
            yield transaction
            self._steps.step()
        self._steps.step()


class FatalHolder(FileHolder):
    """A holder with a moment before and after each act."""

    def __init__(self, home: Path, steps: Steps) -> None:
        super().__init__(home)
        self._steps = steps

    @override
    async def make(self, key_id: str) -> HeldKey:
        self._steps.step()
        made = await super().make(key_id)
        self._steps.step()
        return made

    @override
    async def forget(self, key_id: str) -> None:
        self._steps.step()
        await super().forget(key_id)
        self._steps.step()


def ignore(secret: Secret) -> None:
    """Nobody hides anything here."""


async def main(url: str, home: Path, fatal: int) -> None:
    """Change the key."""
    steps = Steps(fatal)
    store = await Store.open(url, branches=[BRANCH])
    log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE))
    vault = Vault(FatalStore(store, steps), holder=FatalHolder(home, steps), changes=log, learn=ignore)
    rotation = await vault.rotate_key(by=Principal(user="local:root", roles=frozenset({"admin"})))
    sys.stdout.write(f"{steps.count} {rotation.rewrapped} {rotation.resumed}\n")
    await vault.aclose()
    await log.aclose()
    await store.aclose()


def fork(url: str, home: Path, fatal: int) -> int:
    """Change the key in a process of its own; how it ended: its exit code, or minus the signal."""
    child = os.fork()
    if child == 0:
        asyncio.run(main(url, home, fatal))
        sys.stdout.flush()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    if len(sys.argv) > 3:
        asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
    for line in sys.stdin if len(sys.argv) == 3 else ():
        sys.stdout.write(f"ended {fork(sys.argv[1], Path(sys.argv[2]), int(line))}\n")
        sys.stdout.flush()
