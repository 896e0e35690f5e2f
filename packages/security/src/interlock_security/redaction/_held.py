"""Known secrets where a text would be kept as it is: names, reasons, documents."""

import re
from collections.abc import Iterable

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json
from interlock_core.protocols import Audience, Redactor

_MARKER = re.compile(r"\[redacted:([^\]]*)\]")
_LEAST = 12
"""Fewest characters of a secret that is looked for: shorter ones, such as `ollama`, are words as well."""


def refuse_secrets(value: Json, redactor: Redactor, *, field: str = "") -> None:
    """Refuse a value in which a known secret stands, in any of its encodings.

    Such a value cannot be kept with the secret hidden, because others look it up, or rely on its words.

    Args:
        value: What would be kept.
        redactor: Knows the secrets.
        field: What the value is, where it has no fields of its own.

    Raises:
        InvalidRequestError: One stands in it; the error names the secret and the field, not the text.
    """
    for name, text in _texts(value, field):
        hidden = redactor.text(text, toward=Audience.MODEL)
        if hidden == text:
            continue
        found = _MARKER.search(hidden)
        if found is not None and len(text) - len(_MARKER.sub("", hidden)) >= _LEAST:
            raise InvalidRequestError(
                f"{name or 'It'} holds the secret {found[1]}, which is kept nowhere but in its own place.",
                field=name or None,
                remedy="Leave the secret out.",
            )


def _texts(value: Json, name: str) -> Iterable[tuple[str, str]]:
    match value:
        case str():
            yield name, value
        case dict():
            for key, item in value.items():
                yield name, key
                yield from _texts(item, key)
        case list():
            for item in value:
                yield from _texts(item, name)
        case _:
            return
