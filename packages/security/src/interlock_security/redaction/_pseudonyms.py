"""Stand-ins for what a model must not see, and the way back: the answer speaks of the real thing again.

A stand-in such as `[email-1]` is the same for the same text within one request, so that a model can still
tell two people apart. It never equals anything that the request says itself.

Not covered: a model that changes a stand-in (other brackets, another number) gets it back as it wrote it.
"""

import json
import re
from collections.abc import Callable

from interlock_core.jsontypes import Json
from interlock_core.protocols import Audience, StreamRedactor
from interlock_security.redaction._detect import Detection, Detector
from interlock_security.redaction._pem import hide_private_keys

_KIND = re.compile(r"\[redacted:?([^\]]*)\]")
_STAND_IN = re.compile(r"\[[a-z][a-z0-9-]{0,40}-[0-9]{1,6}\]")
_MAX_DEPTH = 64


class PseudonymMaker:
    """Makes the stand-ins of requests.

    Args:
        detection: What must not reach a model.
    """

    def __init__(self, detection: Detection) -> None:
        self._detector = Detector(detection)

    def touches(self, text: str) -> bool:
        """Whether there is anything to hide in a text."""
        return bool(self._detector.find(text)) or hide_private_keys(text)[0] != text

    def begin(self, whole: str) -> "Pseudonyms":
        """Stand-ins for one request.

        Args:
            whole: All that the request says: none of it is used as a stand-in.
        """
        return Pseudonyms(self._detector, frozenset(_STAND_IN.findall(whole)))


class Pseudonyms:
    """The stand-ins of one request, as a `Redactor`; `restore` leads back."""

    def __init__(self, detector: Detector, taken: frozenset[str]) -> None:
        self._detector = detector
        self._taken = taken
        self._stands: dict[str, str] = {}
        self._means: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def text(self, value: str, *, toward: Audience = Audience.MODEL) -> str:
        """The text with stand-ins; what has no way back for a model, a private key, is hidden."""
        value, _ = hide_private_keys(value)
        parts: list[str] = []
        position = 0
        for span in self._detector.find(value):
            parts += [value[position : span.start], self._stand_in(value[span.start : span.end], span.name)]
            position = span.end
        return "".join([*parts, value[position:]])

    def json(self, value: Json, *, toward: Audience = Audience.MODEL) -> Json:
        """The value with stand-ins, in keys and values; too deep nesting is cut."""
        return _mapped(value, self.text, _MAX_DEPTH)

    def stream(self, *, toward: Audience = Audience.MODEL) -> StreamRedactor:
        """The way back for a text that comes in pieces."""
        return _Restorer(self._means, _same)

    def stream_of_json(self) -> StreamRedactor:
        """The way back for JSON text that comes in pieces."""
        return _Restorer(self._means, _escaped)

    def restore(self, value: str) -> str:
        """The text with every stand-in replaced by what it stands for."""
        return (
            _STAND_IN.sub(lambda match: self._means.get(match[0], match[0]), value) if self._means else value
        )

    def restore_in_json(self, value: str) -> str:
        """JSON text with every stand-in replaced, and still JSON text."""
        return _STAND_IN.sub(self._escaped, value) if self._means else value

    def _escaped(self, match: re.Match[str]) -> str:
        return _escaped(self._means[match[0]]) if match[0] in self._means else match[0]

    def _stand_in(self, value: str, shown: str) -> str:
        made = self._stands.get(value)
        if made is None:
            match = _KIND.fullmatch(shown)
            kind = re.sub(r"[^a-z0-9-]", "-", match[1].lower()) if match and match[1] else "hidden"
            while made is None or made in self._taken:
                self._counts[kind] = self._counts.get(kind, 0) + 1
                made = f"[{kind[:40]}-{self._counts[kind]}]"
            self._stands[value] = made
            self._means[made] = value
        return made


class _Restorer:
    """Replaces stand-ins in a stream; holds back only what may be the beginning of one."""

    __slots__ = ("_held", "_means", "_write")

    def __init__(self, means: dict[str, str], write: Callable[[str], str]) -> None:
        self._means = means
        self._write = write
        self._held = ""

    def feed(self, piece: str) -> str:
        """Take the next piece and give back what is safe to pass on."""
        text = self._held + piece
        at = text.rfind("[")
        tail = text[at:] if at >= 0 else ""
        held = tail if tail and any(stand.startswith(tail) and stand != tail for stand in self._means) else ""
        self._held = held
        return self._restored(text[: len(text) - len(held)])

    def flush(self) -> str:
        """Give back the rest at the end."""
        held, self._held = self._held, ""
        return self._restored(held)

    def _restored(self, text: str) -> str:
        def meant(match: re.Match[str]) -> str:
            value = self._means.get(match[0])
            return match[0] if value is None else self._write(value)

        return _STAND_IN.sub(meant, text)


def _same(text: str) -> str:
    return text


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _mapped(value: Json, change: Callable[[str], str], depth: int) -> Json:
    match value:
        case str():
            return change(value)
        case dict() | list() if depth == 0:
            return "[deeper]"
        case dict():
            return {change(key): _mapped(item, change, depth - 1) for key, item in value.items()}
        case list():
            return [_mapped(item, change, depth - 1) for item in value]
        case bool() | None:
            return value
        case int() | float():
            text = str(value)
            return value if change(text) == text else change(text)
