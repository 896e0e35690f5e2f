"""Reads a JSON object field by field, and says exactly where it is wrong."""

import json
from collections.abc import Sequence
from typing import NoReturn, cast

from interlock_core import Json, JsonObject
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import dump_json


class DuplicateKeyError(ValueError):
    """An object names a key twice, so two readers could understand it differently."""


def _unique(pairs: list[tuple[str, Json]]) -> JsonObject:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise DuplicateKeyError(f"the key {twice[:40]!r} stands twice in one object")
    return made


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant)


def read_client_json(body: bytes) -> JsonObject:
    """The JSON object that a client sent: UTF-8, no key twice, no infinite number.

    Raises:
        InvalidRequestError: It is none; the message says why.
    """
    try:
        value = cast("Json", _DECODER.decode(body.decode("utf-8")))
    except (ValueError, RecursionError) as exc:
        raise InvalidRequestError(
            f"The request body is not JSON: {exc}.", field="body", remedy="Send one JSON object as UTF-8."
        ) from exc
    if not isinstance(value, dict):
        raise wrong("body", "a JSON object")
    return value


def to_bytes(value: Json) -> bytes:
    """JSON as it goes on the wire: compact UTF-8; a lone surrogate stays escaped.

    Raises:
        InvalidRequestError: The value holds NaN or an infinity, or is nested too deeply.
    """
    try:
        return dump_json(value).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()
    except (ValueError, RecursionError) as exc:
        raise InvalidRequestError(
            f"The request cannot be written as JSON: {exc}.",
            remedy="Send finite numbers, nested less deeply.",
        ) from exc


def wrong(path: str, wanted: str) -> InvalidRequestError:
    """The error for a field of the wrong type."""
    return InvalidRequestError(f"{path} must be {wanted}.", field=path, remedy=f"Send {path} as {wanted}.")


class Fields:
    """The fields of one object, each taken once; what nobody took is the `rest`.

    A field that is null counts as absent.

    Args:
        value: What stands there.
        path: Where it stands, as the client would write it; empty for the whole body.

    Raises:
        InvalidRequestError: The value is no object.
    """

    __slots__ = ("_left", "_path")

    def __init__(self, value: Json, path: str = "") -> None:
        if not isinstance(value, dict):
            raise wrong(path or "body", "a JSON object")
        self._path = path
        self._left = dict(value)

    def at(self, name: str) -> str:
        """The path of a field."""
        return f"{self._path}.{name}" if self._path else name

    def peek(self, name: str) -> Json:
        """A field of any type, left where it is."""
        return self._left.get(name)

    def take(self, name: str) -> Json:
        """A field of any type."""
        return self._left.pop(name, None)

    def rest(self) -> JsonObject:
        """The fields that nobody took."""
        return self._left

    def text(self, name: str) -> str | None:
        """A string, or None."""
        value = self.take(name)
        if value is not None and not isinstance(value, str):
            raise wrong(self.at(name), "a string")
        return value

    def need_text(self, name: str) -> str:
        """A string that must be there and not be empty."""
        value = self.text(name)
        if not value:
            raise wrong(self.at(name), "a string that is not empty")
        return value

    def flag(self, name: str) -> bool | None:
        """True, false or None."""
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            raise wrong(self.at(name), "true or false")
        return value

    def whole(self, name: str, *, least: int | None = None) -> int | None:
        """A whole number, or None."""
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
            raise wrong(
                self.at(name), "a whole number" if least is None else f"a whole number from {least} on"
            )
        return value

    def number(self, name: str) -> float | None:
        """A number as it was written, or None."""
        value = self.take(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise wrong(self.at(name), "a number")
        return value

    def items(self, name: str) -> list[Json] | None:
        """An array, or None."""
        value = self.take(name)
        if value is not None and not isinstance(value, list):
            raise wrong(self.at(name), "an array")
        return value

    def part(self, name: str) -> "Fields | None":
        """An object to be read in turn, or None."""
        value = self.take(name)
        return None if value is None else Fields(value, self.at(name))

    def one_of(self, name: str, words: Sequence[str]) -> str:
        """A string that must be one of these."""
        value = self.take(name)
        if not isinstance(value, str) or value not in words:
            raise wrong(self.at(name), f"one of {', '.join(words)}")
        return value
