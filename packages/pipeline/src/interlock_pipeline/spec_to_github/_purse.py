"""What the models of one job may still use: money, tokens, time.

Each request is lent a part and told so, and no part is lent twice: who holds a request to its part holds the
job to its bounds. Near a bound, and before anything is known of the price, requests run one by one.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from interlock_core import Budget, Clock, Completion, Money, Usage

_SIDE_BY_SIDE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one request may use; None means no bound of that kind.

    Attributes:
        cost: Most money.
        tokens: Most tokens.
        seconds: Most wall time.
        deadline: The end of that time, a point of the monotonic clock.
    """

    cost: Money | None = None
    tokens: int | None = None
    seconds: float | None = None
    deadline: float | None = None

    def less(self, completion: Completion) -> "Allowance":
        """What is left of it after an answer."""
        cost, tokens = self.cost, self.tokens
        if cost is not None and completion.cost is not None:
            cost = Money(max(cost.micro_usd - completion.cost.micro_usd, 0))
        if tokens is not None and completion.usage is not None:
            tokens = max(tokens - completion.usage.total_tokens, 0)
        return replace(self, cost=cost, tokens=tokens)


@dataclass(slots=True)
class _Bound:
    """A bound in whole units, micro-dollars or tokens; None is no bound."""

    limit: int | None
    used: int = 0
    lent: int = 0
    dearest: int | None = None

    @property
    def is_spent(self) -> bool:
        return self.limit is not None and 0 < self.used >= self.limit

    def spend(self, amount: int) -> None:
        self.used += amount
        self.dearest = max(amount, self.dearest or 0)

    def has_room(self, flying: int) -> bool:
        """Whether one more request may go out beside so many others."""
        return self.limit is None or flying == 0 or self._share(flying) is not None

    def lend(self, flying: int) -> int | None:
        """What the next request may use: an equal share where that will do, else all that is left."""
        if self.limit is None:
            return None
        share = self._share(flying)
        loan = self._left if share is None else share
        self.lent += loan
        return loan

    def give_back(self, loan: int | None) -> None:
        self.lent -= loan or 0

    @property
    def _left(self) -> int:
        return max((self.limit or 0) - self.used - self.lent, 0)

    def _share(self, flying: int) -> int | None:
        """An equal share, when it is twice what the dearest request so far took."""
        share = self._left // (_SIDE_BY_SIDE - flying)
        return share if self.dearest is not None and share >= 2 * self.dearest else None


class Purse:
    """The money, tokens and time of one job's models.

    Args:
        budget: `max_cost`, `max_tokens` and `max_seconds` of it.
        clock: Time.
    """

    def __init__(self, budget: Budget, clock: Clock) -> None:
        self._clock = clock
        self._cost = _Bound(None if budget.max_cost is None else budget.max_cost.micro_usd)
        self._tokens = _Bound(budget.max_tokens)
        self._seconds = budget.max_seconds
        self._end = None if budget.max_seconds is None else clock.monotonic() + budget.max_seconds
        self._flying = 0
        self._changed = asyncio.Event()
        self._why: str | None = None
        self.answers = 0
        self.usage: Usage | None = None
        self.cost = Money()
        self.unpriced = False

    @property
    def spent(self) -> str | None:
        """Why no further model may be asked; None when one may."""
        if self._why is None:
            if self._cost.is_spent:
                self._why = f"the budget of {Money(self._cost.limit or 0)} for models is spent"
            elif self._tokens.is_spent:
                self._why = f"the budget of {self._tokens.limit} tokens for models is spent"
            elif self._end is not None and self._clock.monotonic() >= self._end:
                self._why = f"the {self._seconds:g} seconds for models are over"
        return self._why

    def close(self, why: str) -> None:
        """Ask no further model."""
        self._why = self._why or why
        self._changed.set()

    @asynccontextmanager
    async def allowance(self) -> AsyncGenerator[Allowance | None, None]:
        """Room for one request, waited for; None when no model may be asked any more."""
        while self.spent is None and not self._has_room():
            self._changed.clear()
            await self._changed.wait()
        if self.spent is not None:
            yield None
            return
        cost, tokens = self._cost.lend(self._flying), self._tokens.lend(self._flying)
        self._flying += 1
        try:
            yield Allowance(
                cost=None if cost is None else Money(cost),
                tokens=tokens,
                seconds=None if self._end is None else max(self._end - self._clock.monotonic(), 0.0),
                deadline=self._end,
            )
        finally:
            self._flying -= 1
            self._cost.give_back(cost)
            self._tokens.give_back(tokens)
            self._changed.set()

    def pay(self, completion: Completion) -> None:
        """Count one answer."""
        self.answers += 1
        usage = completion.usage
        if usage is not None:
            self.usage = usage if self.usage is None else self.usage + usage
            self._tokens.spend(usage.total_tokens)
        elif self._tokens.limit is not None:
            self.close(f"{completion.model} does not say how many tokens it used, so no bound can be held")
        if completion.cost is not None:
            self.cost += completion.cost
            self._cost.spend(completion.cost.micro_usd)
            return
        self.unpriced = True
        if self._cost.limit is not None:
            self.close(f"the price of {completion.model} is unknown, so no bound of money can be held")

    def _has_room(self) -> bool:
        flying = self._flying
        return flying < _SIDE_BY_SIDE and self._cost.has_room(flying) and self._tokens.has_room(flying)
