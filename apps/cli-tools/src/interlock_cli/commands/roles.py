"""`interlock roles`."""

from typing import TYPE_CHECKING

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import with_runtime
from interlock_core.jsontypes import Json

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime


@click.group()
def roles() -> None:
    """List roles; grant and revoke them."""


@roles.command("list", epilog=examples("interlock roles list"))
@click.pass_obj
def list_(options: Globals) -> None:
    """List the roles, and who holds which."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        rows = runtime.access.roles()
        grants = await runtime.access.grants()
        if screen.as_json:
            found: list[Json] = [*rows]
            granted: list[Json] = [*grants]
            screen.json({"roles": found, "grants": granted})
        screen.table(
            ["ROLE", "INHERITS", "WHAT IT IS"],
            [[_cell(row, name) for name in ("name", "inherits", "description")] for row in rows],
        )
        if grants:
            screen.result("")
            screen.table(
                ["USER", "ROLE", "FROM"],
                [[_cell(row, name) for name in ("user", "role", "origin")] for row in grants],
            )

    with_runtime(options, action)


@roles.command("show", epilog=examples("interlock roles show developer"))
@click.argument("name")
@click.pass_obj
def show(options: Globals, name: str) -> None:
    """Show what a role may and may not do."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        row = runtime.access.role(name)
        if screen.as_json:
            screen.json(row)
        for key in ("name", "description", "inherits", "allow", "deny"):
            screen.result(f"{key:12} {_cell(row, key)}")

    with_runtime(options, action)


@roles.command("grant", epilog=examples("interlock roles grant alice developer"))
@click.argument("user")
@click.argument("role")
@click.pass_obj
def grant(options: Globals, user: str, role: str) -> None:
    """Give ROLE to USER."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        await runtime.access.grant(user, role)
        if screen.as_json:
            screen.json({"user": user, "role": role, "granted": True})
        screen.result(f"{user} is {role} now")

    with_runtime(options, action)


@roles.command("revoke", epilog=examples("interlock roles revoke alice developer"))
@click.argument("user")
@click.argument("role")
@click.pass_obj
def revoke(options: Globals, user: str, role: str) -> None:
    """Take ROLE from USER."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        await runtime.access.revoke_grant(user, role)
        if screen.as_json:
            screen.json({"user": user, "role": role, "granted": False})
        screen.result(f"{user} is no longer {role}")

    with_runtime(options, action)


def _cell(row: dict[str, Json], name: str) -> str:
    value = row.get(name)
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
