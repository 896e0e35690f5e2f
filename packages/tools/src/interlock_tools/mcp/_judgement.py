"""A tool of a mounted server as this house sees it: its name here, its effect, what it may be called with.

An untrusted server's word never makes a tool harmless: without trust every tool is a write, or destructive
when the server says so itself.
"""

import re
import zlib
from collections.abc import Collection
from dataclasses import dataclass

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.schema import validator
from interlock_core.toolspec import Effect, ToolSpec
from interlock_tools._definition import ToolDefinition
from interlock_tools.mcp._words import fit_to_show, is_seen

SUSPICIOUS = frozenset({"escapes", "hidden", "shadows", "instructs"})
"""Problems for which a tool is not offered before the operator approves it, not even at first use."""

_LONGEST_NAME = 64
_LONGEST_SUMMARY = 120
_LONGEST_WORDS = 1_000
_DEEPEST = 60
_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]+")
_SEPARATORS = "\u2028\u2029"
_WORDS = ("description", "title", "$comment")
_CHOICES = "enum"
_HINTS = frozenset({"default", "examples", "example"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One tool of a server.

    Attributes:
        definition: What the server says.
        name: Its name here; `NAME.tool`.
        spec: What a model is shown; None when it is refused.
        problems: What is suspicious about it, as words of `fit_to_show`, and `answers` for an output schema
            that cannot be used.
        refused: Why it cannot be offered at all; empty when it can.
    """

    definition: ToolDefinition
    name: str
    spec: ToolSpec | None = None
    problems: tuple[str, ...] = ()
    refused: str = ""

    @property
    def suspicious(self) -> bool:
        """Whether the operator must see it first."""
        return not SUSPICIOUS.isdisjoint(self.problems)


def judged(
    definition: ToolDefinition,
    *,
    server: str,
    others: Collection[str] = (),
    trusted: bool = False,
    longest: int = 64 * 1024,
) -> Judged:
    """Look at one tool of a server.

    Args:
        definition: What the server says.
        server: The server's name in the configuration, the namespace of its tools.
        others: The namespaces of everybody else.
        trusted: Whether its annotations are believed.
        longest: Most characters of the definition as JSON.
    """
    name = local_name(server, definition.name)
    words = _Words(server, others)
    try:
        if _length(definition) > longest:
            raise InvalidRequestError(f"its definition is longer than {longest:,} characters")
        arguments, answers = _schemas(definition, words)
    except InvalidRequestError as error:
        return Judged(definition=definition, name=name, refused=error.message)
    title = words.shown(definition.title, _LONGEST_SUMMARY)
    said = words.shown(definition.description)
    spec = ToolSpec(
        name=name,
        description=said or title or definition.name,
        parameters=arguments,
        effect=_effect(definition.hints, trusted=trusted),
        namespace=server,
        operation_id=definition.name if definition.name != name.partition(".")[2] else None,
        category=server,
        summary=title or said.partition("\n")[0][:_LONGEST_SUMMARY],
        untrusted=not trusted,
        responses=answers,
    )
    return Judged(definition=definition, name=name, spec=spec, problems=tuple(sorted(words.problems)))


def _length(definition: ToolDefinition) -> float:
    try:
        return len(definition.canonical)
    except (ValueError, RecursionError):
        return float("inf")


def _schemas(definition: ToolDefinition, words: "_Words") -> tuple[JsonObject, JsonObject | None]:
    """The schemas of arguments and of answers, as they may be shown; the latter None where it is of no use.

    Raises:
        InvalidRequestError: Nothing can be called by the former.
    """
    arguments = words.tidied(definition.schema)
    answers = None if definition.answers is None else words.tidied(definition.answers)
    if words.too_deep:
        raise InvalidRequestError("its schema is nested too deeply")
    if words.unseen:
        raise InvalidRequestError("a name or value of its schema holds characters that nobody sees")
    arguments.setdefault("type", "object")
    if arguments["type"] != "object":
        raise InvalidRequestError("its arguments are not those of an object")
    try:
        validator(arguments)
    except InvalidRequestError as error:
        raise InvalidRequestError(f"its schema cannot be used: {error.message}") from error
    return arguments, _usable(answers, words)


def local_name(server: str, tool: str) -> str:
    """The name of a server's tool here: legal for every vendor, and the same every time."""
    room = _LONGEST_NAME - len(server) - 1
    plain = _ILLEGAL.sub("_", tool).strip("_") or "tool"
    if plain != tool or len(plain) > room:
        mark = f"{zlib.crc32(tool.encode('utf-8', 'surrogatepass')):08x}"[:6]
        plain = f"{plain[: room - 7]}_{mark}"
    return f"{server}.{plain}"


def _effect(hints: JsonObject, *, trusted: bool) -> Effect:
    if hints.get("destructiveHint") is True and not (trusted and hints.get("readOnlyHint") is True):
        return Effect.DESTRUCTIVE
    if trusted and hints.get("readOnlyHint") is True:
        return Effect.READ
    return Effect.WRITE


def _usable(answers: JsonObject | None, words: "_Words") -> JsonObject | None:
    if answers is None:
        return None
    try:
        validator(answers)
    except InvalidRequestError:
        words.problems.add("answers")
        return None
    return answers


class _Words:
    """Goes through everything that a server says of a tool, and notes what is suspicious."""

    def __init__(self, server: str, others: Collection[str]) -> None:
        self.problems: set[str] = set()
        self.too_deep = False
        self.unseen = False
        self._server = server
        self._others = others

    def shown(self, text: str, longest: int | None = None) -> str:
        """A text as it may be shown."""
        more: dict[str, int] = {} if longest is None else {"longest": longest}
        said = fit_to_show(text, own=self._server, others=self._others, **more)
        self.problems.update(said.problems)
        return said.text

    def tidied(self, schema: JsonObject) -> JsonObject:
        """A schema whose descriptions may be shown; all that it demands stays as it is."""
        made = self._tidied(schema, 0)
        return made if isinstance(made, dict) else {}

    def _tidied(self, value: Json, depth: int) -> Json:
        if depth > _DEEPEST:
            self.too_deep = True
            return None
        if isinstance(value, list):
            return [self._tidied(item, depth + 1) for item in value]
        if isinstance(value, str):
            self._look_at(value)
            return value
        if not isinstance(value, dict):
            return value
        made: JsonObject = {}
        for key, item in value.items():
            self._look_at(key)
            if key in _WORDS and isinstance(item, str):
                made[key] = self.shown(item, _LONGEST_WORDS)
            elif key in _HINTS:
                self._hint(made, key, item)
            elif key == _CHOICES and isinstance(item, list):
                made[key] = self._choices(item)
            else:
                made[key] = self._tidied(item, depth + 1)
        return made

    def _hint(self, made: JsonObject, key: str, item: Json) -> None:
        """Keep a value that demands nothing, unless it holds what nobody sees or is no hint any more."""
        texts = [item] if isinstance(item, str) else item if isinstance(item, list) else []
        fits = all(len(text) <= _LONGEST_WORDS for text in texts if isinstance(text, str))
        if self._clean(item) and fits:
            made[key] = item

    def _choices(self, items: list[Json]) -> list[Json]:
        """The values that may be chosen, without those that hold what nobody sees."""
        kept = [item for item in items if self._clean(item)]
        self.unseen = self.unseen or (bool(items) and not kept)
        return kept

    def _clean(self, value: Json) -> bool:
        """Whether a value holds only what a reader sees; what is suspicious about it is noted."""
        if isinstance(value, str):
            return self._noted(value)
        parts: list[Json] = value if isinstance(value, list) else []
        if isinstance(value, dict):
            parts = [*value, *value.values()]
        clean = [self._clean(part) for part in parts]
        return all(clean)

    def _look_at(self, text: str) -> None:
        """A name or a value, which stays as it is: a model reads it like any description."""
        if not self._noted(text):
            self.unseen = True

    def _noted(self, text: str) -> bool:
        """Note what is suspicious about a text that stays as it is; whether a reader sees all of it."""
        problems = fit_to_show(text, own=self._server, others=self._others).problems
        self.problems.update(problem for problem in problems if problem != "long")
        return {"hidden", "escapes"}.isdisjoint(problems) and all(
            is_seen(letter) and letter not in _SEPARATORS for letter in text
        )
