"""`interlock skills`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import with_runtime
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime


@click.group()
def skills() -> None:
    """List, show and validate skills."""


@skills.command("list", epilog=examples("interlock skills list"))
@click.pass_obj
def list_(options: Globals) -> None:
    """List the skills that were found, and what is wrong with the others."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        library = runtime.skills
        found, broken = library.list(), library.problems()
        if screen.as_json:
            rows: list[Json] = [{"name": skill.name, "description": skill.description} for skill in found]
            bad: list[Json] = [
                {"name": name, "problems": [str(one) for one in why]} for name, why in broken.items()
            ]
            screen.json({"skills": rows, "broken": bad})
        screen.table(["NAME", "DESCRIPTION"], [[skill.name, skill.description[:90]] for skill in found])
        for name, why in broken.items():
            screen.warn(f"{name}: {why[0]}")
        if not found and not broken:
            screen.say(f"No skill in {', '.join(map(str, runtime.skill_folders))}.")

    with_runtime(options, action)


@skills.command("show", epilog=examples("interlock skills show triage"))
@click.argument("name")
@click.pass_obj
def show(options: Globals, name: str) -> None:
    """Show one skill."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        skill = runtime.skills.get(name)
        if screen.as_json:
            screen.json(
                {
                    "name": skill.name,
                    "description": skill.description,
                    "allowed_tools": list(skill.allowed_tools),
                    "folder": str(skill.folder),
                    "files": list(skill.files),
                    "instructions": skill.instructions,
                }
            )
        screen.result(f"{skill.name}: {skill.description}\n\n{skill.instructions}")

    with_runtime(options, action)


@skills.command("validate", epilog=examples("interlock skills validate ./triage"))
@click.argument("folder", type=click.Path(path_type=Path))
@click.pass_obj
def validate(options: Globals, folder: Path) -> None:
    """Check one skill folder against the format."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        problems = runtime.examine_skill(folder)
        if screen.as_json:
            found: list[Json] = [
                {"field": one.field, "message": one.message, "remedy": one.remedy} for one in problems
            ]
            screen.json({"ok": not problems, "problems": found})
        if problems:
            listed = "".join(f"\n  {one}" for one in problems)
            raise InvalidRequestError(f"{folder} is no valid skill: {listed}", field=problems[0].field)
        screen.result(f"{folder} is valid")

    with_runtime(options, action)
