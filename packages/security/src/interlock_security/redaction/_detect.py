"""What is looked for beside known secrets: shapes of keys, personal data, and the operator's own patterns."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from interlock_core.errors import ConfigurationError
from interlock_core.nearest import suggestion
from interlock_security.redaction._matcher import Span, merged
from interlock_security.redaction._personal import Phones, finders
from interlock_security.redaction._quick import may_hold_numbers, may_hold_shapes, numbered_lines
from interlock_security.redaction._runs import Runs
from interlock_security.redaction._scanners import scanner
from interlock_security.redaction._shapes import shaped

PERSONAL = ("card", "email", "iban", "ip", "national-id", "phone")
"""The kinds of personal data that can be looked for."""

_MARKER = re.compile(r"\[redacted(?::[^\]\s]{0,80})?\]")
_LONGEST_PATTERN = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What is looked for beside the secrets that are known.

    Attributes:
        shapes: Keys and tokens by the shape that their vendor gives them.
        personal: Kinds of personal data, of `PERSONAL`.
        regions: Countries whose phone numbers are known without a country code; empty for the usual ones.
        patterns: Own patterns (Python's regular expressions) by name.
        allowed: Exact texts that are never hidden by a shape, a kind or a pattern.
        scanners: Scanners of other makers, of `SCANNERS`; each is an extra to install.
        presidio_model: A spaCy model that is installed, with which Presidio finds people and places.
    """

    shapes: bool = True
    personal: tuple[str, ...] = PERSONAL
    regions: tuple[str, ...] = ()
    patterns: Mapping[str, str] = field(default_factory=dict[str, str])
    allowed: frozenset[str] = frozenset()
    scanners: tuple[str, ...] = ()
    presidio_model: str = ""


NOTHING = Detection(shapes=False, personal=())
"""Looks for nothing."""


class Detector:
    """Finds what `Detection` names.

    Args:
        detection: What to look for.

    Raises:
        ConfigurationError: A kind is not one, a pattern is no regular expression, or a scanner is not
            installed.
    """

    __slots__ = ("_allowed", "_finders", "_others", "_patterns", "_shapes")

    def __init__(self, detection: Detection) -> None:
        known = finders()
        for kind in detection.personal:
            if kind not in known:
                raise ConfigurationError(
                    f"There is no kind of personal data {kind!r}.",
                    field="redaction.personal",
                    remedy=suggestion(kind, PERSONAL),
                )
        chosen = {kind: known[kind] for kind in detection.personal}
        if detection.regions and "phone" in chosen:
            chosen["phone"] = Phones(detection.regions)
        self._shapes = detection.shapes
        self._finders = tuple(chosen.values())
        self._others = tuple(scanner(name, model=detection.presidio_model) for name in detection.scanners)
        self._patterns = tuple(_pattern(name, text) for name, text in detection.patterns.items())
        self._allowed = detection.allowed

    @property
    def idle(self) -> bool:
        """Nothing is looked for."""
        return not (self._shapes or self._finders or self._others or self._patterns)

    def hide(self, text: str, *, before: str = "") -> str:
        """The text with everything that was found replaced.

        Args:
            text: Whole lines.
            before: What says what the text is, such as the name of its field; not part of what comes back.
        """
        spans = self.find(before + text)
        if not spans:
            return text
        parts: list[str] = []
        position = len(before)
        text = before + text
        for span in spans:
            parts += [text[position : max(position, span.start)], span.name]
            position = max(position, span.end)
        return "".join([*parts, text[position:]])

    def suspects(self, text: str, runs: Runs, named: Callable[[], str]) -> bool:
        """Whether `find` could find anything in a text or a line of it: quick, and never wrong with a no.

        Args:
            text: The text.
            runs: Its runs.
            named: Gives the text with what says what it is before each line, which is asked for seldom.
        """
        if self._others or (self._shapes and may_hold_shapes(runs)):
            return True
        if self._finders and may_hold_numbers(text):
            for line in named().split("\n"):
                if may_hold_numbers(line) and self._finds(line):
                    return True
        return bool(self._patterns) and any(True for _ in self._own(named()))

    def _finds(self, text: str) -> bool:
        """Whether anything personal is found in the lines of a text."""
        return any(True for line in numbered_lines(text) for find in self._finders for _ in find(line))

    def find(self, text: str) -> list[Span]:
        """Where what was found stands, in order, without overlaps."""
        return [] if self.idle else merged(self._spans(text))

    def _spans(self, text: str) -> Iterator[Span]:
        hidden = [match.span() for match in _MARKER.finditer(text)] if "[redacted" in text else []
        for span in self._found(text):
            if text[span.start : span.end] in self._allowed:
                continue
            if not any(start < span.end and span.start < end for start, end in hidden):
                yield span

    def _found(self, text: str) -> Iterator[Span]:
        if self._shapes:
            yield from shaped(text)
        for find in (*self._finders, *self._others):
            yield from find(text)
        yield from self._own(text)

    def _own(self, text: str) -> Iterator[Span]:
        """What the operator's patterns find."""
        if self._patterns:
            start = 0
            for line in text.split("\n"):
                for find in self._patterns:
                    for span in find(line):
                        yield Span(start + span.start, start + span.end, span.name)
                start += len(line) + 1


def _pattern(name: str, text: str) -> Callable[[str], Iterator[Span]]:
    try:
        compiled = re.compile(text)
    except (re.error, OverflowError) as exc:
        raise ConfigurationError(
            f"The pattern {name!r} is no regular expression: {exc}.",
            field=f"redaction.patterns.{name}",
            remedy="Write it as Python's `re` takes it, in single quotes.",
        ) from exc
    if len(text) > _LONGEST_PATTERN or compiled.match(""):
        raise ConfigurationError(
            f"The pattern {name!r} is too long, or matches the empty text.",
            field=f"redaction.patterns.{name}",
            remedy=f"Name what stands there in at most {_LONGEST_PATTERN} characters.",
        )
    shown = f"[redacted:{name}]"

    def find(line: str) -> Iterator[Span]:
        return (Span(match.start(), match.end(), shown) for match in compiled.finditer(line) if match[0])

    return find
