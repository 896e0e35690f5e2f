"""Plain answers: text, tokens, reasons to stop, and what is refused before anything runs."""

from contextlib import aclosing
from dataclasses import replace

import pytest

from interlock_core import (
    FREE,
    Capability,
    Chunk,
    CompletionRequest,
    FinishReason,
    Image,
    Message,
    Money,
    Provider,
    Reasoning,
    Refusal,
    Text,
    ToolResult,
)
from interlock_core.errors import (
    ContextLengthError,
    InvalidRequestError,
    NotFoundError,
    UnsupportedError,
)
from interlock_core.messages import assistant, system, tool_results, user
from interlock_providers.local import EngineSettings, LocalProvider

FRANCE = CompletionRequest(
    model="local/smollm2-135m",
    messages=(user("Name the capital of France."),),
    temperature=0.0,
    seed=1,
    max_tokens=24,
)

PICTURE = ToolResult(call_id="1", name="t", content=(Image(data=b"x", media_type="image/png"),))


async def stream(provider: LocalProvider, request: CompletionRequest) -> list[Chunk]:
    """All chunks of a stream."""
    async with aclosing(provider.stream(request)) as chunks:
        return [chunk async for chunk in chunks]


async def test_a_question_is_answered_with_exact_usage_and_no_cost(provider: LocalProvider) -> None:
    """The model's own tokeniser counts; 36 and 8 are its figures for this conversation."""
    answer = await provider.complete(FRANCE)
    assert answer.text == "The capital of France is Paris."
    assert answer.finish is FinishReason.STOP
    assert answer.model == "local/smollm2-135m"
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.exact) == (36, 8, True)
    assert answer.cost == Money(0)
    assert answer.id
    assert answer.created > 1_700_000_000


async def test_a_streamed_answer_is_the_whole_one_in_pieces(provider: LocalProvider) -> None:
    """Same text, finish and output tokens; several pieces; usage in the last chunk."""
    whole = await provider.complete(FRANCE)
    chunks = await stream(provider, FRANCE)
    assert "".join(chunk.text for chunk in chunks) == whole.text
    assert sum(bool(chunk.text) for chunk in chunks) > 3
    assert chunks[0].model == "local/smollm2-135m"
    assert chunks[-1].finish is FinishReason.STOP
    assert chunks[-1].usage is not None
    assert whole.usage is not None
    assert chunks[-1].usage.output_tokens == whole.usage.output_tokens


async def test_the_token_limit_is_kept_and_said(provider: LocalProvider) -> None:
    """Exactly as many tokens as allowed."""
    answer = await provider.complete(replace(FRANCE, max_tokens=3))
    assert answer.finish is FinishReason.LENGTH
    assert answer.usage is not None
    assert answer.usage.output_tokens == 3


async def test_a_stop_text_ends_the_answer_and_is_not_part_of_it(provider: LocalProvider) -> None:
    """The finish reason tells it from a natural end."""
    answer = await provider.complete(replace(FRANCE, stop=("France",)))
    assert answer.text == "The capital of "
    assert answer.finish is FinishReason.STOP_SEQUENCE


async def test_the_same_seed_gives_the_same_answer_and_another_seed_another(provider: LocalProvider) -> None:
    """At a temperature at which answers differ."""
    poem = replace(FRANCE, messages=(user("Write a poem."),), temperature=1.5, max_tokens=16)
    first, second, third = [(await provider.complete(replace(poem, seed=seed))).text for seed in (7, 7, 8)]
    assert first == second != third


async def test_the_callers_system_prompt_is_the_only_one(provider: LocalProvider) -> None:
    """The template's own default is 14 tokens longer than the empty word given here."""
    bare = await provider.complete(FRANCE)
    own = await provider.complete(replace(FRANCE, messages=(system("Hi."), *FRANCE.messages)))
    assert bare.usage is not None
    assert own.usage is not None
    assert own.usage.input_tokens < bare.usage.input_tokens


async def test_parts_that_are_words_are_told_and_other_vendors_thoughts_are_not(
    provider: LocalProvider,
) -> None:
    """Refusals are words; signed reasoning belongs to its vendor."""
    thought = assistant(Reasoning(text="secret " * 50, vendor="other"), Refusal("No."))
    with_thought = await provider.complete(
        replace(FRANCE, messages=(user("Hi"), thought, *FRANCE.messages), max_tokens=2)
    )
    without = await provider.complete(
        replace(FRANCE, messages=(user("Hi"), assistant("No."), *FRANCE.messages), max_tokens=2)
    )
    assert with_thought.usage is not None
    assert without.usage is not None
    assert with_thought.usage.input_tokens == without.usage.input_tokens


async def test_a_request_longer_than_the_context_is_a_typed_error(provider: LocalProvider) -> None:
    """It says both figures."""
    with pytest.raises(ContextLengthError, match=r"has \d{4} tokens.* 2048"):
        await provider.complete(replace(FRANCE, messages=(user("word " * 2_100),)))


async def test_an_answer_that_fills_the_context_says_so() -> None:
    """It is another reason than the limit that the caller set."""
    small = LocalProvider(settings=EngineSettings(context_tokens=200, slots=1))
    assert [model.context_tokens for model in await small.models()] == [256]
    story = replace(FRANCE, messages=(user("Write a very long story about a dragon."),), max_tokens=1_000)
    answer = await small.complete(story)
    await small.aclose()
    assert answer.finish is FinishReason.CONTEXT
    assert answer.usage is not None
    assert answer.usage.total_tokens == 256


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"logprobs": 2}, "logprobs"),
        ({"n": 2}, "n"),
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"extra": {"logit_bias": {"1": 5}}}, "logit_bias"),
        ({"messages": (user(Image(url="https://example.com/a.png")),)}, "messages"),
        (
            {
                "messages": (
                    user("?"),
                    tool_results(
                        [
                            ToolResult(
                                call_id="1", name="t", content=(Image(data=b"x", media_type="image/png"),)
                            )
                        ]
                    ),
                )
            },
            "messages",
        ),
    ],
)
async def test_what_it_cannot_do_is_refused_with_the_nearest_that_works(
    provider: LocalProvider, change: dict[str, object], field: str
) -> None:
    """Never silently ignored."""
    with pytest.raises(UnsupportedError) as caught:
        await provider.complete(replace(FRANCE, **change))
    assert caught.value.field == field
    assert caught.value.remedy


@pytest.mark.parametrize(
    "change",
    [
        {"max_tokens": 0},
        {"temperature": -0.1},
        {"temperature": 2.1},
        {"top_p": 1.5},
        {"top_k": -1},
        {"presence_penalty": 3.0},
        {"frequency_penalty": -3.0},
        {"messages": ()},
        {"messages": (system("Only this."),)},
        {"messages": (Message("user", (Text(""),)),)},
    ],
)
async def test_a_value_out_of_its_range_is_refused(
    provider: LocalProvider, change: dict[str, object]
) -> None:
    """With the name of the field."""
    with pytest.raises(InvalidRequestError) as caught:
        await provider.complete(replace(FRANCE, **change))
    assert caught.value.field in (*change, None)


@pytest.mark.parametrize("model", ["local/smollm2", "local//nowhere/at/all.gguf", "local/other.gguf"])
async def test_an_unknown_model_is_not_found(provider: LocalProvider, model: str) -> None:
    """The remedy names the nearest."""
    with pytest.raises(NotFoundError) as caught:
        await provider.complete(replace(FRANCE, model=model))
    assert caught.value.remedy


async def test_it_makes_no_vectors(provider: LocalProvider) -> None:
    """And says where vectors come from."""
    with pytest.raises(UnsupportedError, match="embedding model"):
        await provider.embed("local/smollm2-135m", ["text"])


async def test_it_is_a_provider_that_lists_its_model(provider: LocalProvider) -> None:
    """Free of charge, in process, with what it can do."""
    assert isinstance(provider, Provider)
    (model,) = await provider.models()
    assert (model.id, model.provider, model.local, model.price) == (
        "local/smollm2-135m",
        "local",
        True,
        FREE,
    )
    assert model.context_tokens == 2048
    assert {Capability.TOOLS, Capability.JSON_SCHEMA, Capability.STREAMING} <= model.capabilities
    assert Capability.IMAGES not in model.capabilities
