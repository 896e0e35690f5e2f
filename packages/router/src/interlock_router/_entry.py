"""One model as the router holds it: its facts, its provider and what is worked out from them once."""

from dataclasses import dataclass
from typing import Self

from interlock_core import ModelInfo, Provider
from interlock_router._cues import TASKS
from interlock_router._priors import DEFAULT, prior_quality

_PER_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A model that can be chosen.

    Attributes:
        id: `provider/model`.
        info: What is known of it.
        provider: Who is asked.
        priors: Expected quality for each class of task, before any outcome.
        prior: The same for a task of no known class.
        dearest_input: The dearest way to send a million input tokens, in micro-dollars; None when unknown.
    """

    id: str
    info: ModelInfo
    provider: Provider
    priors: dict[str, float]
    prior: float
    dearest_input: int | None

    @classmethod
    def of(cls, info: ModelInfo, provider: Provider) -> Self:
        """The entry of one model."""
        price = info.price
        dearest = None
        if price is not None:
            dearest = max(price.input, price.cache_write or 0, price.cache_write_1h or 0)
        priors = {task: prior_quality(info.id, task) for task in TASKS}
        return cls(
            info.id,
            info,
            provider,
            priors,
            sum(priors.values()) / len(priors) if priors else DEFAULT,
            dearest,
        )

    def expected_micro_usd(self, tokens_in: int, tokens_out: int) -> int | None:
        """The likely price of a request, in micro-dollars, rounded up; None when unknown."""
        price = self.info.price
        if price is None:
            return None
        return -(-(tokens_in * price.input + tokens_out * price.output) // _PER_MILLION)

    def most_micro_usd(self, tokens_in: int, tokens_out: int) -> int | None:
        """The most that so many tokens can cost, in micro-dollars, rounded up; None when unknown."""
        if self.info.price is None or self.dearest_input is None:
            return None
        return -(-(tokens_in * self.dearest_input + tokens_out * self.info.price.output) // _PER_MILLION)

    def affordable_output(self, micro_usd: int, tokens_in: int) -> int | None:
        """How many output tokens are left after the input; None when there is no end to them."""
        if self.info.price is None or self.dearest_input is None:
            return 0
        left = micro_usd * _PER_MILLION - tokens_in * self.dearest_input
        if left < 0:
            return 0
        return None if self.info.price.output == 0 else left // self.info.price.output
