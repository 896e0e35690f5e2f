"""Keeps the witness up to date, behind the log's commits and never in their way."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from interlock_core.errors import InterlockError, VerificationError
from interlock_core.store import Store
from interlock_security.audit._sequencer import Head
from interlock_security.audit._witness import Prove, Sighting, Witness
from interlock_security.audit.merkle import CompactRange
from interlock_security.audit.notes import Checkpoint

_logger = logging.getLogger("interlock.security.audit")

_PAGE = 4096
_LEAVES = "SELECT leaf FROM audit_records WHERE idx >= ? AND idx < ? ORDER BY idx"


Opened: TypeAlias = Callable[[Sighting], Awaitable[tuple[Checkpoint, CompactRange]]]
"""Checks a sighting with the log's keys; raises `VerificationError` when none of them signed it."""


class Watch:
    """Shows the witness where the log ends, after following the records from where it saw the log last.

    A witness is never shown a log that does not continue what it saw; that is an error in the program's
    log, and `AuditLog.verify` says what is wrong.

    Args:
        store: Where the records are.
        witness: Who is shown.
        opened: Checks a sighting with the log's keys.
        prove: Makes consistency proofs for the witness.
        interval_s: Least seconds between two writes.
    """

    __slots__ = (
        "_closing",
        "_complaint",
        "_interval_s",
        "_next",
        "_opened",
        "_prove",
        "_store",
        "_task",
        "_witness",
    )

    def __init__(
        self, store: Store, witness: Witness, *, opened: Opened, prove: Prove, interval_s: float
    ) -> None:
        self._store = store
        self._witness = witness
        self._opened = opened
        self._prove = prove
        self._interval_s = interval_s
        self._next: Head | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._complaint = ""

    def moved(self, head: Head) -> None:
        """Take note that the log ends further on; returns at once."""
        self._next = head
        if self._task is None:
            self._task = asyncio.create_task(self._work())

    async def show(self, head: Head, *, begin: bool) -> None:
        """Show the witness where the log ends, now.

        Raises:
            VerificationError: The log does not continue what the witness saw, or there is no witness and
                `begin` is false.
            StoreError: The records cannot be read.
            OSError: The witness cannot be read or written.
        """
        latest = await self._witness.latest()
        if latest is None:
            if not begin:
                raise VerificationError(
                    "The audit log's witness is missing.",
                    remedy="Bring it back, or begin a new one: `interlock audit checkpoint --begin`.",
                )
        else:
            seen, tree = await self._opened(latest)
            if seen.size > head.tree.size:
                return
            await self._follow(tree, head)
            if seen.size == head.tree.size:
                return
        await self._witness.record(head.sighting, prove=self._prove, found=latest is None)

    async def aclose(self) -> None:
        """Show the witness what it has not seen yet, and end."""
        self._closing.set()
        while self._task is not None:
            await asyncio.shield(self._task)

    async def _work(self) -> None:
        try:
            while (head := self._next) is not None:
                self._next = None
                await self._try(head)
                await self._pause()
        finally:
            self._task = None

    async def _try(self, head: Head) -> None:
        try:
            await self.show(head, begin=False)
        except (InterlockError, OSError) as exc:
            # Said once, not at every commit: `verify` goes on saying it.
            if str(exc) != self._complaint:
                _logger.exception("the audit log's witness was not shown the log")
            self._complaint = str(exc)
        else:
            self._complaint = ""

    async def _pause(self) -> None:
        if self._closing.is_set():
            return
        try:
            async with asyncio.timeout(self._interval_s):
                await self._closing.wait()
        except TimeoutError:
            return

    async def _follow(self, tree: CompactRange, head: Head) -> None:
        while tree.size < head.tree.size:
            end = min(tree.size + _PAGE, head.tree.size)
            rows = await self._store.fetch_all(_LEAVES, (tree.size, end))
            if len(rows) != end - tree.size:
                raise VerificationError("Records that the witness has not seen yet are missing.")
            tree.extend([leaf if isinstance(leaf, bytes) else b"" for (leaf,) in rows])
        if tree.root() != head.tree.root():
            raise VerificationError(
                "The audit log does not continue what its witness saw.",
                remedy="Run `interlock audit verify`.",
            )
