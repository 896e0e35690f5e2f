"""Runs the tests of a folder in the sandbox, and reads what they say."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from xml.etree import ElementTree

from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import JsonObject, as_number, as_object, as_text, parse_json
from interlock_tools.devtools._languages import LANGUAGES, Language, by_language, language
from interlock_tools.devtools._workspace import Workspace, as_argument, files_at, inside
from interlock_tools.sandbox import FolderCopy, SandboxRun

_REPORT = ".interlock-test-report.xml"
_MOST_FAILURES = 50
_MOST_TEXT = 4_000
_CARGO_LINE = re.compile(r"^test (.+?) \.\.\. (ok|FAILED|ignored)", re.MULTILINE)
_CARGO_OUTPUT = re.compile(
    r"^---- (\S+) stdout ----\n(.*?)(?=^---- |\nfailures:|\Z)", re.MULTILINE | re.DOTALL
)
_COUNTS = {
    "passed": re.compile(r"(?:^|\s)(?:[#\u2139] pass (\d+)|(\d+) (?:passed|passing))", re.MULTILINE),
    "failed": re.compile(r"(?:^|\s)(?:[#\u2139] fail (\d+)|(\d+) (?:failed|failing))", re.MULTILINE),
    "skipped": re.compile(r"(?:^|\s)(?:[#\u2139] skipped (\d+)|(\d+) (?:skipped|pending))", re.MULTILINE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One test that failed.

    Attributes:
        test: Its name.
        message: What it says in one line.
        trace: The end of its trace.
    """

    test: str
    message: str
    trace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRun:
    """What the tests say.

    Attributes:
        runner: What ran them.
        passed: Names of tests that passed, where the runner tells them.
        counts: How many passed, failed, were skipped, and could not be run.
        failures: The tests that failed, each with its message.
        seconds: How long they took.
        exit_code: Of the runner.
        timed_out: They took too long.
        output: The end of what the runner said, where there were no results to read.
    """

    __test__ = False

    runner: str
    passed: frozenset[str] = frozenset()
    counts: dict[str, int] = field(default_factory=dict[str, int])
    failures: tuple[Failure, ...] = ()
    seconds: float = 0.0
    exit_code: int = 0
    timed_out: bool = False
    output: str = ""

    @property
    def ok(self) -> bool:
        """Whether there were tests and all of them passed."""
        failed = self.counts.get("failed", 0) + self.counts.get("errors", 0)
        return self.exit_code == 0 and not failed and self.counts.get("passed", 0) > 0

    def as_json(self) -> JsonObject:
        """The run as the document describes it."""
        return {
            "runner": self.runner,
            "passed": self.counts.get("passed", 0),
            "failed": self.counts.get("failed", 0),
            "skipped": self.counts.get("skipped", 0),
            "errors": self.counts.get("errors", 0),
            "seconds": round(self.seconds, 3),
            "ok": self.ok,
            "timedOut": self.timed_out,
            "failures": [
                {"test": one.test, "message": one.message, "trace": one.trace}
                for one in self.failures[:_MOST_FAILURES]
            ],
            "output": self.output,
        }


async def run_tests(
    workspace: Workspace,
    copy: FolderCopy,
    path: str,
    *,
    only: str | None = None,
    name_filter: str = "",
    timeout_s: float = 120.0,
) -> TestRun:
    """Run the tests at a path, in one language: the one that is named, or the first that has tests there.

    Raises:
        NotFoundError: There is nothing at the path.
        InvalidRequestError: There are no tests there.
        UnsupportedError: The language's runner is not here.
    """
    row = _with_tests(copy, path, only)
    program = row.runner.find(copy)
    if program is None:
        raise UnsupportedError(
            f"{row.runner.name} is not here, so the tests in {row.name} cannot be run.",
            field="language",
            remedy=row.runner.remedy,
        )
    arguments, read = _RUNNERS[row.runner.name](copy, inside(path), name_filter)
    done = await workspace.run(copy, program, arguments, timeout_s=timeout_s)
    run = read(done)
    return replace(
        run,
        runner=row.runner.name,
        exit_code=done.result.exit_code,
        timed_out=done.result.timed_out,
        output=run.output if run.counts and not done.result.timed_out else _end(done),
    )


def has_tests(copy: FolderCopy) -> str | None:
    """The first language that has tests in the folder, when its runner is here."""
    for row in LANGUAGES:
        files = by_language(sorted(copy.files), row.name).get(row.name, [])
        if _tests_among(copy, row, files) and row.runner.find(copy) is not None:
            return row.name
    return None


def _with_tests(copy: FolderCopy, path: str, only: str | None) -> Language:
    found = by_language(files_at(copy, path), only)
    for name, files in found.items():
        if _tests_among(copy, language(name), files):
            return language(name)
    raise InvalidRequestError(
        f"There are no tests at {path[:200]}.",
        field="path",
        remedy="Name a folder with tests, such as tests, or . for all of it.",
    )


def _tests_among(copy: FolderCopy, row: Language, files: list[str]) -> bool:
    names = [PurePosixPath(path).name for path in files]
    if row.name == "python":
        return any(name.startswith("test_") or name.endswith("_test.py") for name in names)
    if row.name == "go":
        return any(name.endswith("_test.go") for name in names)
    if row.name == "rust":
        return bool(names) and "Cargo.toml" in copy.files
    try:
        package = as_object(parse_json(copy.text("package.json") or "{}"))
    except ValueError:
        return False
    return bool(names) and "test" in as_object(package.get("scripts"))


def _end(done: SandboxRun) -> str:
    said = (done.result.stdout.strip(), done.result.stderr.strip())
    return "\n".join(part for part in said if part)[-_MOST_TEXT:]


Reader = Callable[[SandboxRun], TestRun]


def _pytest(copy: FolderCopy, path: str, name_filter: str) -> tuple[list[str], Reader]:
    chosen = ["-k", name_filter] if name_filter else []
    quiet = ("-q", "--color=no", "-p", "no:cacheprovider", f"--junitxml={copy.folder / _REPORT}")
    return [*quiet, f"--rootdir={copy.folder}", *chosen, "--", as_argument(path)], _of_junit


def _of_junit(done: SandboxRun) -> TestRun:
    """The results in a report that the tests could have written themselves: data, without entities."""
    report = done.changes.get(_REPORT) or b""
    if not report or b"<!DOCTYPE" in report or b"<!ENTITY" in report:
        return TestRun(runner="pytest")
    try:
        root = ElementTree.fromstring(report)  # noqa: S314 - no document type, so no entities
    except ElementTree.ParseError:
        return TestRun(runner="pytest")
    counts = {"passed": 0, "failed": 0, "skipped": 0, "errors": 0}
    failures: list[Failure] = []
    passed: list[str] = []
    seconds = 0.0
    for case in root.iter("testcase"):
        name = f"{case.get('classname', '')}::{case.get('name', '')}".removeprefix("::")
        seconds += _number(case.get("time"))
        kind = next((child for child in case if child.tag in _JUNIT), None)
        if kind is None:
            counts["passed"] += 1
            passed.append(name)
            continue
        counts[_JUNIT[kind.tag]] += 1
        if kind.tag != "skipped":
            message, trace = kind.get("message", "")[:500], (kind.text or "")[-_MOST_TEXT:]
            failures.append(Failure(test=name, message=message, trace=trace))
    return TestRun(
        runner="pytest", passed=frozenset(passed), counts=counts, failures=tuple(failures), seconds=seconds
    )


_JUNIT = {"failure": "failed", "error": "errors", "skipped": "skipped"}


def _number(text: str | None) -> float:
    try:
        return max(0.0, min(float(text or 0), 1e6))
    except ValueError:
        return 0.0


def _npm(copy: FolderCopy, path: str, name_filter: str) -> tuple[list[str], Reader]:
    del copy, path
    return ["test", "--silent", *(["--", name_filter] if name_filter else [])], _of_text


def _of_text(done: SandboxRun) -> TestRun:
    """Counts, where the runner of the script prints them in one of the usual ways."""
    text = f"{done.result.stdout}\n{done.result.stderr}"
    counts = {"errors": 0}
    for kind, pattern in _COUNTS.items():
        found = pattern.search(text)
        counts[kind] = int(found.group(1) or found.group(2)) if found is not None else 0
    told = any(counts.values())
    if not told and done.result.exit_code == 0:
        return TestRun(runner="npm test", output=_end(done))
    if done.result.exit_code != 0 and not counts["failed"]:
        counts["errors"] = 1
    return TestRun(runner="npm test", counts=counts, output=_end(done) if done.result.exit_code else "")


def _go(copy: FolderCopy, path: str, name_filter: str) -> tuple[list[str], Reader]:
    chosen = ["-run", re.escape(name_filter)] if name_filter else []
    where = f"./{path}/..." if path in copy.folders else "./..."
    return ["test", "-json", *chosen, where], _of_go


def _of_go(done: SandboxRun) -> TestRun:
    counts = {"passed": 0, "failed": 0, "skipped": 0, "errors": 0}
    kinds = {"pass": "passed", "fail": "failed", "skip": "skipped"}
    said: dict[str, str] = {}
    passed: list[str] = []
    failures: list[Failure] = []
    seconds = 0.0
    for line in done.result.stdout.splitlines():
        try:
            event = as_object(parse_json(line))
        except ValueError:
            continue
        action, test = str(event.get("Action")), as_text(event.get("Test"))
        name = f"{event.get('Package')}::{test}"
        if action == "output":
            said[name] = (said.get(name, "") + str(event.get("Output")))[-_MOST_TEXT:]
        if test is None or action not in kinds:
            continue
        counts[kinds[action]] += 1
        seconds += as_number(event.get("Elapsed")) or 0.0
        if action == "pass":
            passed.append(name)
        elif action == "fail":
            failures.append(Failure(test=name, message="failed", trace=said.get(name, "")))
    if done.result.exit_code != 0 and not counts["failed"]:
        counts["errors"] = 1
    told = any(counts.values())
    return TestRun(
        runner="go test",
        passed=frozenset(passed),
        counts=counts if told else {},
        failures=tuple(failures),
        seconds=seconds,
        output=_end(done) if counts["errors"] else "",
    )


def _cargo(copy: FolderCopy, path: str, name_filter: str) -> tuple[list[str], Reader]:
    del copy, path
    return ["test", "--offline", "--no-fail-fast", *([name_filter] if name_filter else [])], _of_cargo


def _of_cargo(done: SandboxRun) -> TestRun:
    lines = _CARGO_LINE.findall(done.result.stdout)
    traces = dict(_CARGO_OUTPUT.findall(done.result.stdout))
    counts = {"passed": 0, "failed": 0, "skipped": 0, "errors": 0}
    kinds = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}
    for _, result in lines:
        counts[kinds[result]] += 1
    if done.result.exit_code != 0 and not counts["failed"]:
        counts["errors"] = 1
    failures = [
        Failure(test=name, message="failed", trace=traces.get(name, "").strip()[-_MOST_TEXT:])
        for name, result in lines
        if result == "FAILED"
    ]
    return TestRun(
        runner="cargo test",
        passed=frozenset(name for name, result in lines if result == "ok"),
        counts=counts,
        failures=tuple(failures),
        output=_end(done) if counts["errors"] else "",
    )


_RUNNERS: dict[str, Callable[[FolderCopy, str, str], tuple[list[str], Reader]]] = {
    "pytest": _pytest,
    "npm test": _npm,
    "go test": _go,
    "cargo test": _cargo,
}
