"""Answers that must have a form: the model is shown what was wrong, and wrong is never passed on as right."""

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from interlock_core import (
    Budget,
    Call,
    Chunk,
    CompletionRequest,
    EventKind,
    FinishReason,
    JsonObject,
    Principal,
    ResponseFormat,
    RunRequest,
    RunResult,
    StopReason,
)
from interlock_core.completion import Completion
from interlock_core.errors import AnswerFormatError, InvalidRequestError
from interlock_core.messages import Message, Refusal, assistant, user
from interlock_core.testing import MemoryCatalog, ScriptedExecutor, ScriptedProvider, completion
from interlock_pipeline import ToolCallingPipeline

SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
}


def pipeline(provider: ScriptedProvider) -> ToolCallingPipeline:
    """A pipeline without tools."""
    return ToolCallingPipeline(provider=provider, catalog=MemoryCatalog(), executor=ScriptedExecutor({}))


def request(wanted: ResponseFormat, budget: Budget | None = None) -> RunRequest:
    """A request for an answer of a form."""
    return RunRequest(
        messages=(user("A number."),),
        model="acme/small",
        principal=Principal(user="ann"),
        response_format=wanted,
        budget=budget or Budget(),
    )


@pytest.mark.promise("T2")
@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("seven", "It is not JSON"),
        ('{"n": "seven"}', "/n: "),
        ("[" * 100_000, "It is not JSON"),
        ("[7]", "(root): "),
    ],
)
async def test_the_model_is_shown_what_was_wrong_and_answers_again(wrong: str, problem: str) -> None:
    """Its own answer and the problem stand in the next request."""
    provider = ScriptedProvider([wrong, '{"n": 7}'])
    result = await pipeline(provider).run(request(ResponseFormat(schema=SCHEMA)))
    assert (result.text, result.stop) == ('{"n": 7}', StopReason.ANSWERED)
    first, second = provider.requests[1].messages[1:]
    assert (first.role, first.text) == ("assistant", wrong)
    assert problem in second.text
    assert "Answer again." in second.text


@pytest.mark.promise("T2")
async def test_after_two_more_tries_the_run_fails_and_says_why() -> None:
    """The last answer is kept for who wants to see it."""
    provider = ScriptedProvider(["one", "two", "three", "four"])
    result = await pipeline(provider).run(request(ResponseFormat(schema=SCHEMA)))
    assert (result.stop, result.text, len(provider.requests)) == (StopReason.FAILED, "three", 3)
    assert "not JSON" in result.detail


async def test_each_wrong_form_is_told() -> None:
    """As a warning."""
    runner = pipeline(ScriptedProvider(["one", '{"n": 1}']))
    kinds = [
        item.kind
        async for item in runner.events(request(ResponseFormat(schema=SCHEMA)))
        if not isinstance(item, RunResult)
    ]
    assert kinds.count(EventKind.WARNING) == 1


async def test_any_object_will_do_where_no_schema_is_given() -> None:
    """But it must be one."""
    provider = ScriptedProvider(["[1]", '{"any": "thing"}'])
    result = await pipeline(provider).run(request(ResponseFormat(kind="json_object")))
    assert result.text == '{"any": "thing"}'
    assert "not a JSON object" in provider.requests[1].messages[-1].text


async def test_a_cut_answer_is_told_to_be_shorter() -> None:
    """Else the same would come again."""
    cut = Completion(model="m", message=assistant('{"n": '), finish=FinishReason.LENGTH)
    provider = ScriptedProvider([cut, '{"n": 1}'])
    result = await pipeline(provider).run(request(ResponseFormat(schema=SCHEMA)))
    assert result.stop is StopReason.ANSWERED
    assert "write less" in provider.requests[1].messages[-1].text


async def test_an_empty_answer_is_asked_for_again_without_being_sent_back() -> None:
    """Vendors refuse empty messages."""
    empty = Completion(model="m", message=Message("assistant", ()), finish=FinishReason.STOP)
    provider = ScriptedProvider([empty, '{"n": 1}'])
    await pipeline(provider).run(request(ResponseFormat(schema=SCHEMA)))
    assert [message.role for message in provider.requests[1].messages] == ["user", "user"]


@pytest.mark.parametrize(
    "said",
    [
        Completion(model="m", message=Message("assistant", (Refusal("No."),)), finish=FinishReason.STOP),
        Completion(model="m", message=assistant("…"), finish=FinishReason.FILTERED),
    ],
)
async def test_a_refusal_needs_no_form(said: Completion) -> None:
    """The model is not pressed."""
    provider = ScriptedProvider([said])
    result = await pipeline(provider).run(request(ResponseFormat(schema=SCHEMA)))
    assert (result.stop, len(provider.requests)) == (StopReason.REFUSED, 1)


async def test_a_budget_that_ends_the_tries_is_no_answer() -> None:
    """The wrong answer is kept, and not called an answer."""
    result = await pipeline(ScriptedProvider(["one"])).run(
        request(ResponseFormat(schema=SCHEMA), Budget(max_turns=1))
    )
    assert (result.stop, result.text) == (StopReason.BUDGET, "one")


async def test_a_schema_that_is_none_is_refused_before_anything_is_asked() -> None:
    """No answer could ever fit it."""
    provider = ScriptedProvider()
    with pytest.raises(InvalidRequestError, match="JSON Schema"):
        await pipeline(provider).run(request(ResponseFormat(schema={"type": "nonsense"})))
    assert provider.requests == []


async def test_a_stream_whose_provider_found_the_form_wrong_is_asked_for_again() -> None:
    """The provider's own verdict, which comes at the end of a stream, is no failure of the run."""
    provider = _Judging(["one", '{"n": 1}'])
    result = await pipeline(provider).run(request(ResponseFormat(schema=SCHEMA)))
    assert (result.text, result.stop, len(provider.requests)) == ('{"n": 1}', StopReason.ANSWERED, 2)


class _Judging(ScriptedProvider):
    """Ends a stream that is not JSON as providers behind HTTP do: without an end mark, with an error."""

    async def stream(
        self, request: CompletionRequest, call: Call | None = None
    ) -> AsyncGenerator[Chunk, None]:
        said = ""
        async for chunk in super().stream(request, call):
            said += chunk.text
            wrong = chunk.finish is not None and not said.startswith("{")
            yield replace(chunk, finish=None) if wrong else chunk
            if wrong:
                raise AnswerFormatError("It has not the form.")


async def test_what_a_vendor_did_in_another_way_is_told_once() -> None:
    """As a warning, however many turns there are."""
    adapted = replace(completion("one"), adapted=("The seed was left to chance.",))
    last = replace(completion('{"n": 1}'), adapted=("The seed was left to chance.",))
    told = pipeline(ScriptedProvider([adapted, last])).events(request(ResponseFormat(schema=SCHEMA)))
    words = [
        str(item.data["message"])
        async for item in told
        if not isinstance(item, RunResult) and item.kind is EventKind.WARNING
    ]
    assert words.count("The seed was left to chance.") == 1
