"""How values of parameters are written: every style of OpenAPI, with and without explode.

Nothing that a value holds can leave its place: in paths, queries, cookies and forms every character
outside the unreserved ones is percent-encoded unless the document says otherwise.
"""

from collections.abc import Callable
from urllib.parse import quote

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, dump_json
from interlock_tools.openapi._ir import Parameter, Style

_RESERVED = ":/?@!$'()*,;="
_SEPARATORS: dict[Style, str] = {
    "spaceDelimited": "%20",
    "pipeDelimited": "%7C",
    "tabDelimited": "%09",
}
_PLAIN_SEPARATORS: dict[Style, str] = {"spaceDelimited": " ", "pipeDelimited": "|", "tabDelimited": "\t"}
_LARGEST_WHOLE = 1e16


def plain_text(value: Json) -> str:
    """A value as text: numbers, booleans, objects and lists as JSON writes them, null as nothing."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_WHOLE:
        return str(int(value))
    return dump_json(value)


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


def _encoded_reserved(text: str) -> str:
    try:
        return quote(text, safe=_RESERVED)
    except UnicodeEncodeError:
        return encoded(text)


def path_text(parameter: Parameter, value: Json) -> str:
    """The text that stands for a path parameter."""
    match parameter.style:
        case "label":
            return _label(value, explode=parameter.explode)
        case "matrix":
            return _matrix(encoded(parameter.name), value, explode=parameter.explode)
        case style:
            separator = _SEPARATORS.get(style, ",")
            return _joined(value, encoded, separator=separator, explode=parameter.explode)


def header_text(parameter: Parameter, value: Json) -> str:
    """The value of a header; headers know no percent-encoding."""
    separator = _PLAIN_SEPARATORS.get(parameter.style, ",")
    return _joined(value, str, separator=separator, explode=parameter.explode)


def query_pairs(
    name: str, value: Json, *, style: Style, explode: bool, allow_reserved: bool = False
) -> list[str]:
    """The `name=value` pieces of a query or form; none for null, an empty list and an empty object."""
    write = _encoded_reserved if allow_reserved else encoded
    key = encoded(name)
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
        return query_pairs(parameter.name, value, style="form", explode=parameter.explode)
    if value is None:
        return []
    if isinstance(value, dict) and parameter.explode:
        return [f"{name}={plain_text(item)}" for name, item in _members(value)]
    if isinstance(value, list) and parameter.explode:
        return [f"{parameter.name}={plain_text(item)}" for item in value if item is not None]
    return [f"{parameter.name}={_joined(value, str, separator=',', explode=False)}"]


def _members(value: JsonObject) -> list[tuple[str, Json]]:
    return [(name, item) for name, item in value.items() if item is not None]


def _joined(value: Json, write: Callable[[str], str], *, separator: str, explode: bool) -> str:
    """Style `simple`: items in a row, an object's members in a row or as `name=value`."""
    if isinstance(value, dict):
        pairs = [(write(name), write(plain_text(item))) for name, item in _members(value)]
        if explode:
            return separator.join(f"{name}={item}" for name, item in pairs)
        return separator.join(part for pair in pairs for part in pair)
    if isinstance(value, list):
        return separator.join(write(plain_text(item)) for item in value if item is not None)
    return write(plain_text(value))


def _label(value: Json, *, explode: bool) -> str:
    if isinstance(value, list | dict) and not value:
        return ""
    return f".{_joined(value, encoded, separator='.' if explode else ',', explode=explode)}"


def _matrix(name: str, value: Json, *, explode: bool) -> str:
    if isinstance(value, list | dict) and not value:
        return ""
    if explode and isinstance(value, dict):
        return "".join(_matrix_pair(encoded(key), plain_text(item)) for key, item in _members(value))
    if explode and isinstance(value, list):
        return "".join(_matrix_pair(name, plain_text(item)) for item in value if item is not None)
    joined = _joined(value, encoded, separator=",", explode=False)
    return f";{name}={joined}" if joined else f";{name}"


def _matrix_pair(name: str, text: str) -> str:
    return f";{name}={encoded(text)}" if text else f";{name}"


def _deep(key: str, value: Json, write: Callable[[str], str]) -> list[str]:
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
