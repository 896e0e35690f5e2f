"""Spans of time: a call is counted in its minute, hour, day and for ever, so that any range is few rows."""

from typing import Final, NamedTuple

MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400
BLOCK: Final = 8 * DAY
"""The span that finished days are rolled up into, so that a month is some ten rows a series."""
EVER: Final = 0
"""The one span without an end; its start is 0."""

SPANS: Final = (MINUTE, HOUR, DAY, EVER)
"""Those that a call is counted in at once."""

_FINE_UP_TO: Final = 6 * HOUR
_MEDIUM_UP_TO: Final = 8 * DAY


class Stretch(NamedTuple):
    """Spans of one length, one after the other.

    Attributes:
        span: Their length in seconds; 0 for the one without an end.
        start: Start of the first, in seconds since 1970.
        end: End of the last.
    """

    span: int
    start: int
    end: int


def start_of(at: float, span: int) -> int:
    """Start of the span in which a moment lies, in seconds since 1970, UTC."""
    return 0 if span == EVER else int(at // span) * span


def stretches(
    since: float | None, until: float | None, now: float, *, rolled: float = 0
) -> tuple[Stretch, ...]:
    """The fewest spans that cover a range.

    The ends are rounded outward: to minutes in a range of up to 6 hours, to hours in one of up to 8 days, to
    days in a longer one. Days are those of UTC.

    Args:
        since: Start of the range; None for the beginning of all records.
        until: Its end; None for now.
        now: The present moment.
        rolled: Until when days are rolled up into blocks.
    """
    if since is None and until is None:
        return (Stretch(EVER, 0, 1),)
    last = now if until is None else until
    if since is None:
        return tuple(_tiles(0, start_of(last, DAY) + DAY, DAY, rolled))
    length = last - since
    finest = MINUTE if length <= _FINE_UP_TO else HOUR if length <= _MEDIUM_UP_TO else DAY
    start = start_of(since, finest)
    end = -int(-last // finest) * finest if until is not None else start_of(last, finest) + finest
    return tuple(_tiles(start, max(end, start), finest, rolled))


def _tiles(start: int, end: int, finest: int, rolled: float) -> list[Stretch]:
    """The range cut so that the middle is covered by the longest spans that fit."""
    for span in (BLOCK, DAY, HOUR):
        if span <= finest:
            break
        first, last = -(-start // span) * span, end // span * span
        if span == BLOCK:
            last = min(last, start_of(rolled, BLOCK))
        if first < last:
            before, after = _tiles(start, first, finest, rolled), _tiles(last, end, finest, rolled)
            return [*before, Stretch(span, first, last), *after]
    return [Stretch(finest, start, end)] if start < end else []
