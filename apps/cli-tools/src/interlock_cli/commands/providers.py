"""`interlock providers`."""

from typing import TYPE_CHECKING

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import with_runtime
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import Json

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime


@click.group()
def providers() -> None:
    """List and check providers."""


@providers.command("list", epilog=examples("interlock providers list"))
@click.pass_obj
def list_(options: Globals) -> None:
    """List the configured providers and where each comes from."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        rows = runtime.models.providers()
        if screen.as_json:
            found: list[Json] = [
                {"name": row.name, "kind": row.kind, "base_url": row.base_url, "origin": row.origin}
                for row in rows
            ]
            screen.json({"providers": found})
        screen.table(
            ["NAME", "KIND", "ADDRESS", "FROM"],
            [[row.name, row.kind, row.base_url or "-", row.origin] for row in rows],
        )

    with_runtime(options, action)


@providers.command(
    "check",
    epilog=examples(
        "interlock providers check",
        "interlock providers check openai",
        "interlock providers check --list-only",
    ),
)
@click.argument("names", nargs=-1)
@click.option("--list-only", is_flag=True, help="Only ask for the list of models, which costs nothing.")
@click.pass_obj
def check(options: Globals, names: tuple[str, ...], list_only: bool) -> None:
    """Ask each provider for its models, and its cheapest model for a few words; say what came of it."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        verdicts = await runtime.models.check(names, ask=not list_only)
        if screen.as_json:
            found: list[Json] = [
                {
                    "name": entry.name,
                    "ok": entry.ok,
                    "models": entry.models,
                    "detail": entry.detail,
                    "code": entry.code,
                    "asked": entry.asked,
                    "cost_usd": None if entry.cost is None else entry.cost.as_usd,
                }
                for entry in verdicts
            ]
            screen.json({"providers": found})
        lines = [f"{'ok    ' if entry.ok else 'failed'} {entry.name}: {entry.detail}" for entry in verdicts]
        bad = [f"{entry.name}: {entry.detail}" for entry in verdicts if not entry.ok]
        screen.report(lines, ok=not bad)
        if bad:
            raise InterlockError(f"{len(bad)} of {len(verdicts)} providers failed. {' '.join(bad)}")

    with_runtime(options, action)
