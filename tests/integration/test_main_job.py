"""The main job through the public runtime: specification, router, tool, issues, audit log.

The models are a simulated vendor and GitHub is a stand-in; both are real servers on loopback.
"""

import json
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from interlock_core import Event, EventKind, JsonObject, Money
from interlock_core.errors import CredentialError, InterlockError, PermissionDeniedError
from interlock_core.jsontypes import as_object
from interlock_providers.testing import Failure, OpenAIChatServer, Say, ToolUse
from interlock_runtime import Question, Runtime, Settings, SpecificationJob
from interlock_runtime.jobs import IssueState, JobResult
from interlock_runtime.settings import (
    ModelSettings,
    PolicySettings,
    ProviderSettings,
    ToolSettings,
    UserSettings,
)
from interlock_tools.testing.github import GitHubStandIn

KEY = "sk-vendor-5d21e90c77"
SPECIFICATION = """# Notes

Some words about the product.

## Must

- Notes can be exported as PDF.
- Notes can be searched by author.
- [ ] Notes can be shared by link.
- [x] Notes can be printed.

## Limits

| Limit | Value |
|---|---|
| Longest note | 100,000 characters |
"""
OPEN = 4
"""How many of its requirements are not done yet."""
REST = '{"owner": "acme", "repo": "notes"'


@pytest_asyncio.fixture
async def vendor() -> AsyncGenerator[OpenAIChatServer, None]:
    """A simulated vendor that wants its key."""
    async with OpenAIChatServer(models=("small",), key=KEY) as server:
        yield server


@pytest.fixture
def github() -> Iterator[GitHubStandIn]:
    """A stand-in for GitHub's issues."""
    with GitHubStandIn(owner="acme", repo="notes") as server:
        yield server


@pytest.fixture
def settings(tmp_path: Path, vendor: OpenAIChatServer, github: GitHubStandIn) -> Settings:
    """Both, in the settings; no local model, so that `auto` means the vendor."""
    return Settings(
        home=tmp_path / "home",
        providers={
            "acme": ProviderSettings(kind="openai-compatible", base_url=vendor.url, api_key=KEY),
            "local": ProviderSettings(kind="local", enabled=False),
        },
        tools={"github": ToolSettings(source="builtin:github", base_url=github.url, credential=github.token)},
    )


@pytest.fixture
def job(tmp_path: Path) -> SpecificationJob:
    """The specification as a job."""
    file = tmp_path / "notes.md"
    file.write_text(SPECIFICATION, encoding="utf-8")
    return SpecificationJob(file=file, owner="acme", repo="notes", labels=("from-spec",))


async def run(
    settings: Settings, job: SpecificationJob, environment: dict[str, str] | None = None
) -> tuple[JobResult, list[Event], JsonObject]:
    """The result, the events, and what `audit verify` says afterwards."""
    async with Runtime.open(settings, environment=environment or {}) as runtime:
        events: list[Event] = []
        result: JobResult | None = None
        async with aclosing(runtime.spec_to_github(job)) as items:
            async for item in items:
                if isinstance(item, Event):
                    events.append(item)
                else:
                    result = item
        assert result is not None
        return result, events, await runtime.trail.verify()


def states(result: JobResult) -> list[str]:
    """What became of each issue, the failed ones last."""
    return [record.state.value for record in (*result.issues, *result.failed)]


def accounted(result: JobResult) -> bool:
    """Whether each requirement is in an issue or has a reason."""
    placed = [name for record in result.issues for name in record.draft.requirements]
    unassigned = [name for name, reason in result.unassigned if reason]
    return sorted([*placed, *unassigned]) == sorted(entry.id for entry in result.specification.requirements)


async def test_a_specification_becomes_issues_and_the_log_proves_it(
    settings: Settings, job: SpecificationJob, vendor: OpenAIChatServer, github: GitHubStandIn
) -> None:
    """Each open requirement is one issue that names its lines; the router's choice and the costs are told."""
    result, events, report = await run(settings, job)
    assert states(result) == ["created"] * OPEN
    assert accounted(result)
    assert [record.number for record in result.issues] == [issue.number for issue in github.issues]
    for record in result.issues:
        entry = next(
            one for one in result.specification.requirements if one.id == record.draft.requirements[0]
        )
        assert f"{entry.lines[0]}" in record.draft.body
        assert "from-spec" in record.draft.labels
    assert result.decisions[0].chosen == "acme/small"
    assert result.usage is not None
    assert any(event.kind is EventKind.ROUTE_DECIDED for event in events)
    assert vendor.requests
    assert report["ok"]
    assert report["notices"] == []
    assert report["records"] == 2 * (OPEN + 1)


async def test_a_dry_run_sends_nothing_and_says_exactly_what_would_be_sent(
    settings: Settings, job: SpecificationJob, github: GitHubStandIn
) -> None:
    """Its requests, byte for byte, are those of the run that follows."""
    planned, _, report = await run(settings, replace(job, dry_run=True))
    assert github.requests == ()
    assert report["records"] == 0
    made, _, _ = await run(settings, job)
    sent = [request for request in github.requests if request.method == "POST"]
    wanted = [record.request for record in planned.issues]
    assert [request.body for request in sent] == [one.body for one in wanted if one is not None]
    assert planned.as_json()["requests"] == made.as_json()["requests"]
    assert [f"{github.url}{request.target}" for request in sent] == [
        one.url for one in wanted if one is not None
    ]


async def test_a_second_run_finds_what_is_there(
    settings: Settings, job: SpecificationJob, vendor: OpenAIChatServer, github: GitHubStandIn
) -> None:
    """By the marker in each body: nothing is made twice and no model is asked again."""
    await run(settings, job)
    asked = len(vendor.requests)
    result, _, _ = await run(settings, job)
    assert states(result) == ["existing"] * OPEN
    assert len(github.issues) == OPEN
    assert len([entry for entry in vendor.requests[asked:] if entry.method == "POST"]) == 0


@pytest.mark.parametrize("status", [422, 500])
async def test_an_issue_that_is_refused_is_accounted_for(
    settings: Settings, job: SpecificationJob, github: GitHubStandIn, status: int
) -> None:
    """The others are made; its requirement stands there with the reason."""
    github.fail_next(status, method="POST", path="/issues")
    result, _, report = await run(settings, job)
    assert states(result).count("created") == OPEN - 1
    assert len(result.failed) == 1
    assert f"HTTP {status}" in result.failed[0].reason
    assert accounted(result)
    assert not result.ok
    assert report["ok"]
    again, _, _ = await run(settings, job)
    assert sorted(states(again)) == ["created", *["existing"] * (OPEN - 1)]


async def test_a_connection_that_breaks_after_the_issue_was_made_makes_no_second_one(
    settings: Settings, job: SpecificationJob, github: GitHubStandIn
) -> None:
    """Its fate is said to be unknown, and the next run finds it."""
    github.drop_next(when="after", method="POST", path="/issues")
    result, _, _ = await run(settings, job)
    assert [record.state for record in result.failed] == [IssueState.UNKNOWN]
    assert accounted(result)
    assert len(github.issues) == OPEN
    again, _, _ = await run(settings, job)
    assert states(again) == ["existing"] * OPEN
    assert len(github.issues) == OPEN


async def test_a_secondary_limit_is_honoured_or_told(
    settings: Settings, job: SpecificationJob, github: GitHubStandIn
) -> None:
    """The issue is made later or its requirement has the reason; nothing is lost or doubled."""
    github.limit_next(retry_after=1, method="POST", path="/issues")
    result, _, report = await run(settings, job)
    assert accounted(result)
    assert report["ok"]
    again, _, _ = await run(settings, job)
    assert set(states(again)) <= {"created", "existing"}
    assert len({issue.title for issue in github.issues}) == len(github.issues) == OPEN


async def test_who_may_only_read_is_refused_before_anything_is_sent(
    settings: Settings, job: SpecificationJob, vendor: OpenAIChatServer, github: GitHubStandIn
) -> None:
    """No model is asked, nothing reaches the API, and the refusal is on record."""
    async with Runtime.open(settings, environment={}) as runtime:
        user = runtime.principal.user
    demoted = replace(settings, users={user: UserSettings(roles=("readonly",))})
    with pytest.raises(PermissionDeniedError) as raised:
        await run(demoted, job)
    assert raised.value.exit_code == 3
    assert github.requests == ()
    assert vendor.requests == []
    async with Runtime.open(settings, environment={}) as runtime:
        assert [row["kind"] for row in await runtime.trail.tail()] == ["refused"]


async def test_a_weak_or_failing_model_loses_no_requirement(
    settings: Settings, job: SpecificationJob, vendor: OpenAIChatServer, github: GitHubStandIn
) -> None:
    """What no model words well is worded by the specification's own text."""
    vendor.then(Say("no JSON at all"), Say("{}"), Failure(status=500), Say('{"title": ""}'))
    result, _, _ = await run(settings, job)
    assert states(result) == ["created"] * OPEN
    assert accounted(result)
    assert all(issue.title for issue in github.issues)


async def test_the_budget_ends_what_models_cost_and_not_the_job(
    settings: Settings, job: SpecificationJob
) -> None:
    """Where the money ends, requirements are worded by themselves."""
    dear = replace(settings, models={"acme/small": ModelSettings(input_usd=1000, output_usd=1000)})
    result, _, _ = await run(dear, replace(job, max_cost=Money.usd(0.0001)))
    assert states(result) == ["created"] * OPEN
    assert accounted(result)
    assert result.cost is None or result.cost.micro_usd <= 100


async def test_a_second_provider_answers_when_the_first_fails(
    settings: Settings, job: SpecificationJob
) -> None:
    """`auto` goes on, and the statistics tell both."""
    async with OpenAIChatServer(models=("best",), default=Failure(status=503)) as broken:
        providers = settings.providers | {
            "broken": ProviderSettings(kind="openai-compatible", base_url=broken.url)
        }
        policy = PolicySettings(prefer=("broken/best", "acme/small"))
        both = replace(settings, providers=providers, policies={"mine": policy})
        result, _, _ = await run(both, replace(job, model="auto/mine"))
        assert broken.requests
    assert states(result) == ["created"] * OPEN
    assert any(record.draft.drafted_by == "acme/small" for record in result.issues) or result.usage


async def test_an_unknown_model_is_told_before_anything_is_sent(
    settings: Settings, job: SpecificationJob, github: GitHubStandIn
) -> None:
    """No issue is made in its name."""
    with pytest.raises(InterlockError):
        await run(settings, replace(job, model="acme/absent"))
    assert [request for request in github.requests if request.method == "POST"] == []


async def test_no_secret_is_anywhere(
    settings: Settings,
    job: SpecificationJob,
    vendor: OpenAIChatServer,
    github: GitHubStandIn,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Token and key are in no event, log record, audit record, metric, error, file, or model request.

    The specification itself holds both, and the vendor repeats its key in an error.
    """
    caplog.set_level(logging.DEBUG)
    with job.file.open("a", encoding="utf-8") as file:
        file.write(f"\n- Log in with {github.token} and {KEY}.\n")
    vendor.then(Failure(status=401, message=f"Incorrect API key provided: {KEY}"))
    with pytest.raises(CredentialError) as raised:
        await run(settings, job)
    vendor.then(Failure(status=500, message=f"Something broke near {KEY}"))
    result, events, _ = await run(settings, job)
    assert accounted(result)
    async with Runtime.open(settings, environment={}) as runtime:
        told = [
            f"{raised.value}{raised.value!r}{raised.value.as_json()}",
            repr(events),
            json.dumps(result.as_json()["failed"]),
            repr(result.stopped),
            repr(await runtime.trail.tail(1000)),
            await runtime.records.prometheus(),
            repr(await runtime.records.stats()),
            caplog.text,
            *(repr(record.__dict__) for record in caplog.records),
            *(request.body.decode() for request in vendor.requests),
        ]
    everything = "\n".join(told)
    stored = b"".join(path.read_bytes() for path in settings.home.rglob("*") if path.is_file())
    for secret in (KEY, github.token):
        assert secret not in everything
        assert secret.encode() not in stored


async def test_a_planted_secret_in_a_result_is_hidden_from_the_model(
    settings: Settings, vendor: OpenAIChatServer, github: GitHubStandIn
) -> None:
    """An issue that holds the token and the key reaches the model without them, and the log as well."""
    github.add_issue(f"Use {github.token}", body=f"or {KEY}")
    question = Question(prompt="Which issues?", model="acme/small", tools=("github.issues_list",))
    async with Runtime.open(settings, environment={}) as runtime:
        listing = await _wire_name(runtime, vendor, question)
        vendor.then(Say(calls=(ToolUse(listing, f"{REST}}}"),)), Say("One."))
        items = [item async for item in runtime.ask_events(question)]
        tail = await runtime.trail.tail()
    told = vendor.requests[-1].body.decode()
    assert "[redacted:" in told
    for secret in (KEY, github.token):
        assert secret not in told
        assert secret not in f"{items}{tail}"


async def test_a_question_runs_over_several_turns_with_tools(
    settings: Settings, vendor: OpenAIChatServer, github: GitHubStandIn
) -> None:
    """The model lists, creates and reads again; each call is in the log with its outcome.

    To create after it read what others wrote, a person must say yes; the settings here ask nobody.
    """
    asking = replace(settings, approvals=replace(settings.approvals, require="never"))
    question = Question(prompt="Make one.", model="acme/small", tools=("github.issues_*",))
    async with Runtime.open(asking, environment={}) as runtime:
        listing = await _wire_name(runtime, vendor, question)
        create = listing.replace("issues_list", "issues_create")
        vendor.then(
            Say(calls=(ToolUse(listing, f"{REST}}}"),)),
            Say(calls=(ToolUse(create, f'{REST}, "title": "Export"}}'),)),
            Say(calls=(ToolUse(listing, f"{REST}}}"), ToolUse("no_such_tool", "{}"))),
            Say("Made number 1."),
        )
        items = [item async for item in runtime.ask_events(question)]
        report = await runtime.trail.verify()
        stats = await runtime.records.stats(by="provider")
    assert getattr(items[-1], "text", "") == "Made number 1."
    assert [issue.title for issue in github.issues] == ["Export"]
    assert report["ok"]
    assert report["records"] == 2 * 3 + 1
    assert "acme" in str(stats)


async def _wire_name(runtime: Runtime, vendor: OpenAIChatServer, question: Question) -> str:
    """The name under which the vendor is told the listing."""
    vendor.then(Say("first"))
    assert [item async for item in runtime.ask_events(question)]
    tools = as_object(vendor.requests[-1].json()).get("tools")
    assert isinstance(tools, list)
    names = [str(as_object(as_object(tool)["function"])["name"]) for tool in tools]
    return next(name for name in names if name.endswith("issues_list"))
