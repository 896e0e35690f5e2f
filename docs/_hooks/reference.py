"""Makes the reference from the code while the site is built: settings, errors, packages, the import graph.

Nothing of it is committed, so nothing of it can be out of date.
"""

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Literal, get_args, get_origin, get_type_hints

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import import_graph
from interlock_core import errors
from interlock_runtime import settings

PACKAGES = [package for floor in import_graph.FLOORS for package in floor]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages; mkdocs calls it once a build."""
    pages = {
        "reference/configuration.md": "\n".join(configuration()),
        "reference/errors.md": "\n".join(error_table()),
        "assets/imports.svg": import_graph.draw(),
    }
    pages |= {f"reference/python/{package}.md": f"# {package}\n\n::: {package}\n" for package in PACKAGES}
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _type(hint: object) -> str:
    """A type as a reader of TOML would say it."""
    if get_origin(hint) is Literal:
        return " or ".join(f'`"{value}"`' for value in get_args(hint))
    if get_origin(hint) is tuple:
        return "list of whole numbers" if get_args(hint)[0] is int else "list of texts"
    if get_origin(hint) is dict:
        return "texts by name"
    names: dict[object, str] = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    options: tuple[object, ...] = get_args(hint) or (hint,)
    return ", ".join(names.get(option, str(option)) for option in options if option is not type(None))


def _default(entry: "dataclasses.Field[object]") -> str:
    if entry.default is dataclasses.MISSING:
        return "required" if entry.default_factory is dataclasses.MISSING else "none"
    if entry.default in (None, "", ()):
        return "none"
    return f"`{str(entry.default).lower() if isinstance(entry.default, bool) else entry.default}`"


def configuration() -> Iterator[str]:
    """The page of every configuration table, from the dataclasses that hold them."""
    yield "# Configuration"
    yield ""
    yield (
        "One TOML file: `--config F`, else `$INTERLOCK_CONFIG`, else `config.toml` in your platform's folder "
        "for configuration. Over it come variables `INTERLOCK_<SECTION>__<KEY>`, then options of the command "
        "line. An unknown key is an error that names the nearest known one."
    )
    named = {f"{name}.NAME": table for name, table in settings.NAMED_TABLES.items()}
    named |= {f"[{name}]": table for name, table in settings.LISTED_TABLES.items()}
    for name, table in (settings.TABLES | named).items():
        yield f"\n## {name}\n"
        yield inspect.cleandoc(table.__doc__ or "")
        yield "\n| key | type | default | what it does |\n| --- | --- | --- | --- |"
        hints = get_type_hints(table)
        for entry in dataclasses.fields(table):
            says = _cell(str(entry.metadata.get(settings.HELP, "")))
            yield f"| `{entry.name}` | {_cell(_type(hints[entry.name]))} | {_default(entry)} | {says} |"


def _errors(parent: type[errors.InterlockError]) -> Iterator[type[errors.InterlockError]]:
    for child in parent.__subclasses__():
        yield child
        yield from _errors(child)


def error_table() -> Iterator[str]:
    """The page of every error: who must act, and what the command line and the gateway answer."""
    yield "# Errors and exit codes"
    yield ""
    yield (
        "Errors are branched by who must act. The class decides the HTTP status and the exit code; its "
        "`code` is stable and meant for programs. Exit codes: 0 done, 1 failed, 2 usage, 3 refused, "
        "4 configuration, 5 verification failed."
    )
    yield "\n| error | code | HTTP | exit | retry | meaning |\n| --- | --- | --- | --- | --- | --- |"
    for error in _errors(errors.InterlockError):
        if not error.__module__.startswith("interlock_core"):
            continue
        says = _cell(inspect.cleandoc(error.__doc__ or "").partition("\n\n")[0])
        retry = "yes" if error.retryable else "no"
        cells = (
            f"`{error.__name__}`",
            f"`{error.code}`",
            str(error.status),
            str(error.exit_code),
            retry,
            says,
        )
        yield f"| {' | '.join(cells)} |"
