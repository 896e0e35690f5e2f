"""`interlock can`."""

from typing import TYPE_CHECKING, cast

import click

from interlock_cli._amount import USD
from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._moment import MOMENT
from interlock_cli._session import with_runtime
from interlock_core import Money
from interlock_core.errors import ApprovalDeniedError, PermissionDeniedError
from interlock_core.jsontypes import JsonObject, parse_json

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime


@click.command(
    epilog=examples(
        "interlock can alice github.issues_create",
        "interlock can alice github.issues_create --arg owner=acme --json",
        "interlock can alice github.issues_create --agent planner --tainted --at 2026-03-14T22:00",
    )
)
@click.argument("user")
@click.argument("tool")
@click.option("--agent", help="The agent that would make the call.")
@click.option(
    "--arg", "arguments", multiple=True, metavar="K=V", help="Argument of the call; may be repeated."
)
@click.option("--at", type=MOMENT, metavar="TIME", help="When, in UTC unless it says otherwise; now.")
@click.option("--tainted", is_flag=True, help="Untrusted text has come into the run.")
@click.option("--cost", type=USD, metavar="USD", help="Most dollars that the call can cost.")
@click.option("--approved-by", multiple=True, metavar="USER", help="Who said yes to it; may be repeated.")
@click.pass_obj
def can(options: Globals, /, user: str, tool: str, **asked: object) -> None:
    """Say whether USER may call TOOL, and which rule decides. Exit code 3 means no, or not yet."""
    given = _arguments(cast("tuple[str, ...]", asked["arguments"]))
    cost = asked["cost"]

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        from interlock_runtime import RightQuestion

        question = RightQuestion(
            user=user,
            tool=await runtime.tools.named(tool),
            agent=cast("str | None", asked["agent"]),
            arguments=given,
            at=cast("float | None", asked["at"]),
            tainted=("--tainted",) if asked["tainted"] else (),
            cost=Money.usd(cost) if isinstance(cost, float) else None,
            approved_by=cast("tuple[str, ...]", asked["approved_by"]),
        )
        found = await runtime.access.rules.explain(question)
        if screen.as_json:
            screen.json({"user": user, "tool": tool, **found.as_json()})
        word = {"allow": "yes", "approval": "not yet"}.get(found.word, "no")
        screen.result(f"{word}: {found.verdict.reason} ({found.verdict.rule})")
        for change in found.changes:
            screen.result(f"  {change}")
        screen.table(
            ["WHO", "ROLE", "EFFECT", "RULE", "FITS"],
            [
                [item.who, item.role, item.kind.value, item.rule, _fits(item.matches, item.why)]
                for item in found.considered
            ],
        )
        if found.word == "approval":
            raise ApprovalDeniedError(f"{user} may not call {tool} yet: {found.verdict.reason}")
        if found.word == "deny":
            raise PermissionDeniedError(f"{user} may not call {tool}: {found.verdict.reason}")

    with_runtime(options, action)


def _fits(matches: bool, why: str) -> str:
    return f"no: {why}" if matches and why else "yes" if matches else "no"


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
