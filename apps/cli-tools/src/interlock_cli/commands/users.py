"""`interlock users`."""

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

_COLUMNS = ("name", "team", "organisation", "roles", "origin", "disabled")


@click.group()
def users() -> None:
    """List, create and disable users."""


@users.command("list", epilog=examples("interlock users list", "interlock users list --json"))
@click.pass_obj
def list_(options: Globals) -> None:
    """List users: declared, created, and those whose name a key or a role bears."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        found = await runtime.access.people.users()
        if screen.as_json:
            rows: list[Json] = [*found]
            screen.json({"users": rows})
        header = [name.upper() for name in _COLUMNS]
        screen.table(header, [[_cell(row, name) for name in _COLUMNS] for row in found])
        if not found:
            screen.say("No user yet: 'interlock users create NAME' makes one.")

    with_runtime(options, action)


@users.command("show", epilog=examples("interlock users show alice"))
@click.argument("name")
@click.pass_obj
def show(options: Globals, name: str) -> None:
    """Show one user."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        _tell(screen, await runtime.access.people.user(name))

    with_runtime(options, action)


@users.command("create", epilog=examples("interlock users create alice --team platform --role developer"))
@click.argument("name")
@click.option("--team", help="The user's team, which must be there.")
@click.option("--role", "roles", multiple=True, help="A role to grant; may be repeated.")
@click.pass_obj
def create(options: Globals, name: str, team: str | None, roles: tuple[str, ...]) -> None:
    """Create a user."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        for role in roles:
            runtime.access.role(role)
        await runtime.access.people.create_user(name, team=team)
        for role in roles:
            await runtime.access.grant(name, role)
        _tell(screen, await runtime.access.people.user(name))

    with_runtime(options, action)


@users.command("disable", epilog=examples("interlock users disable alice"))
@click.argument("name")
@click.pass_obj
def disable(options: Globals, name: str) -> None:
    """Stop every key of a user: in running servers within a second."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        await runtime.access.people.disable(name)
        if screen.as_json:
            screen.json({"name": name, "disabled": True})
        screen.result(f"{name}: disabled; no key of theirs works")

    with_runtime(options, action)


@users.command("enable", epilog=examples("interlock users enable alice"))
@click.argument("name")
@click.pass_obj
def enable(options: Globals, name: str) -> None:
    """Let a disabled user's keys work again."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        await runtime.access.people.enable(name)
        if screen.as_json:
            screen.json({"name": name, "disabled": False})
        screen.result(f"{name}: enabled")

    with_runtime(options, action)


def _tell(screen: "Screen", user: Mapping[str, Json]) -> None:
    if screen.as_json:
        screen.json(dict(user))
    for name in _COLUMNS:
        screen.result(f"{name:13} {_cell(user, name)}")


def _cell(row: Mapping[str, Json], name: str) -> str:
    value = row.get(name)
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
