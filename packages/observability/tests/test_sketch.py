"""The sketch keeps its promise of one per cent, whatever goes in and however it is merged."""

import math
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_observability import Sketch
from interlock_observability.provider_metrics import ACCURACY

VALUES = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=300)
PARTS = st.floats(0, 1)


def filled(values: list[float]) -> Sketch:
    """A sketch of values."""
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    return sketch


def true_quantile(values: list[float], part: float) -> float:
    """The value at that rank, the lower one where it falls between two."""
    return sorted(values)[math.floor(part * (len(values) - 1))]


@pytest.mark.promise("M1")
@given(values=VALUES, part=PARTS)
def test_a_quantile_is_within_one_per_cent_of_the_truth(values: list[float], part: float) -> None:
    """Relative to the value at that rank."""
    found = filled(values).quantile(part)
    assert found is not None
    assert found == pytest.approx(true_quantile(values, part), rel=ACCURACY * 1.0001)


@given(parts=st.lists(VALUES, min_size=1, max_size=4), part=PARTS)
def test_merging_gives_what_one_sketch_of_all_would_have(parts: list[list[float]], part: float) -> None:
    """In any order."""
    together = filled([value for values in parts for value in values])
    for order in (parts, parts[::-1]):
        merged = Sketch()
        for values in order:
            merged.merge(filled(values))
        assert merged.count == together.count
        assert merged.quantile(part) == together.quantile(part)
        assert (merged.low, merged.high) == (together.low, together.high)
        assert merged.total == pytest.approx(together.total)


@given(values=VALUES)
def test_count_sum_least_and_most_are_exact(values: list[float]) -> None:
    """Only quantiles are estimated."""
    sketch = filled(values)
    assert sketch.count == len(values)
    assert sketch.mean == pytest.approx(fmean(values))
    assert (sketch.low, sketch.high) == (min(values), max(values))
    assert sketch.quantile(1.0) == max(values)


@given(values=st.lists(st.floats(allow_nan=True), max_size=100))
def test_bytes_bring_a_sketch_back_as_it_was(values: list[float]) -> None:
    """Whatever was added, sense or not."""
    sketch = filled(values)
    again = Sketch.from_bytes(sketch.to_bytes())
    assert again.to_bytes() == sketch.to_bytes()
    assert again.quantiles(0.1, 0.5, 0.99) == sketch.quantiles(0.1, 0.5, 0.99)


@given(values=st.lists(st.floats(0.001, 1_000), max_size=200))
def test_counts_below_bounds_rise_to_the_count(values: list[float]) -> None:
    """And are those of the truth but for values within 1 % of a bound."""
    bounds = (0.01, 0.1, 1.0, 10.0, 100.0, 2_000.0)
    found = filled(values).at_most(bounds)
    assert found == sorted(found)
    assert found[-1] == len(values)
    for bound, count in zip(bounds, found, strict=True):
        assert sum(v <= bound * 0.98 for v in values) <= count <= sum(v <= bound * 1.02 for v in values)


def test_an_empty_sketch_knows_nothing() -> None:
    """Nothing is not zero."""
    sketch = Sketch()
    assert (sketch.mean, sketch.quantile(0.5), sketch.count) == (None, None, 0)
    sketch.merge(Sketch())
    assert sketch.at_most((1.0,)) == [0]


def test_zeros_and_what_is_too_large_are_kept_and_what_is_no_number_is_not() -> None:
    """Durations of nothing happen; infinite ones are mistakes."""
    sketch = filled([0.0, -1.0, 0.0, 1e300, math.nan, math.inf])
    assert sketch.count == 4
    assert sketch.quantile(0.5) == 0.0
    assert sketch.high == 1e12


def test_counts_beyond_four_thousand_million_fit() -> None:
    """A bin that has grown for years."""
    sketch = filled([1.0])
    for _ in range(33):
        sketch.merge(Sketch.from_bytes(sketch.to_bytes()))
    again = Sketch.from_bytes(sketch.to_bytes())
    assert again.count == 2**33
    assert again.quantile(0.5) == pytest.approx(1.0, rel=ACCURACY)


@pytest.mark.parametrize("data", [b"", b"\x09" * 60, filled([1.0, 2.0]).to_bytes()[:-1]])
def test_other_bytes_are_refused(data: bytes) -> None:
    """Too short, of another kind, or cut."""
    with pytest.raises(ValueError, match="not the bytes of a sketch"):
        Sketch.from_bytes(data)


def test_a_sketch_of_a_million_values_is_small() -> None:
    """A few hundred bins for five orders of magnitude."""
    sketch = filled([10 ** (step / 10_000) for step in range(50_000)])
    assert len(sketch.to_bytes()) < 5_000
