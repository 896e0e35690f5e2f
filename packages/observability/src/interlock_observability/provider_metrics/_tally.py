"""What is counted of the calls of one series in one span of time; tallies are merged by adding."""

import math
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

from interlock_core import Outcome
from interlock_core.errors import CallerError, InterlockError, NotFoundError, RefusedError
from interlock_observability.provider_metrics._sketch import Sketch

NONE: Final = "none"
"""The label of a model, provider or task that a call had none of."""


class Series(NamedTuple):
    """What calls are counted by.

    Attributes:
        kind: `model` or `tool`.
        provider: Who answered; of a tool its namespace.
        model: `provider/model`; of a tool its name.
        task: Class of the task; empty for a tool.
    """

    kind: str
    provider: str
    model: str
    task: str


def codes(root: type[InterlockError]) -> frozenset[str]:
    """The codes of an error class and all below it."""
    found = {root.code}
    for child in root.__subclasses__():
        found |= codes(child)
    return frozenset(found)


REFUSALS: Final = codes(RefusedError)
"""Codes of errors that a rule of this house raised: nothing was called."""

UNANSWERED: Final = REFUSALS | codes(CallerError)
"""Codes of errors that say nothing of who was called: the request was refused or wrong."""

UNKNOWN_NAME: Final = NotFoundError.code
"""Code of the error for a name that does not exist; such names are the caller's invention."""


@dataclass(slots=True, eq=False)
class Tally:
    """Counts.

    Attributes:
        requests: All calls.
        ok: Those that did what they were for.
        cancelled: Those that the client left.
        unanswered: Those that were refused, or wrong before anybody was to blame.
        attempts: Calls to the other side.
        input_tokens: All input.
        output_tokens: All output.
        cache_read_tokens: The input read from the vendor's cache.
        cache_write_tokens: The input written to it.
        reasoning_tokens: The output that was reasoning.
        usage_unknown: Calls that did what they were for and told no tokens.
        cost_micro_usd: Money, of the calls whose price is known.
        cost_unknown: Calls that did what they were for at an unknown price: never counted as free.
        tool_calls: Calls that models asked for.
        tool_calls_valid: Those that named a known tool with valid arguments.
        judged: Calls with a score.
        score: Sum of the scores.
        score_squares: Sum of their squares.
        failures: Calls that failed, by error code.
        latency: Seconds to the end, of calls that did what they were for.
        first_token: Seconds to the first token, where there was one.
        input_sizes: Input tokens a call.
        output_sizes: Output tokens a call.
        scores: The scores.
    """

    requests: int = 0
    ok: int = 0
    cancelled: int = 0
    unanswered: int = 0
    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    usage_unknown: int = 0
    cost_micro_usd: int = 0
    cost_unknown: int = 0
    tool_calls: int = 0
    tool_calls_valid: int = 0
    judged: int = 0
    score: float = 0.0
    score_squares: float = 0.0
    failures: dict[str, int] = field(default_factory=dict[str, int])
    latency: Sketch = field(default_factory=Sketch)
    first_token: Sketch = field(default_factory=Sketch)
    input_sizes: Sketch = field(default_factory=Sketch)
    output_sizes: Sketch = field(default_factory=Sketch)
    scores: Sketch = field(default_factory=Sketch)

    def add(self, outcome: Outcome, *, model: bool) -> None:
        """Count one call.

        Args:
            outcome: What became of it.
            model: It was a call to a model: a missing price or usage is then counted as unknown.
        """
        self.requests += 1
        self.attempts += outcome.attempts
        if outcome.ok:
            self.ok += 1
            self.latency.add(outcome.duration_s)
        else:
            self._fail(outcome)
        if outcome.first_token_s is not None:
            self.first_token.add(outcome.first_token_s)
        if outcome.tool_calls:
            self.tool_calls += outcome.tool_calls
            self.tool_calls_valid += outcome.tool_calls_valid
        if outcome.score is not None:
            self.judge(outcome.score)
        self._add_usage(outcome, model=model)

    def judge(self, score: float) -> None:
        """Count a score, of a call that is counted here or was counted before."""
        if math.isfinite(score):
            score = min(max(score, 0.0), 1.0)
            self.judged += 1
            self.score += score
            self.score_squares += score * score
            self.scores.add(score)

    def _fail(self, outcome: Outcome) -> None:
        error = outcome.error or "unknown"
        if outcome.cancelled:
            self.cancelled += 1
            return
        if error in UNANSWERED:
            self.unanswered += 1
        self.failures[error] = self.failures.get(error, 0) + 1

    def _add_usage(self, outcome: Outcome, *, model: bool) -> None:
        usage = outcome.usage
        if usage is not None:
            self.input_tokens += usage.input_tokens
            self.output_tokens += usage.output_tokens
            self.cache_read_tokens += usage.cache_read_tokens
            self.cache_write_tokens += usage.cache_write_tokens
            self.reasoning_tokens += usage.reasoning_tokens
            self.input_sizes.add(usage.input_tokens)
            self.output_sizes.add(usage.output_tokens)
        elif outcome.ok and model:
            self.usage_unknown += 1
        if outcome.cost is not None:
            self.cost_micro_usd += outcome.cost.micro_usd
        elif outcome.ok and model:
            self.cost_unknown += 1

    def merge(self, other: Self) -> None:
        """Take all counts of another tally, which stays as it is."""
        self.requests += other.requests
        self.ok += other.ok
        self.cancelled += other.cancelled
        self.unanswered += other.unanswered
        self.attempts += other.attempts
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cache_read_tokens += other.cache_read_tokens
        self.cache_write_tokens += other.cache_write_tokens
        self.reasoning_tokens += other.reasoning_tokens
        self.usage_unknown += other.usage_unknown
        self.cost_micro_usd += other.cost_micro_usd
        self.cost_unknown += other.cost_unknown
        self.tool_calls += other.tool_calls
        self.tool_calls_valid += other.tool_calls_valid
        self.judged += other.judged
        self.score += other.score
        self.score_squares += other.score_squares
        self.latency.merge(other.latency)
        self.first_token.merge(other.first_token)
        self.input_sizes.merge(other.input_sizes)
        self.output_sizes.merge(other.output_sizes)
        self.scores.merge(other.scores)
        for code, number in other.failures.items():
            self.failures[code] = self.failures.get(code, 0) + number

    @property
    def answerable(self) -> int:
        """Calls that say whether the other side does its work: neither cancelled nor refused nor wrong."""
        return self.requests - self.cancelled - self.unanswered

    @property
    def refused(self) -> int:
        """Calls that a rule refused."""
        return sum(number for code, number in self.failures.items() if code in REFUSALS)

    @property
    def success_rate(self) -> float | None:
        """The part of those that did what they were for; None when there were none."""
        return self.ok / self.answerable if self.answerable else None


COUNTS: Final = (
    "requests",
    "ok",
    "cancelled",
    "unanswered",
    "attempts",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "usage_unknown",
    "cost_micro_usd",
    "cost_unknown",
    "tool_calls",
    "tool_calls_valid",
    "judged",
    "score",
    "score_squares",
)
"""The plain numbers of a tally, in the order in which they are stored."""

SKETCHES: Final = ("latency", "first_token", "input_sizes", "output_sizes", "scores")
"""The sketches of a tally, likewise."""
