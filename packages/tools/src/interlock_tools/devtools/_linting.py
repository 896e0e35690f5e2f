"""Linters and formatters, run in the sandbox, their answers read."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_int, as_object, as_text, parse_json
from interlock_tools.devtools._diff import unified_diff, wanted_changes
from interlock_tools.devtools._languages import Tool, by_language, language
from interlock_tools.devtools._workspace import Program, Workspace, as_argument, files_at, inside
from interlock_tools.sandbox import FolderCopy, SandboxRun

TIMEOUT_S = 120.0
_MOST_SAID = 1_500
_RUFF_WRONG = 2
_ESLINT_WRONG = 2
_VET_LINE = re.compile(r"^(?:\./)?([^\s:]+\.go):(\d+):(?:(\d+):)? (.+)$", re.MULTILINE)
_EDITION = re.compile(r'^edition\s*=\s*"(\d{4})"', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a linter found.

    Attributes:
        path: The file.
        line: Its line, from 1; 0 for the whole file.
        column: Its column, from 1; 0 for the whole line.
        code: The rule.
        message: What is wrong.
        fixable: Whether the linter can repair it.
    """

    path: str
    line: int
    column: int
    code: str
    message: str
    fixable: bool = False

    def as_json(self) -> JsonObject:
        """The finding as the document describes it."""
        return {
            "path": self.path,
            "line": self.line,
            "column": self.column,
            "code": self.code,
            "message": self.message,
            "fixable": self.fixable,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a tool is to do.

    Attributes:
        workspace: Where it runs.
        copy: On what.
        program: The tool.
        path: The file or folder that the caller named.
        files: The files of the tool's languages in there.
        select: Rules in place of the project's own.
    """

    workspace: Workspace
    copy: FolderCopy
    program: Program
    path: str
    files: tuple[str, ...]
    select: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The files as a tool is given them: never taken for options, patterns or files of arguments."""
        return tuple(as_argument(path) for path in self.files)

    async def run(self, *arguments: str) -> SandboxRun:
        """Run the tool with some arguments."""
        done = await self.workspace.run(self.copy, self.program, arguments, timeout_s=TIMEOUT_S)
        if done.result.timed_out or done.memory_exceeded:
            what = "time" if done.result.timed_out else "memory"
            raise InvalidRequestError(
                f"The tool took too much {what}.", field="path", remedy="Name a smaller part of the folder."
            )
        return done

    def relative(self, path: str) -> str:
        """A path that a tool said, as it stands under the folder."""
        return path.removeprefix(f"{self.copy.folder}/").removeprefix("./")


@dataclass(slots=True)
class Checked:
    """What the linters said.

    Attributes:
        findings: Everything, by path and line.
        changes: What they would repair.
        tools: What was run for which language.
    """

    findings: list[Finding] = field(default_factory=list[Finding])
    changes: dict[str, bytes | None] = field(default_factory=dict[str, bytes | None])
    tools: list[JsonObject] = field(default_factory=list[JsonObject])

    def counts(self) -> JsonObject:
        """How often each rule was broken, the most frequent first."""
        return dict(Counter(one.code for one in self.findings).most_common())


async def lint(
    workspace: Workspace, copy: FolderCopy, path: str, *, only: str | None, select: tuple[str, ...] = ()
) -> Checked:
    """Lint a part of the folder with the linter of each language in it.

    Raises:
        NotFoundError: There is nothing at the path.
        UnsupportedError: No language in it has its linter here.
        InvalidRequestError: A linter cannot work, for instance for settings that are wrong.
    """
    checked = Checked()
    for tool, program, files in _tools(copy, path, only, "linter", checked.tools):
        job = Job(
            workspace=workspace,
            copy=copy,
            program=program,
            path=inside(path),
            files=tuple(files),
            select=select if tool.name == "ruff" else (),
        )
        findings, changes = await _LINTERS[tool.name](job)
        checked.findings += findings
        checked.changes |= wanted_changes(copy, changes)
    checked.findings.sort(key=lambda one: (one.path, one.line, one.column, one.code))
    return checked


async def format_code(
    workspace: Workspace, copy: FolderCopy, path: str, *, only: str | None
) -> tuple[dict[str, bytes | None], list[JsonObject]]:
    """The changes that the formatters of a part's languages make, and what was run.

    Raises:
        NotFoundError: There is nothing at the path.
        UnsupportedError: No language in it has its formatter here.
        InvalidRequestError: A formatter cannot read a file.
    """
    tools: list[JsonObject] = []
    changes: dict[str, bytes | None] = {}
    for tool, program, files in _tools(copy, path, only, "formatter", tools):
        job = Job(workspace=workspace, copy=copy, program=program, path=inside(path), files=tuple(files))
        done = await job.run(*_FORMATTERS[tool.name](job))
        if done.result.exit_code != 0:
            raise _unreadable(tool.name, done)
        changes |= {name: new for name, new in wanted_changes(copy, done.changes).items() if name in files}
    return changes, tools


def change_json(copy: FolderCopy, changes: Mapping[str, bytes | None], *, applied: bool) -> JsonObject:
    """Changed files and their diff, as the document describes them."""
    diff, cut = unified_diff(copy, changes)
    return {"changed": [*sorted(changes)], "diff": diff, "applied": applied, "cut": cut}


def _tools(
    copy: FolderCopy, path: str, only: str | None, kind: str, told: list[JsonObject]
) -> list[tuple[Tool, Program, list[str]]]:
    """The tools that the files at a path need, each once, with its files; what is missing is told."""
    files = by_language(files_at(copy, path), only)
    if not files:
        raise InvalidRequestError(
            f"There is no file of {only or 'a known language'} at {path[:200]}.",
            field="path",
            remedy="Known languages: python, javascript, typescript, go, rust.",
        )
    found: dict[str, tuple[Tool, Program, list[str]]] = {}
    missing: list[Tool] = []
    for name, paths in files.items():
        row = language(name)
        tool = row.linter if kind == "linter" else row.formatter
        program = tool.find(copy)
        line: JsonObject = {"language": name, "tool": tool.name, "ran": program is not None}
        if program is None:
            missing.append(tool)
            line["remedy"] = tool.remedy
        else:
            found.setdefault(tool.name, (tool, program, []))[2].extend(paths)
        told.append(line)
    if not found:
        raise UnsupportedError(
            f"No {kind} is here for {', '.join(files)}: {', '.join(tool.name for tool in missing)}.",
            field="language",
            remedy=missing[0].remedy,
        )
    return list(found.values())


def _unreadable(tool: str, done: SandboxRun) -> InvalidRequestError:
    said = (done.result.stderr.strip() or done.result.stdout.strip())[-_MOST_SAID:]
    return InvalidRequestError(
        f"{tool} could not do it: {said or f'exit code {done.result.exit_code}'}",
        field="path",
        remedy="Repair what it names, or leave that file out.",
    )


def _json_of(tool: str, done: SandboxRun) -> Json:
    try:
        return parse_json(done.result.stdout)
    except ValueError as exc:
        raise _unreadable(tool, done) from exc


Found = tuple[list[Finding], Mapping[str, bytes | None]]


async def _ruff(job: Job) -> Found:
    select = [f"--select={','.join(job.select)}"] if job.select else []
    arguments = ["check", "--no-cache", "--exit-zero", *select]
    done = await job.run(*arguments, "--output-format=json", "--", as_argument(job.path))
    if done.result.exit_code == _RUFF_WRONG:
        raise _unreadable("ruff", done)
    findings = [_of_ruff(job, as_object(entry)) for entry in as_array(_json_of("ruff", done))]
    repaired = (
        await job.run(*arguments, "--fix", "--quiet", "--", as_argument(job.path)) if findings else done
    )
    return findings, repaired.changes


def _of_ruff(job: Job, entry: JsonObject) -> Finding:
    place = as_object(entry.get("location"))
    return Finding(
        path=job.relative(str(entry.get("filename"))),
        line=as_int(place.get("row")) or 0,
        column=as_int(place.get("column")) or 0,
        code=as_text(entry.get("code")) or "syntax",
        message=str(entry.get("message")),
        fixable=as_object(entry.get("fix")).get("applicability") == "safe",
    )


async def _eslint(job: Job) -> Found:
    done = await job.run("--format=json", "--", *job.names)
    if done.result.exit_code >= _ESLINT_WRONG or not done.result.stdout.strip():
        raise _unreadable("eslint", done)
    findings = [
        Finding(
            path=job.relative(str(as_object(file).get("filePath"))),
            line=as_int(entry.get("line")) or 0,
            column=as_int(entry.get("column")) or 0,
            code=as_text(entry.get("ruleId")) or "syntax",
            message=str(entry.get("message")),
            fixable="fix" in entry,
        )
        for file in as_array(_json_of("eslint", done))
        for entry in map(as_object, as_array(as_object(file).get("messages")))
    ]
    if not any(one.fixable for one in findings):
        return findings, {}
    return findings, (await job.run("--fix", "--", *job.names)).changes


async def _go_vet(job: Job) -> Found:
    done = await job.run("vet", "./...")
    findings = [
        Finding(path=path, line=int(line), column=int(column or 0), code="vet", message=message)
        for path, line, column, message in _VET_LINE.findall(done.result.stderr)
        if path in job.files
    ]
    if done.result.exit_code != 0 and not findings:
        raise _unreadable("go vet", done)
    return findings, {}


async def _clippy(job: Job) -> Found:
    done = await job.run("clippy", "--offline", "--quiet", "--message-format=json", "--all-targets")
    findings: list[Finding] = []
    for line in done.result.stdout.splitlines():
        try:
            message = as_object(as_object(parse_json(line)).get("message"))
        except ValueError:
            continue
        spans = [as_object(span) for span in as_array(message.get("spans"))]
        main = next((span for span in spans if span.get("is_primary")), None)
        if main is None or str(main.get("file_name")) not in job.files:
            continue
        code = as_text(as_object(message.get("code")).get("code")) or str(message.get("level"))
        findings.append(
            Finding(
                path=str(main.get("file_name")),
                line=as_int(main.get("line_start")) or 0,
                column=as_int(main.get("column_start")) or 0,
                code=code,
                message=str(message.get("message")),
            )
        )
    if done.result.exit_code != 0 and not findings:
        raise _unreadable("cargo clippy", done)
    return list(dict.fromkeys(findings)), {}


def _rustfmt(job: Job) -> tuple[str, ...]:
    found = _EDITION.search(job.copy.text("Cargo.toml") or "")
    return ("--edition", found.group(1) if found is not None else "2021", *job.names)


_LINTERS: dict[str, Callable[[Job], Awaitable[Found]]] = {
    "ruff": _ruff,
    "eslint": _eslint,
    "go vet": _go_vet,
    "cargo clippy": _clippy,
}
_FORMATTERS: dict[str, Callable[[Job], tuple[str, ...]]] = {
    "ruff": lambda job: ("format", "--no-cache", "--", as_argument(job.path)),
    "prettier": lambda job: ("--write", "--log-level=warn", "--", *job.names),
    "gofmt": lambda job: ("-w", *job.names),
    "rustfmt": _rustfmt,
}
