"""`interlock stats`."""

from typing import TYPE_CHECKING, Protocol

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import with_runtime
from interlock_cli._span import SPAN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interlock_cli._screen import Screen
    from interlock_core import JsonObject
    from interlock_runtime import Asked, Dimension, Runtime

_DIMENSIONS: "tuple[Dimension, ...]" = ("provider", "model", "task")
_SHOWN = ("stats", "wins", "curve", "anomalies")


class _Told(Protocol):
    """What statistics are, of whatever kind."""

    @property
    def complete(self) -> bool:
        """The store could be read."""
        ...

    def as_json(self) -> "JsonObject":
        """As JSON."""
        ...

    def table(self) -> "tuple[Sequence[str], Sequence[Sequence[str]]]":
        """Headers and rows."""
        ...


@click.command(
    epilog=examples(
        "interlock stats --by provider --since 7d",
        "interlock stats --by provider --by task --since 30d --until 1d",
        "interlock stats --show wins --task code_generation --since 30d",
        "interlock stats --show curve --since 30d --json",
        "interlock stats --format prometheus",
    )
)
@click.option(
    "--by",
    type=click.Choice(_DIMENSIONS),
    multiple=True,
    default=("model",),
    show_default=True,
    help="What a row stands for; several together stand for each combination.",
)
@click.option(
    "--since", type=SPAN, default="24h", show_default=True, metavar="SPAN", help="How far back: 24h, 7d."
)
@click.option("--until", type=SPAN, metavar="SPAN", help="Up to how long ago; up to now unless given.")
@click.option("--provider", metavar="NAME", help="Of this provider alone.")
@click.option("--model", "model", metavar="NAME", help="Of this model alone.")
@click.option("--task", metavar="TASK", help="Of this class of task alone.")
@click.option("--tools", is_flag=True, help="Calls to tools instead of models.")
@click.option(
    "--show",
    type=click.Choice(_SHOWN),
    default="stats",
    show_default=True,
    help="Statistics, win rates of models, the cost-quality curve, or anomalies that were told.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "prometheus"]),
    help="How to print; table unless --json.",
)
@click.pass_obj
def stats(
    options: Globals, by: "tuple[Dimension, ...]", show: str, form: str | None, **chosen: object
) -> None:
    """Show what models did: requests, success, seconds, tokens, cost; who wins; what quality costs."""
    if options.json and form not in {None, "json"}:
        raise click.UsageError(f"--json and --format {form} exclude each other.", click.get_current_context())
    if form == "prometheus" and show != "stats":
        raise click.UsageError(f"--show {show} and --format {form} exclude each other.")

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        if form == "prometheus":
            screen.result(await runtime.records.prometheus(), end="")
            return
        if show == "anomalies":
            await _anomalies(options, runtime, screen, as_json=form == "json")
            return
        found = await _asked_for(runtime, show, by, _asked(chosen))
        if screen.as_json or form == "json":
            options.document.write(found.as_json())
            return
        header, rows = found.table()
        screen.table([title.upper() for title in header], rows)
        if not rows:
            screen.say("Nothing was recorded in that time.")
        if not found.complete:
            screen.warn("the store is away: only this process's own calls are shown")

    with_runtime(options, action)


def _asked(chosen: "dict[str, object]") -> "Asked":
    from interlock_runtime import Asked

    since, until = chosen["since"], chosen["until"]
    only: dict[Dimension, str] = {name: str(chosen[name]) for name in _DIMENSIONS if chosen[name] is not None}
    return Asked(
        since_s=since if isinstance(since, float) else None,
        until_s=until if isinstance(until, float) else None,
        kind="tool" if chosen["tools"] else "model",
        only=only,
    )


async def _asked_for(runtime: "Runtime", show: str, by: "tuple[Dimension, ...]", asked: "Asked") -> _Told:
    if show == "wins":
        return await runtime.records.win_rates(asked)
    if show == "curve":
        return await runtime.records.curve(asked)
    return await runtime.records.stats(asked, by=by)


async def _anomalies(options: Globals, runtime: "Runtime", screen: "Screen", *, as_json: bool) -> None:
    from datetime import UTC, datetime

    from interlock_core.jsontypes import as_number

    found = await runtime.records.anomalies()
    if screen.as_json or as_json:
        options.document.write({"anomalies": [*found]})
        return
    moments = (datetime.fromtimestamp(as_number(each["at"]) or 0.0, UTC) for each in found)
    rows = [f"{moment:%Y-%m-%d %H:%M} UTC" for moment in moments]
    told = [str(each["message"]) for each in found]
    screen.table(["AT", "MESSAGE"], [*zip(rows, told, strict=True)])
    if not found:
        screen.say("No anomaly was told yet: a running server looks for them.")
