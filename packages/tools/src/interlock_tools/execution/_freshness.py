"""How old an answer is and how long it lives: the arithmetic of RFC 9111, and the dates of HTTP."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from interlock_core.toolspec import HttpRequest

if TYPE_CHECKING:
    from interlock_core.http import HttpResponse

_LONGEST = 2**31
_DIRECTIVE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:=(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,;\"]*)))?[^,]*")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_DATES = (
    re.compile(rf"[A-Za-z]{{3}}, (?P<day>\d\d) (?P<month>[A-Za-z]{{3}}) (?P<year>\d{{4}}) {_TIME} GMT"),
    re.compile(rf"[A-Za-z]{{6,9}}, (?P<day>\d\d)-(?P<month>[A-Za-z]{{3}})-(?P<year>\d\d) {_TIME} GMT"),
    re.compile(rf"[A-Za-z]{{3}} (?P<month>[A-Za-z]{{3}}) (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})"),
)


def directives(message: "HttpResponse | HttpRequest") -> Mapping[str, str]:
    """What `Cache-Control` says: names in lower case, values without quotes, of a repeated one the first.

    A request's old `Pragma: no-cache` counts where it says nothing else.
    """
    text = ",".join(value for name, value in message.headers if name.lower() == "cache-control")
    if not text:
        if isinstance(message, HttpRequest) and "no-cache" in (message.header("pragma") or "").lower():
            return {"no-cache": ""}
        return {}
    found: dict[str, str] = {}
    for name, quoted, plain in _DIRECTIVE.findall(text):
        found.setdefault(name.lower(), quoted or plain)
    return found


def lifetime_of(response: "HttpResponse", *, came_at: float) -> float:
    """Seconds for which an answer is fresh; 0 when it does not say so, or not in a way that can be read.

    Args:
        response: The answer.
        came_at: When it came, in seconds since the epoch; stands for a `Date` that is missing.
    """
    said = directives(response)
    if "max-age" in said:
        return _seconds(said["max-age"])
    ends = [value for name, value in response.headers if name.lower() == "expires"]
    if len(ends) != 1:
        return 0.0
    end = http_date(ends[0])
    made = http_date(response.header("date") or "")
    return max(0.0, end - (came_at if made is None else made)) if end is not None else 0.0


def age_of(response: "HttpResponse", *, asked_at: float, came_at: float, now: float) -> float:
    """Seconds since an answer was made or last confirmed where it comes from.

    Args:
        response: The answer.
        asked_at: When the request was sent, in seconds since the epoch.
        came_at: When the answer was there.
        now: Now.
    """
    made = http_date(response.header("date") or "")
    apparent = max(0.0, came_at - made) if made is not None else 0.0
    told = _seconds((response.header("age") or "0").partition(",")[0].strip())
    return max(apparent, told + came_at - asked_at) + max(0.0, now - came_at)


def http_date(text: str) -> float | None:
    """Seconds since the epoch of a date in one of HTTP's three forms; None for anything else."""
    found = next((match for form in _DATES if (match := form.fullmatch(text.strip()))), None)
    if found is None or found["month"].lower() not in _MONTHS:
        return None
    from datetime import UTC, datetime

    year = int(found["year"])
    if len(found["year"]) == 2:
        this = datetime.now(UTC).year
        year += this - this % 100
        year -= 100 if year > this + 50 else 0
    try:
        return datetime(
            year,
            _MONTHS.index(found["month"].lower()) + 1,
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            min(int(found["second"]), 59),
            tzinfo=UTC,
        ).timestamp()
    except ValueError:
        return None


def _seconds(text: str) -> float:
    """A number of seconds; 0 for what is none."""
    return float(min(int(text[:12]), _LONGEST)) if text.isascii() and text.isdecimal() else 0.0
