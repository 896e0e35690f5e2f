"""What stays open ends when the key that opened it no longer stands.

The rules, for every answer and every stream that is under way:

1. Twice a second its key is looked up anew in the store: once in each process, whatever it has open there.
2. It ends when the key stands for nobody any more: revoked, expired, deleted, its user disabled.
3. It ends when the key stands for less than when it was opened: a role fewer, or another team.
4. It ends when a budget that pays for it was set to nothing.
5. It ends when nobody could tell for three look-ups in a row.

So what was revoked anywhere is over within a second in every process. A request that is over before its key
is looked up costs nothing here. Not covered: what a role itself permits, which counts from the next call on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from interlock_core import Call, Principal
from interlock_core.errors import (
    InterlockError,
    PermissionDeniedError,
    QuotaExceededError,
    RefusedError,
)

_logger = logging.getLogger("interlock.api")

_EVERY_S = 0.5
_MOST_MISSED = 3
_AT_ONCE = 16


class Keys(Protocol):
    """Knows keys. `Runtime.access` does."""

    async def renew(self, principal: Principal) -> Principal:
        """Whom the principal's key stands for by now."""
        ...


class Budgets(Protocol):
    """Knows what pays. `Runtime.quotas` does."""

    async def withdrawn(self, call: str) -> QuotaExceededError | None:
        """Why a call that was let in may not go on; None when it may."""
        ...


@dataclass(slots=True, eq=False)
class Open:
    """Something that a key has open.

    Attributes:
        principal: Whom the key stood for when it was opened.
        call: Id of the call that it is the answer of; empty for none.
        task: Works on it.
        ending: Why it is ended; None while it may go on.
    """

    principal: Principal
    call: str
    task: "asyncio.Task[object]"
    ending: InterlockError | None = None

    def end(self, error: InterlockError) -> None:
        """Have it end."""
        if self.ending is None:
            self.ending = error
            self.task.cancel()


class Standings:
    """Everything that is open in this process, by the key that opened it.

    Args:
        keys: Looks keys up.
        budgets: Says which calls are paid for no more.
        every_s: Seconds between two look-ups.
    """

    def __init__(self, keys: Keys, budgets: Budgets, *, every_s: float = _EVERY_S) -> None:
        self._keys = keys
        self._budgets = budgets
        self._every_s = every_s
        self._open: dict[str, set[Open]] = {}
        self._missed: dict[str, int] = {}
        self._watching: asyncio.Task[None] | None = None

    async def while_standing(
        self, principal: Principal, work: Callable[[Open], Awaitable[None]], *, call: Call | None = None
    ) -> None:
        """Work for a principal for as long as its key stands; then the work is cancelled.

        Raises:
            InterlockError: The key no longer stands; the work was cancelled and has ended.
        """
        task = asyncio.current_task()
        assert task is not None
        held = Open(principal, "" if call is None else call.id, task)
        self._add(held)
        try:
            await work(held)
        except asyncio.CancelledError:
            # The client may have left as well, or the server stop: then there is nobody to be told.
            if held.ending is None or task.uncancel() > 0:
                raise
            raise held.ending from None
        finally:
            self._remove(held)

    async def check(self) -> None:
        """Look up every key that has something open, and end what no longer stands."""
        keys = list(self._open)
        for start in range(0, len(keys), _AT_ONCE):
            await asyncio.gather(*(self._check(key) for key in keys[start : start + _AT_ONCE]))

    async def aclose(self) -> None:
        """Stop looking."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])

    # ---- inside

    def _add(self, held: Open) -> None:
        key = held.principal.key_id
        if key is None:
            return
        self._open.setdefault(key, set()).add(held)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())

    def _remove(self, held: Open) -> None:
        key = held.principal.key_id
        if key is None:
            return
        self._open[key].discard(held)
        if not self._open[key]:
            del self._open[key]
            self._missed.pop(key, None)

    async def _watch(self) -> None:
        """Look while anything is open; it is begun anew by what is opened next."""
        while True:
            await asyncio.sleep(self._every_s)
            if not self._open:
                return
            await self.check()

    async def _check(self, key: str) -> None:
        try:
            first = next(iter(self._open.get(key, ())), None)
            if first is None:
                return
            now = await self._keys.renew(first.principal)
            self._missed.pop(key, None)
            for held in tuple(self._open.get(key, ())):
                if error := ending_of(held.principal, now) or await self._unpaid(held):
                    held.end(error)
        except RefusedError as error:
            self._end(key, error)
        except Exception:
            _logger.exception("a key that has something open could not be looked up")
            self._missed[key] = self._missed.get(key, 0) + 1
            if self._missed[key] >= _MOST_MISSED:
                self._end(key, _unknown())

    async def _unpaid(self, held: Open) -> InterlockError | None:
        return await self._budgets.withdrawn(held.call) if held.call else None

    def _end(self, key: str, error: InterlockError) -> None:
        for held in tuple(self._open.get(key, ())):
            held.end(error)


def ending_of(before: Principal, now: Principal) -> InterlockError | None:
    """Why what a key opened may not go on, by whom it stood for then and stands for now; None when it may."""
    if before.roles <= now.roles and (before.team, before.organisation) == (now.team, now.organisation):
        return None
    return PermissionDeniedError(
        "This was opened with rights that its key no longer has.", remedy="Ask again with those it has now."
    )


def _unknown() -> InterlockError:
    return RefusedError("Who you are cannot be told just now.", remedy="Come back in a moment.")
