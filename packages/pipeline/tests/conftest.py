"""What the tests of the job share: a repository behind an executor, and a model that words issues."""

from collections import defaultdict
from collections.abc import Callable
from typing import TypeAlias, cast

import pytest
from hypothesis import settings

from interlock_core import (
    Budget,
    Call,
    Completion,
    CompletionRequest,
    Effect,
    HttpRequest,
    JsonObject,
    Prepared,
    Principal,
    Redactor,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import Json, as_int, as_text, dump_json
from interlock_core.testing import FakeClock, MemoryCatalog, ScriptedProvider
from interlock_core.testing import completion as made_completion
from interlock_pipeline.spec_to_github import JobRequest, JobResult, SpecToGitHub
from interlock_pipeline.specification import Specification, split

CREATE = ToolSpec(name="github.issues_create", effect=Effect.WRITE)
LIST = ToolSpec(name="github.issues_list", effect=Effect.READ)


# A busy machine is no failure: nothing here is judged by how long it takes.
settings.register_profile("interlock", deadline=None)
settings.load_profile("interlock")

Write: TypeAlias = Callable[[str], "str | Completion | InterlockError"]
"""What a model says to a requirement."""

THREE = (
    "# Notes\n\n- Notes are exported as PDF.\n- Notes are searched by author.\n- Notes are shared by link.\n"
)


class Repository:
    """One repository's issues as an executor: newest first, in pages, with pull requests among them.

    Attributes:
        issues: What is there.
        page_size: Most issues on a page, however many are asked for.
        before: What goes wrong before an issue is made, by the number of the attempt, from 1: an error to
            raise, or a result to give.
        after: Raised once the issue is made, likewise.
        refuses: Raised by `prepare`, by the number of the attempt.
        pages: Answers of the list instead of its own, by the number of the page.
        listed: Pages that were asked for.
        attempts: Arguments of every attempt to create.
        contexts: The guarded call of each.
    """

    def __init__(self) -> None:
        self.issues: list[JsonObject] = []
        self.page_size = 100
        self.before: dict[int, InterlockError | ToolResult] = {}
        self.after: dict[int, InterlockError] = {}
        self.refuses: dict[int, InterlockError] = {}
        self.pages: dict[int, InterlockError | ToolResult] = {}
        self.listed: list[int] = []
        self.attempts: list[JsonObject] = []
        self.contexts: list[Call] = []
        self.prepared = 0
        self.catalog = MemoryCatalog([CREATE, LIST])

    async def prepare(self, call: ToolCall, context: Call) -> Prepared:
        """The request that would be sent."""
        self.prepared += 1
        error = self.refuses.get(self.prepared)
        if error is not None:
            raise error
        arguments = call.parsed()
        body = dump_json({name: arguments[name] for name in arguments if name not in {"owner", "repo"}})
        url = f"https://api.example/repos/{arguments['owner']}/{arguments['repo']}/issues"
        request = HttpRequest(method="POST", url=url, body=body.encode("utf-8", "surrogatepass"))
        return Prepared(tool=CREATE, arguments=arguments, request=request)

    async def execute(self, call: ToolCall, context: Call) -> ToolResult:
        """Create or list."""
        self.contexts.append(context)
        if call.name == LIST.name:
            return self._list(call)
        self.attempts.append(call.parsed())
        number = len(self.attempts)
        fault = self.before.get(number)
        if isinstance(fault, InterlockError):
            raise fault
        if fault is not None:
            return fault
        issue = self.add(**call.parsed())
        if number in self.after:
            raise self.after[number]
        return self.says(issue)

    @property
    def titles(self) -> list[str]:
        """Titles of the issues that are there, oldest first."""
        return [as_text(issue["title"]) or "" for issue in self.issues]

    def add(self, **facts: Json) -> JsonObject:
        """Make an issue."""
        number = len(self.issues) + 1
        issue: JsonObject = {
            "number": number,
            "html_url": f"https://example.org/issues/{number}",
            "state": "open",
            "title": facts["title"],
            "body": facts["body"],
            "labels": [{"name": label} for label in cast("list[Json]", facts.get("labels") or [])],
        }
        self.issues.append(issue)
        return issue

    @staticmethod
    def says(
        value: Json, *, status: int = 200, error: str | None = None, code: str | None = None
    ) -> ToolResult:
        """An answer of the API."""
        return ToolResult(
            call_id="c",
            name="github",
            content=(Text(dump_json(value) if error is None else error),),
            structured=value,
            status=status,
            is_error=error is not None,
            error_code=code,
        )

    def _list(self, call: ToolCall) -> ToolResult:
        arguments = call.parsed()
        assert arguments["state"] == "all"
        page, size = as_int(arguments["page"]) or 0, min(self.page_size, as_int(arguments["per_page"]) or 0)
        self.listed.append(page)
        given = self.pages[page] if page in self.pages or isinstance(self.pages, defaultdict) else None
        if isinstance(given, InterlockError):
            raise given
        if given is not None:
            return given
        newest = self.issues[::-1]
        return self.says(list[Json](newest[(page - 1) * size : page * size]))


class Writer(ScriptedProvider):
    """A model that words each issue by a function of its requirement's words.

    Attributes:
        asked: The requirements that it was shown, in the order of asking.
    """

    def __init__(self, write: Write) -> None:
        super().__init__()
        self._write = write
        self.asked: list[str] = []

    async def complete(self, request: CompletionRequest, call: Call | None = None) -> Completion:
        """Word one issue."""
        self.requests.append(request)
        self.calls.append(call)
        text = request.messages[-1].text.partition("Requirement: ")[2]
        self.asked.append(text)
        said = self._write(text)
        if isinstance(said, InterlockError):
            raise said
        return made_completion(said) if isinstance(said, str) else said


def worded(title: str, summary: str = "", *labels: str) -> str:
    """A model's answer."""
    return dump_json({"title": title, "summary": summary, "labels": list[Json](labels or ("enhancement",))})


def own_words(text: str) -> str:
    """The answer of a model that repeats what it was told."""
    return worded(text.rstrip(".").replace("Notes are", "Have notes"))


class Desk:
    """Where the job is run: over one repository, for Ann, with a model of each run's own.

    Attributes:
        three: A specification of three requirements.
        repository: The repository.
        writer: The model of the last run.
    """

    three = THREE

    def __init__(self) -> None:
        self.repository = Repository()
        self.writer = Writer(own_words)
        self.clock = FakeClock()

    def request(
        self,
        specification: Specification | str = THREE,
        *,
        dry_run: bool = False,
        budget: Budget | None = None,
        labels: tuple[str, ...] = (),
    ) -> JobRequest:
        """A request of Ann's."""
        text = isinstance(specification, str)
        return JobRequest(
            specification=split(specification, name="notes.md") if text else specification,
            owner="acme",
            repo="notes",
            principal=Principal(user="ann"),
            model="acme/small",
            dry_run=dry_run,
            budget=budget or Budget(),
            labels=labels,
        )

    def job(self, write: Write = own_words, redactor: Redactor | None = None) -> SpecToGitHub:
        """The job over the repository, with a new model."""
        self.writer = Writer(write)
        return SpecToGitHub(
            provider=self.writer,
            catalog=self.repository.catalog,
            executor=self.repository,
            redactor=redactor,
            clock=self.clock,
        )

    async def run(
        self,
        specification: Specification | str = THREE,
        write: Write = own_words,
        *,
        dry_run: bool = False,
        budget: Budget | None = None,
        labels: tuple[str, ...] = (),
    ) -> JobResult:
        """Run the job: each requirement must be in exactly one place, with a reason if it has no issue."""
        asked = self.request(specification, dry_run=dry_run, budget=budget, labels=labels)
        result = await self.job(write).run(asked)
        placed = [entry for record in result.issues for entry in record.draft.requirements]
        unplaced = [entry for entry, reason in result.unassigned if reason]
        wanted = [entry.id for entry in result.specification.requirements]
        assert sorted([*placed, *unplaced]) == sorted(wanted)
        assert {entry for record in result.failed for entry in record.draft.requirements} <= {*unplaced}
        return result


@pytest.fixture
def desk() -> Desk:
    """A desk with an empty repository."""
    return Desk()


@pytest.fixture(scope="session")
def new_desk() -> type[Desk]:
    """Makes desks with empty repositories."""
    return Desk
