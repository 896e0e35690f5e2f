"""`interlock tools call`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import with_runtime
from interlock_core.errors import CallerError, InterlockError
from interlock_core.jsontypes import Json, JsonObject, dump_json, parse_json

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime

_LONGEST_REASON = 2000
"""Characters of a failed call's answer that the error repeats."""


@click.command(
    "call",
    epilog=examples(
        'interlock tools call github.repos_get --args \'{"owner": "acme", "repo": "notes"}\'',
        'interlock tools call github.issues_list --args \'{"owner": "acme", "repo": "notes"}\' --pages 5',
        "interlock tools call github.issues_create --args @issue.json --dry-run",
    ),
)
@click.argument("name")
@click.option(
    "--args", "arguments", default="{}", metavar="JSON|@FILE", help="Arguments: JSON, or a file of it."
)
@click.option(
    "--pages", type=click.IntRange(1, 1000), metavar="N", help="Gather up to so many pages of a list."
)
@click.option("--dry-run", is_flag=True, help="Send nothing; print the exact request.")
@click.pass_obj
def call(options: Globals, name: str, arguments: str, pages: int | None, dry_run: bool) -> None:
    """Call one tool."""
    text = _arguments(arguments)

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        if dry_run:
            prepared = await runtime.tools.prepare(name, text)
            screen.json(prepared) if screen.as_json else screen.result(dump_json(prepared, indent=2))
            return
        result = await runtime.tools.call(name, text, max_pages=pages)
        shown: Json = result.structured if result.structured is not None else result.text
        if screen.as_json:
            facts: JsonObject = {"ok": not result.is_error, "status": result.status, "result": shown}
            screen.json(facts)
        if result.is_error:
            status = f" with HTTP {result.status}" if result.status else ""
            raise _kind_of(result.error_code)(f"{name} failed{status}: {result.text[:_LONGEST_REASON]}")
        screen.result(result.text if isinstance(shown, str) else dump_json(shown, indent=2))

    with_runtime(options, action)


def _kind_of(code: str | None) -> type[InterlockError]:
    """The class of errors that a failed call's code stands for, which says how the command ends."""
    waiting: list[type[InterlockError]] = [InterlockError]
    while waiting:
        kind = waiting.pop()
        if kind.code == code:
            # What a server did not find is no wrong use of the command.
            return InterlockError if issubclass(kind, CallerError) else kind
        waiting += kind.__subclasses__()
    return InterlockError


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as exc:
        raise click.BadParameter(f"there is no file {path}.", param_hint="--args") from exc
    except (OSError, UnicodeError) as exc:
        raise click.BadParameter(f"{path} cannot be read as text in UTF-8.", param_hint="--args") from exc


def _arguments(given: str) -> str:
    text = given
    if given.startswith("@"):
        text = _read(Path(given[1:]))
    try:
        value = parse_json(text)
    except ValueError as exc:
        example = '{"owner": "acme"}'
        raise click.BadParameter(
            f"it is not JSON ({exc}). Write it like {example}.", param_hint="--args"
        ) from exc
    if not isinstance(value, dict):
        raise click.BadParameter("it is no JSON object. Write {…}.", param_hint="--args")
    return dump_json(value)
