"""The limiter: asks a backend for all that a call needs at once, and gives back what was not needed."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from interlock_core.errors import InterlockError, RateLimitedError
from interlock_core.ids import new_id
from interlock_core.limits import LimitState
from interlock_security.limits._claims import Answer, Claim, Correction, LimitBackend, Reading
from interlock_security.limits._rules import LimitKind, LimitRule, LimitScope, Subjects, applicable

_logger = logging.getLogger("interlock.security.limits")

Rules: TypeAlias = Callable[[], Awaitable[Sequence[LimitRule]]]
"""Gives the rules as they are now."""

LEASE_S = 30.0
"""Seconds after which the slot of a holder that crashed is free."""

_BEAT = "interlock-limit-beat"
"""Name of the tasks that renew leases."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One rule that a call falls under, and what it asks of it."""

    rule: LimitRule
    name: str
    claim: Claim


class Share:
    """What a call was given of the limits that it falls under; `RateLimiter.take` makes it.

    Attributes:
        states: Every limit, as it stood when the call asked.
    """

    __slots__ = ("_asked", "_beats", "_ended", "_holder", "_limiter", "_readings", "states")

    def __init__(
        self, limiter: "RateLimiter", asked: Sequence[_Asked], holder: str, readings: Sequence[Reading]
    ) -> None:
        self.states = tuple(_state(entry, reading) for entry, reading in zip(asked, readings, strict=True))
        self._limiter = limiter
        self._asked = tuple(asked)
        self._holder = holder
        self._readings = tuple(readings)
        self._ended = False
        self._beats = limiter.beat(self._slots, holder) if self._slots else None

    @property
    def _slots(self) -> list[str]:
        return [entry.claim.key for entry in self._asked if entry.claim.slots]

    async def end(self, *, tokens: int | None = None, made: bool = True) -> None:
        """The call is over: its slots are free, and its tokens become what they truly were.

        Ending twice does nothing. A backend that cannot be reached is logged: windows and leases end by
        themselves.

        Args:
            tokens: Tokens that it used; None leaves what was charged.
            made: Whether the call was made at all; otherwise nothing stays charged.
        """
        if self._ended:
            return
        self._ended = True
        if self._beats is not None:
            self._beats.cancel()
        corrections = list(self._corrections(tokens, made=made))
        await self._limiter.give_back(corrections, self._slots, self._holder)

    def _corrections(self, tokens: int | None, *, made: bool) -> Sequence[Correction]:
        found: list[Correction] = []
        for entry, reading in zip(self._asked, self._readings, strict=True):
            claim = entry.claim
            if claim.slots or not reading.entry:
                continue
            truth = claim.amount
            if not made:
                truth = 0
            elif entry.rule.kind is LimitKind.TOKENS and tokens is not None:
                truth = max(tokens, 0)
            if truth != claim.amount:
                found.append(Correction(key=claim.key, entry=reading.entry, delta=truth - claim.amount))
        return found


class RateLimiter:
    """Lets calls pass while every limit that they fall under has room.

    A call passes only when all have room; then all are charged, otherwise none. There are never more than a
    limit's units in any window of its length. Tokens are charged by their bound before a call, and by the
    truth after it. A slot is held until the call ends, or its process dies and the lease runs out.

    Args:
        backend: Counts.
        rules: The limits: a fixed list, or what gives them as they are at each call.
        lease_s: Seconds after which the slot of a holder that crashed is free.
    """

    def __init__(
        self, backend: LimitBackend, rules: Sequence[LimitRule] | Rules, *, lease_s: float = LEASE_S
    ) -> None:
        self._backend = backend
        self._fixed = None if callable(rules) else tuple(rules)
        self._rules = rules if callable(rules) else None
        self._lease_s = lease_s
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(
        self,
        subjects: Subjects,
        *,
        requests: int = 1,
        tokens: int | Callable[[], int] = 0,
        kinds: Collection[LimitKind] = tuple(LimitKind),
        holder: str | None = None,
    ) -> Share:
        """Charge one call to every limit that it falls under, or to none.

        Args:
            subjects: Whom it is counted for, by scope; `global` is always one of them where a rule is.
            requests: How many requests it is.
            tokens: Most tokens that it can use, or what finds that out; asked when there is a limit of them.
            kinds: What is counted of it.
            holder: Who holds its slots; a new name unless given.

        Raises:
            RateLimitedError: A limit has no room; nothing was charged.
            StoreError: The limits cannot be counted.
        """
        rules = self._fixed if self._rules is None else await self._rules()
        found = [entry for entry in applicable(rules or (), subjects) if entry[0].kind in kinds]
        amounts = {LimitKind.REQUESTS: requests, LimitKind.CONCURRENCY: 1}
        if any(rule.kind is LimitKind.TOKENS for rule, _ in found):
            amounts[LimitKind.TOKENS] = tokens() if callable(tokens) else tokens
        asked = [_Asked(r, name, self._meter(r, name, amounts[r.kind])) for r, name in found]
        holder = holder or new_id("slot")
        if not asked:
            return Share(self, (), holder, ())
        answer = await self._taken(asked, holder)
        if not answer.passed:
            raise _refusal(asked, answer.readings)
        return Share(self, asked, holder, answer.readings)

    async def peek(self, subjects: Subjects) -> Sequence[LimitState]:
        """How the limits stand that somebody falls under; nothing is charged.

        Raises:
            StoreError: The limits cannot be counted.
        """
        rules = self._fixed if self._rules is None else await self._rules()
        asked = [_Asked(r, name, self._meter(r, name, 0)) for r, name in applicable(rules or (), subjects)]
        if not asked:
            return ()
        answer = await self._backend.take([entry.claim for entry in asked], "")
        return [_state(entry, reading) for entry, reading in zip(asked, answer.readings, strict=True)]

    async def give_back(self, corrections: Sequence[Correction], slots: Sequence[str], holder: str) -> None:
        """Correct what was charged and free slots, to the end even when whoever waits is cancelled."""
        if corrections or slots:
            await asyncio.shield(self._background(self._returned(corrections, slots, holder)))

    def beat(self, slots: Sequence[str], holder: str) -> "asyncio.Task[None]":
        """Keep the leases of a holder alive until the task that this gives is cancelled."""
        return self._background(self._renewed(slots, holder), name=_BEAT)

    async def aclose(self) -> None:
        """Finish what is being given back, and close the backend."""
        for task in tuple(self._tasks):
            if task.get_name() == _BEAT:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._backend.aclose()

    def _meter(self, rule: LimitRule, name: str, amount: int) -> Claim:
        slots = rule.kind is LimitKind.CONCURRENCY
        span = self._lease_s if slots else rule.window_s
        window = "" if slots else f":{round(span * 1e6)}"
        key = f"{rule.scope}:{rule.kind}{window}:{name}"
        # A named rule takes over the counter of `*`: setting one does not begin a new window.
        return Claim(key=key, limit=rule.limit, span_us=round(span * 1e6), amount=amount, slots=slots)

    async def _taken(self, asked: Sequence[_Asked], holder: str) -> Answer:
        claims = [entry.claim for entry in asked]
        taking = asyncio.ensure_future(self._backend.take(claims, holder))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            # It may be charged by now: nobody waits for the call any more, so it is given back.
            self._background(self._undone(taking, asked, holder))
            raise

    async def _undone(self, taking: "asyncio.Future[Answer]", asked: Sequence[_Asked], holder: str) -> None:
        try:
            answer = await taking
        except InterlockError:
            return
        if answer.passed:
            await Share(self, asked, holder, answer.readings).end(made=False)

    async def _returned(self, corrections: Sequence[Correction], slots: Sequence[str], holder: str) -> None:
        try:
            if corrections:
                await self._backend.correct(corrections)
            if slots:
                await self._backend.release(slots, holder)
        except InterlockError as error:
            _logger.warning("what a call did not use was not given back: %s", error.message)

    async def _renewed(self, slots: Sequence[str], holder: str) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 3)
            try:
                await self._backend.renew(slots, holder, round(self._lease_s * 1e6))
            except InterlockError as error:
                _logger.warning("the lease of a running call was not renewed: %s", error.message)

    def _background(
        self, work: Coroutine[object, object, None], *, name: str | None = None
    ) -> "asyncio.Task[None]":
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def subjects_of(**names: str | None) -> Subjects:
    """Whom a call is counted for, by scope; `global` always, and nobody for a name that is None."""
    found = {LimitScope(scope): name for scope, name in names.items() if name is not None}
    return {LimitScope.GLOBAL: "*", **found}


def _state(asked: _Asked, reading: Reading) -> LimitState:
    rule = asked.rule
    return LimitState(
        name=rule.id,
        unit=rule.kind.value,
        limit=rule.limit,
        remaining=max(0, rule.limit - reading.used),
        window_s=rule.window_s or None,
        reset_s=max(0.0, reading.reset_us / 1e6),
    )


def _refusal(asked: Sequence[_Asked], readings: Sequence[Reading]) -> RateLimitedError:
    pairs = list(zip(asked, readings, strict=True))
    without = [(entry, reading) for entry, reading in pairs if reading.wait_us != 0]
    never = [entry for entry, reading in without if reading.wait_us is None]
    wait = None if never else max(1, math.ceil(max(r.wait_us or 0 for _, r in without) / 1e6))
    if wait is None:
        remedy = f"It can never pass: ask for less than {never[0].rule.limit}, or have the limit raised."
    else:
        remedy = f"Wait {wait} s, or have the limit raised: interlock limits set."
    told = "; ".join(_room(entry, reading) for entry, reading in without)
    error = RateLimitedError(
        f"There is no room: {told}.",
        field=", ".join(entry.rule.id for entry, _ in without),
        remedy=remedy,
        retry_after=wait,
    )
    error.limits = tuple(_state(entry, reading) for entry, reading in pairs)
    return error


def _room(asked: _Asked, reading: Reading) -> str:
    rule = asked.rule
    if rule.kind is LimitKind.CONCURRENCY:
        return f"{reading.used} of the {rule.limit} calls at a time of {rule.id} are running"
    used = f"{reading.used} of the {rule.limit} {rule.kind} of {rule.id} are used"
    return used if asked.claim.amount == 1 else f"{used}, and {asked.claim.amount} more are wanted"
