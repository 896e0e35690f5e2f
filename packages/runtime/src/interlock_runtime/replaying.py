"""Routing learned over a table of known outcomes, under a policy of the settings."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from interlock_core.errors import InvalidRequestError, NotFoundError
from interlock_core.nearest import suggestion
from interlock_router import BUILT_IN, Policy
from interlock_router.replay import ReplayOptions, ReplayReport, Row, read_rows, replay
from interlock_runtime._models import policy_of
from interlock_runtime.settings import Settings

__all__ = ["ReplayOptions", "ReplayReport", "replay_table"]


def replay_table(
    file: Path,
    settings: Settings,
    options: ReplayOptions,
    *,
    cost_weight: float | None = None,
    told: Callable[[int, int], None] | None = None,
) -> ReplayReport:
    """Go through a table as if its requests came in one after another.

    Args:
        file: The table, one JSON object a line.
        settings: Where the policy is looked up.
        options: How; its weights are taken from the policy that it names.
        cost_weight: Weight of the cost, in place of the policy's weight of the price.
        told: Called now and then with how many requests are done, of how many.

    Raises:
        NotFoundError: There is no such policy.
        InvalidRequestError: The file cannot be read, or a line of it is wrong.
    """
    policy = _policy(settings, options.policy)
    weight = policy.price if cost_weight is None else cost_weight
    if not weight >= 0:
        raise InvalidRequestError(
            f"The cost weight {weight:g} is below 0.",
            field="cost-weight",
            remedy="Give a number of at least 0.",
        )
    rows = _rows(file)
    if not 0 <= options.quiz < len(rows):
        raise InvalidRequestError(
            f"A quiz of {options.quiz} requests leaves none of the {len(rows)} in the table.",
            field="quiz",
            remedy=f"Give a number from 0 to {len(rows) - 1}.",
        )
    return replay(rows, replace(options, cost_weight=weight, explore=policy.explore), told=told)


def _policy(settings: Settings, name: str) -> Policy:
    known = {**BUILT_IN, **{own: policy_of(own, entry) for own, entry in settings.policies.items()}}
    if name not in known:
        raise NotFoundError(f"There is no policy {name}.", field="policy", remedy=suggestion(name, known))
    return known[name]


def _rows(file: Path) -> list[Row]:
    try:
        with file.open(encoding="utf-8") as lines:
            return read_rows(lines, source=str(file))
    except OSError as error:
        raise InvalidRequestError(
            f"{file} cannot be read ({error.strerror}).", field="data", remedy="Name a readable file."
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidRequestError(
            f"{file} is no UTF-8 text.", field="data", remedy="Save it as UTF-8."
        ) from error
