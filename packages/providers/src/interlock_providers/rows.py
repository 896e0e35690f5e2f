"""The vendors: a row of facts each. A new compatible vendor is a row; only a quirk earns a module."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from interlock_core import Capability
from interlock_providers.codecs import Facts

CarrierName: TypeAlias = Literal["fast", "sdk"]
"""How requests travel: `fast` is core's own HTTP client, `sdk` the vendor's official SDK."""

_COMMON = frozenset(
    {Capability.STREAMING, Capability.TOOLS, Capability.JSON_OBJECT, Capability.JSON_SCHEMA, Capability.SEED}
)
_SEES = frozenset({Capability.IMAGES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """What is particular to one kind of provider.

    Attributes:
        kind: Its name in configuration.
        title: Its name for people.
        dialects: How it is spoken to, the usual one first; empty for a model in this process.
        sealed: The dialect that takes sealed reasoning back, where that is not the usual one.
        base_url: Where it is, when that is the same for everybody.
        versions: Endings of a base URL that the dialect's paths hold already: an operator may write them.
        key_variables: The environment variables in which its users usually keep its key, the first before
            the others.
        needs_key: It answers nobody without a key.
        sdk: Module of the carrier over its official SDK, which holds `open_carrier`.
        carrier: How requests travel unless told otherwise.
        facts: What its servers take of the dialect.
        catalogue: File in `interlock_providers.catalogue` that lists its known models.
        tokeniser: Module that counts tokens as its models do, which holds `tokeniser`.
        unlisted: Pattern of model names that its list holds and that answer no prompts.
        capabilities: What a model of it is taken to do when nothing more is known of it.
        local: No data leaves this machine.
    """

    kind: str
    title: str
    dialects: tuple[str, ...] = ()
    sealed: str | None = None
    base_url: str | None = None
    versions: tuple[str, ...] = ()
    key_variables: tuple[str, ...] = ()
    needs_key: bool = False
    sdk: str | None = None
    carrier: CarrierName = "fast"
    facts: Facts = field(default_factory=Facts)
    catalogue: str | None = None
    tokeniser: str | None = None
    unlisted: str | None = None
    capabilities: frozenset[Capability] = _COMMON
    local: bool = False


_ROWS = (
    Vendor(
        kind="openai",
        title="OpenAI",
        dialects=("openai-chat", "openai-responses"),
        sealed="openai-responses",
        base_url="https://api.openai.com/v1",
        key_variables=("OPENAI_API_KEY",),
        needs_key=True,
        sdk="interlock_providers.carriers.sdk_openai",
        # Reasoning models refuse `max_tokens`; reasoning never goes back; tool results are text; no `top_k`.
        facts=Facts(max_tokens="max_completion_tokens", reasoning=False, tool_images=False, top_k=False),
        catalogue="openai.toml",
        tokeniser="interlock_providers.tokens.openai",
        unlisted=r"whisper|tts|dall-e|gpt-image|sora|moderation|realtime|transcribe|babbage|davinci|gpt-live",
        capabilities=_COMMON | {Capability.PARALLEL_TOOLS, Capability.IMAGES},
    ),
    Vendor(
        kind="openai-compatible",
        title="OpenAI-compatible server",
        dialects=("openai-chat",),
        sdk="interlock_providers.carriers.sdk_openai",
    ),
    Vendor(
        kind="anthropic",
        title="Anthropic",
        dialects=("anthropic-messages",),
        base_url="https://api.anthropic.com",
        versions=("/v1",),
        key_variables=("ANTHROPIC_API_KEY",),
        needs_key=True,
        sdk="interlock_providers.carriers.sdk_anthropic",
        catalogue="anthropic.toml",
        capabilities=(_COMMON - {Capability.SEED}) | _SEES | {Capability.PARALLEL_TOOLS, Capability.FILES},
    ),
    Vendor(
        kind="mistral",
        title="Mistral",
        dialects=("mistral-chat",),
        base_url="https://api.mistral.ai",
        versions=("/v1",),
        key_variables=("MISTRAL_API_KEY",),
        needs_key=True,
        sdk="interlock_providers.carriers.sdk_mistral",
        catalogue="mistral.toml",
        tokeniser="interlock_providers.tokens.mistral",
        unlisted=r"moderation|ocr|transcribe|tts",
        capabilities=_COMMON | {Capability.PARALLEL_TOOLS},
    ),
    Vendor(
        kind="cohere",
        title="Cohere",
        dialects=("cohere-chat",),
        base_url="https://api.cohere.com",
        versions=("/v1", "/v2"),
        key_variables=("CO_API_KEY", "COHERE_API_KEY"),
        needs_key=True,
        sdk="interlock_providers.carriers.sdk_cohere",
        catalogue="cohere.toml",
        unlisted=r"rerank|transcribe",
        capabilities=_COMMON | {Capability.PARALLEL_TOOLS},
    ),
    Vendor(kind="local", title="Embedded model", local=True),
)

VENDORS: Mapping[str, Vendor] = MappingProxyType({row.kind: row for row in _ROWS})
"""The kinds of providers by name."""
