"""`interlock approvals`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._screen import plain
from interlock_cli._session import with_runtime
from interlock_core.jsontypes import Json

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime

_HEADER = ("id", "state", "user", "agent", "tool", "effect", "expires_at")


@click.group()
def approvals() -> None:
    """List, give and refuse approvals that wait."""


@approvals.command("list", epilog=examples("interlock approvals list", "interlock approvals list --all"))
@click.option("--all", "every", is_flag=True, help="Those that are answered, used or over as well.")
@click.pass_obj
def list_(options: Globals, every: bool) -> None:
    """List the calls that wait for somebody to approve them, with what exactly would be sent."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        found = await runtime.approvals.list(every=every)
        if screen.as_json:
            rows: list[Json] = [*found]
            screen.json({"approvals": rows})
        for row in found:
            screen.result("  ".join(_cell(name, row.get(name)) for name in _HEADER))
            who = "others than who asks" if row.get("others") else "anybody"
            screen.result(f"  {row['people']} must approve it: {who}")
            for line in plain(str(row["request"])).splitlines():
                screen.result(f"    {line}")
        if not found:
            screen.say("Nothing waits for approval.")

    with_runtime(options, action)


@approvals.command(
    "approve",
    epilog=examples("interlock approvals approve apr_0123", "interlock approvals approve apr_0123 --json"),
)
@click.argument("approval", metavar="ID")
@click.option("--reason", default="", help="Why.")
@click.pass_obj
def approve(options: Globals, approval: str, reason: str) -> None:
    """Say yes to exactly the call that ID shows; it may be made once."""
    _answer(options, approval, reason, granted=True)


@approvals.command("deny", epilog=examples("interlock approvals deny apr_0123 --reason 'not on a Friday'"))
@click.argument("approval", metavar="ID")
@click.option("--reason", default="", help="Why.")
@click.pass_obj
def deny(options: Globals, approval: str, reason: str) -> None:
    """Say no to the call that ID shows."""
    _answer(options, approval, reason, granted=False)


def _answer(options: Globals, approval: str, reason: str, *, granted: bool) -> None:
    async def action(runtime: "Runtime", screen: "Screen") -> None:
        row = await runtime.approvals.answer(approval, granted=granted, reason=reason)
        if screen.as_json:
            screen.json(row)
        screen.result(f"{row['id']}: {row['state']}")

    with_runtime(options, action)


def _cell(name: str, value: Json) -> str:
    if name.endswith("_at") and isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).strftime("until %Y-%m-%d %H:%M UTC")
    return "-" if value is None else str(value)
