"""What was read of a range, and of everything: kept counts, and those that wait to be kept."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from interlock_core.errors import InvalidRequestError
from interlock_core.nearest import suggestion
from interlock_observability.provider_metrics._ledger import Batch, CounterKey, merged
from interlock_observability.provider_metrics._spans import EVER, Stretch
from interlock_observability.provider_metrics._stats import Dimension, Kind
from interlock_observability.provider_metrics._tally import Series, Tally

WHOLE: Final = Stretch(EVER, 0, 1)
"""The stretch of everything."""

_DIMENSIONS: Final = ("provider", "model", "task")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Totals:
    """What the ledger held in all when it was last read.

    Attributes:
        models: Counts of calls to models.
        tools: Counts of calls to tools.
        counters: Plain counters.
    """

    models: Sequence[tuple[Series, Tally]] = ()
    tools: Sequence[tuple[Series, Tally]] = ()
    counters: Mapping[CounterKey, int] = field(default_factory=dict[CounterKey, int])


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[_T]):
    """What was found of a range.

    Attributes:
        kept: What the ledger holds.
        waiting: What it does not hold yet.
        complete: The ledger could be read.
        tiles: The spans that were read.
        since: Start of the range after rounding; None for the beginning.
        until: Its end after rounding; None for now.
    """

    kept: _T
    waiting: Sequence[Batch]
    complete: bool
    tiles: Sequence[Stretch]
    since: float | None
    until: float | None


def dimensions_of(by: Dimension | Sequence[Dimension]) -> tuple[Dimension, ...]:
    """What statistics are grouped by.

    Raises:
        InvalidRequestError: There is no such grouping.
    """
    wanted: tuple[Dimension, ...] = (by,) if isinstance(by, str) else tuple(by)
    for name in wanted:
        if name not in _DIMENSIONS:
            raise InvalidRequestError(
                f"Statistics cannot be grouped by {name}.", field="by", remedy=suggestion(name, _DIMENSIONS)
            )
    return wanted


def with_waiting(
    kept: Iterable[tuple[Series, Tally]], waiting: Iterable[Batch], kind: Kind
) -> list[tuple[Series, Tally]]:
    """Kept counts and waiting ones, one tally a series."""
    rows = list(kept)
    for batch in waiting:
        rows += batch.within(WHOLE, kind)
    return list(merged(rows).items())
