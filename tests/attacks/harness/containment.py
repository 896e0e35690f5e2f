"""A tool with a working folder that is asked for what lies outside of it."""

import json
from pathlib import Path

from interlock_core.errors import InterlockError
from interlock_runtime import Runtime, Settings
from interlock_runtime.settings import ToolSettings

from .cases import Case, filled
from .seen import Seen

CANARY = "canary-c40b7719ae02"
_CODE = f"# {CANARY}\nx=[ 1,2 ]\n"
"""Python that a formatter would change, and that nobody may read."""

_WORDS = {"read": "dev.lintCode", "write": "dev.formatCode"}


async def contained(case: Case, folder: Path) -> Seen:
    """Read or write by a path, through the tools for developers on a working folder."""
    work, marker = _laid_out(folder), folder / "marker"
    places = {"folder": str(work), "name": work.name, "marker": str(marker)}
    path = str(filled(case.send["path"], places))
    before = _outside(folder, work)
    tools = {"dev": ToolSettings(source="builtin:dev", folder=str(work))}
    seen = Seen(canary=CANARY)
    arguments: dict[str, object] = {"path": path}
    if case.send["operation"] == "write":
        arguments["apply"] = True
    told = ""
    async with Runtime.open(Settings(home=folder / "home", tools=tools), environment={}) as runtime:
        try:
            result = await runtime.tools.call(_WORDS[str(case.send["operation"])], json.dumps(arguments))
            told, seen.refused = result.text, result.is_error
        except InterlockError as error:
            seen.error, seen.refused, told = error, True, str(error)
    seen.texts["response"] = told
    seen.facts["files outside unchanged"] = before == _outside(folder, work)
    seen.facts["marker absent"] = not marker.exists()
    seen.facts["inside"] = not seen.refused
    return seen


def _laid_out(folder: Path) -> Path:
    """A working folder whose links lead out, and what lies beside it."""
    work, beside, out = folder / "work", folder / "work-evil", folder / "out"
    for place in (work / "a", work / ".git" / "hooks", beside, out):
        place.mkdir(parents=True)
    (work / "a" / "good.py").write_text("x=[ 1,2 ]\n", "utf-8")
    (work / ".git" / "config").write_text(_CODE, "utf-8")
    (work / ".git" / "hooks" / "pre-commit").write_text(_CODE, "utf-8")
    for place in (folder / "outside.txt", folder / "outside.py", beside / "x", out / "x", out / "x.py"):
        place.write_text(_CODE, "utf-8")
    (work / "link-out").symlink_to(out)
    (work / "link-to-link").symlink_to(work / "link-out")
    (work / "link-to-file").symlink_to(folder / "outside.py")
    return work


def _outside(folder: Path, work: Path) -> dict[str, bytes]:
    """Every file that no tool may touch: those outside, and those of version control."""
    return {
        str(place): place.read_bytes()
        for place in folder.rglob("*")
        if place.is_file()
        and (not place.is_relative_to(work) or ".git" in place.parts)
        and "home" not in place.relative_to(folder).parts
    }
