"""Which parts of a tree a proof is made of (RFC 9162, 2.1.3.1 and 2.1.4.1), for a tree of any size."""

from typing import TypeAlias

from interlock_core.errors import VerificationError

Part: TypeAlias = tuple[int, int]
"""The leaves `[start, end)` below one node of the tree."""


def inclusion_parts(index: int, size: int) -> list[Part]:
    """The parts whose roots prove that leaf `index` is in the tree of `size` leaves, lowest first.

    Raises:
        VerificationError: There is no such leaf.
    """
    if not 0 <= index < size:
        raise VerificationError(f"There is no record {index} among {size}.")
    parts: list[Part] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            parts.append((middle, end))
            end = middle
        else:
            parts.append((start, middle))
            start = middle
    return parts[::-1]


def consistency_parts(old: int, size: int) -> list[Part]:
    """The parts whose roots prove that the tree of `size` leaves begins with that of `old`, lowest first.

    Raises:
        VerificationError: `old` is 0, of which nothing can be proved, or larger than the tree.
    """
    if not 0 < old <= size:
        raise VerificationError(f"No proof leads from {old} to {size} records.")
    parts: list[Part] = []
    start, end, whole = 0, size, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            parts.append((middle, end))
            end = middle
        else:
            parts.append((start, middle))
            start, whole = middle, False
    if not whole:
        parts.append((start, end))
    return parts[::-1]


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)
