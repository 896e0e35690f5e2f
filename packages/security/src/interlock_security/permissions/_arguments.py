"""Conditions on one argument of a call.

    arguments = { repo = { matches = "acme/*" }, "order.amount" = { at_least = 0, at_most = 100 } }

A name with dots walks into objects. What cannot be compared (an absent argument, a text where a number is
wanted, a name that stands for two values) is no "no" but an error, and an error denies the call.
"""

import math
from dataclasses import dataclass

from interlock_core.errors import ConfigurationError
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.nearest import suggestion
from interlock_security.permissions._patterns import pattern_matches

_TESTS = ("equals", "not_equals", "in", "not_in", "matches", "at_most", "at_least", "present")
_ABSENT = object()


class UncomputableError(Exception):
    """A condition cannot be computed for a call; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentTest:
    """One test of one argument.

    Attributes:
        path: The argument's name; dots walk into objects.
        test: `equals`, `not_equals`, `in`, `not_in`, `matches`, `at_most`, `at_least` or `present`.
        wanted: What it is held against; a tuple for `in` and `not_in`.
    """

    path: str
    test: str
    wanted: str | float | bool | tuple[str | float | bool, ...]

    def holds(self, arguments: JsonObject | None) -> bool:
        """Whether the arguments of a call pass the test.

        Raises:
            UncomputableError: They cannot be held against it.
        """
        value = _found(arguments, self.path)
        if self.test == "present":
            return (value is not _ABSENT) is self.wanted
        if value is _ABSENT:
            raise UncomputableError(f"the argument {self.path} is absent")
        if self.test == "matches":
            if not isinstance(value, str):
                raise UncomputableError(f"the argument {self.path} is no text")
            return pattern_matches(str(self.wanted), value)
        if self.test in {"at_most", "at_least"}:
            return self._within(value)
        equal = self._equals(value)
        return not equal if self.test.startswith("not_") else equal

    def _within(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise UncomputableError(f"the argument {self.path} is no number")
        bound = self.wanted
        assert isinstance(bound, int | float)
        return value <= bound if self.test == "at_most" else value >= bound

    def _equals(self, value: object) -> bool:
        options = self.wanted if isinstance(self.wanted, tuple) else (self.wanted,)
        if not isinstance(value, str | int | float) or (
            options and not any(_kind(option) is _kind(value) for option in options)
        ):
            raise UncomputableError(f"the argument {self.path} is of another kind than the rule's value")
        return any(_kind(option) is _kind(value) and option == value for option in options)

    def __str__(self) -> str:
        if self.test == "present":
            return f"{self.path} is {'present' if self.wanted else 'absent'}"
        wanted = self.wanted
        shown = ", ".join(map(_shown, wanted)) or "nothing" if isinstance(wanted, tuple) else _shown(wanted)
        return f"{self.path} {self.test.replace('_', ' ')} {shown}"


def argument_tests(value: Json, *, where: str) -> tuple[ArgumentTest, ...]:
    """The tests of an `arguments` table of configuration.

    Raises:
        ConfigurationError: One is wrong; `field` names it.
    """
    if not isinstance(value, dict) or not value:
        raise ConfigurationError(
            "Conditions on arguments are a table of their names.",
            field=where,
            remedy='Such as { repo = { equals = "acme/site" } }.',
        )
    tests: list[ArgumentTest] = []
    for path, table in value.items():
        if not isinstance(table, dict) or not table or not all(path.split(".")):
            raise ConfigurationError(
                "A condition on an argument is a table.",
                field=f"{where}.{path}",
                remedy='Such as { equals = "acme/site" }.',
            )
        tests += [_test(path, name, wanted, f"{where}.{path}") for name, wanted in table.items()]
    return tuple(tests)


def _test(path: str, name: str, wanted: Json, where: str) -> ArgumentTest:
    if name not in _TESTS:
        raise ConfigurationError(
            f"There is no test {name}.", field=f"{where}.{name}", remedy=suggestion(name, _TESTS)
        )
    made: str | float | bool | tuple[str | float | bool, ...] | None = None
    if name in {"in", "not_in"}:
        if isinstance(wanted, list):
            plain = [item for item in wanted if isinstance(item, str | int | float)]
            made = tuple(plain) if len(plain) == len(wanted) else None
    elif name in {"at_most", "at_least"}:
        if isinstance(wanted, int | float) and not isinstance(wanted, bool) and math.isfinite(wanted):
            made = wanted
    elif name == "present":
        made = wanted if isinstance(wanted, bool) else None
    elif name == "matches":
        made = wanted if isinstance(wanted, str) and wanted else None
    elif isinstance(wanted, str | int | float):
        made = wanted
    if made is None:
        raise ConfigurationError(
            f"{name} takes {_WANTED.get(name, 'a text, a number or true or false')}.",
            field=f"{where}.{name}",
        )
    return ArgumentTest(path=path, test=name, wanted=made)


_WANTED = {
    "in": "a list of texts and numbers",
    "not_in": "a list of texts and numbers",
    "at_most": "a number",
    "at_least": "a number",
    "present": "true or false",
    "matches": "a pattern such as acme/*",
}


def _found(arguments: JsonObject | None, path: str) -> object:
    """The value of a path, or `_ABSENT`.

    Raises:
        UncomputableError: A name with dots is there as such, and as a path too.
    """
    value = _walked(arguments or {}, path.split("."))
    if "." not in path or arguments is None or path not in arguments:
        return value
    if value is not _ABSENT:
        raise UncomputableError(f"the argument {path} stands for two values")
    return arguments[path]


def _walked(arguments: JsonObject, names: list[str]) -> object:
    value: Json = arguments
    for name in names:
        if not isinstance(value, dict) or name not in value:
            return _ABSENT
        value = value[name]
    return value


def _kind(value: object) -> type:
    if isinstance(value, bool):
        return bool
    return str if isinstance(value, str) else float


def _shown(value: str | float | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()
