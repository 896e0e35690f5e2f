"""Ids: sortable by time, unguessable enough to be unique, with a prefix that says what they name."""

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_SHIFTS = range(120, -1, -10)
_TIME_BITS = 48
_RANDOM_BITS = 80


def new_id(prefix: str) -> str:
    """A new id such as `run_01k9…`: 48 bits of time in milliseconds, 80 random bits, base 32.

    Ids made in different milliseconds sort by time (the layout of a ULID, lower case).
    """
    number = (int(time.time() * 1000) << _RANDOM_BITS) | int.from_bytes(os.urandom(_RANDOM_BITS // 8), "big")
    number &= (1 << (_TIME_BITS + _RANDOM_BITS)) - 1
    digits = [_PAIRS[number >> shift & 1023] for shift in _SHIFTS]
    return f"{prefix}_{''.join(digits)}"
