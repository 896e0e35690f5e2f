"""Paths: a template and its values, and nothing a value holds can change where the path leads.

Values are percent-encoded. Refused are values that some server on the way could read as a step up or as
another path all the same: `.` and `..` between slashes, however often they were percent-encoded, control
characters, and an empty value where something would be changed. A template that does so itself is refused
as well.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, unquote

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json
from interlock_core.toolspec import Effect
from interlock_tools.execution._styles import by_media_type, encoded, path_text, plain_text
from interlock_tools.openapi._ir import Parameter
from interlock_tools.openapi._read import template_name

_EXPRESSION = re.compile(r"\{([^{}]*)\}")
_LITERAL_SAFE = "/:@!$&'()*+,;=%~"
_QUERY_SAFE = _LITERAL_SAFE + "?"
_STEPS = re.compile(r"[/\\]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DECODINGS = 4
_TEMPLATES = 2_048


def filled_path(
    template: str, values: Mapping[str, tuple[Parameter, Json]], *, effect: Effect
) -> tuple[str, str]:
    """The path and the query of a template with its values.

    Args:
        template: Such as `/users/{id}`; what stands behind `#` is never sent.
        values: Parameter and value of each name in the template.
        effect: What the call may do: an empty value is only let through where nothing changes.

    Raises:
        InvalidRequestError: A value is missing, or would change where the path leads.
    """
    path, _, query = template.partition("#")[0].partition("?")
    if _CONTROL.search(path):
        raise _hostile(template)
    segments = [_segment(raw, names, values, effect) for raw, names in _split(path)]
    filled = "/".join(segments)
    if not filled.startswith("/"):
        filled = f"/{filled}"
    pieces = _EXPRESSION.split(query)
    written = (
        _query_value(raw, values) if i % 2 else _quoted(raw, _QUERY_SAFE) for i, raw in enumerate(pieces)
    )
    return filled, "".join(written)


@lru_cache(maxsize=_TEMPLATES)
def _split(path: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Segments of a template, each with the names in it; a slash inside an expression separates nothing."""
    marked = _EXPRESSION.sub(lambda match: match[0].replace("/", "\0"), path)
    segments = (segment.replace("\0", "/") for segment in marked.split("/"))
    return tuple((segment, tuple(_EXPRESSION.findall(segment))) for segment in segments)


@lru_cache(maxsize=_TEMPLATES)
def _literal(raw: str) -> str:
    if _climbs(raw):
        raise _hostile(raw)
    return _quoted(raw, _LITERAL_SAFE)


def _segment(
    raw: str, names: tuple[str, ...], values: Mapping[str, tuple[Parameter, Json]], effect: Effect
) -> str:
    if not names:
        return _literal(raw)
    text = ""
    rest = raw
    for name in names:
        literal, _, rest = rest.partition(f"{{{name}}}")
        text += _quoted(literal, _LITERAL_SAFE) + _value(name, values)
    text += _quoted(rest, _LITERAL_SAFE)
    # Nothing is what a list or an object without members makes, where an empty text is meant too.
    alone = raw == f"{{{names[0]}}}" and values[template_name(names[0], values)][1] in ("", [], {})
    if _climbs(text) or (not text and not (alone and effect is Effect.READ)):
        raise _refused(names[0], "would change where the path leads")
    return text


def _climbs(text: str) -> bool:
    """Whether a segment could be read as a step, here or up, once it is decoded."""
    steps = _STEPS.split(unquote(text))
    return "." in steps or ".." in steps


def _value(raw: str, values: Mapping[str, tuple[Parameter, Json]]) -> str:
    name = template_name(raw, values)
    if name not in values:
        raise _refused(name, "is missing")
    parameter, value = values[name]
    if value is not None or parameter.media_type is None:
        _check(name, value)
    if raw.startswith("+") and isinstance(value, str):
        steps = value.split("/")
        if any(step in {"", ".", ".."} for step in steps):
            raise _refused(name, "has an empty or dotted part between slashes")
        return "/".join(encoded(step) for step in steps)
    if parameter.media_type is not None:
        return encoded(by_media_type(parameter.media_type, value))
    return path_text(parameter, value)


def _query_value(raw: str, values: Mapping[str, tuple[Parameter, Json]]) -> str:
    name = template_name(raw, values)
    return encoded(plain_text(values[name][1])) if name in values else ""


def _check(name: str, value: Json) -> None:
    """Refuse what could be read as a step up, at any depth of the value."""
    if value is None:
        raise _refused(name, "is null")
    if isinstance(value, dict):
        for key, item in value.items():
            _check(name, key)
            if item is not None:
                _check(name, item)
    elif isinstance(value, list):
        for item in value:
            if item is not None:
                _check(name, item)
    elif isinstance(value, str):
        _check_text(name, value)


def _check_text(name: str, text: str) -> None:
    for _ in range(_DECODINGS):
        if _CONTROL.search(text):
            raise _refused(name, "holds a control character")
        if ".." in _STEPS.split(text):
            raise _refused(name, "holds a step up (`..`)")
        decoded = unquote(text)
        if decoded == text:
            return
        text = decoded
    raise _refused(name, "is percent-encoded too often")


def _hostile(template: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"The document's path {template[:80]!r} holds a step up or a control character, so it is not called.",
        field="path",
        remedy="Use another operation.",
    )


def _quoted(text: str, safe: str) -> str:
    return quote(text, safe=safe)


def _refused(name: str, why: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"The path parameter {name} {why}.", field=name, remedy="Send the plain value of one path segment."
    )
