"""A thread that owns one SQLite connection."""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeAlias, TypeVar

T = TypeVar("T")

Job: TypeAlias = Callable[[sqlite3.Connection], T]
"""Something to do with the connection, in its thread."""

_STEPS = 20_000
_log = logging.getLogger("interlock.store")


class Runnable(Protocol):
    """Work for the thread, whose result is told in the event loop.

    Attributes:
        broken: Nobody wants it any more: its statement may be broken off.
    """

    broken: bool

    def run(self) -> None:
        """Do it, in the thread; never raises."""
        ...

    def settle(self) -> None:
        """Tell what became of it, in the event loop."""
        ...


class Promise(Generic[T]):
    """A call and the future of its result.

    Args:
        call: What to do.
        loop: Where the future belongs.

    Attributes:
        broken: Set it when the result is not wanted any more: the statement is broken off soon.
        error: What it raised, once it ran.
        future: Told the result by `settle`.
    """

    __slots__ = ("_call", "_result", "broken", "error", "future")

    def __init__(self, call: Callable[[], T], loop: asyncio.AbstractEventLoop) -> None:
        self._call = call
        self._result: tuple[T] | None = None
        self.broken = False
        self.error: BaseException | None = None
        self.future: asyncio.Future[T] = loop.create_future()
        # Whoever was cancelled never asks what became of it; that is no mistake.
        self.future.add_done_callback(_take_note)

    def run(self) -> None:
        """Call it, and keep what comes."""
        try:
            if self.broken:
                raise sqlite3.OperationalError("interrupted")
            self._result = (self._call(),)
        except BaseException as exc:  # noqa: BLE001 - handed on to whoever waits
            _log.debug("a job failed: %s", type(exc).__name__)
            self.error = exc

    @property
    def unwanted(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.future.done()

    def settle(self) -> None:
        """Give what was kept to whoever waits."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        elif self._result is not None:
            self.future.set_result(self._result[0])


class Worker:
    """A thread with a connection of its own, made and closed in it. Jobs run in the order of asking.

    Args:
        connect: Makes the connection.
        name: Name of the thread.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._connect = connect
        self._jobs: queue.SimpleQueue[Runnable | None] = queue.SimpleQueue()
        self._connection: sqlite3.Connection | None = None
        self._running: Runnable | None = None
        self._stopped = False
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def start(self) -> None:
        """Open the connection.

        Raises:
            sqlite3.Error: It cannot be opened.
        """
        await self._promise(self._open).future

    def submit(self, job: Job[T]) -> Promise[T]:
        """Run a job after those before it. It runs to its end unless it is broken off."""
        return self._promise(lambda: job(self.connection))

    def put(self, work: Runnable) -> None:
        """Run something that settles itself."""
        self._jobs.put(work)

    async def stop(self) -> None:
        """Roll back what is open, close the connection and end the thread."""
        closing = self._promise(self._close)
        self._stopped = True
        self._jobs.put(None)
        with suppress(sqlite3.Error):
            await asyncio.shield(closing.future)

    @property
    def connection(self) -> sqlite3.Connection:
        """The open connection, for jobs.

        Raises:
            sqlite3.ProgrammingError: There is none.
        """
        if self._connection is None:
            raise sqlite3.ProgrammingError("Cannot operate on a closed database.")
        return self._connection

    def _promise(self, call: Callable[[], T]) -> Promise[T]:
        promise = Promise(call, self._loop)
        if self._stopped:
            promise.future.set_exception(sqlite3.ProgrammingError("Cannot operate on a closed database."))
        else:
            self._jobs.put(promise)
        return promise

    def _open(self) -> None:
        connection = self._connect()
        # Asked between steps of a statement, so that no request to break off can come too early or too late.
        connection.set_progress_handler(lambda: self._running is not None and self._running.broken, _STEPS)
        self._connection = connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            if connection.in_transaction:
                connection.rollback()
            connection.close()

    def _run(self) -> None:
        while (work := self._jobs.get()) is not None:
            self._running = work
            work.run()
            self._running = None
            try:
                self._loop.call_soon_threadsafe(work.settle)
            except RuntimeError:  # the loop is closed: nobody waits any more
                self._close()
                return


def _take_note(future: "asyncio.Future[T]") -> None:
    if not future.cancelled():
        future.exception()
