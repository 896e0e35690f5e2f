"""Tokens counted before a call: exactly where the vendor's tokeniser is here, else within a stated error."""

import base64
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import CompletionRequest, Image, Message, ResponseFormat, Text, ToolSpec
from interlock_core.messages import user
from interlock_core.tokens import EstimatingCounter
from interlock_providers import VendorCounter

COUNTER = VendorCounter(kinds={"mine": "openai", "vllm": "openai-compatible"})
# The example of OpenAI's cookbook, "How to count tokens with tiktoken", with what its API billed for it.
JARGON = (
    Message(
        "system",
        (
            Text(
                "You are a helpful, pattern-following assistant that translates corporate jargon into plain "
                "English."
            ),
        ),
    ),
    Message("system", (Text("New synergies will help drive top-line growth."),), "example_user"),
    Message("system", (Text("Things working well together will increase revenue."),), "example_assistant"),
    Message(
        "system",
        (
            Text(
                "Let's circle back when we have more bandwidth to touch base on opportunities for increased "
                "leverage."
            ),
        ),
        "example_user",
    ),
    Message(
        "system",
        (Text("Let's talk later when we're less busy about how to do better."),),
        "example_assistant",
    ),
    user("This late pivot means we don't have time to boil the ocean for the client deliverable."),
)


def jargon(model: str) -> CompletionRequest:
    """The example, for a model."""
    return CompletionRequest(model=model, messages=JARGON)


@pytest.mark.promise("P5")
@pytest.mark.parametrize(
    ("model", "tokens"),
    [("openai/gpt-4-0613", 129), ("openai/gpt-4o-mini", 124), ("mine/gpt-4o", 124)],
)
def test_openais_own_example_is_counted_as_it_was_billed(model: str, tokens: int) -> None:
    """Whatever the provider is called."""
    counted = COUNTER.count(jargon(model))
    assert (counted.tokens, counted.upper_bound, counted.exact) == (tokens, tokens, True)


@pytest.mark.promise("P5")
@pytest.mark.parametrize("model", ["openai/gpt-6-sol", "anthropic/claude-opus-5-5", "vllm/llama", "nobody/x"])
def test_a_model_without_a_tokeniser_is_estimated_and_not_called_exact(model: str) -> None:
    """A newer model, another vendor, a compatible server."""
    counted = COUNTER.count(jargon(model))
    assert counted == EstimatingCounter().count(jargon(model))
    assert not counted.exact
    assert counted.upper_bound > counted.tokens > 124 / 2


@pytest.mark.promise("P5")
def test_mistrals_tokeniser_counts_its_models() -> None:
    """Close, and not called exact: later models extend the vocabulary."""
    counted = COUNTER.count(jargon("mistral/mistral-small-latest"))
    assert not counted.exact
    assert 100 <= counted.tokens <= 140


@pytest.mark.promise("P5")
def test_tools_schemas_and_images_are_counted_too() -> None:
    """Each makes the count larger, and it is no longer exact."""
    model = "openai/gpt-4o"
    tool = ToolSpec(name="weather", description="The weather of a city.", parameters={"type": "object"})
    form = ResponseFormat(schema={"type": "object", "properties": {"a": {"type": "string"}}})
    picture = Image(data=base64.b64decode("iVBORw0KGgo="), media_type="image/png")
    counts = [
        COUNTER.count(request)
        for request in (
            CompletionRequest(model=model, messages=JARGON, tools=(tool,)),
            CompletionRequest(model=model, messages=JARGON, response_format=form),
            CompletionRequest(model=model, messages=(*JARGON, user(picture))),
        )
    ]
    assert all(counted.tokens > 124 and not counted.exact for counted in counts)
    assert all(counted.upper_bound >= counted.tokens for counted in counts)
    assert counts[2].tokens > 1_000


@pytest.mark.promise("P5")
@given(st.text(max_size=400))
def test_no_text_has_more_tokens_than_the_bound_in_bytes(text: str) -> None:
    """The bound that budgets rest on holds for the real tokenisers."""
    for model in ("openai/gpt-4o", "openai/gpt-4", "mistral/mistral-small-latest"):
        request = CompletionRequest(model=model, messages=(user(text),))
        assert COUNTER.count(request).tokens <= EstimatingCounter().count(request).upper_bound


@pytest.mark.promise("P5")
def test_the_estimate_is_within_its_stated_error() -> None:
    """Over prose and JSON, which most requests are made of."""
    prose = " ".join(message.text for message in JARGON) * 4
    fields = {f"{letter}_field": {"type": "string"} for letter in string.ascii_lowercase}
    schema = json.dumps({"type": "object", "properties": fields})
    for text, off in ((prose, 0.6), (schema, 0.25)):
        request = CompletionRequest(model="openai/gpt-4o", messages=(user(text),))
        exact, estimate = COUNTER.count(request).tokens, EstimatingCounter().count(request).tokens
        assert abs(estimate - exact) < off * exact
