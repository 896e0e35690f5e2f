"""Reads the configuration: file, then environment, then flags; one error at a time, each with its place."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from interlock_core.errors import ConfigurationError
from interlock_core.nearest import suggestion
from interlock_runtime._environment import config_of, home_of, known_sections, overlay
from interlock_runtime._fields import build, field_types
from interlock_runtime._trust import is_trusted
from interlock_runtime.settings import (
    LATER_TABLES,
    NAMED_TABLES,
    RAW_TABLES,
    TABLES,
    ProviderSettings,
    Settings,
)

LOCAL_NAME = "interlock.toml"
"""Name of a configuration file in the working folder, used only after `interlock config trust`."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_RESERVED = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the configuration comes from.

    Attributes:
        home: The data folder.
        file: The file that is read; None when there is none.
        why: Why this file.
        untrusted: A file in the working folder that is not read, because nobody trusted it.
    """

    home: Path
    file: Path | None
    why: str
    untrusted: Path | None = None


def locate(
    environment: Mapping[str, str], *, config: str | None = None, folder: Path | None = None
) -> Source:
    """Find the configuration file: the flag, `INTERLOCK_CONFIG`, a trusted `interlock.toml`, the user's own.

    Raises:
        ConfigurationError: The file that was named is not there.
    """
    home = home_of(environment)
    named = config or environment.get("INTERLOCK_CONFIG")
    if named:
        why = "--config" if config else "INTERLOCK_CONFIG"
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigurationError(
                f"There is no configuration file {path}, which {why} names.",
                field=why,
                remedy="Check its path, or leave it away.",
            )
        return Source(home=home, file=path, why=why)
    local = (folder or Path.cwd()) / LOCAL_NAME
    if local.is_file():
        if is_trusted(home, local):
            return Source(home=home, file=local, why="trusted in this folder")
        return _user_file(environment, home, untrusted=local)
    return _user_file(environment, home)


def _user_file(environment: Mapping[str, str], home: Path, untrusted: Path | None = None) -> Source:
    path = config_of(environment)
    found = path if path.is_file() else None
    return Source(home=home, file=found, why="the user's own" if found else "defaults", untrusted=untrusted)


def load(
    environment: Mapping[str, str],
    *,
    config: str | None = None,
    folder: Path | None = None,
    flags: Mapping[str, Mapping[str, object]] | None = None,
) -> Settings:
    """The settings of this process.

    Args:
        environment: The environment.
        config: The file that a flag names.
        folder: The working folder.
        flags: Values that flags set, by table and key.

    Raises:
        ConfigurationError: Anything is wrong; the message names file, line and key.
    """
    source = locate(environment, config=config, folder=folder)
    values: dict[str, object] = {}
    if source.file is not None:
        values = _read(source.file)
        _check_tables(values, source.file)
    for table, entries in overlay(environment).items():
        if table not in known_sections():
            raise ConfigurationError(
                f"The environment sets INTERLOCK_{table.upper()}__…, but there is no table [{table}].",
                field=f"INTERLOCK_{table.upper()}",
                remedy=suggestion(table, known_sections()),
            )
        _check_environment(table, entries)
        values[table] = _merged(values.get(table), entries)
    for table, entries in (flags or {}).items():
        values[table] = _merged(values.get(table), entries)
    return _settings(values, source)


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except tomllib.TOMLDecodeError as exc:
        raise ConfigurationError(
            f"{path} is not TOML: {exc}.", field=str(path), remedy="Mend that line."
        ) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(
            f"{path} cannot be read: {exc}.", field=str(path), remedy="Check the file and its permissions."
        ) from exc


def _check_tables(values: Mapping[str, object], path: Path) -> None:
    known = (*TABLES, *NAMED_TABLES, *RAW_TABLES)
    for name in values:
        place = f"{path}:{line_of(path, name)}"
        if name in LATER_TABLES:
            raise ConfigurationError(
                f"{place}: this version does not act on [{name}].", field=name, remedy="Remove the table."
            )
        if name not in known:
            raise ConfigurationError(
                f"{place}: there is no table [{name}].", field=name, remedy=suggestion(name, known)
            )


def _check_environment(table: str, entries: Mapping[str, object]) -> None:
    """Refuse a variable that names no key, by the variable's own name."""
    if table in RAW_TABLES:
        return
    named = NAMED_TABLES.get(table)
    known = field_types(TABLES[table] if named is None else named)
    groups: Mapping[str, object] = {"": entries} if named is None else entries
    for name, group in groups.items():
        for key in cast("dict[str, object]", group) if isinstance(group, dict) else ():
            if key not in known:
                variable = "__".join(part for part in (f"INTERLOCK_{table}", name, key) if part).upper()
                raise ConfigurationError(
                    f"The environment sets {variable}, but [{table}] has no key {key!r}.",
                    field=variable,
                    remedy=suggestion(key, known),
                )


def line_of(path: Path, table: str, key: str = "") -> int:
    """The line of a table, or of a key in it; 1 when it is not found."""
    section, found = "", 0
    for number, line in enumerate(path.read_text("utf-8-sig", "replace").splitlines(), start=1):
        text = line.strip()
        if text.startswith("["):
            section = text.strip("[] ").replace('"', "").replace("'", "")
            if not found and f"{section}.".startswith(f"{table}."):
                found = number
            continue
        name = text.partition("=")[0].strip().strip("\"'")
        if key and name == key and f"{section}.".startswith(f"{table}."):
            return number
        if not section and not found and name.partition(".")[0] == table:
            found = number
    return found or 1


def _merged(base: object, entries: Mapping[str, object]) -> dict[str, object]:
    merged = dict(cast("dict[str, object]", base)) if isinstance(base, dict) else {}
    for key, value in entries.items():
        merged[key] = (
            _merged(merged.get(key), cast("dict[str, object]", value)) if isinstance(value, dict) else value
        )
    return merged


def _settings(values: Mapping[str, object], source: Source) -> Settings:
    made: dict[str, object] = {}
    for name, table in TABLES.items():
        if name in values:
            made[name] = build(table, _table(values[name], name, source), where=partial(_where, source, name))
    for name, table in NAMED_TABLES.items():
        if name in values:
            entries = _table(values[name], name, source)
            made[name] = {
                key: build(
                    table,
                    _table(entry, f"{name}.{key}", source),
                    where=partial(_where, source, f"{name}.{key}"),
                )
                for key, entry in entries.items()
            }
    for key, provider in cast("dict[str, ProviderSettings]", made.get("providers", {})).items():
        _check_provider(key, provider, _where(source, f"providers.{key}"))
    if "aliases" in values:
        made["aliases"] = _aliases(_table(values["aliases"], "aliases", source), source)
    if "roles" in values:
        made["roles"] = {
            name: _table(entry, f"roles.{name}", source)
            for name, entry in _table(values["roles"], "roles", source).items()
        }
    return replace(Settings(home=source.home, file=source.file), **made)


def _check_provider(name: str, provider: ProviderSettings, where: str) -> None:
    if not _NAME.fullmatch(name) or name == _RESERVED:
        raise ConfigurationError(
            f"{where}: {name!r} cannot be the name of a provider.",
            field=f"providers.{name}",
            remedy="Use lower-case letters, digits, dots, hyphens and underscores; `auto` is reserved.",
        )
    if provider.kind == "openai-compatible" and not provider.base_url:
        raise ConfigurationError(
            f"{where} lacks 'base_url'.",
            field=f"providers.{name}.base_url",
            remedy="Say where the server is, such as http://127.0.0.1:8000/v1.",
        )
    if provider.kind == "local" and (provider.base_url or provider.api_key):
        key = "base_url" if provider.base_url else "api_key"
        raise ConfigurationError(
            f"{where} has a {key}, but a local model runs in this process.",
            field=f"providers.{name}.{key}",
            remedy=f"Remove {key}, or choose another kind.",
        )


def _where(source: Source, table: str, key: str = "") -> str:
    if source.file is None:
        return f"[{table}]"
    return f"{source.file}:{line_of(source.file, table, key)}: [{table}]"


def _table(value: object, name: str, source: Source) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ConfigurationError(
            f"{_where(source, name)} is no table.", field=name, remedy=f"Write [{name}] and keys below it."
        )
    return cast("dict[str, object]", value)


def _aliases(entries: Mapping[str, object], source: Source) -> dict[str, str]:
    for name, target in entries.items():
        if not isinstance(target, str):
            raise ConfigurationError(
                f"{_where(source, 'aliases', name)} {name} is no text.",
                field=name,
                remedy='Write name = "provider/model".',
            )
        if name == _RESERVED or name.startswith(f"{_RESERVED}/"):
            raise ConfigurationError(
                f"{_where(source, 'aliases', name)} {name} is reserved for the router.",
                field=name,
                remedy="Choose another.",
            )
    return cast("dict[str, str]", dict(entries))
