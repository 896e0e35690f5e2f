"""Budgets are exact, and where one ends a run what was reached is kept."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import (
    Budget,
    Call,
    Chunk,
    CompletionRequest,
    Effect,
    EventKind,
    FinishReason,
    Money,
    Principal,
    RunRequest,
    RunResult,
    StopReason,
    TokenCount,
    ToolCall,
    ToolSpec,
    Usage,
)
from interlock_core.completion import Completion
from interlock_core.messages import assistant, user
from interlock_core.testing import FakeClock, MemoryCatalog, ScriptedExecutor, ScriptedProvider, completion
from interlock_pipeline import ToolCallingPipeline


class Counter:
    """Ten tokens a message."""

    def count(self, request: CompletionRequest) -> TokenCount:
        """By the number of messages."""
        tokens = 10 * len(request.messages)
        return TokenCount(tokens=tokens, upper_bound=tokens)


def turn(number: int, *, cost: Money | None = None, usage: Usage | None = None, text: str = "") -> Completion:
    """An answer that asks for one call, each time another one."""
    call = ToolCall(id=f"c{number}", name="look", arguments=f'{{"n":{number}}}')
    return Completion(
        model="acme/small",
        message=assistant(*([text] if text else []), call),
        finish=FinishReason.TOOL_CALLS,
        usage=usage,
        cost=cost,
    )


def pipeline(provider: ScriptedProvider, clock: FakeClock | None = None) -> ToolCallingPipeline:
    """A pipeline with one tool that reads."""
    return ToolCallingPipeline(
        provider=provider,
        catalog=MemoryCatalog([ToolSpec(name="look", effect=Effect.READ)]),
        executor=ScriptedExecutor({"look": "seen"}),
        clock=clock or FakeClock(),
        counter=Counter(),
    )


def request(budget: Budget, *, max_tokens: int | None = None) -> RunRequest:
    """A request with a budget."""
    return RunRequest(
        messages=(user("Go."),),
        model="acme/small",
        tools=("*",),
        principal=Principal(user="ann"),
        budget=budget,
        max_tokens=max_tokens,
    )


def assert_kept(result: RunResult) -> None:
    """The run ended at its budget, says so, and every call in it has its result."""
    assert result.stop is StopReason.BUDGET
    assert result.detail.startswith("The run reached its budget of ")
    assert all(len(step.calls) == len(step.results) for step in result.steps)


@pytest.mark.promise("T1")
@given(turns=st.integers(0, 6))
async def test_a_run_has_no_more_turns_than_its_budget(turns: int) -> None:
    """Also none."""
    provider = ScriptedProvider([turn(number, text=f"step {number}") for number in range(9)])
    result = await pipeline(provider).run(request(Budget(max_turns=turns)))
    assert_kept(result)
    assert len(provider.requests) == len(result.steps) == turns
    assert result.text == (f"step {turns - 1}" if turns else "")
    assert f" {turns} turn" in result.detail


@pytest.mark.promise("T1")
@given(limit=st.integers(0, 8), size=st.integers(1, 4))
async def test_a_run_makes_no_more_calls_than_its_budget(limit: int, size: int) -> None:
    """A turn that asks for more than is left is not made, and told why."""
    calls = [ToolCall(id="", name="look", arguments=f'{{"n":{n}}}') for n in range(size * 20)]
    turns = [completion("", *calls[at : at + size]) for at in range(0, len(calls), size)]
    executor = ScriptedExecutor({"look": "seen"})
    runner = ToolCallingPipeline(
        provider=ScriptedProvider(turns),
        catalog=MemoryCatalog([ToolSpec(name="look", effect=Effect.READ)]),
        executor=executor,
    )
    result = await runner.run(request(Budget(max_turns=None, max_tool_calls=limit)))
    assert_kept(result)
    assert len(executor.executed) == limit - limit % size
    last = result.steps[-1].results
    assert len(last) == size
    assert all("not made" in answer.text and answer.error_code == "budget_exceeded" for answer in last)


@pytest.mark.promise("T1")
@given(costs=st.lists(st.integers(0, 9), min_size=1, max_size=8), limit=st.integers(0, 20))
async def test_money_that_is_spent_ends_the_run(costs: list[int], limit: int) -> None:
    """No request goes out once the bound is reached, and each is told what is left."""
    script = [turn(number, cost=Money(cost)) for number, cost in enumerate(costs)]
    provider = ScriptedProvider([*script, "Done."])
    result = await pipeline(provider).run(request(Budget(max_turns=None, max_cost=Money(limit))))
    spent = 0
    for call, cost in zip(provider.calls, [*costs, 0], strict=False):
        assert call is not None
        assert spent == 0 or spent < limit
        assert call.cost_bound == Money(max(limit - spent, 0))
        spent += cost
    if len(provider.requests) <= len(costs):
        assert_kept(result)
        assert spent >= limit


async def test_an_unknown_price_cannot_be_held_to_a_bound() -> None:
    """The run ends after it, rather than take it for nothing."""
    provider = ScriptedProvider([turn(1), "Done."])
    result = await pipeline(provider).run(request(Budget(max_cost=Money(1_000_000))))
    assert_kept(result)
    assert "price of an answer is unknown" in result.detail
    assert "not made" in result.steps[0].results[0].text
    assert result.cost is None


async def test_what_costs_nothing_needs_no_money() -> None:
    """A model that runs in process goes on under a bound of zero."""
    provider = ScriptedProvider([turn(1, cost=Money()), turn(2, cost=Money()), "Done."])
    result = await pipeline(provider).run(request(Budget(max_cost=Money())))
    assert (result.text, result.stop) == ("Done.", StopReason.ANSWERED)


@pytest.mark.promise("T1")
async def test_tokens_are_counted_and_each_answer_is_cut_to_what_is_left() -> None:
    """Its input is reckoned with before it is sent."""
    usage = Usage(input_tokens=20, output_tokens=30)
    provider = ScriptedProvider([turn(1, usage=usage), turn(2, usage=usage), "Done."])
    result = await pipeline(provider).run(request(Budget(max_tokens=140), max_tokens=60))
    assert [asked.max_tokens for asked in provider.requests] == [60, 60]
    assert_kept(result)
    assert "140 tokens, of which the next request needs about 50" in result.detail
    provider = ScriptedProvider([turn(1, usage=usage), "Done."])
    result = await pipeline(provider).run(request(Budget(max_tokens=100)))
    assert [asked.max_tokens for asked in provider.requests] == [90, 20]
    assert result.text == "Done."


async def test_a_request_that_does_not_fit_the_tokens_is_not_sent() -> None:
    """Nothing is spent on an answer of no length."""
    provider = ScriptedProvider()
    result = await pipeline(provider).run(request(Budget(max_tokens=10)))
    assert_kept(result)
    assert (provider.requests, result.steps, result.text) == ([], (), "")


async def test_tokens_that_no_vendor_counted_are_estimated() -> None:
    """A vendor that says nothing is no way around a bound; nothing is made up in the result."""
    provider = ScriptedProvider([turn(1), "Done."])
    result = await pipeline(provider).run(request(Budget(max_tokens=20)))
    assert_kept(result)
    assert len(provider.requests) == 1
    assert result.usage is None


async def test_tokens_that_are_used_up_end_a_run_before_its_calls() -> None:
    """Their results would be read by nobody."""
    provider = ScriptedProvider([turn(1, usage=Usage(input_tokens=60, output_tokens=40))])
    result = await pipeline(provider).run(request(Budget(max_tokens=100)))
    assert_kept(result)
    assert "not made" in result.steps[0].results[0].text


async def test_an_answer_that_is_cut_at_the_budget_is_not_passed_off_as_whole() -> None:
    """It ended at the run's bound, not at its own."""
    cut = Completion(
        model="m",
        message=assistant("Half"),
        finish=FinishReason.LENGTH,
        usage=Usage(input_tokens=10, output_tokens=90),
    )
    result = await pipeline(ScriptedProvider([cut])).run(request(Budget(max_tokens=100)))
    assert_kept(result)
    assert result.text == "Half"


class Ticking(ScriptedProvider):
    """Each chunk takes ten seconds of the test's clock."""

    def __init__(self, clock: FakeClock, script: list[str | Completion]) -> None:
        super().__init__(script)
        self._clock = clock

    async def stream(
        self, request: CompletionRequest, call: Call | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """Slowly."""
        async for chunk in super().stream(request, call):
            self._clock.advance(10)
            yield chunk


@pytest.mark.promise("T2")
async def test_time_that_is_over_ends_an_answer_where_it_is() -> None:
    """What was said is kept, and guards know the deadline."""
    clock = FakeClock(monotonic=100.0)
    provider = Ticking(clock, ["one two three four five"])
    result = await pipeline(provider, clock).run(request(Budget(max_seconds=35)))
    assert_kept(result)
    assert (result.text, result.detail) == ("one two three", "The run reached its budget of 35 seconds.")
    assert result.duration_s == 40.0
    assert provider.calls[0] is not None
    assert provider.calls[0].deadline == 135.0


async def test_time_that_is_over_between_turns_ends_the_run() -> None:
    """The calls of the last turn are answered as not made."""
    clock = FakeClock()
    provider = Ticking(clock, [turn(1), "Done."])
    result = await pipeline(provider, clock).run(request(Budget(max_seconds=40)))
    assert_kept(result)
    assert len(provider.requests) == 1


async def test_calls_that_were_cut_by_the_time_are_not_made() -> None:
    """Half a call is none."""
    clock = FakeClock()
    provider = Ticking(clock, [turn(1), "Done."])
    result = await pipeline(provider, clock).run(request(Budget(max_seconds=25)))
    assert_kept(result)
    assert "not made" in result.steps[0].results[0].text


class Silent(ScriptedProvider):
    """Says nothing, until it is closed."""

    async def stream(
        self, request: CompletionRequest, call: Call | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """Nothing."""
        await asyncio.Event().wait()
        yield Chunk()


async def test_a_model_that_says_nothing_is_waited_for_no_longer_than_the_budget() -> None:
    """On the loop's own clock."""
    runner = ToolCallingPipeline(provider=Silent(), catalog=MemoryCatalog(), executor=ScriptedExecutor({}))
    asked = RunRequest(
        messages=(user("Go."),), principal=Principal(user="ann"), budget=Budget(max_seconds=0.02)
    )
    result = await runner.run(asked)
    assert_kept(result)
    assert (result.text, result.messages) == ("", asked.messages)


class Impatient(ScriptedProvider):
    """Has a time limit of its own, and breaks it in its own way."""

    async def stream(
        self, request: CompletionRequest, call: Call | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """Give up."""
        yield Chunk(text="Wait")
        raise TimeoutError


async def test_a_time_limit_of_the_provider_is_not_taken_for_the_budget() -> None:
    """It is a failure of the model."""
    result = await pipeline(Impatient()).run(request(Budget(max_seconds=1_000)))
    assert (result.stop, result.text) == (StopReason.FAILED, "Wait")
    assert "in time" in result.detail


async def test_a_budget_that_ends_a_run_is_told() -> None:
    """First which bound it was, then the end."""
    runner = pipeline(ScriptedProvider([turn(1)]))
    kinds = [
        (item.kind, item.data.get("bound"))
        async for item in runner.events(request(Budget(max_turns=1)))
        if not isinstance(item, RunResult)
    ]
    assert kinds[-2:] == [(EventKind.BUDGET_REACHED, "1 turn"), (EventKind.RUN_FINISHED, None)]
