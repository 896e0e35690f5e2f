"""`interlock audit`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import with_runtime
from interlock_core.errors import VerificationError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_number, as_object

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime


@click.group()
def audit() -> None:
    """Read and verify the audit log."""


@audit.command("tail", epilog=examples("interlock audit tail -n 5", "interlock audit tail --json"))
@click.option(
    "-n", "--limit", default=20, show_default=True, type=click.IntRange(min=1), help="Most records."
)
@click.pass_obj
def tail(options: Globals, limit: int) -> None:
    """Show the newest records, oldest of them first."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        rows = await runtime.trail.tail(limit)
        if screen.as_json:
            found: list[Json] = [*rows]
            screen.json({"records": found})
        screen.table(["RECORD", "TIME", "KIND", "WHO", "WHAT", "OUTCOME"], [_cells(row) for row in rows])
        if not rows:
            screen.say("The log is empty.")

    with_runtime(options, action)


def _cells(row: JsonObject) -> list[str]:
    at = datetime.fromtimestamp(as_number(row.get("time")) or 0.0, UTC)
    return [
        str(row.get("record")),
        at.strftime("%Y-%m-%d %H:%M:%S"),
        str(row.get("kind")),
        str(row.get("user") or "-"),
        str(row.get("name") or "-"),
        str(row.get("outcome") or "-"),
    ]


@audit.command("verify", epilog=examples("interlock audit verify", "interlock audit verify --json"))
@click.pass_obj
def verify(options: Globals) -> None:
    """Check that no record was changed, removed, added or moved. Exit code 5 means one was."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        report = await runtime.trail.verify()
        if screen.as_json:
            screen.json(report)
        show_verification(screen, report)
        if not report["ok"]:
            raise VerificationError(
                "The audit log does not hold.",
                remedy="Keep the database as it is, and compare it with a backup.",
            )

    with_runtime(options, action)


def show_verification(screen: "Screen", report: JsonObject) -> None:
    """A report of the verification for a person."""
    lines: list[str] = []
    for entry in map(as_object, as_array(report.get("problems"))):
        where = f" at record {entry['record']}" if entry.get("record") is not None else ""
        lines.append(f"{entry.get('kind')}{where}: {entry.get('detail')}")
    word = "holds" if report["ok"] else "does not hold"
    checkpoint = as_object(report.get("checkpoint"))
    root = f", checkpoint {checkpoint.get('size')} {str(checkpoint.get('root'))[:16]}…" if checkpoint else ""
    lines.append(f"The audit log {word}: {report['records']} records{root}")
    screen.report(lines, ok=bool(report["ok"]))
