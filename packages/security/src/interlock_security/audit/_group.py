"""Group commit: what arrives while a commit is under way goes into the next one, all of it at once.

There is no timer: one item alone is written at once, and under load batches grow by themselves.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from interlock_core.errors import AuditUnavailableError, InterlockError

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_logger = logging.getLogger("interlock.security.audit")

_MAX_BATCH = 1024


class GroupCommit(Generic[ItemT, ResultT]):
    """Writes items in batches.

    Args:
        write: Writes a batch and returns one result an item; what it raises fails every item of the batch.
    """

    __slots__ = ("_waiting", "_worker", "_write")

    def __init__(self, write: Callable[[Sequence[ItemT]], Awaitable[Sequence[ResultT]]]) -> None:
        self._write = write
        self._waiting: list[tuple[ItemT, asyncio.Future[ResultT]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: ItemT) -> ResultT:
        """Write one item; it is written even when the caller stops waiting."""
        future: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await future

    async def drain(self) -> None:
        """Wait until everything submitted so far is written."""
        while self._worker is not None:
            await asyncio.shield(self._worker)

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MAX_BATCH], self._waiting[_MAX_BATCH:]
                await self._write_batch(batch)
        finally:
            self._worker = None
            abandoned, self._waiting = self._waiting, []
            for _, future in abandoned:
                _fail(future, AuditUnavailableError("The audit log was closed."))

    async def _write_batch(self, batch: list[tuple[ItemT, asyncio.Future[ResultT]]]) -> None:
        try:
            results = await self._write([item for item, _ in batch])
        except InterlockError as error:
            for _, future in batch:
                _fail(future, error)
            return
        except BaseException as error:
            for _, future in batch:
                _fail(future, AuditUnavailableError("The audit log could not be written."))
            if not isinstance(error, Exception):
                raise
            _logger.exception("the audit log could not be written")
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)


def _fail(future: "asyncio.Future[ResultT]", error: InterlockError) -> None:
    if not future.done():
        future.set_exception(error)
