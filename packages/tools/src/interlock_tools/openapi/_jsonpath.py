"""What a JSONPath (RFC 9535) selects in a document, in bounded steps.

The library walks whatever it is given without counting, so it is given views of the document that count each
step into it. Its regular expressions may take exponential time; `match` and `search` are replaced by ones
that cannot.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast, overload

# From its inner modules: a distribution that vendors' packages bring overwrites the outer one where both are.
from jsonpath.env import JSONPathEnvironment
from jsonpath.exceptions import JSONPathError
from jsonpath.function_extensions import ExpressionType, FilterFunction
from jsonpath.match import JSONPathMatch

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.schema import validator
from interlock_tools.openapi._problem import Place

_LONGEST_QUERY = 4_000
_MOST_SELECTED = 100_000
_DEEPEST = 300


@dataclass(frozen=True, slots=True)
class Found:
    """A value that a query selects.

    Attributes:
        value: The value.
        parent: The object or list that it stands in; None for the whole document.
        key: Its key or index there.
    """

    value: Json
    parent: dict[str, Json] | list[Json] | None
    key: str | int

    @property
    def rank(self) -> int:
        """Its place in a list; -1 in an object."""
        return self.key if isinstance(self.key, int) else -1

    def put(self, value: Json) -> None:
        """Let another value stand in its place."""
        if isinstance(self.parent, dict):
            self.parent[str(self.key)] = value
        elif isinstance(self.parent, list) and isinstance(self.key, int):
            self.parent[self.key] = value

    def remove(self) -> None:
        """Take it out."""
        if isinstance(self.parent, dict):
            self.parent.pop(str(self.key), None)
        elif isinstance(self.parent, list) and isinstance(self.key, int):
            del self.parent[self.key]


class JsonPaths:
    """Queries over one document.

    Args:
        max_steps: Most steps into the document that all queries together may take.
    """

    def __init__(self, *, max_steps: int) -> None:
        self._meter = _Meter(max_steps)
        self._environment = _Environment(strict=True)

    def select(self, root: JsonObject, query: str, place: Place) -> list[Found]:
        """What a query selects, each once, in the order of the document.

        Raises:
            InvalidRequestError: It is no query, or takes or selects too much; the error names `place`.
        """
        if len(query) > _LONGEST_QUERY:
            raise place.fault("The query is too long.", remedy=f"Use at most {_LONGEST_QUERY} characters.")
        found: dict[tuple[str | int, ...], Found] = {}
        try:
            for match in self._environment.compile(query).finditer(_Object(root, self._meter)):
                found[match.parts] = self._found(match, root)
                if len(found) > _MOST_SELECTED:
                    raise _TooMuchError
        except _TooMuchError as exc:
            raise place.fault(
                "The query takes too many steps or selects too much.", remedy="Select more narrowly."
            ) from exc
        except JSONPathError as exc:
            said = str(exc).splitlines()[0][:200] if str(exc) else type(exc).__name__
            raise place.fault(
                f"{query[:200]!r} is no JSONPath: {said}.", remedy="Write a query as RFC 9535 has it."
            ) from exc
        return list(found.values())

    def _found(self, match: JSONPathMatch, root: JsonObject) -> Found:
        parent = match.parent
        if parent is None or not match.parts:
            return Found(root, None, "")
        around = parent.obj.raw if isinstance(parent.obj, _Object | _List) else None
        value = match.obj.raw if isinstance(match.obj, _Object | _List) else match.obj
        return Found(_plain(value), around, match.parts[-1])


def _plain(value: object) -> Json:
    """A value of the document; the library knows no types."""
    return cast("Json", value)


class _TooMuchError(Exception):
    """A query goes too far."""


class _Meter:
    """Counts steps into a document.

    Args:
        most: How many there may be.
    """

    __slots__ = ("_left",)

    def __init__(self, most: int) -> None:
        self._left = most

    def seen(self, value: Json) -> object:
        """The value as the library sees it; one step.

        Raises:
            _TooMuchError: It was one too many.
        """
        self._left -= 1
        if self._left < 0:
            raise _TooMuchError
        if isinstance(value, dict):
            return _Object(value, self)
        return _List(value, self) if isinstance(value, list) else value


class _Object(Mapping[str, object]):
    """An object of the document whose every look-up is counted."""

    __slots__ = ("_meter", "raw")

    def __init__(self, raw: dict[str, Json], meter: _Meter) -> None:
        self.raw = raw
        self._meter = meter

    def __getitem__(self, key: str) -> object:
        return self._meter.seen(self.raw[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)


class _List(Sequence[object]):
    """A list of the document whose every look-up is counted."""

    __slots__ = ("_meter", "raw")

    def __init__(self, raw: list[Json], meter: _Meter) -> None:
        self.raw = raw
        self._meter = meter

    @overload
    def __getitem__(self, index: int) -> object: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[object]: ...

    def __getitem__(self, index: int | slice) -> object:
        if isinstance(index, slice):
            return [self._meter.seen(item) for item in self.raw[index]]
        return self._meter.seen(self.raw[index])

    def __len__(self) -> int:
        return len(self.raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and not isinstance(other, str) and [*self] == [*other]

    def __hash__(self) -> int:
        return id(self)


class _Pattern(FilterFunction):
    """`search`, or `match` when it must fit the whole text, in linear time."""

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole

    @property
    def arg_types(self) -> list[ExpressionType]:
        """A text and a pattern."""
        return [ExpressionType.VALUE, ExpressionType.VALUE]

    @property
    def return_type(self) -> ExpressionType:
        """Whether it fits."""
        return ExpressionType.LOGICAL

    def __call__(self, value: object, pattern: object) -> bool:
        if not isinstance(value, str) or not isinstance(pattern, str):
            return False
        asked = f"^(?:{pattern})$" if self._whole else pattern
        try:
            return not validator({"type": "string", "pattern": asked}).problems(value)
        except InvalidRequestError:
            return False


class _Environment(JSONPathEnvironment):
    """RFC 9535 as it stands, with patterns that take linear time."""

    max_recursion_depth = _DEEPEST

    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        self.function_extensions["match"] = _Pattern(whole=True)
        self.function_extensions["search"] = _Pattern(whole=False)
