"""JSON without recursion, for documents that are nested deeper than the standard parser goes.

It is slower than the standard parser and is asked only after that one gave up.
"""

import json
import re

from interlock_core.jsontypes import Json, JsonObject

_SPACE = re.compile(r"[ \t\n\r]*")
_SCALAR = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null')


def parse_deep_json(text: str, *, max_depth: int) -> Json:
    """The value of a JSON text.

    Raises:
        ValueError: It is no JSON, or nested deeper than `max_depth`.
    """
    reader = _Reader(text, max_depth)
    value = reader.read()
    if reader.position != len(text):
        raise ValueError(f"more follows at character {reader.position}.")
    return value


class _Reader:
    __slots__ = ("_max_depth", "_text", "position")

    def __init__(self, text: str, max_depth: int) -> None:
        self._text = text
        self._max_depth = max_depth
        self.position = 0

    def read(self) -> Json:
        """One value. Containers under way stand on a stack, each with the key that waits for its value."""
        stack: list[tuple[JsonObject | list[Json], str]] = []
        while True:
            opened = self._opened()
            if opened is not None:
                if len(stack) >= self._max_depth:
                    raise ValueError(f"nested deeper than {self._max_depth} levels.")
                if not self._closes(opened):
                    stack.append((opened, self._key_of(opened)))
                    continue
            value: Json = opened if opened is not None else self._scalar()
            while stack:
                container, key = stack.pop()
                if isinstance(container, dict):
                    container[key] = value
                else:
                    container.append(value)
                if self._next(container):
                    stack.append((container, self._key_of(container)))
                    break
                value = container
            else:
                self._skip()
                return value

    def _opened(self) -> JsonObject | list[Json] | None:
        """An empty container where one begins here."""
        self._skip()
        character = self._text[self.position : self.position + 1]
        if character not in {"{", "["}:
            return None
        self.position += 1
        return {} if character == "{" else []

    def _scalar(self) -> Json:
        found = _SCALAR.match(self._text, self.position)
        if found is None:
            raise ValueError(f"no value at character {self.position}.")
        self.position = found.end()
        scalar: Json = json.loads(found[0])
        return scalar

    def _key_of(self, container: JsonObject | list[Json]) -> str:
        """The next key of an object; empty for a list."""
        return self._key() if isinstance(container, dict) else ""

    def _key(self) -> str:
        self._skip()
        found = _SCALAR.match(self._text, self.position)
        if found is None or not found[0].startswith('"'):
            raise ValueError(f"no key at character {self.position}.")
        self.position = found.end()
        self._take(":")
        key: str = json.loads(found[0])
        return key

    def _closes(self, container: JsonObject | list[Json]) -> bool:
        self._skip()
        end = "}" if isinstance(container, dict) else "]"
        if self._text.startswith(end, self.position):
            self.position += 1
            return True
        return False

    def _next(self, container: JsonObject | list[Json]) -> bool:
        """Whether another element follows; else the container's end is taken."""
        if self._closes(container):
            return False
        self._take(",")
        return True

    def _take(self, character: str) -> None:
        self._skip()
        if not self._text.startswith(character, self.position):
            raise ValueError(f"{character!r} is missing at character {self.position}.")
        self.position += 1

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self.position)
        assert found is not None
        self.position = found.end()
