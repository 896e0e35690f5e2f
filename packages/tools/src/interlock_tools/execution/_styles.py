"""How values of parameters are written: every style of OpenAPI, with and without explode.

Nothing that a value holds can leave its place: in paths, queries, cookies and forms every character
outside the unreserved ones is percent-encoded unless the document says otherwise.
"""

import re
from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import quote, quote_plus

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, dump_json
from interlock_tools.openapi._ir import Parameter, Style
from interlock_tools.openapi._shape import is_json

_RESERVED = ":/?@!$'()*,;="
_RESERVED_IN_PATH = ":@!$&'()*+,;="
_TRIPLE = re.compile(r"(%[0-9A-Fa-f]{2})")
_SEPARATORS: dict[Style, str] = {
    "spaceDelimited": "%20",
    "pipeDelimited": "%7C",
    "tabDelimited": "%09",
}
_PLAIN_SEPARATORS: dict[Style, str] = {"spaceDelimited": " ", "pipeDelimited": "|", "tabDelimited": "\t"}
_LARGEST_WHOLE = 1e16

_Write: TypeAlias = Callable[[str], str]
"""Makes a text fit its place."""


def plain_text(value: Json) -> str:
    """A value as text: numbers, booleans, objects and lists as JSON writes them, null as nothing."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_WHOLE:
        return str(int(value))
    return dump_json(value)


def by_media_type(media_type: str, value: Json) -> str:
    """A value in a media type: JSON where that is what it is, else as plain text."""
    return dump_json(value) if is_json(media_type) else plain_text(value)


def encoded(text: str) -> str:
    """A text with everything but unreserved characters percent-encoded.

    Raises:
        InvalidRequestError: It holds half of a surrogate pair, which no encoding has.
    """
    try:
        return quote(text, safe="")
    except UnicodeEncodeError as exc:
        raise InvalidRequestError(
            "A value is no valid Unicode text.", field="arguments", remedy="Send complete characters."
        ) from exc


def form_encoded(text: str) -> str:
    """A text as a form has it (WHATWG, `application/x-www-form-urlencoded`): `+` for a space.

    Raises:
        InvalidRequestError: It holds half of a surrogate pair.
    """
    try:
        return quote_plus(text, safe="*").replace("~", "%7E")
    except UnicodeEncodeError:
        return encoded(text)


def _encoded_reserved(text: str) -> str:
    return _but_for(text, _RESERVED)


def _path_reserved(text: str) -> str:
    return _but_for(text, _RESERVED_IN_PATH)


def _but_for(text: str, safe: str) -> str:
    """Percent-encoded, but for some characters and for what is percent-encoded already (RFC 6570, 3.2.1)."""
    try:
        return "".join(
            piece if number % 2 else quote(piece, safe=safe)
            for number, piece in enumerate(_TRIPLE.split(text))
        )
    except UnicodeEncodeError:
        return encoded(text)


def path_text(parameter: Parameter, value: Json) -> str:
    """The text that stands for a path parameter."""
    write = _path_reserved if parameter.allow_reserved else encoded
    match parameter.style:
        case "label":
            return _label(value, write, explode=parameter.explode)
        case "matrix":
            return _matrix(encoded(parameter.name), value, write, explode=parameter.explode)
        case style:
            flat = _flattened(value, parameter.nested, write, _SEPARATORS)
            separator = _SEPARATORS.get(style, ",")
            return _joined(flat, _once(write, value, flat), separator=separator, explode=parameter.explode)


def header_text(parameter: Parameter, value: Json) -> str:
    """The value of a header; headers know no percent-encoding."""
    separator = _PLAIN_SEPARATORS.get(parameter.style, ",")
    flat = _flattened(value, parameter.nested, str, _PLAIN_SEPARATORS)
    return _joined(flat, str, separator=separator, explode=parameter.explode)


def _flattened(value: Json, nested: tuple[Style, ...], write: _Write, separators: dict[Style, str]) -> Json:
    """A list whose inner lists are written as texts already; anything else as it is."""
    if not nested or not isinstance(value, list):
        return value
    return [_inner(item, nested, write, separators) for item in value]


def _inner(item: Json, nested: tuple[Style, ...], write: _Write, separators: dict[Style, str]) -> Json:
    if item is None:
        return None
    if not isinstance(item, list) or not nested:
        return write(plain_text(item))
    parts = (_inner(one, nested[1:], write, separators) for one in item)
    return separators.get(nested[0], ",").join(str(part) for part in parts if part is not None)


def _once(write: _Write, value: Json, flat: Json) -> _Write:
    """What still has to be done to texts that `_flattened` may have written."""
    return write if flat is value else str


def query_pairs(
    name: str,
    value: Json,
    *,
    style: Style,
    explode: bool,
    allow_reserved: bool = False,
    nested: tuple[Style, ...] = (),
) -> list[str]:
    """The `name=value` pieces of a query or form; none for null, an empty list and an empty object."""
    write: _Write = _encoded_reserved if allow_reserved else encoded
    key = encoded(name)
    flat = _flattened(value, nested, write, _SEPARATORS)
    value, write = flat, _once(write, value, flat)
    if value is None or (isinstance(value, list | dict) and not value):
        return []
    if style == "deepObject":
        return _deep(key, value, write)
    if isinstance(value, dict):
        members = _members(value)
        if explode and style == "form":
            return [f"{encoded(inner)}={write(plain_text(item))}" for inner, item in members]
        flat = [part for inner, item in members for part in (encoded(inner), write(plain_text(item)))]
        return [f"{key}={_SEPARATORS.get(style, ',').join(flat)}"]
    if isinstance(value, list):
        items = [write(plain_text(item)) for item in value if item is not None]
        if explode:
            return [f"{key}={item}" for item in items]
        return [f"{key}={_SEPARATORS.get(style, ',').join(items)}"]
    return [f"{key}={write(plain_text(value))}"]


def cookie_pairs(parameter: Parameter, value: Json) -> list[str]:
    """The `name=value` pieces of a Cookie header."""
    if parameter.style != "cookie":
        return query_pairs(
            parameter.name,
            value,
            style="form",
            explode=parameter.explode,
            allow_reserved=parameter.allow_reserved,
        )
    if value is None:
        return []
    if isinstance(value, dict) and parameter.explode:
        return [f"{name}={plain_text(item)}" for name, item in _members(value)]
    if isinstance(value, list) and parameter.explode:
        return [f"{parameter.name}={plain_text(item)}" for item in value if item is not None]
    return [f"{parameter.name}={_joined(value, str, separator=',', explode=False)}"]


def _members(value: JsonObject) -> list[tuple[str, Json]]:
    return [(name, item) for name, item in value.items() if item is not None]


def _joined(value: Json, write: _Write, *, separator: str, explode: bool) -> str:
    """Style `simple`: items in a row, an object's members in a row or as `name=value`."""
    if isinstance(value, dict):
        pairs = [(write(name), write(plain_text(item))) for name, item in _members(value)]
        if explode:
            return separator.join(f"{name}={item}" for name, item in pairs)
        return separator.join(part for pair in pairs for part in pair)
    if isinstance(value, list):
        return separator.join(write(plain_text(item)) for item in value if item is not None)
    return write(plain_text(value))


def _label(value: Json, write: _Write, *, explode: bool) -> str:
    if isinstance(value, list | dict) and not value:
        return ""
    return f".{_joined(value, write, separator='.' if explode else ',', explode=explode)}"


def _matrix(name: str, value: Json, write: _Write, *, explode: bool) -> str:
    if isinstance(value, list | dict) and not value:
        return ""
    if explode and isinstance(value, dict):
        return "".join(_matrix_pair(encoded(key), write(plain_text(item))) for key, item in _members(value))
    if explode and isinstance(value, list):
        return "".join(_matrix_pair(name, write(plain_text(item))) for item in value if item is not None)
    return _matrix_pair(name, _joined(value, write, separator=",", explode=False))


def _matrix_pair(name: str, written: str) -> str:
    return f";{name}={written}" if written else f";{name}"


def _deep(key: str, value: Json, write: _Write) -> list[str]:
    """`key[member]=…`, further levels likewise, items of lists by their number."""
    if isinstance(value, dict):
        return [
            piece
            for name, item in _members(value)
            for piece in _deep(f"{key}%5B{encoded(name)}%5D", item, write)
        ]
    if isinstance(value, list):
        return [piece for i, item in enumerate(value) for piece in _deep(f"{key}%5B{i}%5D", item, write)]
    return [] if value is None else [f"{key}={write(plain_text(value))}"]
