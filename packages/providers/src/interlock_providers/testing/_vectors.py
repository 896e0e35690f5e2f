"""Vectors that follow from a text, in the forms in which vendors send them."""

import base64
import hashlib
import struct
from collections.abc import Sequence

from interlock_core import Json


def vector(text: str, size: int) -> list[float]:
    """A vector of so many numbers between -1 and 1; the same text gives the same one."""
    return [(byte - 128) / 128 for byte in hashlib.shake_128(text.encode()).digest(size)]


def packed(numbers: Sequence[float]) -> str:
    """The numbers as little-endian 32-bit floats in Base64."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def quantised(numbers: Sequence[float], kind: str) -> list[Json]:
    """The numbers as `float`, `int8`, `uint8`, or one bit each: `ubinary`, and `binary` with 128 less."""
    match kind:
        case "int8":
            return [int(number * 128) for number in numbers]
        case "uint8":
            return [int(number * 128) + 128 for number in numbers]
        case "binary":
            return [byte - 128 for byte in _bits(numbers)]
        case "ubinary":
            return [*_bits(numbers)]
        case _:
            return [*numbers]


def _bits(numbers: Sequence[float]) -> list[int]:
    signs = "".join("1" if number > 0 else "0" for number in numbers)
    return [int(signs[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(signs), 8)]
