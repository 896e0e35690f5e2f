"""The audit log as a guard around calls: intent before, outcome after."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from interlock_core.call import Call, CallKind, Outcome
from interlock_core.errors import AuditUnavailableError
from interlock_security.audit._log import AuditLog
from interlock_security.audit._record import AuditEntry

_logger = logging.getLogger("interlock.security.audit")


class AuditGuard:
    """Records calls; a call whose intent cannot be recorded is not made.

    The rules: a tool call with side effects needs a durable intent, always. A tool call that only reads needs
    one too, unless `reads` is false or `reads_fail_open` is true. Calls to models are recorded when `models`
    is true, and treated like reads. When an outcome cannot be recorded the call has happened already: the
    intent stays open, which `verify` and `open_intents` report, and the failure is logged.

    Args:
        log: Where calls are recorded.
        models: Record calls to models too.
        reads: Record tool calls that only read.
        reads_fail_open: Make calls without side effects even when they cannot be recorded.
    """

    __slots__ = ("_log", "_models", "_reads", "_reads_fail_open")

    def __init__(
        self, log: AuditLog, *, models: bool = False, reads: bool = True, reads_fail_open: bool = False
    ) -> None:
        self._log = log
        self._models = models
        self._reads = reads
        self._reads_fail_open = reads_fail_open

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncGenerator[None, None]:
        """The context in which a recorded call is made.

        Raises:
            AuditUnavailableError: It cannot be recorded; nothing was done.
        """
        if not self._records(call):
            yield
            return
        entry = await self._begin(call)
        started = time.monotonic()
        try:
            yield
        except BaseException as error:
            await self._end(call, entry, Outcome.failure(error, duration_s=time.monotonic() - started))
            raise
        await self._end(call, entry, Outcome(ok=True, duration_s=time.monotonic() - started))

    def _records(self, call: Call) -> bool:
        if call.kind is CallKind.MODEL:
            return self._models
        return self._reads or _changes(call)

    async def _begin(self, call: Call) -> AuditEntry | None:
        task = self._log.background(self._log.intent(call))
        try:
            return await asyncio.shield(task)
        except AuditUnavailableError:
            if _changes(call) or not self._reads_fail_open:
                raise
            _logger.exception("a call without side effects goes on unrecorded")
            return None
        except asyncio.CancelledError:
            # The intent may be durable already: it is closed, because the call will not be made.
            self._log.background(self._never_made(task))
            raise

    async def _end(self, call: Call, entry: AuditEntry | None, observed: Outcome) -> None:
        if entry is None:
            return
        told = call.ending.outcome
        outcome = observed if told is None else told
        if not observed.ok and outcome.ok:
            outcome = replace(outcome, ok=False, error=observed.error, cancelled=observed.cancelled)
        try:
            await self._log.finish(entry, outcome)
        except AuditUnavailableError:
            _logger.exception("the outcome of record %d is not recorded", entry.index)

    async def _never_made(self, intent: "asyncio.Task[AuditEntry]") -> AuditEntry:
        entry = await intent
        return await self._log.outcome(
            entry, Outcome(ok=False, error="never_made", cancelled=True, attempts=0)
        )


def _changes(call: Call) -> bool:
    return call.kind is CallKind.TOOL and call.effect.has_side_effects
