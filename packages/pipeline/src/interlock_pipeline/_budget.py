"""Counts what a run has used, and says when one of its bounds is reached.

Turns, tool calls, money and seconds are exact. Tokens are exact where the vendor counted them; what it did
not count, and the input of an answer that is still to come, are estimated.
"""

from dataclasses import replace

from interlock_core import Budget, Clock, Completion, CompletionRequest, Money, TokenCounter, Usage


class BudgetMeter:
    """What one run has used of its budget.

    Args:
        budget: The bounds.
        clock: Time.
        counter: Estimates tokens that no vendor counted.
    """

    __slots__ = (
        "_budget",
        "_clock",
        "_counter",
        "_started",
        "_tokens",
        "cost",
        "tool_calls",
        "turns",
        "unpriced",
        "usage",
    )

    def __init__(self, budget: Budget, clock: Clock, counter: TokenCounter) -> None:
        self._budget = budget
        self._clock = clock
        self._counter = counter
        self._started = clock.monotonic()
        self._tokens = 0
        self.turns = 0
        self.tool_calls = 0
        self.usage: Usage | None = None
        self.cost = Money()
        self.unpriced = False

    @property
    def elapsed_s(self) -> float:
        """Wall seconds since the run began."""
        return self._clock.monotonic() - self._started

    @property
    def remaining_s(self) -> float | None:
        """Wall seconds that are left; None without such a bound."""
        limit = self._budget.max_seconds
        return None if limit is None else max(limit - self.elapsed_s, 0.0)

    @property
    def deadline(self) -> float | None:
        """Point of the monotonic clock at which the seconds are used up; None without such a bound."""
        limit = self._budget.max_seconds
        return None if limit is None else self._started + limit

    @property
    def time_bound(self) -> str:
        """The bound of seconds, in words."""
        return f"{self._budget.max_seconds or 0:g} seconds"

    @property
    def remaining_cost(self) -> Money | None:
        """Money that is left; None without such a bound."""
        limit = self._budget.max_cost
        return None if limit is None else Money(max(limit.micro_usd - self.cost.micro_usd, 0))

    def fit(self, request: CompletionRequest) -> CompletionRequest:
        """The request with its answer cut to the tokens that are left beside its input."""
        limit = self._budget.max_tokens
        if limit is None:
            return request
        left = max(limit - self._tokens - self._counter.count(request).tokens, 1)
        wanted = request.max_tokens
        return replace(request, max_tokens=left if wanted is None else min(wanted, left))

    def count(self, request: CompletionRequest, completion: Completion) -> None:
        """Add one answer, whole or broken off."""
        self.turns += 1
        if completion.usage is not None:
            self.usage = completion.usage if self.usage is None else self.usage + completion.usage
            self._tokens += completion.usage.total_tokens
        elif self._budget.max_tokens is not None:
            said = replace(request, messages=(*request.messages, completion.message))
            self._tokens += self._counter.count(said).tokens
        if completion.cost is None:
            self.unpriced = True
        else:
            self.cost += completion.cost

    def before_turn(self, request: CompletionRequest) -> str | None:
        """Which bound leaves no room for one more answer; None when none does."""
        budget = self._budget
        if budget.max_turns is not None and self.turns >= budget.max_turns:
            return _plural(budget.max_turns, "turn")
        spent = self.spent()
        if spent is None and budget.max_tokens is not None:
            needed = self._counter.count(request).tokens
            if self._tokens + needed >= budget.max_tokens:
                return (
                    f"{_plural(budget.max_tokens, 'token')}, of which the next request needs about {needed}"
                )
        return spent

    def before_calls(self, calls: int) -> str | None:
        """Which bound leaves no room for so many tool calls; None when none does."""
        limit = self._budget.max_tool_calls
        if limit is not None and self.tool_calls + calls > limit:
            return _plural(limit, "tool call")
        return self.spent()

    def spent(self) -> str | None:
        """Which bound is reached by what was used; None when none is."""
        budget = self._budget
        if budget.max_tokens is not None and self._tokens >= budget.max_tokens:
            return _plural(budget.max_tokens, "token")
        if budget.max_cost is not None and self.unpriced:
            return f"{budget.max_cost}, which cannot be held: the price of an answer is unknown"
        if budget.max_cost is not None and self.cost and self.cost >= budget.max_cost:
            return str(budget.max_cost)
        if budget.max_seconds is not None and self.elapsed_s >= budget.max_seconds:
            return self.time_bound
        return None


def _plural(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
