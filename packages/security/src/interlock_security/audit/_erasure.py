"""Payloads that are gone: allowed where a later record of the log says that they were erased.

Such a record has the kind `audit.erased`, and its data hold `note.ranges`: pairs of first and last index,
both included. It is believed because it is in the log itself: its payload fits its header, its header the
signed tree. It speaks only for records before it, and never for records about the log (`audit.…`).
"""

from dataclasses import dataclass, field

from interlock_core.jsontypes import as_array, as_object, parse_json

EXEMPT = "audit."
"""Kinds that begin so are never erased."""


@dataclass(slots=True)
class Erasures:
    """What is missing, and what was said to be erased, gathered in the order of the log.

    Attributes:
        missing: Ranges of records without a payload, each from the first to behind the last.
    """

    missing: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    _said: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def gone(self, index: int) -> None:
        """Note a record without a payload."""
        if self.missing and self.missing[-1][1] == index:
            self.missing[-1] = (self.missing[-1][0], index + 1)
        else:
            self.missing.append((index, index + 1))

    def attest(self, index: int, payload: str) -> None:
        """Read what a record of kind `audit.erased` says."""
        try:
            ranges = as_array(as_object(as_object(parse_json(payload)).get("note")).get("ranges"))
        except (ValueError, RecursionError):
            return
        for pair in map(as_array, ranges):
            match pair:
                case [int(first), int(last)] if 0 <= first <= last < index:
                    self._said.append((first, last + 1))
                case _:
                    pass

    def unexplained(self) -> list[tuple[int, int]]:
        """The ranges that are missing and that no record speaks for."""
        found: list[tuple[int, int]] = []
        said = _merged(self._said)
        at = 0
        for start, end in self.missing:
            while at < len(said) and said[at][1] <= start:
                at += 1
            place, rest = at, start
            while place < len(said) and said[place][0] < end and rest < end:
                first, behind = said[place]
                if rest < first:
                    found.append((rest, first))
                rest = max(rest, behind)
                place += 1
            if rest < end:
                found.append((rest, end))
        return found


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, behind in sorted(ranges):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], behind))
        else:
            merged.append((first, behind))
    return merged
