"""The tables of providers, models and routing policies."""

from dataclasses import dataclass, field
from math import inf
from typing import Literal, TypeAlias

from interlock_runtime.settings._field import ANY, BOUNDS, HELP

ProviderKind: TypeAlias = Literal["openai-compatible", "openai", "anthropic", "mistral", "cohere", "local"]
"""The kinds of provider that this version speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """`[providers.NAME]`: one provider; its models are `NAME/model`."""

    kind: ProviderKind = field(metadata={HELP: "How it is spoken to."})
    base_url: str = field(
        default="", metadata={HELP: "Address of its API, such as `http://127.0.0.1:8000/v1`."}
    )
    api_key: str = field(
        default="", metadata={HELP: "`env:NAME`, `file:PATH` or the key itself.", "secret": "yes"}
    )
    models: tuple[str, ...] = field(
        default=(),
        metadata={
            HELP: "Its models; asked of it when empty. For `local`: GGUF files, from this file's folder."
        },
    )
    enabled: bool = field(default=True, metadata={HELP: "Whether it is used."})
    carrier: Literal["fast", "sdk"] = field(
        default="fast", metadata={HELP: "`fast` is our own client, `sdk` the vendor's official one."}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """`[models."P/M"]`: facts of one model that replace what is known of it."""

    input_usd: float | None = field(
        default=None, metadata={HELP: "Dollars for a million input tokens.", BOUNDS: ANY}
    )
    output_usd: float | None = field(
        default=None, metadata={HELP: "Dollars for a million output tokens.", BOUNDS: ANY}
    )
    cache_read_usd: float | None = field(
        default=None, metadata={HELP: "Dollars for a million cached tokens.", BOUNDS: ANY}
    )
    cache_write_usd: float | None = field(
        default=None, metadata={HELP: "Dollars for a million tokens written to the cache.", BOUNDS: ANY}
    )
    context_tokens: int | None = field(
        default=None, metadata={HELP: "Most tokens of input and output.", BOUNDS: (1, inf)}
    )
    max_output_tokens: int | None = field(
        default=None, metadata={HELP: "Most output tokens.", BOUNDS: (1, inf)}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSettings:
    """`[tasks.NAME]`: a class of task of one's own, known by examples of its prompts."""

    examples: tuple[str, ...] = field(
        default=(),
        metadata={HELP: "Prompts of this class, one or more; some ten of different wording serve well."},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """`[policies.NAME]`: weights and limits by which the router chooses; used as `auto/NAME`."""

    quality: float = field(
        default=1.0,
        metadata={
            HELP: "Weight of the expected quality.",
            BOUNDS: ANY,
        },
    )
    price: float = field(
        default=0.3,
        metadata={
            HELP: "Weight of the expected price.",
            BOUNDS: ANY,
        },
    )
    latency: float = field(
        default=0.1,
        metadata={
            HELP: "Weight of the expected latency.",
            BOUNDS: ANY,
        },
    )
    prefer: tuple[str, ...] = field(default=(), metadata={HELP: "Models or patterns to prefer, best first."})
    exclude: tuple[str, ...] = field(default=(), metadata={HELP: "Models or patterns never chosen."})
    max_cost_usd: float | None = field(
        default=None, metadata={HELP: "Most dollars a request may cost.", BOUNDS: ANY}
    )
    max_latency_s: float | None = field(
        default=None, metadata={HELP: "Most seconds an answer may take.", BOUNDS: ANY}
    )
    local_first: bool = field(default=False, metadata={HELP: "Models that run here come first."})
    local_only: bool = field(default=False, metadata={HELP: "Only models that run here."})
    fallbacks: int = field(
        default=3,
        metadata={
            HELP: "How many further models are tried when one fails.",
            BOUNDS: ANY,
        },
    )
    explore: float = field(
        default=0.2,
        metadata={
            HELP: "Part of the requests, 0 to 1, that may try another model than the one believed best.",
            BOUNDS: ANY,
        },
    )
