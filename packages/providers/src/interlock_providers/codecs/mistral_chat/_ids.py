"""Ids of tool calls: the vendor takes nine letters and digits, and other vendors make longer ones."""

import re
from collections.abc import Iterable

_LENGTH = 9
_LEGAL = re.compile(r"[a-zA-Z0-9]{9}")
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class CallIds:
    """How the tool calls of one request are called on the wire.

    A legal id stays as it is; another becomes a digest of itself, the same in every request, unless that
    is an id of the same request already.

    Args:
        ids: Every id that the request says.
    """

    __slots__ = ("_wire", "identity")

    def __init__(self, ids: Iterable[str]) -> None:
        said = set(ids)
        strange = sorted(name for name in said if not _LEGAL.fullmatch(name))
        self.identity = not strange
        """Whether every id is called what it is."""
        self._wire: dict[str, str] = {}
        taken = said.difference(strange)
        for name in strange:
            count = 0
            while (wire := made_id(f"{name}\0{count}" if count else name)) in taken:
                count += 1
            taken.add(wire)
            self._wire[name] = wire

    def wire(self, name: str) -> str:
        """What the vendor is told."""
        return self._wire.get(name, name)


def made_id(seed: str) -> str:
    """The legal id that follows from a text."""
    import hashlib

    number = int.from_bytes(hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest(), "big")
    digits: list[str] = []
    for _ in range(_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)


def said_id(value: str | None) -> str | None:
    """An id that says something: some servers, and the vendor's SDK, write `null` as a text for none."""
    return None if value in (None, "", "null") else value
