"""Ranges are covered by few spans, without gap and without overlap."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from interlock_observability.provider_metrics._spans import DAY, EVER, HOUR, MINUTE, Stretch, stretches

NOW = 1_800_000_000.0
MOMENTS = st.floats(NOW - 400 * DAY, NOW)


@given(first=MOMENTS, second=MOMENTS)
def test_a_range_is_covered_once_and_by_few_spans(first: float, second: float) -> None:
    """From before its start to after its end; the longest spans lie in the middle."""
    since, until = sorted((first, second))
    tiles = stretches(since, until, NOW)
    for before, after in pairwise(tiles):
        assert before.end == after.start
    for tile in tiles:
        assert tile.start < tile.end
        assert tile.start % tile.span == tile.end % tile.span == 0
    if since < until:
        assert tiles[0].start <= since
        assert tiles[-1].end >= until
    assert sum((tile.end - tile.start) // tile.span for tile in tiles) <= 520


def test_ends_are_rounded_by_the_length_of_the_range() -> None:
    """An hour to minutes, a day to hours, a month to days."""
    assert {tile.span for tile in stretches(NOW - HOUR + 7, NOW, NOW)} <= {MINUTE, HOUR}
    assert {tile.span for tile in stretches(NOW - DAY, NOW, NOW)} <= {HOUR, DAY}
    assert {tile.span for tile in stretches(NOW - 30 * DAY, NOW, NOW)} == {DAY}


def test_a_range_without_an_end_reaches_past_now() -> None:
    """The span that is filled just now is in."""
    assert stretches(NOW - 90, None, NOW)[-1].end > NOW
    assert stretches(None, None, NOW) == (Stretch(EVER, 0, 1),)
    assert stretches(None, NOW - DAY, NOW)[-1].end > NOW - DAY
