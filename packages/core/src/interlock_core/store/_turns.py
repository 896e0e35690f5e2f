"""The queue before the one writer.

SQLite has one writer at a time. Whoever wants to write waits in the event loop, in the order of asking.
Single statements that wait one behind the other are committed together, each in a savepoint of its own,
so that the disk is asked to be sure once for many of them.
"""

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Sequence
from typing import Protocol, TypeVar

from interlock_core.store._worker import Job, Promise, Worker

T = TypeVar("T")

_MOST_TOGETHER = 128
_log = logging.getLogger("interlock.store")


class _Single(Protocol):
    """A single statement that waits: a `Promise`, whatever its result."""

    error: BaseException | None

    @property
    def unwanted(self) -> bool: ...

    def run(self) -> None: ...

    def settle(self) -> None: ...


class Turns:
    """Who may write, and when.

    Args:
        worker: The writer.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Single | asyncio.Future[None]] = deque()
        self._taken = False
        self._refusal: Exception | None = None

    def write(self, job: Job[T]) -> "asyncio.Future[T]":
        """Run a job in a transaction of its own at its turn; cancelled before that, it is not run."""
        promise = Promise(lambda: job(self._worker.connection), self._loop)
        if self._refusal is not None:
            promise.future.set_exception(self._refusal)
        else:
            self._waiting.append(promise)
            self._next()
        return promise.future

    async def take(self) -> None:
        """Wait for the turn; until `release`, nobody else writes."""
        if self._refusal is not None:
            raise self._refusal
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(turn)
        self._next()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Let the next one write."""
        self._taken = False
        self._next()

    def refuse_all(self, error: Exception) -> None:
        """Let everybody who waits, and everybody who comes, fail."""
        self._refusal = error
        while self._waiting:
            waiting = self._waiting.popleft()
            if not isinstance(waiting, asyncio.Future):
                waiting.error = error
                waiting.settle()
            elif not waiting.done():
                waiting.set_exception(error)

    def _next(self) -> None:
        while self._waiting and not self._taken and self._refusal is None:
            first = self._waiting.popleft()
            if isinstance(first, asyncio.Future):
                if not first.done():
                    self._taken = True
                    first.set_result(None)
                continue
            members = [first, *self._neighbours()]
            wanted = [member for member in members if not member.unwanted]
            if wanted:
                self._taken = True
                self._worker.put(_Together(self._worker, wanted, self))

    def _neighbours(self) -> list[_Single]:
        found: list[_Single] = []
        while self._waiting and len(found) < _MOST_TOGETHER - 1:
            following = self._waiting[0]
            if isinstance(following, asyncio.Future):
                break
            found.append(following)
            self._waiting.popleft()
        return found


class _Together:
    """Single statements that one commit makes durable."""

    broken = False

    def __init__(self, worker: Worker, members: Sequence[_Single], turns: Turns) -> None:
        self._worker = worker
        self._members = members
        self._turns = turns

    def run(self) -> None:
        """Run each apart from the others, and commit once; when that fails, all have failed."""
        try:
            connection = self._worker.connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                for member in self._members:
                    _run_apart(connection, member, alone=len(self._members) == 1)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except BaseException as exc:  # noqa: BLE001 - handed on to all who wait
            _log.debug("a commit failed: %s", type(exc).__name__)
            for member in self._members:
                member.error = exc

    def settle(self) -> None:
        """Tell all of them, and let the next ones write."""
        for member in self._members:
            member.settle()
        self._turns.release()


def _run_apart(connection: sqlite3.Connection, member: _Single, *, alone: bool) -> None:
    if not alone:
        connection.execute("SAVEPOINT apart")
    member.run()
    if member.error is not None:
        # Some failures, such as a full disk, roll everything back by themselves: then all have failed.
        if alone or not connection.in_transaction:
            raise member.error
        connection.execute("ROLLBACK TO apart")
    if not alone:
        connection.execute("RELEASE apart")
