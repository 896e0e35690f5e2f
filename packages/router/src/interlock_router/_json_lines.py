"""Files of one JSON object a line, read with errors that name the line and the field."""

from collections.abc import Iterable, Iterator
from math import isfinite

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import JsonObject, parse_json


def objects(lines: Iterable[str], *, source: str, field: str) -> Iterator[tuple[str, JsonObject]]:
    """Each object with where it stands; empty lines are passed over.

    Args:
        lines: The text.
        source: What errors call it.
        field: What errors name as wrong when a line is no object.

    Raises:
        InvalidRequestError: A line is no JSON object.
    """
    for place, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{source}, line {place}"
        try:
            parsed = parse_json(line)
        except ValueError as error:
            raise wrong(where, field, f"is no JSON ({error})", "Write one JSON object a line.") from error
        if not isinstance(parsed, dict):
            raise wrong(where, field, "is no object", "Write one JSON object a line.")
        yield where, parsed


def number(
    value: JsonObject, name: str, where: str, field: str, *, remedy: str = "Write a number, or leave it out."
) -> float | None:
    """A number of an object; None when it is left out.

    Raises:
        InvalidRequestError: It is there and no number.
    """
    found = value.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not isfinite(found):
        raise wrong(where, field, f"has no number as {name}", remedy)
    return float(found)


def wrong(where: str, field: str, what: str, remedy: str) -> InvalidRequestError:
    """The refusal of a line."""
    return InvalidRequestError(f"{where} {what}.", field=field, remedy=remedy)
