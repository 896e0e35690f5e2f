"""The settings as `config show` prints them: everything but the secrets."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import cast

from interlock_core import Json, JsonObject
from interlock_runtime.settings import Settings

_REFERENCES = ("env:", "file:", "vault:")


def settings_json(settings: Settings) -> JsonObject:
    """Every setting; a secret is shown as the place it comes from, or as hidden."""
    shown = _shown(settings, secret=False)
    return shown if isinstance(shown, dict) else {}


def _shown(value: object, *, secret: bool) -> Json:
    if secret and isinstance(value, str):
        return value if not value or value.startswith(_REFERENCES) else "(hidden)"
    if is_dataclass(value) and not isinstance(value, type):
        return {
            entry.name: _shown(getattr(value, entry.name), secret="secret" in entry.metadata)
            for entry in fields(value)
        }
    if isinstance(value, dict):
        return {
            str(key): _shown(item, secret=secret) for key, item in cast("dict[object, object]", value).items()
        }
    if isinstance(value, tuple | list):
        return [_shown(item, secret=False) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, Path):
        return str(value)
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
