"""`interlock stats`."""

from typing import TYPE_CHECKING

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import with_runtime
from interlock_cli._span import SPAN

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Dimension, Runtime


@click.command(
    epilog=examples("interlock stats --by provider --since 7d", "interlock stats --format prometheus")
)
@click.option(
    "--by",
    type=click.Choice(["provider", "model", "task"]),
    default="model",
    show_default=True,
    help="What a row stands for.",
)
@click.option(
    "--since", type=SPAN, default="24h", show_default=True, metavar="SPAN", help="How far back: 24h, 7d."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "prometheus"]),
    help="How to print; table unless --json.",
)
@click.pass_obj
def stats(options: Globals, by: "Dimension", since: float, form: str | None) -> None:
    """Show what models did: requests, success, seconds, tokens, cost."""
    if options.json and form not in {None, "json"}:
        raise click.UsageError(f"--json and --format {form} exclude each other.", click.get_current_context())

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        if form == "prometheus":
            screen.result(await runtime.records.prometheus(), end="")
            return
        found = await runtime.records.stats(by=by, since_s=since)
        if screen.as_json or form == "json":
            options.document.write(found.as_json())
            return
        header, rows = found.table()
        screen.table([title.upper() for title in header], rows)
        if not rows:
            screen.say("Nothing was recorded in that time.")
        if not found.complete:
            screen.warn("the store is away: only this process's own calls are shown")

    with_runtime(options, action)
