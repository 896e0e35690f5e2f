"""Forms: the `name=value` pieces of a body or a whole query, each property as the document says."""

from collections.abc import Callable, Mapping
from urllib.parse import unquote

from interlock_core.jsontypes import Json, dump_json
from interlock_tools.execution._styles import encoded, form_encoded, plain_text, query_pairs
from interlock_tools.openapi._ir import Encoding
from interlock_tools.openapi._shape import is_json


def form_pairs(
    name: str, value: Json, encoding: Encoding | None, *, write: Callable[[str], str]
) -> list[str]:
    """One property: by its style where the document gives one, else objects as JSON and lists repeated.

    Args:
        name: Of the property.
        value: Its value.
        encoding: What the document says of it.
        write: Makes a text fit the form.
    """
    key = write(name)
    if encoding is not None and encoding.style is not None:
        if value is None:
            return [f"{key}="]
        return query_pairs(
            name,
            value,
            style=encoding.style,
            explode=encoding.explode,
            allow_reserved=encoding.allow_reserved,
        )
    if encoding is not None and is_json(encoding.content_type or ""):
        return [f"{key}={write(dump_json(value))}"]
    items = value if isinstance(value, list) else [value]
    return [f"{key}={write(plain_text(item))}" for item in items]


def text_pairs(name: str, value: Json, encoding: Encoding) -> list[tuple[str, str]]:
    """Names and texts of a property that is written by style, nothing percent-encoded."""
    pieces = form_pairs(name, value, encoding, write=encoded)
    return [(unquote(key), unquote(text)) for key, _, text in (piece.partition("=") for piece in pieces)]


def query_of_form(value: Mapping[str, Json], encodings: Mapping[str, Encoding]) -> list[str]:
    """A whole query that is a form (3.2), as WHATWG's URL standard writes one; styles write as in queries."""
    pieces: list[str] = []
    for name, item in value.items():
        pieces.extend(form_pairs(name, item, encodings.get(name), write=form_encoded))
    return pieces


def body_of_form(value: Mapping[str, Json], encodings: Mapping[str, Encoding]) -> str:
    """A body that is a form; a space is `%20`, which everything that reads forms understands."""
    pieces: list[str] = []
    for name, item in value.items():
        pieces.extend(form_pairs(name, item, encodings.get(name), write=encoded))
    return "&".join(pieces)
