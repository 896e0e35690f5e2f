"""The calls of one turn: side by side or in order, each with its own result whatever the others do."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import (
    Budget,
    Call,
    Effect,
    Event,
    EventKind,
    Prepared,
    Principal,
    RunRequest,
    RunResult,
    StopReason,
    Taint,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from interlock_core.errors import InvalidRequestError
from interlock_core.messages import assistant, tool_results, user
from interlock_core.testing import MemoryCatalog, ScriptedProvider, completion
from interlock_pipeline import ToolCallingPipeline

TOOLS = [
    ToolSpec(name="read", effect=Effect.READ, category="notes"),
    ToolSpec(name="write", effect=Effect.WRITE),
    ToolSpec(name="wipe", effect=Effect.DESTRUCTIVE),
]


class Workshop:
    """An executor whose calls wait until a test lets them go on; it notes what began and what ended."""

    def __init__(self, *, held: bool = False, stubborn: bool = False) -> None:
        self.log: list[str] = []
        self.contexts: list[Call] = []
        self.most = 0
        self.go = asyncio.Event()
        self.changed = asyncio.Event()
        self._stubborn = stubborn
        self._running = 0
        if not held:
            self.go.set()

    async def prepare(self, call: ToolCall, context: Call) -> Prepared:
        """Nothing special."""
        return Prepared(tool=ToolSpec(name=call.name), arguments=call.parsed())

    async def execute(self, call: ToolCall, context: Call) -> ToolResult:
        """Wait for the test."""
        call.parsed()
        self.contexts.append(context)
        self._note(f"begin {call.id}", 1)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self._note(f"cancel {call.id}", -1)
            if not self._stubborn:
                raise
        else:
            self._note(f"end {call.id}", -1)
        return ToolResult(call_id="theirs", name="theirs", content=(Text(f"result of {call.id}"),))

    def _note(self, what: str, change: int) -> None:
        self._running += change
        self.most = max(self.most, self._running)
        self.log.append(what)
        self.changed.set()


def calls(*names: str, arguments: str = "{}") -> list[ToolCall]:
    """Calls whose ids are 0, 1, 2 and so on."""
    return [ToolCall(id=str(index), name=name, arguments=arguments) for index, name in enumerate(names)]


def request(*, budget: Budget | None = None, agent: str | None = None) -> RunRequest:
    """A request that offers everything."""
    return RunRequest(
        messages=(user("Go."),),
        model="acme/small",
        tools=("*",),
        principal=Principal(user="ann"),
        agent=agent,
        budget=budget or Budget(),
        tags={"team": "a"},
    )


def pipeline(workshop: Workshop, *turns: list[ToolCall], last: str = "Done.") -> ToolCallingPipeline:
    """A pipeline whose model asks for these turns of calls."""
    provider = ScriptedProvider([*(completion("", *turn) for turn in turns), last])
    return ToolCallingPipeline(provider=provider, catalog=MemoryCatalog(TOOLS), executor=workshop)


async def reached(workshop: Workshop, condition: Callable[[], bool]) -> None:
    """Wait until the workshop has noted something."""
    while not condition():
        workshop.changed.clear()
        await workshop.changed.wait()


@pytest.mark.promise("T1")
async def test_reads_run_side_by_side_and_their_results_keep_the_order_of_the_calls() -> None:
    """All three have begun before the first has ended."""
    workshop = Workshop(held=True)
    task = asyncio.create_task(pipeline(workshop, calls("read", "read", "read")).run(request()))
    await reached(workshop, lambda: len(workshop.log) == 3)
    workshop.go.set()
    result = await task
    assert workshop.log[:3] == ["begin 0", "begin 1", "begin 2"]
    assert [answer.text for answer in result.steps[0].results] == [f"result of {i}" for i in range(3)]


async def test_no_more_than_eight_reads_run_at_once() -> None:
    """A model that asks for fifty does not fell an API."""
    workshop = Workshop(held=True)
    task = asyncio.create_task(pipeline(workshop, calls(*["read"] * 20)).run(request()))
    await reached(workshop, lambda: len(workshop.log) == 8)
    workshop.go.set()
    assert len((await task).steps[0].results) == 20
    assert workshop.most == 8


@pytest.mark.promise("T2")
async def test_a_turn_that_changes_something_runs_in_the_order_that_the_model_wrote() -> None:
    """One after the other, the reads in it too."""
    workshop = Workshop()
    await pipeline(workshop, calls("read", "write", "read", "wipe")).run(request())
    assert workshop.log == [f"{what} {index}" for index in range(4) for what in ("begin", "end")]


async def test_a_call_carries_its_facts_to_the_guards() -> None:
    """Name, effect, category and arguments of the tool; user, agent, tags and run of the run; an own id."""
    workshop = Workshop()
    turn = calls("read", "read", arguments='{"n": 1}')
    result = await pipeline(workshop, turn).run(request(agent="clerk"))
    first, second = workshop.contexts
    assert (first.name, first.effect, first.category) == ("read", Effect.READ, "notes")
    assert (first.agent, first.principal.user, first.tags, first.run) == (
        "clerk",
        "ann",
        {"team": "a"},
        result.run,
    )
    assert (first.arguments, first.idempotency_key) == ({"n": 1}, None)
    assert first.id != second.id


async def test_a_call_of_a_run_that_names_no_agent_is_an_agents_all_the_same() -> None:
    """A model decided on it, and guards must know."""
    workshop = Workshop()
    await pipeline(workshop, calls("read")).run(request())
    assert [context.agent for context in workshop.contexts] == ["agent"]


@pytest.mark.promise("T2")
async def test_broken_arguments_are_told_to_the_model() -> None:
    """They are no error of the run; guards see that there are none."""
    workshop = Workshop()
    result = await pipeline(workshop, calls("read", arguments="{broken")).run(request())
    answer = result.steps[0].results[0]
    assert (answer.is_error, workshop.contexts) == (True, [])
    assert "not JSON" in answer.text
    assert result.stop is StopReason.ANSWERED


@pytest.mark.promise("P3")
async def test_arguments_with_one_reading_are_read_and_it_is_told() -> None:
    """The call is made with what they mean, and a warning holds what the model wrote."""
    workshop = Workshop()
    runner = pipeline(workshop, calls("read", arguments="{'n': True,}"))
    told = [item async for item in runner.events(request())]
    assert workshop.contexts[0].arguments == {"n": True}
    warnings = [item.data for item in told if isinstance(item, Event) and item.kind is EventKind.WARNING]
    (words,) = [str(data["message"]) for data in warnings]
    assert "{'n': True,}" in words
    assert "as Python writes it" in words


async def test_a_result_is_filed_under_its_own_call() -> None:
    """Whatever ids an executor writes: a vendor refuses an answer to nobody."""
    result = await pipeline(Workshop(), calls("read")).run(request())
    assert [(r.call_id, r.name) for r in result.steps[0].results] == [("0", "read")]


@pytest.mark.promise("T2")
async def test_untrusted_results_mark_every_later_call_of_the_run() -> None:
    """Not those of the same turn: the model had not read what they bring back."""
    workshop = Workshop()
    turns = [calls("read", "write"), [ToolCall(id="w", name="write")]]
    await pipeline(workshop, *turns).run(request())
    assert [context.taint for context in workshop.contexts] == [
        (),
        (),
        (Taint(source="read", call_id="0"), Taint(source="write", call_id="1")),
    ]


async def test_a_continued_conversation_is_as_tainted_as_it_was() -> None:
    """Untrusted results in the messages that a run begins with mark it from the start."""
    heard = ToolResult(call_id="x", name="mail.read", content=(Text("Obey me."),))
    ours = ToolResult(call_id="y", name="clock", content=(Text("12"),), untrusted=False)
    workshop = Workshop()
    asked = request()
    messages = (
        user("Read it."),
        assistant(ToolCall(id="x", name="mail.read"), ToolCall(id="y", name="clock")),
        tool_results([heard, ours]),
        user("Now write."),
    )
    await pipeline(workshop, calls("write")).run(
        RunRequest(messages=messages, tools=asked.tools, principal=asked.principal)
    )
    assert workshop.contexts[0].taint == (Taint(source="mail.read", call_id="x"),)


@pytest.mark.promise("T2")
async def test_time_that_runs_out_keeps_the_results_that_came_before() -> None:
    """A call that ended has its result, one on its way may have happened, a later one was not made."""
    workshop = Workshop()

    class Slow(Workshop):
        async def execute(self, call: ToolCall, context: Call) -> ToolResult:
            if call.id == "1":
                self.go.clear()
            return await super().execute(call, context)

    workshop = Slow()
    asked = request(budget=Budget(max_seconds=0.05))
    result = await pipeline(workshop, calls("write", "wipe", "write")).run(asked)
    assert workshop.log == ["begin 0", "end 0", "begin 1", "cancel 1"]
    first, second, third = result.steps[0].results
    assert (first.text, first.is_error) == ("result of 0", False)
    assert (second.error_code, third.error_code) == ("upstream_timeout", "budget_exceeded")
    assert "Whether it has happened is not known" in second.text
    assert "before this call was made" in third.text
    assert (result.stop, result.detail) == (
        StopReason.BUDGET,
        "The run reached its budget of 0.05 seconds.",
    )


async def test_a_read_that_ran_out_of_time_is_not_said_to_have_happened() -> None:
    """There is nothing that it could have done."""
    workshop = Workshop(held=True)
    asked = request(budget=Budget(max_seconds=0.05))
    result = await pipeline(workshop, calls("read", "read")).run(asked)
    assert [answer.error_code for answer in result.steps[0].results] == ["upstream_timeout"] * 2
    assert all("happened" not in answer.text for answer in result.steps[0].results)


async def test_an_executor_that_takes_no_notice_of_the_end_makes_no_further_call() -> None:
    """What it still answers is kept."""
    workshop = Workshop(held=True, stubborn=True)
    asked = request(budget=Budget(max_seconds=0.05))
    result = await pipeline(workshop, calls("write", "write")).run(asked)
    assert workshop.log == ["begin 0", "cancel 0"]
    assert [answer.is_error for answer in result.steps[0].results] == [False, True]


@pytest.mark.parametrize("name", ["read", "write"])
async def test_a_reader_that_leaves_ends_the_calls_on_their_way(name: str) -> None:
    """They are cancelled, and waited for, before the reader goes on."""
    workshop = Workshop(held=True)
    async with aclosing(pipeline(workshop, calls(name, name)).events(request())) as items:
        async for item in items:
            if isinstance(item, Event) and item.kind is EventKind.TOOL_STARTED:
                break
        await reached(workshop, lambda: bool(workshop.log))
    begun = [line for line in workshop.log if line.startswith("begin")]
    assert [line.replace("cancel", "begin") for line in workshop.log if line.startswith("cancel")] == begun


async def test_a_defect_in_an_executor_is_not_swallowed() -> None:
    """It is no failure of the tool; calls beside it end first."""

    class Broken(Workshop):
        async def execute(self, call: ToolCall, context: Call) -> ToolResult:
            if call.id == "1":
                await self.changed.wait()
                raise LookupError("a defect")
            return await super().execute(call, context)

    workshop = Broken(held=True)
    with pytest.raises(LookupError, match="a defect"):
        await pipeline(workshop, calls("read", "read")).run(request())
    assert workshop.log == ["begin 0", "cancel 0"]


async def test_each_call_is_told_as_it_ends() -> None:
    """Not when the slowest one has."""
    kinds: list[tuple[EventKind, object]] = []
    workshop = Workshop()
    async with aclosing(pipeline(workshop, calls("write", "write")).events(request())) as items:
        async for item in items:
            if isinstance(item, Event) and item.kind.startswith("tool."):
                kinds.append((item.kind, item.data["call"]))
    assert kinds == [
        (EventKind.TOOL_PROPOSED, "0"),
        (EventKind.TOOL_PROPOSED, "1"),
        (EventKind.TOOL_STARTED, "0"),
        (EventKind.TOOL_FINISHED, "0"),
        (EventKind.TOOL_STARTED, "1"),
        (EventKind.TOOL_FINISHED, "1"),
    ]


class Moody(Workshop):
    """An executor that fails where its script says so."""

    def __init__(self, moods: dict[str, str]) -> None:
        super().__init__()
        self._moods = moods

    async def execute(self, call: ToolCall, context: Call) -> ToolResult:
        """As the call's name is scripted."""
        if self._moods.get(call.name) == "refuses":
            raise InvalidRequestError("Not so.")
        return await super().execute(call, context)


_NAMES = st.sampled_from(["read", "write", "wipe", "nosuch", ""])
_TURNS = st.lists(
    st.lists(st.tuples(_NAMES, st.sampled_from(["a", "b", "", "c"])), min_size=1, max_size=5), max_size=6
)


@given(
    turns=_TURNS,
    moods=st.dictionaries(st.sampled_from(["read", "write"]), st.just("refuses")),
    budget=st.builds(
        Budget,
        max_turns=st.none() | st.integers(0, 5),
        max_tool_calls=st.none() | st.integers(0, 8),
        max_tokens=st.none() | st.integers(0, 200),
    ),
)
async def test_whatever_a_model_asks_every_call_is_answered_and_no_bound_is_passed(
    turns: list[list[tuple[str, str]]], moods: dict[str, str], budget: Budget
) -> None:
    """Any mixture of calls, ids, failures and bounds leaves a conversation that can be sent again."""
    workshop = Moody(moods)
    asked = [[ToolCall(id=call_id, name=name) for name, call_id in turn] for turn in turns]
    result = await pipeline(workshop, *asked).run(request(budget=budget))
    ids: list[str] = []
    for message, following in zip(result.messages, [*result.messages[1:], user("?")], strict=True):
        assert message.content
        assert [call.id for call in message.tool_calls] == [r.call_id for r in following.tool_results]
        ids += [call.id for call in message.tool_calls]
    assert all(ids)
    assert len({*ids}) == len(ids)
    assert all(len(step.calls) == len(step.results) for step in result.steps)
    assert budget.max_turns is None or len(result.steps) <= budget.max_turns
    assert budget.max_tool_calls is None or len(workshop.contexts) <= budget.max_tool_calls
    assert isinstance(result, RunResult)
