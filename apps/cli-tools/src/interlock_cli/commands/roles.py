"""`interlock roles`."""

from typing import TYPE_CHECKING, cast

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._moment import MOMENT_OR_SPAN
from interlock_cli._session import with_runtime
from interlock_core.jsontypes import Json, JsonObject

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime


@click.group()
def roles() -> None:
    """List roles; grant, revoke and override them."""


@roles.command("list", epilog=examples("interlock roles list"))
@click.pass_obj
def list_(options: Globals) -> None:
    """List the roles, and who holds which."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        rows = runtime.access.roles()
        grants = await runtime.access.grants()
        overrides = await runtime.access.rules.overrides()
        if screen.as_json:
            found: list[Json] = [*rows]
            granted: list[Json] = [*grants]
            made: list[Json] = [*overrides]
            screen.json({"roles": found, "grants": granted, "overrides": made})
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
        if overrides:
            header = ("id", "user", "verdict", "rule", "until", "reason")
            screen.result("")
            screen.table(
                [name.upper() for name in header],
                [[_cell(row, name) for name in header] for row in overrides],
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
        for key in ("name", "description", "inherits", "agents", "allow", "approve", "deny"):
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


@roles.command(
    "override",
    epilog=examples(
        "interlock roles override alice allow github.issues_create --until 2d --reason 'on call'",
        "interlock roles override alice deny effect:write --reason 'leaves on Friday'",
        "interlock roles override --remove ovr_0123",
    ),
)
@click.argument("user", required=False)
@click.argument("verdict", required=False, type=click.Choice(["allow", "deny"]))
@click.argument("pattern", required=False)
@click.option("--until", type=MOMENT_OR_SPAN, metavar="T", help="Its end: a moment, or a span such as 2d.")
@click.option("--reason", metavar="R", help="Why; it stands in the audit log.")
@click.option("--remove", metavar="ID", help="Take an override away instead.")
@click.pass_obj
def override(options: Globals, /, **asked: object) -> None:
    """Allow or deny USER alone what PATTERN fits: a tool's name, or a rule such as category:ci."""
    removed = cast("str | None", asked["remove"])
    user, verdict, pattern, reason = (
        cast("str | None", asked[name]) for name in ("user", "verdict", "pattern", "reason")
    )
    if removed is not None:
        if user is not None:
            raise click.UsageError("--remove takes the id of an override and nothing else.")
    elif user is None or verdict is None or pattern is None:
        raise click.UsageError("Name a user, 'allow' or 'deny', and a pattern.")
    elif reason is None:
        raise click.UsageError("Say why with --reason.")

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        if removed is not None:
            await runtime.access.rules.remove_override(removed)
            made: JsonObject = {"removed": removed}
        else:
            from interlock_runtime import OverrideRequest

            request = OverrideRequest(
                user=user or "",
                kind=verdict or "",
                rule=pattern,
                reason=reason or "",
                until=cast("float | None", asked["until"]),
            )
            made = await runtime.access.rules.override(request)
        if screen.as_json:
            screen.json(made)
        done = "removed" if removed is not None else f"{made['user']}: {made['verdict']} {made['rule']}"
        screen.result(f"{removed or made['id']}: {done}")

    with_runtime(options, action)


def _cell(row: dict[str, Json], name: str) -> str:
    value = row.get(name)
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
