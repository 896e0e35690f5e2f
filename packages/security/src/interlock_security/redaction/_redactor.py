"""Hides known secrets everywhere, and toward stores also what only looks like a secret or a person's data."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import cast

from interlock_core.jsontypes import Json, JsonObject
from interlock_core.protocols import Audience, StreamRedactor
from interlock_core.secret import Secret
from interlock_security.redaction._detect import NOTHING, Detection, Detector
from interlock_security.redaction._encodings import forms
from interlock_security.redaction._fields import HIDDEN, hide_fields, is_secret_name, may_hold_fields
from interlock_security.redaction._matcher import Matcher, Span, merged
from interlock_security.redaction._pem import hide_private_keys
from interlock_security.redaction._runs import Runs

_MAX_TIERS = 6
_MAX_DEPTH = 64
_MIN_DIGITS = 6
_MAX_BITS = 4096
_SHORT = 80
_MOST_CLEAN = 8_192


class KnownSecretRedactor:
    """Replaces every known secret, in six encodings, by `[redacted:<its name>]`.

    Toward a model nothing else is touched. Toward a store (logs, traces and exports are stores too), the
    values of secret header and field names, passwords in URLs, private keys and Interlock's own keys are
    hidden as well, and whatever `detection` names.
    A secret of fewer than six characters is not looked for; `ignored` names such ones.

    Args:
        secrets: The secrets known so far; `learn` adds more.
        detection: What is looked for toward stores beside those.

    Raises:
        ConfigurationError: A kind that `detection` names is not one, or a pattern is no regular expression.
    """

    __slots__ = ("_detector", "_fresh", "_ignored", "_known")

    def __init__(self, secrets: Iterable[Secret] = (), *, detection: Detection = NOTHING) -> None:
        self._detector = Detector(detection)
        self._known: tuple[tuple[Matcher, ...], _Clean] = ((), _Clean())
        self._fresh: dict[str, str] = {}
        self._ignored: set[str] = set()
        for secret in secrets:
            self.learn(secret)

    @property
    def ignored(self) -> frozenset[str]:
        """Names of secrets that are too short to be looked for."""
        return frozenset(self._ignored)

    def learn(self, secret: Secret) -> None:
        """Know one more secret, from the next text on; a stream that has begun goes on without it."""
        texts = forms(secret.reveal())
        if not texts:
            self._ignored.add(secret.name)
        marker = f"[redacted:{secret.name}]"
        known = [tier.names for tier in self._known[0]]
        for text in texts:
            if not any(text in names for names in known):
                self._fresh.setdefault(text, marker)

    def text(self, value: str, *, toward: Audience = Audience.STORE) -> str:
        """The text with every hidden thing replaced."""
        hidden = self._exact(value)
        return self._unknown(hidden) if toward is Audience.STORE else hidden

    def json(self, value: Json, *, toward: Audience = Audience.STORE) -> Json:
        """The value with every hidden thing replaced, in keys and values; too deep nesting is cut.

        A value in which nothing is hidden comes back as it is.
        """
        stores = toward is Audience.STORE
        matchers, clean = self._current()
        if not stores:
            clean = _Clean()
        walk = _Walk(clean.texts)
        if walk.over(value, _MAX_DEPTH) and not self._touches(walk, matchers, toward):
            clean.add(walk)
            return value

        def hide(text: str, name: str) -> str:
            return text if text in clean.texts.get(name, ()) else self._member(text, name, toward)

        return _rebuilt(value, hide, stores, _MAX_DEPTH)

    def _touches(self, walk: "_Walk", matchers: Sequence[Matcher], toward: Audience) -> bool:
        """Whether anything is hidden: one look at all texts together, and at each only if that says so."""
        texts = [text for _, text in walk.texts]
        whole = "\n".join([*walk.keys, *texts] if walk.keys else texts)
        runs = Runs(whole)
        if not any(tier.may_find(whole, runs) for tier in matchers):
            if toward is not Audience.STORE:
                return False
            suspected = (
                may_hold_fields(whole)
                or "PRIVATE KEY" in whole
                or self._detector.suspects(whole, runs, walk.named)
            )
            if not suspected and not any(map(is_secret_name, walk.keys)):
                return False
        return (
            (toward is Audience.STORE and any(map(is_secret_name, walk.keys)))
            or any(self._member(key, "", toward) != key for key in walk.keys)
            or any(self._member(text, name, toward) != text for name, text in walk.texts)
        )

    def _member(self, text: str, name: str, toward: Audience) -> str:
        """A text of a JSON value; the name of its field may say what it is."""
        hidden = self._exact(text)
        return (
            self._unknown(hidden, before=f"{name}: " if name else "") if toward is Audience.STORE else hidden
        )

    def _unknown(self, text: str, *, before: str = "") -> str:
        """What nobody made known, hidden."""
        text, _ = hide_private_keys(text)
        return self._detector.hide(hide_fields(text), before=before)

    def stream(self, *, toward: Audience = Audience.STORE) -> StreamRedactor:
        """A redactor for one stream; its pieces together are what `text` makes of the whole.

        Toward a model it holds back only what may be the beginning of a secret. Toward a store it gives
        whole lines, and so holds one line at a time.
        """
        exact = _ExactStream(self._matchers())
        return _LineStream(exact, self._detector.hide) if toward is Audience.STORE else exact

    def _exact(self, text: str) -> str:
        spans = merged(span for tier in self._matchers() for span in tier.find(text))
        if not spans:
            return text
        parts: list[str] = []
        position = 0
        for span in spans:
            parts += [text[position : span.start], span.name]
            position = span.end
        return "".join([*parts, text[position:]])

    def _matchers(self) -> tuple[Matcher, ...]:
        return self._current()[0]

    def _current(self) -> "tuple[tuple[Matcher, ...], _Clean]":
        """What finds the secrets known now, and what it was found to be clean by just that."""
        if self._fresh:
            tiers = self._known[0]
            if len(tiers) >= _MAX_TIERS:
                for tier in tiers:
                    self._fresh = tier.names | self._fresh
                tiers = ()
            self._known = ((*tiers, Matcher(self._fresh)), _Clean())
            self._fresh = {}
        return self._known


def _rebuilt(value: Json, hide: Callable[[str, str], str], names: bool, depth: int, name: str = "") -> Json:
    """The value with every text hidden; with `names`, what stands under a secret name too."""
    match value:
        case str():
            return hide(value, name)
        case dict() | list() if depth == 0:
            return "[deeper]"
        case dict():
            return {
                hide(key, ""): (
                    HIDDEN if names and _hides(key, item) else _rebuilt(item, hide, names, depth - 1, key)
                )
                for key, item in value.items()
            }
        case list():
            return [_rebuilt(item, hide, names, depth - 1, name) for item in value]
        case bool() | None:
            return value
        case int() if value.bit_length() > _MAX_BITS:
            return f"[a number of {value.bit_length()} bits]"
        case int() | float():
            text = str(value)
            return value if len(text) < _MIN_DIGITS or hide(text, name) == text else HIDDEN


class _Clean:
    """Short texts in which nothing is hidden, by the names of their fields: most are seen again and again.

    A name that is here is clean itself. All is thrown away when a secret is learned.
    """

    __slots__ = ("_room", "texts")

    def __init__(self) -> None:
        self.texts: dict[str, set[str]] = {}
        self._room = _MOST_CLEAN

    def add(self, walk: "_Walk") -> None:
        """Remember what a walk has collected."""
        self._room -= len(walk.keys) + len(walk.texts)
        if self._room < 0:
            self.texts = {}
            self._room = _MOST_CLEAN
        for key in walk.keys:
            if len(key) <= _SHORT:
                self.texts.setdefault(key, set())
        for name, text in walk.texts:
            if len(text) <= _SHORT and name in self.texts:
                self.texts[name].add(text)


class _Walk:
    """Every text of a JSON value that is not known to be clean, numbers as they are written."""

    __slots__ = ("_clean", "keys", "texts")

    def __init__(self, clean: Mapping[str, AbstractSet[str]]) -> None:
        self._clean = clean
        self.keys: list[str] = []
        self.texts: list[tuple[str, str]] = []

    def over(self, value: Json, depth: int, name: str = "") -> bool:
        """Collect; false when the value is nested deeper or holds a number too large."""
        if isinstance(value, str):
            if value not in self._clean.get(name, ()):
                self.texts.append((name, value))
        elif isinstance(value, dict):
            return depth > 0 and self._object(value, depth - 1)
        elif isinstance(value, list):
            return depth > 0 and self._array(value, depth - 1, name)
        elif value is not None and not isinstance(value, bool):
            if isinstance(value, int) and value.bit_length() > _MAX_BITS:
                return False
            text = str(value)
            if len(text) >= _MIN_DIGITS and text not in self._clean.get(name, ()):
                self.texts.append((name, text))
        return True

    def _array(self, value: list[Json], depth: int, name: str) -> bool:
        return all(self.over(item, depth, name) for item in value)

    def named(self) -> str:
        """All of it a line each, with the name of its field before it."""
        return "\n".join([*self.keys, *[f"{name}: {text}" if name else text for name, text in self.texts]])

    def _object(self, value: JsonObject, depth: int) -> bool:
        """Collect names, and texts where most of them are."""
        known, keys, texts = self._clean, self.keys, self.texts
        for key, item in value.items():
            clean = known.get(key)
            if clean is None:
                keys.append(key)
            kind = item.__class__
            if kind is str:
                if clean is None or item not in clean:
                    texts.append((key, cast("str", item)))
            elif item is not None and kind is not bool and not self.over(item, depth, key):
                return False
        return True


class _ExactStream:
    """Hides known secrets in a text that comes in pieces.

    Invariant: a match never begins in what was given out as it was, because every end with which one could
    begin is held back. What is held may already be covered by a span that was given out.
    """

    __slots__ = ("_covered", "_held", "_matchers")

    def __init__(self, matchers: tuple[Matcher, ...]) -> None:
        self._matchers = matchers
        self._held = ""
        self._covered = 0

    def feed(self, piece: str) -> str:
        """Take the next piece and give back what is safe to pass on."""
        text = self._held + piece
        keep = max((matcher.unfinished(text) for matcher in self._matchers), default=0)
        return self._give(text, len(text) - keep)

    def flush(self) -> str:
        """Give back the rest at the end."""
        return self._give(self._held, len(self._held))

    def _give(self, text: str, cut: int) -> str:
        spans = [span for matcher in self._matchers for span in matcher.find(text)]
        if self._covered:
            spans.append(Span(-1, self._covered, ""))
        parts: list[str] = []
        position = 0
        for span in merged(spans):
            if span.start >= cut:
                break
            parts += [text[position : max(0, span.start)], span.name]
            position = span.end
        parts.append(text[position:cut])
        self._held = text[cut:]
        self._covered = max(0, position - cut)
        return "".join(parts)


class _LineStream:
    """Hides what only whole lines show, behind a stream that hides known secrets."""

    __slots__ = ("_exact", "_in_key", "_line", "_rule")

    def __init__(self, exact: _ExactStream, rule: Callable[[str], str]) -> None:
        self._exact = exact
        self._line: list[str] = []
        self._rule = rule
        self._in_key = False

    def feed(self, piece: str) -> str:
        """Take the next piece and give back the lines that it ends."""
        return self._lines(self._exact.feed(piece))

    def flush(self) -> str:
        """Give back the rest at the end."""
        whole = self._lines(self._exact.flush())
        rest = "".join(self._line)
        self._line = []
        return whole + self._hidden(rest)

    def _lines(self, text: str) -> str:
        ended, newline, rest = text.rpartition("\n")
        if not newline:
            self._line.append(rest)
            return ""
        whole = "".join([*self._line, ended, newline])
        self._line = [rest]
        return self._hidden(whole)

    def _hidden(self, text: str) -> str:
        text, self._in_key = hide_private_keys(text, self._in_key)
        return self._rule(hide_fields(text))


def _hides(key: str, item: Json) -> bool:
    return item is not None and not isinstance(item, bool) and is_secret_name(key)
