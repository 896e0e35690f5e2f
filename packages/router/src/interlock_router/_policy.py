"""What a routing policy is: how much quality, price and speed count, and which limits hold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from math import isfinite
from types import MappingProxyType
from typing import Final

from interlock_core import Money
from interlock_core.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Weights and limits by which a model is chosen.

    A score is `quality weight x expected quality` (0 to 1) minus `price weight x price` minus
    `latency weight x latency`, the latter two on logarithmic scales from 0 to 1: ten times the price
    costs the same part of the weight wherever it happens.

    Attributes:
        name: Its name, as in `auto/<name>`.
        quality: Weight of the expected quality.
        price: Weight of the expected price.
        latency: Weight of the expected time to the whole answer.
        prefer: Patterns of models (`openai/*`) that get a head start of 0.1.
        exclude: Patterns of models that are never chosen.
        max_cost: Most that one request may cost; models of unknown price are then out.
        max_latency_s: Models whose median answer takes longer are out; unmeasured ones stay.
        local_first: Models that run here come first, whatever the others score.
        local_only: Only models that run here.
        fallbacks: How many further models are tried when the chosen one fails.
        explore: Part of the requests that may go to another model than the one believed best, to learn.
    """

    name: str
    quality: float = 1.0
    price: float = 0.3
    latency: float = 0.1
    prefer: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_cost: Money | None = None
    max_latency_s: float | None = None
    local_first: bool = False
    local_only: bool = False
    fallbacks: int = 3
    explore: float = 0.2

    def __post_init__(self) -> None:
        """Refuse weights and limits that mean nothing.

        Raises:
            ConfigurationError: A number is negative or not finite.
        """
        for name in ("quality", "price", "latency"):
            weight: float = getattr(self, name)
            if not (isfinite(weight) and weight >= 0):
                raise _wrong(self.name, name, "Write a number of at least 0.")
        if self.max_cost is not None and self.max_cost.micro_usd < 0:
            raise _wrong(self.name, "max_cost", "Write dollars of at least 0.")
        if self.max_latency_s is not None and not self.max_latency_s > 0:
            raise _wrong(self.name, "max_latency_s", "Write seconds above 0.")
        if self.fallbacks < 0:
            raise _wrong(self.name, "fallbacks", "Write a whole number of at least 0.")
        if not 0 <= self.explore <= 1:
            raise _wrong(self.name, "explore", "Write a number from 0 to 1.")

    def prefers(self, model: str) -> bool:
        """Whether a model gets the head start."""
        return matches(model, self.prefer)

    def excludes(self, model: str) -> bool:
        """Whether a model is never chosen."""
        return matches(model, self.exclude)


POLICY_FIELDS: Final = tuple(field.name for field in fields(Policy))
"""What a policy in the configuration may set."""

BUILT_IN: Final[Mapping[str, Policy]] = MappingProxyType(
    {
        policy.name: policy
        for policy in (
            Policy(name="default"),
            Policy(name="cheap", price=1.0, latency=0.05),
            Policy(name="best", price=0.0, latency=0.0),
            Policy(name="fast", quality=0.6, price=0.1, latency=1.0),
            Policy(name="local-first", local_first=True),
        )
    }
)
"""The policies that are always there; one of the same name in the configuration takes its place."""


def policies(own: Iterable[Policy] = ()) -> Mapping[str, Policy]:
    """The built-in policies and one's own, which win."""
    return {**BUILT_IN, **{policy.name: policy for policy in own}}


def matches(model: str, patterns: tuple[str, ...]) -> bool:
    """Whether a model's id fits one of the patterns."""
    return any(fnmatchcase(model, pattern) for pattern in patterns)


def _wrong(policy: str, field: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(
        f"The policy {policy} has a wrong value for {field}.",
        field=f"policies.{policy}.{field}",
        remedy=remedy,
    )
