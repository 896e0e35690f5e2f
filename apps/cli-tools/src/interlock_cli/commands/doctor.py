"""`interlock doctor`."""

from typing import TYPE_CHECKING

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._screen import Screen
from interlock_cli._session import settings_of
from interlock_core.errors import ConfigurationError
from interlock_core.jsontypes import Json

if TYPE_CHECKING:
    from interlock_runtime.doctor import Finding


@click.command(epilog=examples("interlock doctor", "interlock doctor --json"))
@click.pass_obj
def doctor(options: Globals) -> None:
    """Look for what is wrong and say what to do. Exit code 4 means something is."""
    import asyncio
    import os

    from interlock_runtime.doctor import examine

    findings = asyncio.run(examine(settings_of(options), environment=os.environ))
    screen = Screen(options)
    if screen.as_json:
        rows: list[Json] = [_row(entry) for entry in findings]
        screen.json({"ok": all(entry.ok for entry in findings), "findings": rows})
    wrong = [entry for entry in findings if not entry.ok]
    screen.report(map(_line, findings), ok=not wrong)
    if wrong:
        raise ConfigurationError(
            f"{len(wrong)} of {len(findings)} checks failed: {wrong[0].what}: {wrong[0].detail}"
        )


def _line(entry: "Finding") -> str:
    remedy = f" {entry.remedy}" if entry.remedy else ""
    return f"{'ok    ' if entry.ok else 'wrong '} {entry.what}: {entry.detail}{remedy}"


def _row(entry: "Finding") -> Json:
    return {"what": entry.what, "ok": entry.ok, "detail": entry.detail, "remedy": entry.remedy}
