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
from interlock_runtime._lines import line_of
from interlock_runtime._oauth import check_oauth
from interlock_runtime._trust import is_trusted
from interlock_runtime.settings import (
    DEV_TOOLS,
    LATER_TABLES,
    LISTED_TABLES,
    NAMED_TABLES,
    RAW_TABLES,
    TABLES,
    McpSettings,
    ProviderSettings,
    Settings,
    ToolSettings,
)

LOCAL_NAME = "interlock.toml"
"""Name of a configuration file in the working folder, used only after `interlock config trust`."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_SERVER_NAME = re.compile(r"[a-z][a-z0-9_-]{0,23}")
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
    known = (*TABLES, *NAMED_TABLES, *LISTED_TABLES, *RAW_TABLES)
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
    made |= {
        name: tuple(
            build(table, entry, where=partial(_where, source, name))
            for entry in _entries(values[name], name, source)
        )
        for name, table in LISTED_TABLES.items()
        if name in values
    }
    _check_made(made, source)
    if "aliases" in values:
        made["aliases"] = _aliases(_table(values["aliases"], "aliases", source), source)
    if "roles" in values:
        made["roles"] = {
            name: _table(entry, f"roles.{name}", source)
            for name, entry in _table(values["roles"], "roles", source).items()
        }
    settings = replace(Settings(home=source.home, file=source.file), **made)
    if settings.limits:
        from interlock_runtime._limiting import configured_limits

        configured_limits(settings)
    if settings.quotas:
        from interlock_runtime._quotas import configured_quotas

        configured_quotas(settings)
    return settings


def _check_made(made: Mapping[str, object], source: Source) -> None:
    """Refuse what is wrong between the keys of one table, or between two tables."""
    for key, provider in cast("dict[str, ProviderSettings]", made.get("providers", {})).items():
        _check_provider(key, provider, _where(source, f"providers.{key}"))
    tools = cast("dict[str, ToolSettings]", made.get("tools", {}))
    for key, entry in tools.items():
        _check_folder(key, entry, _where(source, f"tools.{key}"))
        if entry.oauth:
            check_oauth(key, entry, _where(source, f"tools.{key}", "oauth"))
    for key, server in cast("dict[str, McpSettings]", made.get("mcp", {})).items():
        _check_server(key, server, _where(source, f"mcp.{key}"), taken=key in tools)


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


def _check_folder(name: str, entry: ToolSettings, where: str) -> None:
    if bool(entry.folder) is (entry.source == DEV_TOOLS):
        return
    raise ConfigurationError(
        f"{where} has a folder, which only {DEV_TOOLS} takes."
        if entry.folder
        else f"{where} lacks 'folder': the tools for developers work on one folder alone.",
        field=f"tools.{name}.folder",
        remedy="Remove it." if entry.folder else "Name the working folder.",
    )


def _check_server(name: str, server: McpSettings, where: str, *, taken: bool) -> None:
    if not _SERVER_NAME.fullmatch(name) or taken:
        raise ConfigurationError(
            f"{where}: {name!r} is the name of a document too."
            if taken
            else f"{where}: {name!r} cannot be the name of a server.",
            field=f"mcp.{name}",
            remedy="Use at most 24 lower-case letters, digits, `-` and `_`, and no name of [tools].",
        )
    if bool(server.command) is bool(server.url):
        raise ConfigurationError(
            f"{where} needs either 'command' or 'url'.",
            field=f"mcp.{name}.command",
            remedy="Name the program that is the server, or the address where it is.",
        )
    wrong = [key for key in ("args", "cwd", "env") if server.url and getattr(server, key)]
    wrong += [key for key in ("credential", "header") if server.command and getattr(server, key)]
    if wrong:
        other = "an address" if server.url else "a program"
        raise ConfigurationError(
            f"{where} has {wrong[0]!r}, which {other} does not take.",
            field=f"mcp.{name}.{wrong[0]}",
            remedy="Hand a program its secrets in 'env', and an address its own in 'credential'.",
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


def _entries(value: object, name: str, source: Source) -> list[dict[str, object]]:
    if not isinstance(value, list):
        raise ConfigurationError(
            f"{_where(source, name)} is no list of tables.",
            field=name,
            remedy=f"Write [[{name}]] and keys below it, once for each.",
        )
    return [_table(entry, name, source) for entry in cast("list[object]", value)]


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
