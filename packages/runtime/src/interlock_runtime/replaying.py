"""Routing tried on what is known: learned over a table of outcomes, or judged by a log of decisions."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from interlock_core.errors import InvalidRequestError, NotFoundError
from interlock_core.nearest import suggestion
from interlock_router import BUILT_IN, Policy
from interlock_router.evaluation import Evaluation, Logged, by_policy, evaluate, log_line, read_log
from interlock_router.replay import ReplayOptions, ReplayReport, read_rows, replay
from interlock_runtime._models import policy_of
from interlock_runtime.settings import Settings

__all__ = ["Evaluation", "ReplayOptions", "ReplayReport", "evaluate_log", "replay_table"]

_Read = TypeVar("_Read")


def replay_table(
    file: Path,
    settings: Settings,
    options: ReplayOptions,
    *,
    cost_weight: float | None = None,
    told: Callable[[int, int], None] | None = None,
    log: Path | None = None,
) -> ReplayReport:
    """Go through a table as if its requests came in one after another.

    Args:
        file: The table, one JSON object a line.
        settings: Where the policy is looked up.
        options: How; its weights are taken from the policy that it names.
        cost_weight: Weight of the cost, in place of the policy's weight of the price.
        told: Called now and then with how many requests are done, of how many.
        log: Where each decision is written with its probabilities and its outcome, one JSON object a line.

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
    rows = _read(file, "data", read_rows)
    if not 0 <= options.quiz < len(rows):
        raise InvalidRequestError(
            f"A quiz of {options.quiz} requests leaves none of the {len(rows)} in the table.",
            field="quiz",
            remedy=f"Give a number from 0 to {len(rows) - 1}.",
        )
    whole = replace(options, cost_weight=weight, explore=policy.explore)
    if log is None:
        return replay(rows, whole, told=told)
    lines: list[str] = []

    def keep(logged: Logged) -> None:
        lines.append(log_line(logged) + "\n")

    report = replay(rows, whole, told=told, log=keep)
    _write(log, "".join(lines))
    return report


def evaluate_log(file: Path, settings: Settings, *, policy: str) -> Evaluation:
    """Judge a policy by a log of decisions that another made.

    Args:
        file: The log, one JSON object a line.
        settings: Where the policy is looked up.
        policy: Its name.

    Raises:
        NotFoundError: There is no such policy.
        InvalidRequestError: The file cannot be read, or a line of it is wrong.
    """
    target = by_policy(_policy(settings, policy))
    return evaluate(_read(file, "log", read_log), target)


def _policy(settings: Settings, name: str) -> Policy:
    known = {**BUILT_IN, **{own: policy_of(own, entry) for own, entry in settings.policies.items()}}
    if name not in known:
        raise NotFoundError(f"There is no policy {name}.", field="policy", remedy=suggestion(name, known))
    return known[name]


def _write(file: Path, text: str) -> None:
    """Write a whole file or none."""
    draft = file.with_name(f".{file.name}.part")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InvalidRequestError(
            f"{file} cannot be written ({error.strerror}).", field="log", remedy="Name a file in a folder."
        ) from error


def _read(file: Path, field: str, reader: Callable[..., list[_Read]]) -> list[_Read]:
    try:
        with file.open(encoding="utf-8") as lines:
            return reader(lines, source=str(file))
    except OSError as error:
        raise InvalidRequestError(
            f"{file} cannot be read ({error.strerror}).", field=field, remedy="Name a readable file."
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidRequestError(
            f"{file} is no UTF-8 text.", field=field, remedy="Save it as UTF-8."
        ) from error
