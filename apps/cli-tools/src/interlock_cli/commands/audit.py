"""`interlock audit`."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import with_runtime
from interlock_cli._span import SPAN
from interlock_core.errors import VerificationError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_number, as_object, dump_json

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime
    from interlock_runtime.audit import AuditQuery


_HEADER = ("RECORD", "TIME", "KIND", "WHO", "WHAT", "OUTCOME")
_TEXTS = {
    "user": "Name of the user.",
    "agent": "Name of the agent.",
    "key": "Id of the key.",
    "team": "Name of the team.",
    "name": "Tool, model or change; 'github.*' for all that begin so.",
    "kind": "Kind of record, such as intent, outcome, refused or alert.",
    "outcome": "ok, refused, or the code of an error.",
    "run": "Id of the run.",
    "text": "What stands somewhere in its data.",
}
_LOOK_S = 0.5
_MOST = 1_000


Command = TypeVar("Command", bound=Callable[..., object])


@click.group()
def audit() -> None:
    """Read, verify, prove and export the audit log."""


@audit.command("tail", epilog=examples("interlock audit tail -n 5", "interlock audit tail --follow --json"))
@click.option(
    "-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="Most records."
)
@click.option("--follow", "-f", is_flag=True, help="Go on with what is appended, until interrupted.")
@click.pass_obj
def tail(options: Globals, limit: int, follow: bool) -> None:
    """Show the newest records, oldest of them first; with --follow and --json a line for each."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        rows = await runtime.trail.tail(limit)
        if follow:
            await _follow(runtime, screen, rows)
            return
        if screen.as_json:
            found: list[Json] = [*rows]
            screen.json({"records": found})
        screen.table(_HEADER, [_cells(row) for row in rows])
        if not rows:
            screen.say("The log is empty.")

    with_runtime(options, action)


async def _follow(runtime: "Runtime", screen: "Screen", rows: Sequence[JsonObject]) -> None:
    """Show records as they come; it ends when the command is interrupted."""
    import asyncio

    last = -1
    while True:
        for row in rows:
            last = int(as_number(row.get("record")) or 0)
            if screen.as_json:
                _write(f"{dump_json(row)}\n")
            else:
                screen.result("  ".join(_cells(row)))
        await asyncio.sleep(_LOOK_S if len(rows) < _MOST else 0)
        rows = await runtime.trail.tail(_MOST, after=last)


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


def _filters(command: Command) -> Command:
    """The options that say which records."""
    click.option("--until", metavar="TIME", help="Time before which: 2026-03-31T18:00Z.")(command)
    click.option("--since", metavar="TIME|SPAN", help="First time, or how far back: 24h, 30d.")(command)
    for name, text in reversed(_TEXTS.items()):
        click.option(f"--{name}", default="", help=text)(command)
    return command


def _query(given: Mapping[str, str | None]) -> "AuditQuery":
    from interlock_runtime.audit import AuditQuery

    texts = {name: given[name] or "" for name in _TEXTS}
    return AuditQuery(**texts, since=_time(given["since"], "since"), until=_time(given["until"], "until"))


def _time(text: str | None, field: str) -> float | None:
    """A point in time, or a span before now, in seconds since 1970."""
    if text is None:
        return None
    try:
        return datetime.now(UTC).timestamp() - SPAN.convert(text, None, None)
    except click.BadParameter:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError as exc:
        raise click.BadParameter(
            f"{text[:40]!r} is no time; write 2026-03-31T18:00Z, or 24h.", param_hint=f"--{field}"
        ) from exc
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


@audit.command(
    "search",
    epilog=examples(
        "interlock audit search --user ada --since 24h",
        "interlock audit search --name 'github.*' --kind refused --json",
    ),
)
@_filters
@click.option(
    "-n", "--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="Most records."
)
@click.option("--cursor", help="'next' of the page before, with the same filters.")
@click.pass_obj
def search(options: Globals, limit: int, cursor: str | None, **given: str | None) -> None:
    """Find records, the newest first."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        rows, following = await runtime.trail.search(_query(given), limit=limit, cursor=cursor)
        if screen.as_json:
            found: list[Json] = [*rows]
            screen.json({"records": found, "next": following})
        screen.table(_HEADER, [_cells(row) for row in rows])
        if following is not None:
            screen.say(f"There is more: --cursor {following}")
        if not rows:
            screen.say("No record fits.")

    with_runtime(options, action)


@audit.command(
    "export",
    epilog=examples(
        "interlock audit export --format jsonl -o audit.jsonl",
        "interlock audit export --format csv --since 30d -o audit.csv",
    ),
)
@_filters
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="How records are written; a whole export as jsonl can be checked with 'audit verifier'.",
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), help="File to write; standard output if none."
)
@click.pass_obj
def export(
    options: Globals, form: Literal["json", "jsonl", "csv"], output: str | None, **given: str | None
) -> None:
    """Write records in the order of the log; all of them when nothing is chosen."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        async for piece in runtime.trail.export(form, _query(given)):
            out.write(piece)
        out.flush()
        if output is not None:
            if screen.as_json:
                screen.json({"file": output})
            screen.say(f"Written to {output}.")

    with ExitStack() as stack:
        out = sys.stdout
        if output is not None:
            out = stack.enter_context(Path(output).open("w", encoding="utf-8", newline=""))
        with_runtime(options, action)


@audit.command(
    "checkpoint",
    epilog=examples("interlock audit checkpoint > checkpoint", "interlock audit checkpoint --json"),
)
@click.option("--begin", is_flag=True, help="Begin a new witness, after a backup was restored on purpose.")
@click.pass_obj
def checkpoint(options: Globals, begin: bool) -> None:
    """Show the log's signed checkpoint as it is now. Keep it elsewhere: it shows later what was changed."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        note, key = await runtime.trail.checkpoint(begin=begin), await runtime.trail.key()
        if screen.as_json:
            screen.json({"checkpoint": note, "key": key})
        screen.result(note, end="")
        screen.say(f"The key to check it with: {key}")

    with_runtime(options, action)


@audit.command(
    "rotate-key", epilog=examples("interlock audit rotate-key", "interlock audit rotate-key --json")
)
@click.pass_obj
def rotate_key(options: Globals) -> None:
    """Let a new key sign the log from here on, and print it. Nothing that was proved before is lost.

    Give the new key to those who check the log, by another way than the proofs. With the old one they can
    follow a whole export ('audit export') to it; a single proof needs the new one itself.
    """

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        done = await runtime.trail.rotate_key()
        if screen.as_json:
            screen.json(done)
        screen.result(str(done["new"]))
        screen.say(f"Record {done['record']} hands over from {done['old']}, which signs no more.")
        screen.say("Give the new key to those who check this log, by another way than the proofs.")
        screen.say("Until they have it, the old one leads through 'interlock audit export' to the new one.")

    with_runtime(options, action)


@audit.command("prove", epilog=examples("interlock audit prove 17 > proof.json"))
@click.argument("record", metavar="ID")
@click.option(
    "--since",
    type=click.Path(exists=True, dir_okay=False),
    help="File of an older checkpoint: prove too that the log continues it.",
)
@click.pass_obj
def prove(options: Globals, record: str, since: str | None) -> None:
    """Write the proof that a record stands in the log, as a file that anyone can check.

    ID is the id of a record or its number, as 'audit search' shows them.
    """
    older = None if since is None else Path(since).read_text("utf-8")

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        del screen
        _write(await runtime.trail.prove(record, since=older))

    with_runtime(options, action)


@audit.command("check-proof", epilog=examples("interlock audit check-proof proof.json --key NAME+ID+KEY"))
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--key", multiple=True, metavar="NAME+ID+KEY", help="A key of the log, got from elsewhere.")
@click.pass_obj
def check_proof(options: Globals, file: str, key: tuple[str, ...]) -> None:
    """Check a proof without the log. Exit code 5 means that it does not hold.

    Without --key the key inside the file is believed: then only the file is shown to agree with itself.
    """
    from interlock_cli._screen import Screen
    from interlock_runtime.audit import check_proof as check

    screen = Screen(options)
    said = check(Path(file).read_bytes(), key)
    if screen.as_json:
        screen.json({"ok": True, "says": said, "key_given": bool(key)})
    screen.result(said)
    if not key:
        screen.say("No key was given, so the key inside the file was believed.")


@audit.command("verifier", epilog=examples("interlock audit verifier > check_audit.py"))
@click.pass_obj
def verifier(options: Globals) -> None:
    """Print the stand-alone verifier: one Python file that checks proofs and exports by itself."""
    from interlock_runtime.audit import verifier_source

    del options
    _write(verifier_source())


@audit.command(
    "erase",
    epilog=examples("interlock audit erase --older-than 90d", "interlock audit erase --older-than 90d --yes"),
)
@click.option("--older-than", metavar="SPAN", help="Records older than this: 90d, 52w.")
@click.option("--before", metavar="TIME", help="Records from before this time: 2026-01-01.")
@click.option("--yes", is_flag=True, help="Erase; without it is only said what would be erased.")
@click.pass_obj
def erase(options: Globals, older_than: str | None, before: str | None, yes: bool) -> None:
    """Erase what old records say. Headers and hashes stay, every proof holds, and the log says so."""
    if (older_than is None) == (before is None):
        raise click.UsageError("Give either --older-than or --before.")
    limit = _time(older_than or before, "older-than" if older_than else "before") or 0.0

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        policy = f"older than {older_than}" if older_than else f"before {before}"
        trail = runtime.trail
        found = await (trail.erase(limit, policy=policy) if yes else trail.plan_erasure(limit))
        if screen.as_json:
            screen.json(found | {"dry_run": not yes})
        what = f"the data of {found['count']} records"
        if found["count"]:
            what += f", between {found['first']} and {found['last']}"
        screen.result(f"Erased {what}." if yes else f"Would erase {what}; --yes does it.")

    with_runtime(options, action)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
