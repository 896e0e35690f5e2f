"""What the embedded model answers without, and what it refuses rather than leave out."""

from dataclasses import replace

import pytest

from interlock_core import CompletionRequest, Reasoning, Text, ToolResult
from interlock_core.completion import ResponseFormat
from interlock_core.errors import UnsupportedError
from interlock_core.messages import CacheHint, assistant, tool_results, user
from interlock_providers.local import LocalProvider

ASKED = CompletionRequest(
    model="local/smollm2-135m", messages=(user("Name a city."),), temperature=0.0, max_tokens=2
)


async def test_what_has_no_meaning_here_is_left_out_and_said(provider: LocalProvider) -> None:
    """Each thing in a sentence of its own, on a stream's first chunk as in a whole answer."""
    said = (user(Text("Name a city.", cache=CacheHint())), assistant(Reasoning(text="Hm."), "Paris."))
    asked = replace(
        ASKED,
        messages=(*said, replace(user("Another."), name="ada")),
        response_format=ResponseFormat(kind="json_object", description="A city."),
        cache_key="k",
        service_tier="flex",
        user="u",
        metadata={"team": "blue"},
    )
    answer = await provider.complete(asked)
    first = [sentence.partition(" ")[0] for sentence in answer.adapted]
    assert first == ["earlier", "marks", "names", "the", "cache_key", "service_tier", "user", "metadata"]
    assert (await provider.complete(ASKED)).adapted == ()


async def test_a_failed_tool_is_told_as_failed_where_only_its_result_is_read(provider: LocalProvider) -> None:
    """A small model is told the result without the call: that it failed must not be lost there."""
    result = ToolResult(call_id="1", name="t", content=(Text("no such city"),))
    asked = replace(ASKED, messages=(user("Where is it?"), tool_results([result])))
    failed = replace(asked, messages=(user("Where is it?"), tool_results([replace(result, is_error=True)])))
    fine, wrong = await provider.complete(asked), await provider.complete(failed)
    assert fine.usage is not None
    assert wrong.usage is not None
    assert wrong.usage.input_tokens > fine.usage.input_tokens
    assert (len(fine.adapted), len(wrong.adapted)) == (0, 1)


async def test_a_budget_of_thought_is_refused_and_none_is_granted(provider: LocalProvider) -> None:
    """The model does not think before it answers, so a budget of zero is what it does."""
    with pytest.raises(UnsupportedError, match="does not reason") as refused:
        await provider.complete(replace(ASKED, reasoning_budget=1024))
    assert refused.value.field == "reasoning_budget"
    assert (await provider.complete(replace(ASKED, reasoning_budget=0))).adapted == ()
