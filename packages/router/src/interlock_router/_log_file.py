"""Logs of decisions: the models that could have been chosen, how likely each was, and what came of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, dump_json
from interlock_router._json_lines import number, objects, wrong


@dataclass(frozen=True, slots=True)
class Option:
    """A model that could have been chosen.

    Attributes:
        model: `provider/model`.
        probability: How likely it was to be chosen.
        quality: Expected score, 0 to 1.
        cost_usd: Expected price in dollars; None when unknown.
        latency_s: Expected seconds to the whole answer; None when unknown.
    """

    model: str
    probability: float
    quality: float
    cost_usd: float | None = None
    latency_s: float | None = None


@dataclass(frozen=True, slots=True)
class Logged:
    """One decision with its outcome.

    Attributes:
        id: Its name.
        chosen: Place of the chosen model among the options.
        score: What the answer was worth, 0 to 1; None when nobody said.
        cost_usd: What it cost, in dollars; None when unknown.
        options: The candidates.
        task: Class of the task.
    """

    id: str
    chosen: int
    score: float | None
    cost_usd: float | None
    options: tuple[Option, ...]
    task: str = ""


def log_line(logged: Logged) -> str:
    """A decision as a line of a log."""
    options: list[Json] = [
        {
            "model": option.model,
            "probability": option.probability,
            "quality": option.quality,
            "cost_usd": option.cost_usd,
            "latency_s": option.latency_s,
        }
        for option in logged.options
    ]
    return dump_json(
        {
            "id": logged.id,
            "task": logged.task,
            "chosen": logged.options[logged.chosen].model,
            "score": logged.score,
            "cost_usd": logged.cost_usd,
            "options": options,
        }
    )


def read_log(lines: Iterable[str], *, source: str = "the log") -> list[Logged]:
    """The decisions of a log, one JSON object a line; empty lines are passed over.

    Args:
        lines: The text.
        source: What errors call it.

    Raises:
        InvalidRequestError: A line is wrong, with its number and the field; or there is none.
    """
    found = [_logged(parsed, where) for where, parsed in objects(lines, source=source, field="log")]
    if not found:
        raise InvalidRequestError(
            f"There is no decision in {source}.",
            field="log",
            remedy="Write one with 'interlock route replay --log F', or name another file.",
        )
    return found


def _logged(parsed: JsonObject, where: str) -> Logged:
    entries = parsed.get("options")
    if not isinstance(entries, list) or not entries:
        raise wrong(where, "options", "has no options", "Write each candidate with its probability there.")
    options = tuple(_option(entry, where, f"options[{place}]") for place, entry in enumerate(entries))
    total = sum(option.probability for option in options)
    if abs(total - 1.0) > 0.001:
        raise wrong(where, "options", f"has probabilities that add up to {total:g}", "Make them add up to 1.")
    places = {option.model: place for place, option in enumerate(options)}
    chosen = parsed.get("chosen")
    if not isinstance(chosen, str) or chosen not in places:
        raise wrong(where, "chosen", "names no option as chosen", "Name one of the options.")
    if options[places[chosen]].probability <= 0:
        raise wrong(where, "chosen", "chose what had no probability", "Write the true probabilities.")
    score = number(parsed, "score", where, "score")
    if score is not None and not 0 <= score <= 1:
        raise wrong(where, "score", f"has the score {score:g}", "Write a number from 0 to 1.")
    task = parsed.get("task")
    return Logged(
        str(parsed.get("id") or where),
        places[chosen],
        score,
        number(parsed, "cost_usd", where, "cost_usd"),
        options,
        task if isinstance(task, str) else "",
    )


def _option(entry: Json, where: str, at: str) -> Option:
    if not isinstance(entry, dict) or not isinstance(entry.get("model"), str):
        raise wrong(where, f"{at}.model", "has an option without a model", "Name the model.")
    probability = number(entry, "probability", where, f"{at}.probability")
    if probability is None or not 0 <= probability <= 1:
        raise wrong(where, f"{at}.probability", "has an option without a probability", "Write 0 to 1.")
    quality = number(entry, "quality", where, f"{at}.quality")
    return Option(
        cast("str", entry["model"]),
        probability,
        0.0 if quality is None else quality,
        number(entry, "cost_usd", where, f"{at}.cost_usd"),
        number(entry, "latency_s", where, f"{at}.latency_s"),
    )
