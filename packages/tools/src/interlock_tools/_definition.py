"""What a server or a document says a tool is, as it is pinned: a canonical text, its hash, a difference."""

import difflib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from interlock_core.jsontypes import Json, JsonObject, as_object, as_text, dump_json, parse_json

_MOST_LINES = 200
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


@dataclass(frozen=True)
class ToolDefinition:
    """What a server or a document says of one tool.

    Attributes:
        name: The server's own name of it; of a document's tool its name here.
        facts: Name, title, description, inputSchema, outputSchema, annotations, as the server sent them; of a
            document's tool what `contract_of` finds.
    """

    name: str
    facts: JsonObject

    @classmethod
    def of(cls, text: str) -> "ToolDefinition":
        """A definition from its canonical text.

        Raises:
            ValueError: It is none.
        """
        facts = as_object(parse_json(text))
        return cls(name=as_text(facts.get("name")) or "", facts=facts)

    @cached_property
    def canonical(self) -> str:
        """The one JSON text of what is said: sorted keys, no spaces."""
        return dump_json(self.facts, sort_keys=True)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical text, in hexadecimal: any change changes it."""
        return hashlib.sha256(self.canonical.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def description(self) -> str:
        """What the server says the tool does."""
        return as_text(self.facts.get("description")) or ""

    @property
    def title(self) -> str:
        """The server's own title of the tool."""
        said = as_text(self.facts.get("title")) or as_text(self.hints.get("title"))
        return said or ""

    @property
    def hints(self) -> JsonObject:
        """The server's annotations."""
        return as_object(self.facts.get("annotations"))

    @property
    def schema(self) -> JsonObject:
        """JSON Schema of the arguments."""
        return as_object(self.facts.get("inputSchema"))

    @property
    def answers(self) -> JsonObject | None:
        """JSON Schema of the answer, when there is one."""
        said = self.facts.get("outputSchema")
        return said if isinstance(said, dict) else None


def difference(old: ToolDefinition | None, new: ToolDefinition) -> tuple[str, ...]:
    """Lines that say what changed, as a unified diff of readable JSON; what nobody sees is written out.

    Args:
        old: What was approved; None for a tool that is new.
        new: What the server says now.
    """
    before = [] if old is None else list(_lines(old.facts))
    lines = difflib.unified_diff(before, list(_lines(new.facts)), "approved", "now", lineterm="", n=2)
    found = list(lines)[2:]
    if len(found) > _MOST_LINES:
        found = [*found[:_MOST_LINES], f"… and {len(found) - _MOST_LINES} lines more"]
    return tuple(found)


def _lines(facts: JsonObject) -> Iterator[str]:
    text = dump_json(_readable(facts), indent=2, sort_keys=True)
    return iter(text.splitlines())


def _readable(value: Json) -> Json:
    """A value whose texts show every character that is no plain one as its number."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub(_numbered, value)
    if isinstance(value, list):
        return [_readable(item) for item in value]
    if isinstance(value, dict):
        return {_UNPRINTABLE.sub(_numbered, key): _readable(item) for key, item in value.items()}
    return value


def _numbered(found: re.Match[str]) -> str:
    from interlock_tools.mcp._words import is_seen

    letter = found.group()
    return letter if is_seen(letter) and letter not in "\t" else f"<U+{ord(letter):04X}>"
