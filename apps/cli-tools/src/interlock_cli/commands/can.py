"""`interlock can`."""

from typing import TYPE_CHECKING

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import with_runtime
from interlock_core.errors import PermissionDeniedError
from interlock_core.jsontypes import JsonObject, parse_json

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime


@click.command(
    epilog=examples(
        "interlock can alice github.issues_create",
        "interlock can alice github.issues_create --arg owner=acme --json",
    )
)
@click.argument("user")
@click.argument("tool")
@click.option("--agent", help="The agent that would make the call.")
@click.option(
    "--arg", "arguments", multiple=True, metavar="K=V", help="Argument of the call; may be repeated."
)
@click.pass_obj
def can(options: Globals, user: str, tool: str, agent: str | None, arguments: tuple[str, ...]) -> None:
    """Say whether USER may call TOOL, and which rule decides. Exit code 3 means no."""
    given = _arguments(arguments)

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        spec = (await runtime.tools.catalog()).get(tool)
        verdict = await runtime.access.can(user, spec, agent=agent, arguments=given)
        if screen.as_json:
            screen.json(
                {
                    "user": user,
                    "tool": tool,
                    "allowed": verdict.allowed,
                    "reason": verdict.reason,
                    "rule": verdict.rule,
                }
            )
        screen.result(f"{'yes' if verdict.allowed else 'no'}: {verdict.reason} ({verdict.rule})")
        if not verdict.allowed:
            raise PermissionDeniedError(f"{user} may not call {tool}: {verdict.reason}")

    with_runtime(options, action)


def _arguments(pairs: tuple[str, ...]) -> JsonObject:
    found: JsonObject = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{pair!r} is no K=V.", param_hint="--arg")
        try:
            found[name] = parse_json(text)
        except ValueError:
            found[name] = text
    return found
