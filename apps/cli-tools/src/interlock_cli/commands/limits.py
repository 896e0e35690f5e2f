"""`interlock limits`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import with_runtime
from interlock_core.jsontypes import Json

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime

_SCOPES = ("global", "team", "user", "key", "tool", "provider", "model")
_KINDS = ("requests", "tokens", "concurrency")


@click.group()
def limits() -> None:
    """List, set and clear rate limits."""


@limits.command("list", epilog=examples("interlock limits list"))
@click.pass_obj
def list_(options: Globals) -> None:
    """List the limits, those of the configuration file too."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        found = await runtime.limits.list()
        if screen.as_json:
            rows: list[Json] = [*found]
            screen.json({"limits": rows})
        screen.table(["ID", "LIMIT", "FROM"], [[_cell(row, name) for name in _SHOWN] for row in found])
        if not found:
            screen.say("No limit yet: 'interlock limits set user requests 60' makes one.")

    with_runtime(options, action)


@limits.command(
    "set",
    epilog=examples(
        "interlock limits set user requests 60",
        "interlock limits set tool requests 10 --name github.createIssue --window 1h",
        "interlock limits set global concurrency 50",
    ),
)
@click.argument("scope", type=click.Choice(_SCOPES))
@click.argument("kind", type=click.Choice(_KINDS))
@click.argument("limit", type=click.IntRange(min=0))
@click.option("--name", default="*", show_default=True, help="The one that is counted; * for each by itself.")
@click.option("--window", default="", help="Length of the window, such as 1s, 1m or 24h; 1m when not given.")
@click.pass_obj
def set_(options: Globals, scope: str, kind: str, limit: int, name: str, window: str) -> None:
    """Let at most LIMIT of KIND pass for each of SCOPE, or for the one that is named.

    KIND is requests, tokens or concurrency, which is calls at a time. A limit of the same scope, name, kind
    and window is replaced. It holds in every process within a second.
    """

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        row = await runtime.limits.set(scope, kind, limit, name=name, window=window)
        if screen.as_json:
            screen.json(row)
        screen.result(f"{row['id']} is {row['limit']} now")

    with_runtime(options, action)


@limits.command("clear", epilog=examples("interlock limits clear 'user:*:requests:60s'"))
@click.argument("limit")
@click.pass_obj
def clear(options: Globals, limit: str) -> None:
    """Take LIMIT away, by its id from `limits list`."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        row = await runtime.limits.clear(limit)
        if screen.as_json:
            screen.json({**row, "cleared": True})
        screen.result(f"{row['id']} is gone")

    with_runtime(options, action)


_SHOWN = ("id", "limit", "origin")


def _cell(row: Mapping[str, Json], name: str) -> str:
    return str(row.get(name))
