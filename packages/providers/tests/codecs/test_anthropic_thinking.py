"""Reasoning and limits in requests of the dialect anthropic-messages, as the vendor is sent them."""

import json
from dataclasses import replace

import pytest
from anthropic.types import MessageCreateParams
from pydantic import TypeAdapter

from interlock_core import CompletionRequest, Json, JsonObject, Reasoning, ToolChoice, ToolSpec
from interlock_core.jsontypes import as_array, as_object
from interlock_core.messages import assistant, user
from interlock_providers.codecs import Facts, Rendered, Target, codec

CODEC = codec("anthropic-messages")
TARGET = Target(provider="vendor", model="claude-nova-9")
ASKED = CompletionRequest(model="x", messages=(user("hi"),), max_tokens=100)
PARAMS: TypeAdapter[MessageCreateParams] = TypeAdapter(MessageCreateParams)
TOOL = ToolSpec(name="f")


def render(request: CompletionRequest, *, stream: bool = False, target: Target = TARGET) -> Rendered:
    """What is sent, held against the types of the official SDK."""
    sent = CODEC.render_request(request, target, stream=stream)
    accepted = {
        name: value for name, value in body_of(sent).items() if name not in {"temperature", "top_p", "top_k"}
    }
    PARAMS.validate_python(accepted)
    return sent


def body_of(sent: Rendered) -> JsonObject:
    """The JSON object that was sent."""
    return as_object(json.loads(sent.body))


FOREIGN = [
    Reasoning(text="t", signature="s", vendor="another"),
    Reasoning(text="t", vendor="vendor"),
    Reasoning(text="t"),
    Reasoning(encrypted="e", id="rs_1", vendor="another"),
]


@pytest.mark.promise("P1")
@pytest.mark.parametrize("thought", FOREIGN)
def test_reasoning_goes_back_only_signed_and_to_the_vendor_that_said_it(thought: Reasoning) -> None:
    """What another vendor thought, or nobody signed, is left out, and that is said."""
    sent = render(replace(ASKED, messages=(user("1"), assistant(thought, "ok"))))
    assert as_array(body_of(sent)["messages"])[1] == {"role": "assistant", "content": "ok"}
    (sentence,) = sent.adapted
    assert "takes back only its own, signed" in sentence


def test_reasoning_is_left_out_where_the_server_takes_none() -> None:
    """A row's fact keeps it from a server that would refuse it."""
    thought = Reasoning(text="t", signature="s", vendor="vendor")
    target = replace(TARGET, facts=Facts(reasoning=False))
    sent = render(replace(ASKED, messages=(user("1"), assistant(thought, "ok"))), target=target)
    assert b"thinking" not in sent.body


@pytest.mark.parametrize(
    ("request_", "thinking", "config"),
    [
        (replace(ASKED, reasoning_effort="high"), {"type": "adaptive"}, {"effort": "high"}),
        (replace(ASKED, reasoning_effort="none"), {"type": "disabled"}, None),
        (replace(ASKED, reasoning_budget=0), {"type": "disabled"}, None),
        (
            replace(ASKED, reasoning_budget=4096, max_tokens=8000),
            {"type": "enabled", "budget_tokens": 4096},
            None,
        ),
        (
            replace(ASKED, reasoning_budget=200, max_tokens=8000),
            {"type": "enabled", "budget_tokens": 1024},
            None,
        ),
        (
            replace(ASKED, reasoning_budget=9000, max_tokens=8000),
            {"type": "enabled", "budget_tokens": 7999},
            None,
        ),
        (replace(ASKED, reasoning_budget=2000), None, None),
        (
            replace(ASKED, reasoning_effort="low", reasoning_budget=2048, max_tokens=None),
            {"type": "enabled", "budget_tokens": 2048},
            {"effort": "low"},
        ),
        (
            replace(ASKED, reasoning_effort="max", tools=(TOOL,), tool_choice=ToolChoice(mode="required")),
            None,
            {"effort": "max"},
        ),
    ],
)
def test_reasoning_is_asked_for_as_the_vendor_has_it(
    request_: CompletionRequest, thinking: Json, config: Json
) -> None:
    """Effort and budget, each within what the vendor takes."""
    body = body_of(render(request_))
    assert (body.get("thinking"), body.get("output_config")) == (thinking, config)


def test_an_older_model_is_given_a_budget_for_an_effort() -> None:
    """It has no effort of its own; what it is given instead is said."""
    older = replace(TARGET, model="claude-haiku-4-5-20251001")
    sent = render(replace(ASKED, reasoning_effort="medium", max_tokens=20_000), target=older)
    assert body_of(sent)["thinking"] == {"type": "enabled", "budget_tokens": 8192}
    assert "output_config" not in body_of(sent)
    assert sent.adapted == (
        "reasoning_effort medium is told as 8192 tokens of thinking: claude-haiku-4-5-20251001 has no effort",
    )


def test_the_limit_on_output_stays_within_what_a_known_model_gives() -> None:
    """Of a model that is not known the vendor is the judge."""
    unknown = render(replace(ASKED, max_tokens=500_000))
    assert (body_of(unknown)["max_tokens"], unknown.adapted) == (500_000, ())
    known = replace(TARGET, model="claude-opus-4-1-20250805")
    lowered = render(replace(ASKED, max_tokens=500_000), target=known)
    assert body_of(lowered)["max_tokens"] == 32_000
    assert lowered.adapted == ("max_tokens is 32000: claude-opus-4-1-20250805 gives no more",)
    chosen = render(replace(ASKED, max_tokens=None, reasoning_budget=30_000), target=known)
    assert body_of(chosen)["max_tokens"] == 32_000
    assert body_of(chosen)["thinking"] == {"type": "enabled", "budget_tokens": 30_000}
