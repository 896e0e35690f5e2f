"""The options that stand before or after any command."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import click

from interlock_cli._document import Document

_FLAGS = {
    "--json": "json",
    "--quiet": "quiet",
    "-q": "quiet",
    "--verbose": "verbose",
    "-v": "verbose",
    "--no-input": "no_input",
}
_VALUES = {"--config": "config", "--server": "server"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Globals:
    """What the global options say.

    Attributes:
        json: Print JSON on standard output.
        quiet: Print results and errors only.
        verbose: Print more, and the trace of a failure.
        no_input: Ask nothing.
        config: Path of the configuration file.
        server: Address of a running server to use.
        document: The one JSON document that this run prints.
    """

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    no_input: bool = False
    config: str | None = None
    server: str | None = None
    document: Document = field(default_factory=Document)


def extract(arguments: Sequence[str]) -> tuple[Globals, list[str]]:
    """Take the global options out of the arguments, wherever they stand before a `--`.

    Raises:
        click.UsageError: An option lacks its value.
    """
    found, rest = Globals(), list[str]()
    pending = list(arguments)
    while pending:
        argument = pending.pop(0)
        name, equals, value = argument.partition("=")
        if argument == "--":
            rest += [argument, *pending]
            break
        if argument in _FLAGS:
            found = replace(found, **{_FLAGS[argument]: True})
        elif name in _VALUES and (equals or argument == name):
            if not equals and pending and not pending[0].startswith("--"):
                value = pending.pop(0)
            if not value:
                raise click.UsageError(f"Option {name!r} needs a value.")
            found = replace(found, **{_VALUES[name]: value})
        else:
            rest.append(argument)
    return found, rest
