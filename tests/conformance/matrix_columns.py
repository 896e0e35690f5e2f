"""The columns of the matrix: each vendor as it is built, and the simulated one that stands for it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from interlock_core import Price, Provider, Secret
from interlock_core.resilience import RetryPolicy
from interlock_providers import ProviderOptions, build_provider
from interlock_providers.rows import CarrierName
from interlock_providers.testing import (
    AnthropicServer,
    CohereServer,
    MistralServer,
    OpenAIChatServer,
    OpenAIServer,
    SimulatedVendor,
)

KEY = "sk-conformance-0123456789"
PRICE = Price(input=2_000_000, output=10_000_000, cache_read=500_000, source="the operator's")


class OnePrice:
    """A book in which every model costs the same."""

    def price(self, model: str) -> Price | None:
        """That price."""
        del model
        return PRICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A vendor.

    Attributes:
        name: Its name in the table of expectations.
        title: Its name for readers.
        kind: The kind of its provider.
        provider: Name of the provider.
        model: The model that is asked.
        embedding: The model that makes vectors.
        server: The simulated vendor; None for the model in this process.
    """

    name: str
    title: str
    kind: str
    provider: str
    model: str
    embedding: str
    server: Callable[[], SimulatedVendor] | None = None

    @property
    def id(self) -> str:
        """`provider/model`."""
        return f"{self.provider}/{self.model}"

    def build(self, url: str | None, carrier: CarrierName) -> Provider:
        """The provider that asks this vendor at an address; it tries once."""
        options = ProviderOptions(carrier=carrier, prices=OnePrice(), retries=RetryPolicy(attempts=1))
        key = None if self.server is None else Secret(KEY, name="key")
        return build_provider(self.provider, kind=self.kind, base_url=url, api_key=key, options=options)


COLUMNS = (
    Column(
        name="chat",
        title="OpenAI, Chat Completions",
        kind="openai",
        provider="openai",
        model="gpt-6-sol",
        embedding="text-embedding-3-small",
        server=lambda: OpenAIServer(models=("gpt-6-sol", "text-embedding-3-small"), key=KEY),
    ),
    Column(
        name="responses",
        title="OpenAI, Responses",
        kind="openai",
        provider="openai",
        model="gpt-5.4-pro",
        embedding="text-embedding-3-small",
        server=lambda: OpenAIServer(models=("gpt-5.4-pro", "text-embedding-3-small"), key=KEY),
    ),
    Column(
        name="anthropic",
        title="Anthropic",
        kind="anthropic",
        provider="anthropic",
        model="claude-sonnet-5-5",
        embedding="claude-sonnet-5-5",
        server=lambda: AnthropicServer(models=("claude-sonnet-5-5",), key=KEY),
    ),
    Column(
        name="mistral",
        title="Mistral",
        kind="mistral",
        provider="mistral",
        model="mistral-medium-3-5",
        embedding="mistral-embed",
        server=lambda: MistralServer(models=("mistral-medium-3-5", "mistral-embed"), key=KEY),
    ),
    Column(
        name="cohere",
        title="Cohere",
        kind="cohere",
        provider="cohere",
        model="command-a-plus-05-2026",
        embedding="embed-v4.0",
        server=lambda: CohereServer(models=("command-a-plus-05-2026", "embed-v4.0"), key=KEY),
    ),
    Column(
        name="compatible",
        title="Compatible server",
        kind="openai-compatible",
        provider="server",
        model="sim-1",
        embedding="sim-embed",
        server=lambda: OpenAIChatServer(models=("sim-1", "sim-embed"), key=KEY),
    ),
    Column(
        name="local",
        title="Embedded model",
        kind="local",
        provider="local",
        model="smollm2-135m",
        embedding="smollm2-135m",
    ),
)


@dataclass(frozen=True, slots=True)
class Bench:
    """A provider under test and the vendor that it asks.

    Attributes:
        column: Which vendor.
        carrier: How requests travel.
        provider: The provider.
        server: The simulated vendor; None for the model in this process.
    """

    column: Column
    carrier: CarrierName
    provider: Provider
    server: SimulatedVendor | None


@asynccontextmanager
async def bench(column: Column, carrier: CarrierName) -> AsyncGenerator[Bench, None]:
    """A vendor and its provider, for a while."""
    if column.server is None:
        provider = column.build(None, carrier)
        try:
            yield Bench(column, carrier, provider, None)
        finally:
            await provider.aclose()
        return
    async with column.server() as server:
        provider = column.build(server.url, carrier)
        try:
            yield Bench(column, carrier, provider, server)
        finally:
            await provider.aclose()
