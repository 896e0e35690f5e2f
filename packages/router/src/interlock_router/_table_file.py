"""Tables of known outcomes: for each request, what each of several models scored and cost."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject
from interlock_router._json_lines import number, objects, wrong

_SHOWN: Final = 60
_NEEDED: Final = "Write a number."


@dataclass(frozen=True, slots=True)
class Known:
    """What one model made of a request.

    Attributes:
        score: 0 to 1.
        cost_usd: What it cost, in dollars.
        latency_s: Seconds to the whole answer, when known.
    """

    score: float
    cost_usd: float
    latency_s: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One request.

    Attributes:
        id: Its name.
        prompt: What was asked.
        task: The class of its task, when the table says it.
        outcomes: What each model made of it, by the model's name.
    """

    id: str
    prompt: str
    task: str | None
    outcomes: Mapping[str, Known]


def read_rows(lines: Iterable[str], *, source: str = "the table") -> list[Row]:
    """The rows of a table, one JSON object a line; empty lines are passed over.

    Args:
        lines: The text.
        source: What errors call it.

    Raises:
        InvalidRequestError: A line is wrong, with its number and the field; or there is none.
    """
    rows = [_row(parsed, where) for where, parsed in objects(lines, source=source, field="data")]
    if not rows:
        raise InvalidRequestError(
            f"There is no request in {source}.",
            field="data",
            remedy='Give one JSON object a line: {"prompt", "outcomes": {"model": {"score", "cost_usd"}}}.',
        )
    return rows


def models_of(rows: Sequence[Row]) -> list[str]:
    """The names of all models in a table, sorted."""
    return sorted({model for row in rows for model in row.outcomes})


def _row(parsed: JsonObject, where: str) -> Row:
    prompt = parsed.get("prompt")
    if not isinstance(prompt, str):
        raise wrong(where, "prompt", "has no text as its prompt", "Write the request's text there.")
    task = parsed.get("task")
    if task is not None and not isinstance(task, str):
        raise wrong(where, "task", "has a task that is no text", "Write a word there, or leave it out.")
    outcomes = parsed.get("outcomes")
    if not isinstance(outcomes, dict) or not outcomes:
        raise wrong(where, "outcomes", "has no outcomes", "Write the score and the cost of each model there.")
    known = {model: _known(value, where, f"outcomes.{model[:_SHOWN]}") for model, value in outcomes.items()}
    return Row(str(parsed.get("id") or where), prompt, task or None, known)


def _known(value: Json, where: str, field: str) -> Known:
    if not isinstance(value, dict):
        raise wrong(where, field, "has an outcome that is no object", 'Write {"score", "cost_usd"}.')
    score = _number(value, "score", where, field)
    if not 0.0 <= score <= 1.0:
        raise wrong(where, f"{field}.score", f"has the score {score:g}", "Write a number from 0 to 1.")
    cost = _number(value, "cost_usd", where, field)
    if cost < 0:
        raise wrong(where, f"{field}.cost_usd", f"has the cost {cost:g}", "Write dollars of at least 0.")
    return Known(score, cost, number(value, "latency_s", where, f"{field}.latency_s"))


def _number(value: JsonObject, name: str, where: str, field: str) -> float:
    found = number(value, name, where, f"{field}.{name}", remedy=_NEEDED)
    if found is None:
        raise wrong(where, f"{field}.{name}", f"has no number as {name}", _NEEDED)
    return found
