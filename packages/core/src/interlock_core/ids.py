"""Ids: sortable by time, unguessable enough to be unique, with a prefix that says what they name."""

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_BITS = 48
_RANDOM_BITS = 80


def new_id(prefix: str) -> str:
    """A new id such as `run_01k9…`: 48 bits of time in milliseconds, 80 random bits, base 32.

    Ids made in different milliseconds sort by time (the layout of a ULID, lower case).
    """
    number = (int(time.time() * 1000) << _RANDOM_BITS) | int.from_bytes(os.urandom(_RANDOM_BITS // 8), "big")
    number &= (1 << (_TIME_BITS + _RANDOM_BITS)) - 1
    digits = [_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(digits)}"
