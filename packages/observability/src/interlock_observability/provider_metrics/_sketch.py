"""A mergeable sketch of a distribution: any quantile within one per cent, from a few hundred numbers.

Values fall into bins whose bounds grow by a constant ratio, so that the middle of a bin is within 1 % of
everything in it (the idea of DDSketch). Two sketches are merged by adding their bins, in any order, and the
result is the same as if all values had gone into one.
"""

import math
import struct
from typing import Final, Self

ACCURACY: Final = 0.01
"""Largest relative error of a quantile."""

_RATIO: Final = (1 + ACCURACY) / (1 - ACCURACY)
_PER_BIN: Final = 1 / math.log(_RATIO)
_MIDDLE: Final = 2 / (1 + _RATIO)
_LEAST: Final = 1e-9
_MOST: Final = 1e12
_HEAD: Final = struct.Struct("<BQQdddI")
_NARROW: Final = 1
_WIDE: Final = 2
_CODES: Final = {_NARROW: "I", _WIDE: "Q"}
_UINT32: Final = 2**32 - 1


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

    __slots__ = ("_bins", "_packed", "_zeros", "count", "high", "low", "total")

    def __init__(self) -> None:
        self._bins: dict[int, int] = {}
        self._packed: list[bytes] = []
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
        """Take all values of another sketch."""
        if not other.count:
            return
        # What was read and is merged only to be asked later need not be unpacked yet.
        self._packed += other._packed
        mine = self._bins
        for index, number in other._bins.items():
            mine[index] = mine.get(index, 0) + number
        self._zeros += other._zeros
        self.low = other.low if not self.count else min(self.low, other.low)
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
        if not self.count:
            return None
        if part >= 1:
            return self.high
        rank = max(part, 0.0) * (self.count - 1)
        seen = self._zeros
        if rank < seen:
            return 0.0
        bins = self._unpacked()
        for index in sorted(bins):
            seen += bins[index]
            if rank < seen:
                return min(max(_MIDDLE * _RATIO**index, self.low), self.high)
        return self.high

    def quantiles(self, *parts: float) -> tuple[float | None, ...]:
        """Several quantiles at once."""
        return tuple(self.quantile(part) for part in parts)

    def at_most(self, bounds: tuple[float, ...]) -> list[int]:
        """For each bound, how many values are not above it, but for values within 1 % of it.

        Args:
            bounds: Rising.
        """
        found: list[int] = []
        bins = sorted(self._unpacked().items())
        seen = self._zeros
        at = 0
        for bound in bounds:
            while at < len(bins) and _MIDDLE * _RATIO ** bins[at][0] <= bound:
                seen += bins[at][1]
                at += 1
            found.append(seen)
        return found

    def to_bytes(self) -> bytes:
        """The sketch as bytes, some six a bin."""
        bins = self._unpacked()
        kind = _NARROW if max(bins.values(), default=0) <= _UINT32 else _WIDE
        head = _HEAD.pack(kind, self.count, self._zeros, self.total, self.low, self.high, len(bins))
        return head + struct.pack(_body(kind, len(bins)), *bins.keys(), *bins.values())

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
            expected = _HEAD.size + struct.calcsize(_body(kind, bins))
        except (struct.error, KeyError) as exc:
            raise ValueError("not the bytes of a sketch") from exc
        if len(data) != expected:
            raise ValueError("not the bytes of a sketch")
        if bins:
            sketch._packed.append(data)
        return sketch

    def _unpacked(self) -> dict[int, int]:
        """The bins, those that were only read so far included."""
        mine = self._bins
        for data in self._packed:
            kind, *_, bins = _HEAD.unpack_from(data)
            numbers = struct.unpack_from(_body(kind, bins), data, _HEAD.size)
            for index, number in zip(numbers[:bins], numbers[bins:], strict=True):
                mine[index] = mine.get(index, 0) + number
        self._packed = []
        return mine


def _body(kind: int, bins: int) -> str:
    return f"<{bins}h{bins}{_CODES[kind]}"
