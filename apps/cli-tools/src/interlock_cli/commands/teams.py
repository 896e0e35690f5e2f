"""`interlock teams`."""

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

_COLUMNS = ("name", "organisation", "members", "origin")


@click.group()
def teams() -> None:
    """Create teams; add and remove their members."""


@teams.command("list", epilog=examples("interlock teams list"))
@click.pass_obj
def list_(options: Globals) -> None:
    """List teams with their members."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        found = await runtime.access.people.teams()
        if screen.as_json:
            rows: list[Json] = [*found]
            screen.json({"teams": rows})
        header = [name.upper() for name in _COLUMNS]
        screen.table(header, [[_cell(row, name) for name in _COLUMNS] for row in found])
        if not found:
            screen.say("No team yet: 'interlock teams create NAME' makes one.")

    with_runtime(options, action)


@teams.command("create", epilog=examples("interlock teams create platform --organisation acme"))
@click.argument("name")
@click.option("--organisation", help="The organisation that it belongs to.")
@click.pass_obj
def create(options: Globals, name: str, organisation: str | None) -> None:
    """Create a team."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        _tell(screen, await runtime.access.people.create_team(name, organisation=organisation))

    with_runtime(options, action)


@teams.command("add", epilog=examples("interlock teams add platform alice"))
@click.argument("team")
@click.argument("user")
@click.pass_obj
def add(options: Globals, team: str, user: str) -> None:
    """Put USER into TEAM, out of any other."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        _tell(screen, await runtime.access.people.add(team, user))

    with_runtime(options, action)


@teams.command("remove", epilog=examples("interlock teams remove platform alice"))
@click.argument("team")
@click.argument("user")
@click.pass_obj
def remove(options: Globals, team: str, user: str) -> None:
    """Take USER out of TEAM."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        _tell(screen, await runtime.access.people.remove(team, user))

    with_runtime(options, action)


def _tell(screen: "Screen", team: Mapping[str, Json]) -> None:
    if screen.as_json:
        screen.json(dict(team))
    for name in _COLUMNS:
        screen.result(f"{name:13} {_cell(team, name)}")


def _cell(row: Mapping[str, Json], name: str) -> str:
    value = row.get(name)
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
