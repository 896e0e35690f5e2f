"""A mergeable sketch of a distribution: any quantile within one per cent, from a few hundred numbers.

Values fall into bins whose bounds grow by a constant ratio, so that the middle of a bin is within 1 % of
everything in it (the idea of DDSketch). Two sketches are merged by adding their bins, in any order, and the
result is the same as if all values had gone into one.

What was read from bytes stays one whole number whose digits are the bins, of 32 bits each: adding two such
numbers adds all bins at once, in compiled code. A month is some thousand sketches.
"""

import math
import struct
from collections.abc import Iterable
from typing import Final, Self

ACCURACY: Final = 0.01
"""Largest relative error of a quantile."""

_RATIO: Final = (1 + ACCURACY) / (1 - ACCURACY)
_PER_BIN: Final = 1 / math.log(_RATIO)
_MIDDLE: Final = 2 / (1 + _RATIO)
_LEAST: Final = 1e-9
_MOST: Final = 1e12
_HEAD: Final = struct.Struct("<BQQdddI")
_BASE: Final = struct.Struct("<h")
_NARROW: Final = 1
_WIDE: Final = 2
_DENSE: Final = 3
_CODES: Final = {_NARROW: "I", _WIDE: "Q"}
_UINT32: Final = 2**32 - 1
_CELL: Final = 32
_CELLS_START: Final = _HEAD.size + _BASE.size
# A row of cells may hold so many empty ones for each that is not: it is larger, and merged far faster.
_SPARSE: Final = 3


class Sketch:
    """Counts of values by size.

    Values below a billionth, negative ones too, count as zero; those above a million million count as
    that; what is not a finite number is left out.

    Attributes:
        count: How many values.
        total: Their sum.
        low: The smallest; 0 when there are none.
        high: The largest; 0 when there are none.
    """

    __slots__ = ("_base", "_bins", "_cells", "_in_cells", "_zeros", "count", "high", "low", "total")

    def __init__(self) -> None:
        self._bins: dict[int, int] = {}
        # Bins from `_base` on, the first in the lowest bits. They hold `_in_cells` values, so none overflows.
        self._cells = 0
        self._base = 0
        self._in_cells = 0
        self._zeros = 0
        self.count = 0
        self.total = 0.0
        self.low = 0.0
        self.high = 0.0

    def add(self, value: float) -> None:
        """Take one value."""
        if not math.isfinite(value):
            return
        if value < _LEAST:
            value = 0.0
            self._zeros += 1
        else:
            value = min(value, _MOST)
            index = math.ceil(math.log(value) * _PER_BIN)
            self._bins[index] = self._bins.get(index, 0) + 1
        if not self.count or value < self.low:
            self.low = value
        self.high = max(self.high, value)
        self.count += 1
        self.total += value

    def merge(self, other: Self) -> None:
        """Take all values of another sketch, which stays as it is."""
        if not other.count:
            return
        if other._in_cells:
            self._add_cells(other._cells, other._base, other._in_cells)
        mine = self._bins
        for index, number in other._bins.items():
            mine[index] = mine.get(index, 0) + number
        self._zeros += other._zeros
        if not self.count or other.low < self.low:
            self.low = other.low
        self.high = max(self.high, other.high)
        self.count += other.count
        self.total += other.total

    @property
    def mean(self) -> float | None:
        """The exact mean; None when there are no values."""
        return self.total / self.count if self.count else None

    def quantile(self, part: float) -> float | None:
        """The value below which that part of the values lies, within 1 %; None when there are none.

        Args:
            part: 0 to 1; 0.5 is the median.
        """
        return self.quantiles(part)[0]

    def quantiles(self, *parts: float) -> tuple[float | None, ...]:
        """Several quantiles at once."""
        if not self.count:
            return (None,) * len(parts)
        found: dict[float, float] = {}
        bins = iter(self.bins())
        seen, index = self._zeros, None
        for part in sorted(set(parts)):
            rank = max(part, 0.0) * (self.count - 1)
            while rank >= seen and part < 1:
                step = next(bins, None)
                if step is None:
                    break
                index, seen = step[0], seen + step[1]
            found[part] = self.high if part >= 1 or rank >= seen else self._value(index)
        return tuple(found[part] for part in parts)

    def at_most(self, bounds: tuple[float, ...]) -> list[int]:
        """For each bound, how many values are not above it, but for values within 1 % of it.

        Args:
            bounds: Rising.
        """
        found: list[int] = []
        bins = self.bins()
        seen = self._zeros
        at = 0
        for bound in bounds:
            while at < len(bins) and _MIDDLE * _RATIO ** bins[at][0] <= bound:
                seen += bins[at][1]
                at += 1
            found.append(seen)
        return found

    def bins(self) -> list[tuple[int, int]]:
        """Bins that are not empty, rising, with how many values are in each; zeros are in none."""
        if not self._in_cells:
            return sorted(self._bins.items())
        base = self._base
        cells = _unpacked(self._cells)
        if not self._bins:
            return [(base + place, number) for place, number in enumerate(cells) if number]
        found = dict(self._bins)
        for place, number in enumerate(cells, base):
            if number:
                found[place] = found.get(place, 0) + number
        return sorted(found.items())

    def to_bytes(self) -> bytes:
        """The sketch as bytes: four a bin, empty ones between others too, or some six a bin."""
        inside = self.count - self._zeros
        if inside > _UINT32:
            return self._sparse(dict(self.bins()))
        if self._bins:
            low, high = min(self._bins), max(self._bins)
            if not self._in_cells and high - low + 1 > _SPARSE * len(self._bins):
                return self._sparse(self._bins)
            cells, base = self._all_cells(low, high)
        else:
            cells, base = self._cells, self._base
        size = -(-cells.bit_length() // _CELL)
        head = _HEAD.pack(_DENSE, self.count, self._zeros, self.total, self.low, self.high, size)
        return head + _BASE.pack(base) + cells.to_bytes(4 * size, "little")

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """A sketch from its bytes.

        Raises:
            ValueError: They are not those of a sketch.
        """
        sketch = cls()
        try:
            kind, sketch.count, sketch._zeros, sketch.total, sketch.low, sketch.high, bins = (
                _HEAD.unpack_from(data)
            )
            if kind == _DENSE:
                sketch._base = _BASE.unpack_from(data, _HEAD.size)[0]
                if len(data) != _CELLS_START + 4 * bins:
                    raise ValueError("not the bytes of a sketch")
                sketch._cells = int.from_bytes(data[_CELLS_START:], "little")
                sketch._in_cells = sketch.count - sketch._zeros
                return sketch
            numbers = struct.unpack(f"<{bins}h{bins}{_CODES[kind]}", data[_HEAD.size :])
        except (struct.error, KeyError) as exc:
            raise ValueError("not the bytes of a sketch") from exc
        sketch._bins = dict(zip(numbers[:bins], numbers[bins:], strict=True))
        return sketch

    def _value(self, index: int | None) -> float:
        """The middle of a bin, or zero where it is none."""
        return 0.0 if index is None else min(max(_MIDDLE * _RATIO**index, self.low), self.high)

    def _add_cells(self, cells: int, base: int, inside: int) -> None:
        """Add another row of cells, which holds so many values."""
        if not self._in_cells:
            self._cells, self._base, self._in_cells = cells, base, inside
            return
        if self._in_cells + inside > _UINT32:
            # A cell could run over into its neighbour: what there is goes where numbers have no bound.
            self._bins = dict(self.bins())
            self._cells, self._base, self._in_cells = cells, base, inside
            return
        if base >= self._base:
            self._cells += cells << (_CELL * (base - self._base))
        else:
            self._cells = (self._cells << (_CELL * (self._base - base))) + cells
            self._base = base
        self._in_cells += inside

    def _all_cells(self, low: int, high: int) -> tuple[int, int]:
        """The cells with the bins in them, and their base; nothing is changed."""
        row = [0] * (high - low + 1)
        for index, number in self._bins.items():
            row[index - low] = number
        whole = Sketch()
        whole._add_cells(self._cells, self._base, self._in_cells)
        whole._add_cells(int.from_bytes(struct.pack(f"<{len(row)}I", *row), "little"), low, 1)
        return whole._cells, whole._base

    def _sparse(self, bins: dict[int, int]) -> bytes:
        kind = _NARROW if max(bins.values(), default=0) <= _UINT32 else _WIDE
        head = _HEAD.pack(kind, self.count, self._zeros, self.total, self.low, self.high, len(bins))
        return head + struct.pack(f"<{len(bins)}h{len(bins)}{_CODES[kind]}", *bins.keys(), *bins.values())


def _unpacked(cells: int) -> Iterable[int]:
    size = -(-cells.bit_length() // _CELL)
    return struct.unpack(f"<{size}I", cells.to_bytes(4 * size, "little"))
