"""What a model is: names, limits, abilities and prices."""

from collections.abc import Mapping
from dataclasses import field
from datetime import date
from enum import StrEnum

from interlock_core.completion import Usage
from interlock_core.money import Money
from interlock_core.record import record

_PER_MILLION = 1_000_000
_STANDARD_TIERS = frozenset({None, "", "auto", "default", "standard", "on_demand"})


class Capability(StrEnum):
    """Something that a request may need and a model may lack."""

    STREAMING = "streaming"
    TOOLS = "tools"
    PARALLEL_TOOLS = "parallel_tools"
    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    IMAGES = "images"
    FILES = "files"
    AUDIO = "audio"
    REASONING = "reasoning"
    LOGPROBS = "logprobs"
    SEED = "seed"
    EMBEDDINGS = "embeddings"


@record(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model costs, in micro-dollars for a million tokens; None means unknown, never free.

    Attributes:
        input: Input that is neither read from nor written to a cache.
        output: Output, reasoning included.
        cache_read: Input read from the cache; unknown when None.
        cache_write: Input written to the cache; unknown when None.
        cache_write_1h: Input written for an hour; unknown when None.
        as_of: Day on which the price was read.
        source: Where it was read.
        over_tokens: Input above which every token of the request costs `over`; None for no such step.
        over: The price of a request whose input is larger than that.
        audio_input: Input that is sound; unknown when None.
        audio_output: Output that is sound; unknown when None.
        image_input: Input that is images, where it is billed apart; as `input` when None.
        image_output: Output that is images; unknown when None.
        requests: Micro-dollars for each billed request beside tokens, by the names in `Usage.requests`.
        tiers: The price in each other service tier, by the vendor's word, such as `flex` or `batch`.
    """

    input: int
    output: int
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    as_of: date | None = None
    source: str = ""
    over_tokens: int | None = None
    over: "Price | None" = None
    audio_input: int | None = None
    audio_output: int | None = None
    image_input: int | None = None
    image_output: int | None = None
    requests: Mapping[str, int] = field(default_factory=dict[str, int], hash=False)
    tiers: "Mapping[str, Price]" = field(default_factory=dict[str, "Price"], hash=False)

    def charge(self, usage: Usage, tier: str | None = None) -> Money | None:
        """What a vendor bills for this usage, to the micro-dollar; None when a part of it has no price.

        Args:
            usage: What was used.
            tier: The vendor's word for the service tier that served it.
        """
        price = self if tier in _STANDARD_TIERS else self.tiers.get(tier or "")
        if price is None or not price._covers(usage):
            return None
        return price.cost(usage)

    def cost(self, usage: Usage) -> Money:
        """Price of this usage: summed exactly, then rounded half up to the micro-dollar once.

        A part that has no price of its own costs what plain input or output costs (what is kept for an hour
        what any write does), and a request without one nothing: for an estimate. What was billed is what
        `charge` says.
        """
        if self.over is not None and self.over_tokens is not None and usage.input_tokens > self.over_tokens:
            return self.over.cost(usage)
        read = self.input if self.cache_read is None else self.cache_read
        write = self.input if self.cache_write is None else self.cache_write
        hour = write if self.cache_write_1h is None else self.cache_write_1h
        plain = usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens
        product = (
            max(plain, 0) * self.input
            + usage.cache_read_tokens * read
            + (usage.cache_write_tokens - usage.cache_write_1h_tokens) * write
            + usage.cache_write_1h_tokens * hour
            + usage.output_tokens * self.output
            + self._beside_text(usage)
        )
        return Money((2 * product + _PER_MILLION) // (2 * _PER_MILLION))

    def _beside_text(self, usage: Usage) -> int:
        """What sound, images and requests cost more or less than the text they were counted as."""
        apart = (
            (usage.audio_input_tokens, self.audio_input, self.input),
            (usage.image_input_tokens, self.image_input, self.input),
            (usage.audio_output_tokens, self.audio_output, self.output),
            (usage.image_output_tokens, self.image_output, self.output),
        )
        tokens = sum(count * (own - text) for count, own, text in apart if own is not None)
        return tokens + sum(
            count * self.requests.get(name, 0) * _PER_MILLION for name, count in usage.requests.items()
        )

    def _covers(self, usage: Usage) -> bool:
        """Whether every part of a usage has a price."""
        if self.over is not None and self.over_tokens is not None and usage.input_tokens > self.over_tokens:
            return self.over._covers(usage)
        unpriced = (
            (usage.cache_read_tokens, self.cache_read),
            (usage.cache_write_tokens - usage.cache_write_1h_tokens, self.cache_write),
            (usage.cache_write_1h_tokens, self.cache_write_1h),
            (usage.audio_input_tokens, self.audio_input),
            (usage.audio_output_tokens, self.audio_output),
            (usage.image_output_tokens, self.image_output),
        )
        if any(count and own is None for count, own in unpriced):
            return False
        return all(name in self.requests for name, count in usage.requests.items() if count)


FREE = Price(input=0, output=0, source="runs in process")
"""The price of a model that nobody bills."""


@record(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """One model of one provider.

    Attributes:
        id: `provider/model`.
        provider: Name of the configured provider.
        context_tokens: Most tokens of input and output together; None when unknown.
        max_output_tokens: Most output tokens; None when unknown.
        price: None when unknown, which is not zero.
        capabilities: What it can do.
        deprecated: Day from which the vendor no longer serves it, if announced.
        description: One line for people.
        local: It runs in this process or on this machine: no data leaves.
        embedding: It makes vectors and answers no prompts.
    """

    id: str
    provider: str
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    price: Price | None = None
    capabilities: frozenset[Capability] = frozenset()
    deprecated: date | None = None
    description: str = ""
    local: bool = False
    embedding: bool = False

    @property
    def name(self) -> str:
        """The vendor's own name: what stands after the first slash."""
        return self.id.partition("/")[2]
