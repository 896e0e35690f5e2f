"""Handlers that read and change code without a model."""

from collections.abc import Mapping
from dataclasses import dataclass

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_int, as_object, as_text
from interlock_tools.devtools._diff import unified_diff
from interlock_tools.devtools._facts import ANSWER, REQUEST
from interlock_tools.devtools._languages import by_language, language
from interlock_tools.devtools._linting import change_json, format_code, lint
from interlock_tools.devtools._programs import run_program
from interlock_tools.devtools._testing import TestRun, has_tests, run_tests
from interlock_tools.devtools._workspace import Workspace, files_at
from interlock_tools.sandbox import FolderCopy

_ANALYSIS_RULES = ("F", "B", "S", "C90", "PLE", "PLW", "ASYNC")
_MOST_FILES = 300
_MOST_FUNCTIONS = 30
_TEST_TIME_S = 180.0
_NEEDED = {
    "rename": ("name", "newName"),
    "extractConstant": ("value", "newName"),
    "addImport": ("module",),
    "removeImport": ("module",),
    "describe": ("instruction",),
}


@dataclass(frozen=True, slots=True)
class CodeTools:
    """What can be done with the code of a working folder.

    Attributes:
        workspace: The folder.
    """

    workspace: Workspace

    async def analyze(self, arguments: JsonObject) -> JsonObject:
        """Measure code."""
        path, only = str(arguments["path"]), as_text(arguments.get("language"))
        most = as_int(arguments.get("maxFindings")) or 100
        copy = await self.workspace.copy()
        found = by_language(files_at(copy, path), only)
        if not found:
            raise InvalidRequestError(
                f"There is no file of {only or 'a known language'} at {path[:200]}.",
                field="path",
                remedy="Known languages: python, javascript, typescript, go, rust.",
            )
        pythons = found.get("python", [])
        facts: JsonObject = {}
        findings: list[Json] = []
        if pythons:
            facts = await run_program(self.workspace, copy, "_facts", [*pythons])
            checked = await lint(self.workspace, copy, path, only="python", select=_ANALYSIS_RULES)
            findings = [one.as_json() for one in checked.findings]
        files = [
            _file(copy, name, one, as_object(facts.get(one)))
            for name, paths in found.items()
            for one in paths
        ]
        return {
            "totals": {
                "files": len(files),
                "lines": sum(as_int(file["lines"]) or 0 for file in files),
                "functions": sum(len(as_array(as_object(one).get("functions"))) for one in facts.values()),
                "classes": sum(len(as_array(as_object(one).get("classes"))) for one in facts.values()),
                "findings": len(findings),
            },
            "files": [*files[:_MOST_FILES]],
            "findings": findings[:most],
            "cut": len(findings) > most or len(files) > _MOST_FILES,
        }

    async def lint(self, arguments: JsonObject) -> JsonObject:
        """Lint code."""
        most = as_int(arguments.get("maxFindings")) or 100
        select = tuple(str(rule) for rule in as_array(arguments.get("select")))
        copy = await self.workspace.copy()
        checked = await lint(
            self.workspace,
            copy,
            str(arguments["path"]),
            only=as_text(arguments.get("language")),
            select=select,
        )
        diff, cut = unified_diff(copy, checked.changes)
        return {
            "total": len(checked.findings),
            "findings": [one.as_json() for one in checked.findings[:most]],
            "counts": checked.counts(),
            "diff": diff,
            "tools": [*checked.tools],
            "cut": cut or len(checked.findings) > most,
        }

    async def format(self, arguments: JsonObject) -> JsonObject:
        """Format code."""
        copy = await self.workspace.copy()
        changes, tools = await format_code(
            self.workspace, copy, str(arguments["path"]), only=as_text(arguments.get("language"))
        )
        applied = arguments.get("apply") is True and bool(changes)
        if applied:
            self.workspace.apply(copy, changes)
        return {**change_json(copy, changes, applied=applied), "tools": [*tools]}

    async def refactor(self, arguments: JsonObject) -> JsonObject:
        """Refactor Python by rule; the tests are run on the result."""
        kind = str(arguments["kind"])
        check_needed(kind, arguments)
        copy = await self.workspace.copy()
        files = [path for path in files_at(copy, str(arguments["path"])) if path.endswith((".py", ".pyi"))]
        if not files:
            raise InvalidRequestError(
                "There is no Python at this path.",
                field="path",
                remedy="Name Python files, or use kind describe, which works in any language.",
            )
        if kind == "extractConstant" and len(files) > 1:
            raise InvalidRequestError(
                "A constant belongs to one file.", field="path", remedy="Name the one file."
            )
        roots: list[Json] = [path for path in copy.folders if path in {"src", "lib"} or path.endswith("/src")]
        wanted: JsonObject = {
            name: arguments[name] for name in ("name", "newName", "value", "module") if name in arguments
        }
        within = set(files)
        if kind == "rename":
            files = [path for path in sorted(copy.files) if path.endswith((".py", ".pyi"))]
        request: JsonObject = {
            "kind": kind,
            "within": [*sorted(within)],
            "wanted": wanted,
            "files": [*files],
            "roots": roots,
        }
        answer = await run_program(self.workspace, copy, "_refactoring", request)
        if "refused" in answer:
            raise InvalidRequestError(
                f"The code is left as it is: {answer['refused']}.",
                field="kind",
                remedy="Name another part of the code, or use kind describe.",
            )
        changes = {path: str(text).encode() for path, text in as_object(answer["changed"]).items()}
        outside = sorted(changes.keys() - within)
        if outside:
            raise InvalidRequestError(
                f"The name is used outside that path too: {', '.join(outside[:5])}.",
                field="path",
                remedy="Name a folder that holds all of it, such as . for the whole of the working folder.",
            )
        return await self.tested(copy, changes, apply=arguments.get("apply") is True)

    async def tested(
        self, copy: FolderCopy, changes: Mapping[str, bytes | None], *, apply: bool
    ) -> JsonObject:
        """A change with what the tests say; written only when no test fails that passed before."""
        said: JsonObject = {**change_json(copy, changes, applied=False)}
        if not changes:
            return said
        broken: list[str] = []
        tested = has_tests(copy)
        if tested is not None:
            after = await self._run(copy.changed(changes), tested)
            said["tests"] = after.as_json()
            if not after.ok:
                broken = broken_tests(await self._run(copy, tested), after)
            said["broken"] = [*broken]
        if apply and not broken:
            self.workspace.apply(copy, changes)
            said["applied"] = True
        return said

    async def _run(self, copy: FolderCopy, tested: str) -> TestRun:
        return await run_tests(self.workspace, copy, ".", only=tested, timeout_s=_TEST_TIME_S)


def check_needed(kind: str, arguments: JsonObject) -> None:
    """Do nothing when a kind of refactoring has all that it takes.

    Raises:
        InvalidRequestError: It has not.
    """
    missing = [name for name in _NEEDED.get(kind, ()) if name not in arguments]
    if missing:
        raise InvalidRequestError(
            f"{kind} needs {' and '.join(missing)}.", field=missing[0], remedy=f"Give {', '.join(missing)}."
        )


def broken_tests(before: TestRun, after: TestRun) -> list[str]:
    """Tests that passed before and do not now; where the runner names none, the whole run counts as one."""
    if before.passed:
        return sorted(before.passed - after.passed)
    return [after.runner] if before.ok and not after.ok else []


def _file(copy: FolderCopy, name: str, path: str, facts: JsonObject) -> JsonObject:
    assert path not in {REQUEST, ANSWER}
    lines = (copy.text(path) or "").splitlines()
    mark = language(name).comment
    counted = sum(line.lstrip().startswith(mark) for line in lines)
    said: JsonObject = {
        "path": path,
        "language": name,
        "lines": len(lines),
        "blank": sum(not line.strip() for line in lines),
        "comments": as_int(facts.get("comments")) or counted,
        "functions": as_array(facts.get("functions"))[:_MOST_FUNCTIONS],
        "classes": as_array(facts.get("classes")),
        "imports": as_array(facts.get("imports")),
    }
    return {**said, "error": facts["error"]} if "error" in facts else said
