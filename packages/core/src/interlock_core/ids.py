"""Ids: sortable by time, unguessable enough to be unique, with a prefix that says what they name."""

import os
import time
from functools import lru_cache

_ALPHABET = b"0123456789abcdefghjkmnpqrstvwxyz"
_TIME_SHIFTS = range(45, -1, -5)
_RANDOM_DIGITS = 16
# Five bits of a byte are a digit: each of the 32 comes from as many bytes as any other.
_DIGITS = bytes(_ALPHABET[code & 31] for code in range(256))


def new_id(prefix: str) -> str:
    """A new id such as `run_01k9…`: 48 bits of time in milliseconds, 80 random bits, base 32.

    Ids made in different milliseconds sort by time (the layout of a ULID, lower case).
    """
    random = os.urandom(_RANDOM_DIGITS).translate(_DIGITS).decode()
    return f"{prefix}_{_stamp(int(time.time() * 1000))}{random}"


@lru_cache(maxsize=16)
def _stamp(milliseconds: int) -> str:
    """The digits of a time, of which 48 bits are kept."""
    number = milliseconds & ((1 << 48) - 1)
    return bytes(_ALPHABET[number >> shift & 31] for shift in _TIME_SHIFTS).decode()
