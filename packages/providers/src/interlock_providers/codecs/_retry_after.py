"""When a vendor says to come back."""

import re

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def retry_after(millis: str | None, plain: str | None, *, now: float) -> float | None:
    """Seconds to wait, from `retry-after-ms` (first) and `retry-after` (seconds or a date).

    Args:
        millis: Value of `retry-after-ms`.
        plain: Value of `retry-after`.
        now: Seconds since 1970, to read a date against.

    Returns:
        At least 0; None when neither says anything that can be read.
    """
    if (milliseconds := _number(millis)) is not None:
        return milliseconds / 1000
    if (seconds := _number(plain)) is not None:
        return seconds
    return _until(plain, now) if plain else None


def span(text: str | None) -> float | None:
    """Seconds of a span such as `6m0s`, `1.5s` or `12ms`; None when it is none."""
    if not text or _SPAN.sub("", text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _SPAN.findall(text))


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < 1e9 else None


def _until(text: str, now: float) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
