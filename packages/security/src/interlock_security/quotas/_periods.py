"""Days and months in a time zone: their names, and when the next one begins."""

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from interlock_core.errors import InvalidRequestError


class Period(StrEnum):
    """For how long a quota lasts."""

    DAY = "day"
    MONTH = "month"


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name, such as `Europe/Berlin`.

    Raises:
        InvalidRequestError: There is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError) as exc:  # an unknown name is a KeyError of a kind of its own
        raise _unknown(name) from exc
    except KeyError as exc:
        raise _unknown(name) from exc


def _unknown(name: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"There is no time zone {name[:64]!r}.",
        field="time_zone",
        remedy="Write a name of the IANA database, such as UTC or Europe/Berlin.",
    )


_known: dict[tuple[Period, str], tuple[float, float, str]] = {}


def place(period: Period, zone: str, at: float) -> tuple[str, float]:
    """The period in which a moment lies, and when the next one begins; remembered, for it is asked often."""
    seen, ends, name = _known.get((period, zone), (0.0, 0.0, ""))
    if not seen <= at < ends:
        name, ends = span(period, zone, at), next_start(period, zone, at)
        _known[period, zone] = (at, ends, name)
    return name, ends


def span(period: Period, zone: str, at: float) -> str:
    """The period in which a moment lies, as its account is named: `2026-11-22` or `2026-11`.

    Args:
        period: A day or a month.
        zone: The time zone in which it begins.
        at: The moment, in seconds since 1970.
    """
    day = datetime.fromtimestamp(at, UTC).astimezone(zone_of(zone)).date()
    return day.isoformat() if period is Period.DAY else day.isoformat()[:7]


def next_start(period: Period, zone: str, at: float) -> float:
    """When the period after that of a moment begins, in seconds since 1970.

    Where the clocks skip midnight, a day begins with the first moment that exists.
    """
    there = zone_of(zone)
    day = datetime.fromtimestamp(at, UTC).astimezone(there).date()
    if period is Period.DAY:
        following = day + timedelta(days=1)
    else:
        following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return datetime(following.year, following.month, following.day, tzinfo=there).timestamp()
