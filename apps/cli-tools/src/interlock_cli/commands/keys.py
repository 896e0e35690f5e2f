"""`interlock keys`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import click

from interlock_cli._amount import USD
from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import with_runtime
from interlock_cli._span import SPAN
from interlock_core import Money
from interlock_core.jsontypes import Json

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime


@click.group()
def keys() -> None:
    """Create, list and revoke API keys."""


@keys.command(
    "create",
    epilog=examples(
        "interlock keys create --name ci --role developer --expires 30d",
        "interlock keys create --name bot --json",
    ),
)
@click.option("--name", required=True, help="What the key is for.")
@click.option("--user", help="The user that it stands for; yourself unless given.")
@click.option("--team", help="The user's team.")
@click.option("--role", help="The one role of the key; the roles of its user unless given.")
@click.option("--scope", "scopes", multiple=True, help="Restriction of the key; may be repeated.")
@click.option("--expires", type=SPAN, metavar="SPAN", help="When it ends, such as 30d; never unless given.")
@click.option("--budget-usd-day", type=USD, metavar="USD", help="Most dollars a day.")
@click.option("--budget-usd-month", type=USD, metavar="USD", help="Most dollars a month.")
@click.pass_obj
def create(options: Globals, /, name: str, **flags: object) -> None:
    """Create a key and show it: this once, and never again."""
    from interlock_runtime import KeyRequest

    request = KeyRequest(
        name=name,
        user=cast("str | None", flags["user"]),
        team=cast("str | None", flags["team"]),
        role=cast("str | None", flags["role"]),
        scopes=cast("tuple[str, ...]", flags["scopes"]),
        expires_in_s=cast("float | None", flags["expires"]),
        budget_day=_money(flags["budget_usd_day"]),
        budget_month=_money(flags["budget_usd_month"]),
    )

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        created = await runtime.access.create_key(request)
        if screen.as_json:
            screen.json(created)
        screen.say("This key is shown once: keep it now.")
        screen.result(str(created["key"]))

    with_runtime(options, action)


def _money(amount: object) -> Money | None:
    return Money.usd(amount) if isinstance(amount, float) else None


@keys.command("list", epilog=examples("interlock keys list"))
@click.pass_obj
def list_(options: Globals) -> None:
    """List keys without showing them."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        found = await runtime.access.keys()
        if screen.as_json:
            rows: list[Json] = [*found]
            screen.json({"keys": rows})
        header = ("id", "name", "user", "role", "expires_at", "last_used_at", "revoked_at")
        screen.table(
            [name.upper() for name in header],
            [[_cell(name, row.get(name)) for name in header] for row in found],
        )
        if not found:
            screen.say("No key yet: 'interlock keys create --name NAME' makes one.")

    with_runtime(options, action)


def _cell(name: str, value: Json) -> str:
    if name.endswith("_at") and isinstance(value, float):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M")
    return "-" if value is None else str(value)


@keys.command("revoke", epilog=examples("interlock keys revoke key_0123"))
@click.argument("key")
@click.pass_obj
def revoke(options: Globals, key: str) -> None:
    """Revoke a key by its id, at once."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        await runtime.access.revoke_key(key)
        if screen.as_json:
            screen.json({"revoked": key})
        screen.result(f"{key}: revoked")

    with_runtime(options, action)
