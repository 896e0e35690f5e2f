"""Names: of tools, of arguments, of definitions. Legal everywhere, readable, unique, stable."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from interlock_tools.openapi._references import Target

LONGEST_NAME = 64
"""Most characters of a tool's name with its namespace: what the strictest vendor allows."""

LONGEST_NAMESPACE = 24
"""Most characters of a namespace."""

_LONGEST_ARGUMENT = 64
_LONGEST_DEFINITION = 64
_ILLEGAL = re.compile(r"[^A-Za-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ARGUMENT_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]+")
_PLACE = re.compile(r"\{[^{}]*?([A-Za-z0-9_]+)[^{}]*\}")
_GENERIC = frozenset({"schema", "items", "properties", "content", "allOf", "anyOf", "oneOf"})


def snake_case(text: str) -> str:
    """Words in lower case, joined by underscores; empty when there is no letter or digit."""
    return _ILLEGAL.sub("_", _CAMEL.sub("_", text)).strip("_").lower()


def namespace_of(text: str) -> str:
    """A namespace made of a title or a file's name."""
    words = [word for word in snake_case(text).split("_") if word not in {"api", "openapi", "swagger", "the"}]
    name = ""
    for word in words or ["api"]:
        longer = f"{name}_{word}" if name else word
        if len(longer) > LONGEST_NAMESPACE:
            break
        name = longer
    return name or words[0][:LONGEST_NAMESPACE]


def tool_names(operations: Sequence[tuple[str | None, str, str]], namespace: str) -> list[str]:
    """Names for operations, in their order.

    A name depends on the operation and on those whose name would be the same, on nothing else: it stays
    when the document is reordered or grows.

    Args:
        operations: Id, method and path of each.
        namespace: Stands before the dot.
    """
    room = LONGEST_NAME - len(namespace) - 1
    plain = [_operation_words(*operation, room=room) for operation in operations]
    seen = Counter(_shortened(name, room) for name in plain)
    names: list[str] = []
    for name, (_, method, path) in zip(plain, operations, strict=True):
        short = _shortened(name, room)
        if seen[short] > 1:
            short = _shortened(name, room, mark=_mark(f"{method} {path}"))
        names.append(short)
    return [f"{namespace}.{name}" for name in _made_unique(names, room)]


def _operation_words(operation_id: str | None, method: str, path: str, *, room: int) -> str:
    name = snake_case(operation_id) if operation_id else ""
    if name:
        return name
    path = path.partition("#")[0]
    words = snake_case(_PLACE.sub(r"\1", path))
    name = f"{method.lower()}_{words}" if words else f"{method.lower()}_root"
    return name if len(name) <= room else _ending(name, method, path, room)


def _ending(name: str, method: str, path: str, room: int) -> str:
    """What a path too long for a name ends with, which tells it from its neighbours, without its places."""
    mark = _mark(name)
    words = snake_case(_PLACE.sub(" ", path)).split("_")
    while len(words) > 1 and len(method) + len("_".join(words)) + len(mark) + 2 > room:
        del words[0]
    short = "_".join([method.lower(), *words])
    return f"{short[: room - len(mark) - 1].rstrip('_')}_{mark}"


def _shortened(name: str, room: int, *, mark: str = "") -> str:
    if len(name) + (len(mark) + 1 if mark else 0) <= room:
        return f"{name}_{mark}" if mark else name
    mark = mark or _mark(name)
    return f"{name[: room - len(mark) - 1].rstrip('_')}_{mark}"


def _mark(text: str) -> str:
    import zlib

    return f"{zlib.crc32(text.encode()):08x}"[:6]


def _made_unique(names: list[str], room: int) -> list[str]:
    taken: set[str] = set()
    unique: list[str] = []
    for name in names:
        candidate, number = name, 2
        while candidate in taken:
            tail = f"_{number}"
            candidate, number = name[: room - len(tail)] + tail, number + 1
        taken.add(candidate)
        unique.append(candidate)
    return unique


class ArgumentNames:
    """Gives each argument of a tool a name of its own.

    Args:
        wanted: Every name on the wire with where it goes; a name that occurs once stays as it is.
    """

    def __init__(self, wanted: Iterable[tuple[str, str]]) -> None:
        counted = Counter(_argument(name) for name, _ in wanted)
        self._shared = {name for name, count in counted.items() if count > 1}
        self._taken: set[str] = set()

    def name(self, name: str, place: str) -> str:
        """The argument's name: its own, with its place behind it when several would have it."""
        plain = _argument(name)
        shared = plain in self._shared and place != "path"
        candidate = f"{plain[: _LONGEST_ARGUMENT - 12]}_{place}" if shared else plain
        number = 2
        while candidate in self._taken:
            candidate = f"{plain[: _LONGEST_ARGUMENT - 16]}_{place}_{number}"
            number += 1
        self._taken.add(candidate)
        return candidate


def _argument(name: str) -> str:
    legal = _ARGUMENT_ILLEGAL.sub("_", name)
    if legal != name:
        legal = legal.strip("_")
    return legal[:_LONGEST_ARGUMENT] or "argument"


class DefinitionNames:
    """Gives each definition of a document a name: the last word of where it stands."""

    __slots__ = ("_known", "_taken")

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()

    def name(self, target: Target) -> str:
        """The name of a definition, the same each time."""
        key = (target.base, target.pointer)
        known = self._known.get(key)
        if known is None:
            known = self._fresh(target)
            self._known[key] = known
            self._taken.add(known)
        return known

    def _fresh(self, target: Target) -> str:
        words = [word for word in target.pointer.split("/") if word and word not in _GENERIC]
        last = words[-1] if words else target.base.rpartition("/")[2].partition(".")[0]
        last = last.replace("~1", "/").replace("~0", "~")
        tail = _ARGUMENT_ILLEGAL.sub("_", last.rpartition(".")[2]).strip("_")[-_LONGEST_DEFINITION:]
        whole = _ARGUMENT_ILLEGAL.sub("_", last).strip("_")[-_LONGEST_DEFINITION:]
        for candidate in (tail, whole):
            if candidate and candidate not in self._taken:
                return candidate
        number = 2
        while f"{whole}_{number}" in self._taken:
            number += 1
        return f"{whole}_{number}"
