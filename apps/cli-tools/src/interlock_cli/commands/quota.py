"""`interlock quota`."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, cast

import click

from interlock_cli._amount import USD
from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import with_runtime
from interlock_cli._span import SPAN
from interlock_core.jsontypes import Json, JsonObject

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime
    from interlock_runtime.settings import QuotaSettings

_SCOPES = ("key", "user", "team", "organisation", "tool")
_LISTED = ("scope", "name", "day_usd", "month_usd", "time_zone", "origin")
_USED = ("scope", "name", "span", "limit_usd", "spent_usd", "reserved_usd", "left_usd", "resets_at")


@click.group()
def quota() -> None:
    """List and set quotas of money, show what is used, raise one for a while."""


@quota.command("list", epilog=examples("interlock quota list"))
@click.pass_obj
def list_(options: Globals) -> None:
    """List the quotas, those of the configuration file too."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        found = await runtime.quotas.list()
        if screen.as_json:
            rows: list[Json] = [*found]
            screen.json({"quotas": rows})
        _table(screen, _LISTED, found)
        if not found:
            screen.say("No quota yet: 'interlock quota set user ada --day-usd 5' makes one.")

    with_runtime(options, action)


@quota.command(
    "set",
    epilog=examples(
        "interlock quota set user ada --day-usd 5 --month-usd 50",
        "interlock quota set user '*' --day-usd 2 --time-zone Europe/Berlin",
        "interlock quota set tool 'sam_gov.*' --call-usd 0.01 --day-usd 3",
        "interlock quota set user ada --clear",
    ),
)
@click.argument("scope", type=click.Choice(_SCOPES))
@click.argument("name")
@click.option("--day-usd", type=USD, metavar="USD", help="Most dollars a day.")
@click.option("--month-usd", type=USD, metavar="USD", help="Most dollars a month.")
@click.option("--time-zone", metavar="ZONE", help="Where days and months begin; UTC unless given.")
@click.option("--threshold", "thresholds", type=int, multiple=True, metavar="PERCENT", help="Alert there.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Bound of answers that name none.")
@click.option("--ceiling-usd", type=USD, metavar="USD", help="Set aside where a price is unknown.")
@click.option("--call-usd", type=USD, metavar="USD", help="For a tool: what one call costs.")
@click.option("--clear", is_flag=True, help="Take the quota away instead.")
@click.pass_obj
def set_(options: Globals, scope: str, name: str, clear: bool, **bounds: object) -> None:
    """Let NAME of SCOPE spend at most so much; * is each by itself, for tools a pattern counted as one.

    It stands in place of the quota that was set for the same before, and holds in every process within a
    second. What the configuration file declares is changed there.
    """

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        if clear:
            await runtime.quotas.clear(scope, name)
            row: JsonObject = {"scope": scope, "name": name, "cleared": True}
        else:
            row = await runtime.quotas.set(_wanted(scope, name, bounds))
        if screen.as_json:
            screen.json(row)
        screen.result(f"quota of {scope} {name}: {'gone' if clear else 'set'}")

    if clear and any(value for value in bounds.values()):
        raise click.UsageError("--clear goes with no bound.")
    with_runtime(options, action)


def _wanted(scope: str, name: str, bounds: Mapping[str, object]) -> "QuotaSettings":
    from interlock_runtime.settings import QuotaSettings

    given = {key: value for key, value in bounds.items() if value not in (None, ())}
    chosen = cast("Literal['key', 'user', 'team', 'organisation', 'tool']", scope)
    plain = QuotaSettings(scope=chosen)
    return QuotaSettings(
        scope=chosen,
        name=name,
        day_usd=cast("float | None", given.get("day_usd")),
        month_usd=cast("float | None", given.get("month_usd")),
        time_zone=cast("str", given.get("time_zone", plain.time_zone)),
        thresholds=cast("tuple[int, ...]", given.get("thresholds", plain.thresholds)),
        max_tokens=cast("int", given.get("max_tokens", plain.max_tokens)),
        ceiling_usd=cast("float | None", given.get("ceiling_usd")),
        call_usd=cast("float | None", given.get("call_usd")),
    )


@quota.command("usage", epilog=examples("interlock quota usage", "interlock quota usage --scope user --json"))
@click.option("--scope", type=click.Choice(_SCOPES), help="Of this scope alone.")
@click.option("--name", help="Of this name alone.")
@click.pass_obj
def usage(options: Globals, scope: str | None, name: str | None) -> None:
    """Show what is spent, set aside and left in the present day and month.

    What was charged in full because its process died is told too: all that may stand above the bills.
    """

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        found = await runtime.quotas.usage(scope=scope, name=name)
        charged = await runtime.quotas.charged()
        if screen.as_json:
            rows: list[Json] = [*found]
            dead: list[Json] = [*charged]
            screen.json({"usage": rows, "charged": dead})
        _table(screen, _USED, found)
        if not found:
            screen.say("No quota counts yet.")
        if charged:
            screen.say(
                f"{len(charged)} calls were charged in full because their process died: --json lists them."
            )

    with_runtime(options, action)


@quota.command(
    "override",
    epilog=examples(
        "interlock quota override user ada day 20 --for 4h --reason 'release day'",
        "interlock quota override organisation acme month 900 --for 7d --reason 'audit season'",
    ),
)
@click.argument("scope", type=click.Choice(_SCOPES))
@click.argument("name")
@click.argument("period", type=click.Choice(("day", "month")))
@click.argument("usd", type=USD)
@click.option("--for", "span", type=SPAN, required=True, metavar="SPAN", help="How long, such as 4h or 7d.")
@click.option("--reason", required=True, help="Why, for the audit log.")
@click.pass_obj
def override(options: Globals, scope: str, name: str, period: str, **given: object) -> None:
    """Give a limit another bound in dollars for a while, higher or lower; the latest counts."""
    usd, span, reason = (given[key] for key in ("usd", "span", "reason"))
    limit = (scope, name, cast("Literal['day', 'month']", period))

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        until = time.time() + cast("float", span)
        row = await runtime.quotas.override(limit, cast("float", usd), reason=str(reason), until=until)
        if screen.as_json:
            screen.json(row)
        screen.result(f"{scope} {name}: ${row['usd']} a {period} until {_cell('until', row)}")

    with_runtime(options, action)


def _table(screen: "Screen", names: Sequence[str], rows: Sequence[JsonObject]) -> None:
    """Rows as a table."""
    header = [name.removesuffix("_usd").replace("_", " ").upper() for name in names]
    screen.table(header, [[_cell(name, row) for name in names] for row in rows])


def _cell(name: str, row: JsonObject) -> str:
    value = row.get(name)
    if name in {"resets_at", "until"} and isinstance(value, float | int):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if name.endswith("_usd") and isinstance(value, float | int):
        return f"${value:.6f}"
    return "-" if value is None else str(value)
