"""The models of the job: asked side by side, within their bounds, and never in the way of the issues."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import (
    Budget,
    Call,
    CompletionRequest,
    Event,
    EventKind,
    FinishReason,
    Money,
    RouteDecision,
    Usage,
)
from interlock_core.completion import Completion
from interlock_core.errors import (
    BudgetExceededError,
    ConfigurationError,
    ContentPolicyError,
    ContextLengthError,
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    QuotaExceededError,
    UnsupportedError,
)
from interlock_core.jsontypes import dump_json
from interlock_core.messages import assistant
from interlock_core.testing import PlainRedactor
from interlock_pipeline.spec_to_github import JobResult, SpecToGitHub

if TYPE_CHECKING:
    from .conftest import Desk


def said(
    text: str = "nonsense",
    *,
    cost: Money | None = None,
    usage: Usage | None = None,
    finish: FinishReason = FinishReason.STOP,
    decision: RouteDecision | None = None,
) -> Completion:
    """An answer with its price."""
    return Completion(
        model="acme/small",
        message=assistant(text),
        finish=finish,
        cost=cost,
        usage=usage,
        decision=decision,
    )


def many(number: int) -> str:
    """A specification of so many requirements."""
    return "# T\n\n" + "".join(f"- Note number {index}.\n" for index in range(number))


@pytest.mark.promise("T6")
async def test_four_requests_run_side_by_side_and_issues_keep_their_order(desk: "Desk") -> None:
    """However slow the first answer is."""
    runner = desk.job()
    writer, flying, most = desk.writer, 0, 0
    gate = asyncio.Event()
    complete = writer.complete

    async def slow(request: CompletionRequest, call: Call | None = None) -> Completion:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        if most == 4:
            gate.set()
        await gate.wait()
        flying -= 1
        return await complete(request, call)

    writer.complete = slow
    result = await runner.run(desk.request(many(9)))
    assert most == 4
    assert [record.draft.requirements for record in result.issues] == [(f"R{n}",) for n in range(1, 10)]


@pytest.mark.parametrize("event", [EventKind.RUN_STARTED, EventKind.TOOL_FINISHED])
async def test_a_reader_that_leaves_ends_the_requests_on_their_way(desk: "Desk", event: EventKind) -> None:
    """And nothing further is sent."""
    runner, ended = desk.job(), 0
    writer = desk.writer

    async def endless(request: CompletionRequest, call: Call | None = None) -> Completion:
        nonlocal ended
        if "number 0" in request.messages[-1].text:
            return said()
        try:
            await asyncio.Event().wait()
        finally:
            ended += 1
        raise AssertionError

    writer.complete = endless
    async with aclosing(runner.events(desk.request(many(9)))) as items:
        async for item in items:
            if isinstance(item, Event) and item.kind is event:
                break
    sent = len(desk.repository.attempts)
    assert (sent, ended) == ((0, 0) if event is EventKind.RUN_STARTED else (1, 4))


@pytest.mark.promise("T6")
@given(costs=st.lists(st.integers(0, 30), min_size=1, max_size=12), limit=st.integers(0, 100))
async def test_money_for_models_is_never_overspent(
    new_desk: "type[Desk]", costs: list[int], limit: int
) -> None:
    """Each request is told what it may cost; a provider that holds it to that holds the job to its bound."""
    desk = new_desk()
    runner, flying, spent = desk.job(), 0, 0
    writer = desk.writer

    async def held(request: CompletionRequest, call: Call | None = None) -> Completion:
        nonlocal flying, spent
        price = costs[int(re.findall(r"number (\d+)", request.messages[-1].text)[0])]
        assert call is not None
        assert call.cost_bound is not None
        bound = call.cost_bound.micro_usd
        flying += bound
        assert spent + flying <= limit
        for _ in range(price % 4):
            await asyncio.sleep(0)
        flying -= bound
        if price > bound:
            raise BudgetExceededError("Too dear.")
        spent += price
        return said(cost=Money(price))

    writer.complete = held
    result = await runner.run(desk.request(many(len(costs)), budget=Budget(max_cost=Money(limit))))
    assert result.ok
    assert result.cost == Money(spent)
    assert all(record.draft.note for record in result.issues)


async def test_money_that_cannot_be_held_is_not_spent(desk: "Desk") -> None:
    """One answer of unknown price is the last one."""
    result = await desk.run(many(6), lambda _: said(), budget=Budget(max_cost=Money(1_000_000)))
    assert (len(desk.writer.asked), result.cost, result.ok) == (1, None, True)
    assert "price of acme/small is unknown" in result.issues[-1].draft.note


async def test_models_that_cost_nothing_are_asked_under_a_bound_of_nothing(desk: "Desk") -> None:
    """As the one that runs in process."""
    result = await desk.run(many(6), lambda _: said(cost=Money()), budget=Budget(max_cost=Money()))
    assert (len(desk.writer.asked), result.cost) == (6, Money())


async def test_tokens_for_models_are_bound(desk: "Desk") -> None:
    """Near the bound they are asked one by one, for no more than is left."""
    usage = Usage(input_tokens=60, output_tokens=40)
    budget = Budget(max_tokens=560)
    result = await desk.run(many(9), lambda _: said(usage=usage, cost=Money()), budget=budget)
    most = [asked.max_tokens or 0 for asked in desk.writer.requests]
    assert [left - most[0] for left in most] == [0, -100, -200, -300]
    assert (result.usage, result.ok) == (Usage(input_tokens=240, output_tokens=160), True)
    assert "tokens are left" in result.issues[-1].draft.note


async def test_tokens_that_are_spent_end_the_asking(desk: "Desk") -> None:
    """To the last one."""
    usage = Usage(input_tokens=1_000)
    result = await desk.run(many(3), lambda _: said(usage=usage), budget=Budget(max_tokens=1_000))
    assert len(desk.writer.asked) == 1
    assert result.issues[-1].draft.note == "the budget of 1000 tokens for models is spent"


async def test_tokens_that_are_not_counted_cannot_be_held(desk: "Desk") -> None:
    """One such answer is the last one."""
    result = await desk.run(many(3), lambda _: said(), budget=Budget(max_tokens=1_000))
    assert (len(desk.writer.asked), len(result.issues)) == (1, 3)
    assert "does not say how many tokens" in result.issues[-1].draft.note


async def test_time_for_models_is_bound_and_issues_are_made_all_the_same(desk: "Desk") -> None:
    """On the job's clock between answers, and on the loop's while one is waited for."""

    def slow(_: str) -> Completion:
        desk.clock.advance(7)
        return said(cost=Money())

    result = await desk.run(many(4), slow, budget=Budget(max_seconds=10))
    assert (len(desk.writer.asked), len(result.issues), result.duration_s) == (2, 4, 14.0)
    assert result.issues[-1].draft.note == "the 10 seconds for models are over"
    assert desk.writer.calls[0] is not None
    assert desk.writer.calls[0].deadline == 1_010.0

    async def endless(request: CompletionRequest, call: Call | None = None) -> Completion:
        await asyncio.Event().wait()
        raise AssertionError

    runner = desk.job()
    desk.writer.complete = endless
    again = await runner.run(desk.request("# T\n\n- Another.", budget=Budget(max_seconds=0.02)))
    assert again.issues[-1].draft.note == "the model did not answer in time"


async def test_a_time_limit_of_the_provider_costs_only_its_words(desk: "Desk") -> None:
    """Whatever it raises at its end."""

    async def impatient(request: CompletionRequest, call: Call | None = None) -> Completion:
        raise TimeoutError

    runner = desk.job()
    desk.writer.complete = impatient
    result = await runner.run(desk.request())
    assert [record.draft.note for record in result.issues] == ["the model did not answer in time"] * 3


@pytest.mark.parametrize(
    "error",
    [
        OverloadedError("Busy."),
        ContextLengthError("Too long."),
        ContentPolicyError("Not this."),
        BudgetExceededError("Too dear."),
        InvalidRequestError("Odd characters."),
    ],
)
async def test_a_request_that_fails_costs_only_its_words(desk: "Desk", error: InterlockError) -> None:
    """The first one too; the issue is made."""
    result = await desk.run(desk.three, lambda text: error if "PDF" in text else said())
    assert result.ok
    assert error.message in result.issues[0].draft.note
    assert result.issues[0].draft.title == "Notes are exported as PDF"
    assert len(desk.writer.asked) == 3


@pytest.mark.parametrize(
    "error",
    [
        NotFoundError("There is no model acme/smal."),
        UnsupportedError("It makes no JSON."),
        ConfigurationError("No key."),
        QuotaExceededError("Spent."),
    ],
)
async def test_a_model_that_cannot_be_asked_stops_the_job_before_anything_is_made(
    desk: "Desk", error: InterlockError
) -> None:
    """A misspelt model is not answered with forty plain issues."""
    with pytest.raises(type(error), match=error.message):
        await desk.run(desk.three, lambda _: error)
    assert desk.repository.attempts == []


async def test_a_model_that_cannot_be_asked_any_more_leaves_the_rest_to_the_requirements(
    desk: "Desk",
) -> None:
    """The issues are made, and each says why."""
    script: Iterator[Completion | InterlockError] = iter([said(), *[QuotaExceededError("Spent.")] * 4])
    result = await desk.run(many(20), lambda _: next(script))
    assert (result.ok, len(result.issues)) == (True, 20)
    assert len(desk.writer.asked) <= 5
    assert {record.draft.note for record in result.issues[1:]} == {
        "the model cannot be asked any more: Spent."
    }


async def test_a_model_that_used_its_tokens_up_for_reasoning_is_asked_once_more(desk: "Desk") -> None:
    """With room for its answer; both requests are counted."""
    thinking = said(
        "", finish=FinishReason.LENGTH, usage=Usage(output_tokens=400, reasoning_tokens=400), cost=Money(3)
    )
    answer = said(dump_json({"title": "Note number 0"}), usage=Usage(output_tokens=50), cost=Money(1))
    script = iter([thinking, answer])
    result = await desk.run(many(1), lambda _: next(script))
    assert [asked.max_tokens for asked in desk.writer.requests] == [400, 2_400]
    assert (result.issues[0].draft.drafted_by, result.cost) == ("model", Money(4))
    assert result.usage is not None
    assert result.usage.output_tokens == 450
    script = iter([thinking, answer])
    await desk.run(
        "# T\n\n- Note.", lambda _: next(script), budget=Budget(max_cost=Money(10), max_tokens=5_000)
    )
    bounds = [call.cost_bound for call in desk.writer.calls if call is not None]
    assert bounds == [Money(10), Money(7)]
    assert [asked.max_tokens for asked in desk.writer.requests] == [400, 2_400]
    cut = said("{", finish=FinishReason.LENGTH, usage=Usage(output_tokens=400))
    await desk.run("# T\n\n- Another.", lambda _: cut)
    assert len(desk.writer.requests) == 1


async def listened(runner: SpecToGitHub, desk: "Desk", text: str) -> list[Event]:
    """Every event of a job."""
    events: list[Event] = []
    async for item in runner.events(desk.request(text)):
        if isinstance(item, JobResult):
            assert item.ok
        else:
            events.append(item)
    return events


@pytest.mark.promise("T6")
async def test_every_step_of_the_job_is_told(desk: "Desk") -> None:
    """The decision once for each model, then each issue, then the end."""
    decision = RouteDecision(policy="default", task="writing", chosen="acme/small")
    runner = desk.job(lambda _: said(decision=decision))
    events = await listened(runner, desk, many(2))
    assert [event.kind for event in events] == [
        EventKind.RUN_STARTED,
        EventKind.ROUTE_DECIDED,
        *[EventKind.PROGRESS, EventKind.TOOL_STARTED, EventKind.TOOL_FINISHED] * 2,
        EventKind.RUN_FINISHED,
    ]
    assert events[4].data == {
        "tool": "github.issues_create",
        "requirement": "R1",
        "ok": True,
        "state": "created",
        "title": "Note number 0",
        "number": 1,
        "url": "https://example.org/issues/1",
        "reason": None,
        "duration_s": 0.0,
    }
    assert events[-1].data == {"ok": True, "issues": 2, "unassigned": 0}
    again = await listened(desk.job(), desk, many(2))
    assert [event.data.get("state") for event in again] == [None, "existing", "existing", None]


async def test_events_hide_secrets(desk: "Desk") -> None:
    """A specification may hold one."""
    events = await listened(desk.job(redactor=PlainRedactor("hush")), desk, "# T\n\n- The key is hush.")
    assert "hush" not in str(events)
    assert "The key is [hidden]" in str(events)


@pytest.mark.parametrize("label", ["", " ", "x" * 51, "a\nb"])
async def test_a_label_that_is_none_is_refused_before_anything_is_asked(desk: "Desk", label: str) -> None:
    """It would fail for every issue."""
    with pytest.raises(InvalidRequestError, match="is no label") as caught:
        await desk.run(labels=("fine", label))
    assert caught.value.field == "labels"
    assert desk.writer.asked == []


async def test_a_specification_without_requirements_is_refused(desk: "Desk") -> None:
    """There is nothing to do, and nothing is guessed."""
    with pytest.raises(InvalidRequestError, match=r"notes\.md holds no requirement") as caught:
        await desk.run("# Only a title")
    assert caught.value.field == "spec"


async def test_tools_that_do_not_exist_are_named(desk: "Desk") -> None:
    """Before anything is asked."""
    from dataclasses import replace

    with pytest.raises(NotFoundError, match="issues_make"):
        await desk.job().run(replace(desk.request(), create_tool="github.issues_make"))
    assert desk.writer.asked == []
