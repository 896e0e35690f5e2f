"""JSON values: the one alias every part types its JSON with, and how to narrow it.

Wire data enters as [`Json`][interlock_core.jsontypes.Json] and is narrowed at once by `as_object`,
`as_array` and `as_text`; nothing downstream handles an untyped value.
"""

import json
import sys
from typing import TypeAlias, cast

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
"""Any JSON value as `json.loads` makes it."""

JsonObject: TypeAlias = dict[str, Json]
"""A JSON object."""


def parse_json(data: str | bytes) -> Json:
    """Parse one JSON document.

    Raises:
        ValueError: The text is no JSON (the message names line and column), or holds a number that is
            too large to be read and could not be written again.
    """
    text = data if isinstance(data, str) else data.decode(json.detect_encoding(data), "surrogatepass")
    return cast("Json", _DECODER.decode(text))


def dump_json(value: Json, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """Render JSON, compact unless `indent` is given, Unicode kept as it is.

    Raises:
        ValueError: The value holds NaN or an infinity, which JSON has not.
    """
    if indent is None and not sort_keys:
        return _COMPACT.encode(value)
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(
        value, ensure_ascii=False, separators=separators, indent=indent, sort_keys=sort_keys, allow_nan=False
    )


def as_object(value: object) -> JsonObject:
    """The value when it is a JSON object, else an empty one."""
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def as_array(value: object) -> list[Json]:
    """The value when it is a JSON array, else an empty one."""
    return cast("list[Json]", value) if isinstance(value, list) else []


def as_text(value: object) -> str | None:
    """The value when it is a string, else None."""
    return value if isinstance(value, str) else None


def as_int(value: object) -> int | None:
    """The value as a whole number when it is one (a boolean is none), else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None


def as_number(value: object) -> float | None:
    """The value as a number when it is one (a boolean is none, nor one of too many digits), else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not -_LARGEST <= number <= _LARGEST:
        raise ValueError("a number is too large to be read")
    return number


# Made once: `json.loads` and `json.dumps` make theirs anew for each call with options.
_LARGEST = sys.float_info.max
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
