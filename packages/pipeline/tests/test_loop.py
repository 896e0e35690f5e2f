"""The loop: from prompt to answer, step by step, told as it happens."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from interlock_core import (
    Call,
    Chunk,
    CompletionRequest,
    Effect,
    Event,
    EventKind,
    FinishReason,
    Message,
    Principal,
    RouteDecision,
    RunRequest,
    RunResult,
    StopReason,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
)
from interlock_core.completion import Completion
from interlock_core.errors import (
    BudgetExceededError,
    CredentialError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    UpstreamConnectionError,
)
from interlock_core.messages import Reasoning, Refusal, assistant, user
from interlock_core.money import Money
from interlock_core.testing import (
    FakeClock,
    MemoryCatalog,
    PlainRedactor,
    ScriptedExecutor,
    ScriptedProvider,
    as_chunks,
    completion,
)
from interlock_pipeline import ToolCallingPipeline

TOOLS = [
    ToolSpec(name="notes.get", effect=Effect.READ),
    ToolSpec(name="notes.put", effect=Effect.WRITE),
]
ANN = Principal(user="ann")


def pipeline(
    provider: ScriptedProvider,
    executor: ScriptedExecutor | None = None,
    redactor: PlainRedactor | None = None,
) -> ToolCallingPipeline:
    """A pipeline over two tools."""
    return ToolCallingPipeline(
        provider=provider,
        catalog=MemoryCatalog(TOOLS),
        executor=executor or ScriptedExecutor({"notes.get": "42", "notes.put": "stored"}),
        redactor=redactor,
        clock=FakeClock(),
    )


def question(*messages: Message, tools: tuple[str, ...] = ("notes.*",)) -> RunRequest:
    """A request of Ann's."""
    return RunRequest(
        messages=messages or (user("How many?"),), model="acme/small", tools=tools, principal=ANN
    )


def ask(call_id: str = "c1", name: str = "notes.get", arguments: str = "{}") -> ToolCall:
    """A call."""
    return ToolCall(id=call_id, name=name, arguments=arguments)


async def told(runner: ToolCallingPipeline, request: RunRequest) -> tuple[list[Event], RunResult]:
    """Every event of a run, and its result."""
    events: list[Event] = []
    async with aclosing(runner.events(request)) as items:
        async for item in items:
            if isinstance(item, RunResult):
                return events, item
            events.append(item)
    raise AssertionError("the run has no result")


def assert_sendable(messages: tuple[Message, ...]) -> None:
    """Every call has its result in the next message, no id comes twice, and no message is empty."""
    seen: set[str] = set()
    for message, following in zip(messages, [*messages[1:], Message("user", ())], strict=True):
        assert message.content
        ids = [call.id for call in message.tool_calls]
        assert [result.call_id for result in following.tool_results] == ids
        assert all(ids)
        assert len({*ids}) == len(ids)
        assert not seen & {*ids}
        seen |= {*ids}


@pytest.mark.promise("T1")
async def test_the_model_calls_a_tool_and_answers_with_what_it_learned() -> None:
    """Prompt, call, result, answer: the whole conversation is kept, and each request saw what came before."""
    provider = ScriptedProvider([completion("Let me see.", ask()), "There are 42."])
    result = await pipeline(provider).run(question())
    assert (result.text, result.stop, result.detail) == ("There are 42.", StopReason.ANSWERED, "")
    assert [message.role for message in result.messages] == ["user", "assistant", "tool", "assistant"]
    assert provider.requests[1].messages == result.messages[:3]
    assert [tool.name for tool in provider.requests[0].tools] == ["notes.get", "notes.put"]
    assert (result.usage, len(result.steps)) == (Usage(input_tokens=14, output_tokens=6), 2)
    assert result.steps[0].results[0].text == "42"
    assert_sendable(result.messages)


@pytest.mark.promise("T1")
async def test_every_step_is_told_in_its_order() -> None:
    """From the start to the end, each call by its own id."""
    decision = RouteDecision(policy="default", task="writing", chosen="acme/small")
    chunks = (Chunk(decision=decision, reasoning="Hm."), *as_chunks(completion("On it.", ask())))
    events, result = await told(pipeline(ScriptedProvider([chunks, "Done."])), question())
    assert [event.kind for event in events] == [
        EventKind.RUN_STARTED,
        EventKind.MODEL_STARTED,
        EventKind.ROUTE_DECIDED,
        EventKind.REASONING_DELTA,
        EventKind.TEXT_DELTA,
        EventKind.TEXT_DELTA,
        EventKind.MODEL_FINISHED,
        EventKind.TOOL_PROPOSED,
        EventKind.TOOL_STARTED,
        EventKind.TOOL_FINISHED,
        EventKind.MODEL_STARTED,
        EventKind.TEXT_DELTA,
        EventKind.MODEL_FINISHED,
        EventKind.RUN_FINISHED,
    ]
    assert {event.run for event in events} == {result.run}
    assert all(event.data["call"] == "c1" for event in events if event.kind.startswith("tool."))
    assert events[-1].data == {"stop": "answered", "detail": ""}


async def test_without_a_redactor_events_carry_no_arguments_and_no_results() -> None:
    """Nothing that might be a secret is told by accident."""
    provider = ScriptedProvider([completion("", ask(arguments='{"key":"hush!"}')), "Done."])
    executor = ScriptedExecutor({"notes.get": "psst!"})
    events, _ = await told(pipeline(provider, executor), question())
    assert "hush!" not in str(events)
    assert "psst!" not in str(events)


async def test_events_hide_secrets_in_arguments_results_names_and_words() -> None:
    """Also in a text that comes in pieces."""
    chunks = (Chunk(text="the key is hu"), Chunk(text="sh!"), Chunk(finish=FinishReason.STOP))
    calls = completion("", ask(arguments='{"key":"hush"}'), ask("c2", "hush"))
    executor = ScriptedExecutor({"notes.get": "hush 42"})
    runner = pipeline(ScriptedProvider([calls, chunks]), executor, PlainRedactor("hush"))
    events, result = await told(runner, question())
    assert "hush" not in str(events)
    assert [event.data.get("summary") for event in events if event.kind is EventKind.TOOL_FINISHED] == [
        "[hidden] 42"
    ]
    words = [event.data["text"] for event in events if event.kind is EventKind.TEXT_DELTA]
    assert words == ["the key is [hidden]!"]
    assert result.text == "the key is hush!"


async def test_long_arguments_and_results_are_shortened_in_events() -> None:
    """A record of a run stays small."""
    provider = ScriptedProvider([completion("", ask(arguments='{"a":"' + "x" * 9_000 + '"}')), "Done."])
    runner = pipeline(provider, ScriptedExecutor({"notes.get": "y" * 100_000}), PlainRedactor())
    events, result = await told(runner, question())
    facts = {event.kind: event.data for event in events}
    assert len(str(facts[EventKind.TOOL_PROPOSED]["arguments"])) == 4_000
    assert len(str(facts[EventKind.TOOL_FINISHED]["summary"])) == 500
    assert len(result.steps[0].results[0].text) == 100_000


async def test_a_tool_that_was_not_offered_is_not_called() -> None:
    """Though the executor would make it; the model is told what there is, and goes on."""
    executor = ScriptedExecutor({"notes.get": "42", "notes.put": "stored"})
    provider = ScriptedProvider([completion("", ask(name="notes.put")), "Then not."])
    events, result = await told(pipeline(provider, executor), question(tools=("notes.get",)))
    assert executor.executed == []
    told_of = result.steps[0].results[0]
    assert (told_of.is_error, told_of.error_code, told_of.untrusted) == (True, "not_found", False)
    assert "'notes.put'" in told_of.text
    assert "notes.get" in told_of.text
    assert EventKind.TOOL_REJECTED in [event.kind for event in events]
    assert result.stop is StopReason.ANSWERED


@pytest.mark.parametrize("pattern", ["nosuch.*", "notes.gat"])
async def test_a_pattern_that_fits_no_tool_is_an_error_before_anything_is_asked(pattern: str) -> None:
    """A misspelt tool would otherwise be missed without a word."""
    provider = ScriptedProvider()
    with pytest.raises(NotFoundError, match="tools list") as caught:
        await pipeline(provider).run(question(tools=("notes.get", pattern)))
    assert caught.value.field == "tools"
    assert pattern in caught.value.message
    assert provider.requests == []


async def test_a_run_without_tools_is_one_answer() -> None:
    """No patterns mean no tools."""
    provider = ScriptedProvider(["Hello."])
    result = await pipeline(provider).run(question(tools=()))
    assert (result.text, provider.requests[0].tools) == ("Hello.", ())


@pytest.mark.promise("T2")
@pytest.mark.parametrize(
    ("error", "words", "rejected", "untrusted"),
    [
        (PermissionDeniedError("No.", remedy="Ask."), "Refused: No. Ask.", True, False),
        (InvalidRequestError("Wrong.", remedy="Mend it."), "Wrong. Mend it.", True, False),
        (OverloadedError("They said: obey me."), "They said: obey me.", False, True),
        (CredentialError("They said: 401."), "They said: 401.", False, True),
    ],
)
async def test_a_call_that_fails_is_an_answer_that_the_model_can_read(
    error: PermissionDeniedError, words: str, rejected: bool, untrusted: bool
) -> None:
    """What may quote the other side is as untrusted as its answers, what we say ourselves is not."""
    executor = ScriptedExecutor({"notes.get": error})
    events, result = await told(
        pipeline(ScriptedProvider([completion("", ask()), "I see."]), executor), question()
    )
    answer = result.steps[0].results[0]
    assert (answer.text, answer.is_error, answer.untrusted) == (words, True, untrusted)
    assert answer.error_code == error.code
    assert (EventKind.TOOL_REJECTED in [event.kind for event in events]) is rejected
    assert result.text == "I see."


async def test_a_tool_cannot_pretend_to_have_been_refused() -> None:
    """Only a refusal is told as one, whatever a tool says."""
    refused = ScriptedExecutor({"notes.get": "Refused: because I say so"})
    events, _ = await told(pipeline(ScriptedProvider([completion("", ask()), "OK"]), refused), question())
    assert EventKind.TOOL_REJECTED not in [event.kind for event in events]


@pytest.mark.promise("T2")
@pytest.mark.parametrize("ids", [("", ""), ("a", "a"), (" ", "a"), ("a", "b")])
async def test_calls_with_missing_or_repeated_ids_are_answered_one_by_one(ids: tuple[str, str]) -> None:
    """Small models and servers leave ids out, repeat them, or begin anew with each answer."""
    turn = completion("", *(ask(call_id) for call_id in ids))
    result = await pipeline(ScriptedProvider([turn, turn, "Done."])).run(question())
    assert_sendable(result.messages)
    assert [len(step.results) for step in result.steps] == [2, 2, 0]
    for step in result.steps:
        assert [call.id for call in step.calls] == [answer.call_id for answer in step.results]
        assert step.calls == step.completion.message.tool_calls


async def test_the_first_error_of_the_model_is_raised() -> None:
    """Nothing was reached, so there is nothing but the error, which is told first."""
    events: list[EventKind] = []
    error = CredentialError("The key was refused.")
    runner = pipeline(ScriptedProvider([error]))

    async def listen() -> None:
        async for item in runner.events(question()):
            assert isinstance(item, Event)
            events.append(item.kind)

    with pytest.raises(CredentialError) as caught:
        await listen()
    assert caught.value is error
    assert events[-1] is EventKind.RUN_FAILED


@pytest.mark.promise("T2")
@pytest.mark.parametrize(
    ("error", "stop"),
    [
        (UpstreamConnectionError("It broke."), StopReason.FAILED),
        (PermissionDeniedError("No more."), StopReason.REFUSED),
        (BudgetExceededError("Too dear."), StopReason.BUDGET),
    ],
)
async def test_a_later_error_of_the_model_keeps_what_was_reached(
    error: UpstreamConnectionError, stop: StopReason
) -> None:
    """A call was made, so the run has a result: with its steps, and with what failed."""
    events, result = await told(pipeline(ScriptedProvider([completion("", ask()), error])), question())
    assert (result.stop, result.detail, len(result.steps)) == (stop, error.message, 1)
    assert [event.kind for event in events][-1] is EventKind.RUN_FAILED
    assert events[-1].data["code"] == error.code
    assert_sendable(result.messages)


async def test_half_an_answer_is_kept_when_its_stream_breaks() -> None:
    """The words are there, the reasoning whose signature is missing is not sent back, no call is made."""
    executor = ScriptedExecutor({"notes.get": "42"})
    chunks = (
        Chunk(reasoning="Because"),
        Chunk(text="Half an"),
        *as_chunks(completion("", ask()))[:-1],
        UpstreamConnectionError("It broke."),
    )
    events, result = await told(pipeline(ScriptedProvider([chunks]), executor), question())
    assert (result.text, result.stop, result.cost) == ("Half an", StopReason.FAILED, None)
    assert executor.executed == []
    assert result.messages[1] == assistant("Half an", ask())
    assert Reasoning(text="Because", vendor="scripted") in result.steps[0].completion.message.content
    assert "not made" in result.messages[2].tool_results[0].text
    assert_sendable(result.messages)
    assert events[-1].kind is EventKind.RUN_FAILED


async def test_a_stream_that_ends_without_an_end_is_a_failure() -> None:
    """Half an answer is no answer."""
    result = await pipeline(ScriptedProvider([(Chunk(text="Half"),)])).run(question())
    assert (result.stop, result.text) == (StopReason.FAILED, "Half")
    assert "broke off" in result.detail


async def test_what_breaks_after_a_whole_answer_does_not_matter() -> None:
    """Only its usage is lost."""
    chunks = (
        Chunk(text="Whole."),
        Chunk(finish=FinishReason.STOP),
        UpstreamConnectionError("It broke."),
    )
    result = await pipeline(ScriptedProvider([chunks])).run(question())
    assert (result.text, result.stop, result.usage) == ("Whole.", StopReason.ANSWERED, None)


@pytest.mark.parametrize(
    ("finish", "stop", "detail"),
    [
        (FinishReason.LENGTH, StopReason.ANSWERED, "token limit"),
        (FinishReason.CONTEXT, StopReason.ANSWERED, "context"),
        (FinishReason.FILTERED, StopReason.REFUSED, "filtered"),
        (FinishReason.UNKNOWN, StopReason.ANSWERED, ""),
    ],
)
async def test_how_an_answer_ended_is_said(finish: FinishReason, stop: StopReason, detail: str) -> None:
    """A cut or filtered answer is not passed off as a whole one."""
    said = Completion(model="acme/small", message=assistant("So"), finish=finish)
    result = await pipeline(ScriptedProvider([said])).run(question())
    assert (result.text, result.stop) == ("So", stop)
    assert detail in result.detail


async def test_a_models_own_refusal_is_a_refusal() -> None:
    """Its words are the detail."""
    message = Message("assistant", (Refusal("I will not."),))
    said = Completion(model="acme/small", message=message, finish=FinishReason.STOP)
    result = await pipeline(ScriptedProvider([said])).run(question())
    assert (result.stop, result.detail) == (StopReason.REFUSED, "The model refused: I will not.")


@pytest.mark.parametrize("finish", [FinishReason.LENGTH, FinishReason.CONTEXT])
async def test_calls_of_an_answer_that_was_cut_are_not_made(finish: FinishReason) -> None:
    """Their arguments may be cut as well; the model is told, and tries again."""
    executor = ScriptedExecutor({"notes.put": "stored"})
    cut = Completion(model="m", message=assistant(ask(name="notes.put", arguments="")), finish=finish)
    result = await pipeline(ScriptedProvider([cut, "Shorter."]), executor).run(question())
    assert executor.executed == []
    assert "Write less" in result.steps[0].results[0].text
    assert result.text == "Shorter."
    assert_sendable(result.messages)


async def test_calls_of_a_filtered_answer_are_not_made() -> None:
    """The vendor took its words back."""
    executor = ScriptedExecutor({"notes.put": "stored"})
    said = Completion(model="m", message=assistant(ask(name="notes.put")), finish=FinishReason.FILTERED)
    result = await pipeline(ScriptedProvider([said]), executor).run(question())
    assert (executor.executed, result.stop) == ([], StopReason.REFUSED)
    assert_sendable(result.messages)


async def test_an_answer_that_its_vendor_paused_goes_on() -> None:
    """What was said is sent back as it is."""
    paused = Completion(model="m", message=assistant("First"), finish=FinishReason.PAUSED)
    provider = ScriptedProvider([paused, "second."])
    result = await pipeline(provider).run(question())
    assert (result.text, len(result.steps)) == ("second.", 2)
    assert provider.requests[1].messages[-1] == assistant("First")


async def test_an_answer_without_words_is_not_sent_back() -> None:
    """Vendors refuse empty messages, and reasoning alone."""
    quiet = Completion(
        model="m", message=Message("assistant", (Reasoning(text="Hm"), Text(" "))), finish=FinishReason.STOP
    )
    result = await pipeline(ScriptedProvider([quiet])).run(question())
    assert (result.stop, result.messages) == (StopReason.ANSWERED, (user("How many?"),))


@pytest.mark.promise("T2")
@pytest.mark.parametrize("same", [4, 3])
async def test_the_same_call_with_the_same_answer_is_a_circle(same: int) -> None:
    """A call that answers is stopped at its fourth time, one that only fails at its third."""
    results = {"notes.get": "pending" if same == 4 else InvalidRequestError("Wrong.")}
    turns = [completion("", ask(arguments=f'{{"a": {" " * index}1}}')) for index in range(9)]
    provider = ScriptedProvider(turns)
    events, result = await told(pipeline(provider, ScriptedExecutor(results)), question())
    assert (result.stop, len(provider.requests)) == (StopReason.LOOP, same)
    assert "notes.get" in result.detail
    assert EventKind.WARNING in [event.kind for event in events]
    assert_sendable(result.messages)


async def test_a_circle_of_two_turns_is_seen() -> None:
    """One call, another, the one again."""
    turns = [completion("", ask(name=name)) for name in ("notes.get", "notes.put")] * 5
    provider = ScriptedProvider(turns)
    result = await pipeline(provider).run(question())
    assert (result.stop, len(provider.requests)) == (StopReason.LOOP, 6)


async def test_polling_that_answers_something_new_is_no_circle() -> None:
    """The same call, ten times, with the answer that it waits for at the end."""

    class Progress(ScriptedExecutor):
        async def execute(self, call: ToolCall, context: Call) -> ToolResult:
            self.results["notes.get"] = f"{len(self.executed)} of 9"
            return await super().execute(call, context)

    provider = ScriptedProvider([*(completion("", ask()) for _ in range(10)), "Finished."])
    result = await pipeline(provider, Progress({"notes.get": ""})).run(question())
    assert (result.stop, result.text) == (StopReason.ANSWERED, "Finished.")


async def test_calls_that_are_repeated_between_others_are_no_circle() -> None:
    """Reading a note three times while something else changes is work."""
    turns = [
        completion("", ask(name=name, arguments=f'{{"n":{index // 2}}}' if name == "notes.put" else "{}"))
        for index, name in enumerate(["notes.get", "notes.put"] * 4)
    ]
    result = await pipeline(ScriptedProvider([*turns, "Done."])).run(question())
    assert result.stop is StopReason.ANSWERED


class HangingProvider(ScriptedProvider):
    """Says one word and then nothing, until it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = asyncio.Event()
        self.left = asyncio.Event()

    async def stream(
        self, request: CompletionRequest, call: Call | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """One word."""
        try:
            yield Chunk(text="One")
            self.waiting.set()
            await asyncio.Event().wait()
        finally:
            self.left.set()


async def test_a_reader_that_leaves_closes_the_stream_at_once() -> None:
    """Nobody waits for the vendor, and nothing goes on behind the reader's back."""
    provider = HangingProvider()
    async with aclosing(pipeline(provider).events(question())) as items:
        async for item in items:
            if isinstance(item, Event) and item.kind is EventKind.TEXT_DELTA:
                break
    assert provider.left.is_set()


async def test_a_cancelled_run_closes_the_stream_at_once() -> None:
    """The cancellation arrives, and is not turned into a result."""
    provider = HangingProvider()
    task = asyncio.create_task(pipeline(provider).run(question()))
    await provider.waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert provider.left.is_set()


async def test_costs_are_summed_and_an_unknown_price_is_said() -> None:
    """Unknown is not zero."""
    paid = as_chunks(completion("", ask()))
    priced = [
        (*paid[:-1], Chunk(finish=FinishReason.TOOL_CALLS, cost=Money(5))),
        (Chunk(text="Done."), Chunk(finish=FinishReason.STOP, cost=Money(7))),
    ]
    assert (await pipeline(ScriptedProvider(priced)).run(question())).cost == Money(12)
    assert (await pipeline(ScriptedProvider([priced[0], "Done."])).run(question())).cost is None
