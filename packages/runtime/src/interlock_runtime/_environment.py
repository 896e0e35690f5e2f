"""What the environment says, read in one place.

`INTERLOCK_<SECTION>__<KEY>` sets one key of a table; with three parts the middle one is a name:
`INTERLOCK_PROVIDERS__ACME__BASE_URL`. A key that takes a text gets the value as it is; any other is read as
TOML, so that `["a", "b"]` is a list. Over them stand the flags of a command, below them the file.
"""

import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_origin

from interlock_core.errors import ConfigurationError
from interlock_runtime._fields import field_types
from interlock_runtime.settings import NAMED_TABLES, RAW_TABLES, TABLES

_PREFIX = "INTERLOCK_"


def overlay(environment: Mapping[str, str]) -> dict[str, dict[str, object]]:
    """The tables that the environment sets: their values by table and key."""
    found: dict[str, dict[str, object]] = {}
    for name, text in sorted(environment.items()):
        if not name.startswith(_PREFIX) or "__" not in name:
            continue
        section, *middle, key = name.removeprefix(_PREFIX).lower().split("__")
        table = found.setdefault(section, {})
        value = _value(text, _type_of(section, key))
        if not middle:
            table[key] = value
            continue
        named = table.setdefault("__".join(middle), {})
        if not isinstance(named, dict):
            raise ConfigurationError(
                f"The environment sets {name}, and what it belongs to as well.",
                field=name,
                remedy="Set one of them.",
            )
        named[key] = value
    return found


def _type_of(section: str, key: str) -> object:
    """The type that a variable's key has; None when there is no such key."""
    if section == "aliases":
        return str
    table = TABLES.get(section) or NAMED_TABLES.get(section)
    return None if table is None else field_types(table).get(key)


def known_sections() -> tuple[str, ...]:
    """The sections that the environment can set."""
    return (*TABLES, *NAMED_TABLES, *RAW_TABLES)


def _value(text: str, wanted: object) -> object:
    if wanted is str or get_origin(wanted) is Literal:
        return _unquoted(text)
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _unquoted(text: str) -> str:
    """A text, written with or without TOML's quotes."""
    if len(text) < 2 or text[0] not in "\"'" or text[-1] != text[0]:
        return text
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return value if isinstance(value, str) else text


def home_of(environment: Mapping[str, str]) -> Path:
    """The data folder: `INTERLOCK_HOME`, else the platform's own."""
    given = environment.get("INTERLOCK_HOME")
    return Path(given).expanduser() if given else _platform_folder(environment, data=True)


def config_of(environment: Mapping[str, str]) -> Path:
    """The user's configuration file: `INTERLOCK_CONFIG`, else `config.toml` in the platform's own folder."""
    given = environment.get("INTERLOCK_CONFIG")
    return Path(given).expanduser() if given else _platform_folder(environment, data=False) / "config.toml"


def _platform_folder(environment: Mapping[str, str], *, data: bool) -> Path:
    """As platformdirs says, which is asked only where the answer is not the plain one (it costs start-up)."""
    if sys.platform == "linux":
        base = environment.get("XDG_DATA_HOME" if data else "XDG_CONFIG_HOME")
        plain = Path.home() / (".local/share" if data else ".config")
        return (Path(base) if base else plain) / "interlock"
    import platformdirs

    return Path(
        (platformdirs.user_data_dir if data else platformdirs.user_config_dir)("interlock", appauthor=False)
    )
