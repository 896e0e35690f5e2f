"""Tool names there and back: what a vendor allows is narrower than what a catalogue holds."""

import re
from collections.abc import Iterable

_DIGEST = 10


class ToolNames:
    """How the tools of one request are called on a wire that allows only some characters.

    A name that is legal stays as it is. Another has each illegal character replaced by `_`; where that
    is too long, or meets another name, its end is a digest of the whole name. The mapping depends on
    the set of names alone, not on their order, and no two names share one.

    Args:
        names: Every tool name that the request says.
        limit: Most characters that the vendor allows.
        illegal: Pattern of one character that the vendor does not allow.
    """

    __slots__ = ("_core", "_wire", "identity")

    def __init__(self, names: Iterable[str], *, limit: int = 64, illegal: str = r"[^a-zA-Z0-9_-]") -> None:
        pattern = re.compile(illegal)
        wanted = set(names)
        strange = sorted(name for name in wanted if not name or len(name) > limit or pattern.search(name))
        self.identity = not strange
        """Whether every name is called what it is."""
        self._wire: dict[str, str] = {}
        self._core: dict[str, str] = {}
        if self.identity:
            return
        plain = {name: pattern.sub("_", name) for name in strange}
        uses: dict[str, int] = {}
        for form in plain.values():
            uses[form] = uses.get(form, 0) + 1
        taken = wanted.difference(strange)
        for name, form in plain.items():
            fits = form and len(form) <= limit and uses[form] == 1 and form not in wanted
            wire = form if fits else _digested(name, form, limit, taken)
            taken.add(wire)
            self._wire[name] = wire
            self._core[wire] = name

    def wire(self, name: str) -> str:
        """What the vendor is told."""
        return self._wire.get(name, name)

    def core(self, name: str) -> str:
        """What the vendor's word means here; a name that it made up stays what it is."""
        return self._core.get(name, name)


def _digested(name: str, form: str, limit: int, taken: set[str]) -> str:
    import hashlib

    head = form[: limit - _DIGEST - 1]
    count = 0
    while True:
        seed = f"{name}\0{count}" if count else name
        wire = f"{head}_{hashlib.sha256(seed.encode('utf-8', 'surrogatepass')).hexdigest()[:_DIGEST]}"
        if wire not in taken:
            return wire
        count += 1
