"""Further rows: options of sampling and of the account, and parts that answers alone have."""

from collections.abc import Mapping
from dataclasses import replace

from interlock_core import Completion, FinishReason
from interlock_core.completion import Usage
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.messages import CacheHint, Reasoning, Refusal, Text
from interlock_core.money import Money
from interlock_providers.testing import Citation, Say

from .matrix_features import ASKED, HELLO, Feature, Heard, asking, hello
from .matrix_wire import Check, both, either, holds, says, wires

_TOKENS: Mapping[str, JsonObject] = {
    "chat": {
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "total_tokens": 110,
        "prompt_tokens_details": {"cached_tokens": 60},
        "completion_tokens_details": {"reasoning_tokens": 6},
    },
    "responses": {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 0},
        "output_tokens": 10,
        "output_tokens_details": {"reasoning_tokens": 6},
        "total_tokens": 110,
    },
    "anthropic": {
        "input_tokens": 40,
        "cache_read_input_tokens": 60,
        "cache_creation_input_tokens": 0,
        "output_tokens": 10,
        "output_tokens_details": {"thinking_tokens": 6},
    },
    "mistral": {
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "total_tokens": 110,
        "prompt_tokens_details": {"cached_tokens": 60},
    },
    "cohere": {
        "billed_units": {"input_tokens": 100, "output_tokens": 10},
        "tokens": {"input_tokens": 100, "output_tokens": 10},
        "cached_tokens": 60,
    },
}
USAGES: Mapping[str, JsonObject] = {**_TOKENS, "compatible": _TOKENS["chat"]}
"""A hundred tokens in, sixty of them cached, ten out, six of them thought, in each vendor's words."""

BILL = Money(2 * 40 + 60 // 2 + 10 * 10)
"""What they cost: forty at two micro-dollars, sixty at half of one, ten at ten."""


def _counted(wanted: Usage) -> Heard:
    """Whether these counts, where not zero, came back exactly."""
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens")
    told = [name for name in names if getattr(wanted, name)]

    def heard(answer: Completion) -> bool:
        usage = answer.usage
        return (
            usage is not None
            and usage.exact
            and all(getattr(usage, name) == getattr(wanted, name) for name in told)
        )

    return heard


def _hints() -> dict[str, Feature]:
    part = "messages.0.content.0"
    mark: JsonObject = {"text": "A long text.", "prompt_cache_breakpoint": {}}
    return {
        "cache_hint": Feature(
            request=asking(Text("A long text.", cache=CacheHint()), "Sum up."),
            wire=wires(
                chat=holds(part, mark),
                responses=holds("input.0.content.0", mark),
                anthropic=holds(part, {"text": "A long text.", "cache_control": {"type": "ephemeral"}}),
            ),
        ),
        "cache_ttl": Feature(
            request=asking(Text("A long text.", cache=CacheHint(ttl="30m")), "Sum up."),
            by_column={"anthropic": asking(Text("A long text.", cache=CacheHint(ttl="1h")), "Sum up.")},
            wire=wires(
                chat=holds(part, {"prompt_cache_breakpoint": {"ttl": "30m"}}),
                responses=holds("input.0.content.0", {"prompt_cache_breakpoint": {"ttl": "30m"}}),
                anthropic=holds(part, {"cache_control": {"type": "ephemeral", "ttl": "1h"}}),
            ),
        ),
        "cache_key": Feature(
            request=replace(ASKED, cache_key="tenant-7"),
            wire=wires(same=holds("prompt_cache_key", "tenant-7")),
        ),
    }


def _options() -> dict[str, Feature]:
    def option(fields: Mapping[str, object], **on_wire: Check) -> Feature:
        return Feature(request=replace(ASKED, **fields), wire=wires(**on_wire))

    both_penalties = both(holds("presence_penalty", 0.5), holds("frequency_penalty", 0.25))
    standard = replace(ASKED, service_tier="standard_only")
    return {
        "reasoning_effort": option(
            {"reasoning_effort": "high"},
            chat=holds("reasoning_effort", "high"),
            responses=holds("reasoning.effort", "high"),
            anthropic=holds("output_config.effort", "high"),
        ),
        "reasoning_budget": option(
            {"reasoning_budget": 2048, "max_tokens": 4096},
            anthropic=holds("thinking", {"type": "enabled", "budget_tokens": 2048}),
            cohere=holds("thinking", {"type": "enabled", "token_budget": 2048}),
        ),
        "seed": option({"seed": 7}, same=holds("seed", 7), mistral=holds("random_seed", 7)),
        "stop": option(
            {"stop": ("END",)},
            chat=either(holds("stop", ["END"]), holds("stop", "END")),
            anthropic=holds("stop_sequences", ["END"]),
            cohere=holds("stop_sequences", ["END"]),
        ),
        "temperature": option({"temperature": 0.5}, same=holds("temperature", 0.5)),
        "top_p": option({"top_p": 0.5}, same=holds("top_p", 0.5), cohere=holds("p", 0.5)),
        "top_k": option({"top_k": 5}, same=holds("top_k", 5), cohere=holds("k", 5)),
        "penalties": option({"presence_penalty": 0.5, "frequency_penalty": 0.25}, same=both_penalties),
        "service_tier": Feature(
            request=replace(ASKED, service_tier="flex"),
            by_column={"anthropic": standard, "mistral": standard},
            wire=wires(
                same=holds("service_tier", "flex"),
                anthropic=holds("service_tier", "standard_only"),
                mistral=holds("service_tier", "standard_only"),
            ),
        ),
        "user": option(
            {"user": "user-7"},
            same=either(holds("safety_identifier", "user-7"), holds("user", "user-7")),
            anthropic=holds("metadata.user_id", "user-7"),
        ),
        "metadata": option({"metadata": {"team": "blue"}}, same=holds("metadata", {"team": "blue"})),
    }


def _several() -> dict[str, Feature]:
    probable: JsonObject = {
        "content": [{"token": "Hello", "logprob": -0.1, "bytes": None, "top_logprobs": []}]
    }
    told: list[Json] = [{"text": "Hello", "token_ids": [1], "logprobs": [-0.1]}]
    return {
        "n": Feature(
            request=replace(ASKED, n=2),
            wire=wires(same=holds("n", 2)),
            said=Say(HELLO, others=(Say("Good day"),)),
            heard=lambda answer: hello(answer) and [one.text for one in answer.alternatives] == ["Good day"],
        ),
        "logprobs": Feature(
            request=replace(ASKED, logprobs=2),
            by_column={"cohere": replace(ASKED, logprobs=0)},
            wire=wires(
                chat=both(holds("logprobs", wanted=True), holds("top_logprobs", 2)),
                responses=both(holds("top_logprobs", 2), says("message.output_text.logprobs")),
                cohere=holds("logprobs", wanted=True),
            ),
            said=Say(HELLO, logprobs=probable),
            said_by={"cohere": Say(HELLO, logprobs=told)},
            heard=lambda answer: hello(answer) and "-0.1" in str(answer.logprobs),
        ),
    }


def _said() -> dict[str, Feature]:
    def thought(answer: Completion) -> bool:
        texts = [part.text for part in answer.message.content if isinstance(part, Reasoning)]
        return hello(answer) and texts == ["I thought."]

    def cited(answer: Completion) -> bool:
        texts = [part for part in answer.message.content if isinstance(part, Text)]
        return hello(answer) and any(part.citations for part in texts)

    def refused(answer: Completion) -> bool:
        parts = [part.text for part in answer.message.content if isinstance(part, Refusal)]
        return parts == ["I will not."] and answer.finish is FinishReason.FILTERED

    source = Citation(start=0, end=5, text="Hello", url="https://example.com/hello", title="A page")
    return {
        "reasoning_returned": Feature(
            request=ASKED, said=Say(HELLO, reasoning="I thought."), heard=thought, marker=b"I thought."
        ),
        "citations": Feature(
            request=ASKED, said=Say(HELLO, citations=(source,)), heard=cited, marker=b"example.com/hello"
        ),
        "refusals": Feature(
            request=ASKED, said=Say(refusal="I will not."), heard=refused, marker=b'"refusal"'
        ),
    }


def _usages() -> dict[str, Feature]:
    said = {name: Say(HELLO, usage=usage) for name, usage in USAGES.items()}
    tokens = Usage(input_tokens=100, output_tokens=10, cache_read_tokens=60, reasoning_tokens=6)
    plain = replace(tokens, cache_read_tokens=0, reasoning_tokens=0)
    return {
        "usage": Feature(request=ASKED, said_by=said, heard=_counted(plain), marker=b'"usage"'),
        "cached_usage": Feature(
            request=ASKED, said_by=said, heard=_counted(replace(plain, cache_read_tokens=60)), marker=b"cache"
        ),
        "reasoning_usage": Feature(
            request=ASKED,
            said_by=said,
            heard=_counted(replace(plain, reasoning_tokens=6)),
            marker=b"ing_tokens",
        ),
        "cost": Feature(
            request=ASKED, said_by=said, heard=lambda answer: answer.cost == BILL, marker=b'"usage"'
        ),
    }


MORE: Mapping[str, Feature] = {**_hints(), **_options(), **_several(), **_said(), **_usages()}
"""The rows by name."""
