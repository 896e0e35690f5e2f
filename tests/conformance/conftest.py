"""One gateway before every simulated vendor for the whole folder, and every official client before it."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import anthropic
import openai
import pytest
import pytest_asyncio

from interlock_api import running
from interlock_providers.testing import (
    AnthropicServer,
    CohereServer,
    MistralServer,
    OpenAIChatServer,
    OpenAIServer,
    SimulatedVendor,
)
from interlock_runtime import Runtime, Settings
from interlock_runtime.settings import ModelSettings, ProviderKind, ProviderSettings

from .clients import ChatClient, Client, MessagesClient, ResponsesClient
from .peer import Peers, installed

UPSTREAM_KEY = "sk-upstream-9c41b7d20e"
"""The key that every vendor wants of the gateway."""

KINDS: dict[str, tuple[ProviderKind, type[SimulatedVendor], tuple[str, ...]]] = {
    "compatible": ("openai-compatible", OpenAIChatServer, ("sim-1",)),
    "openai": ("openai", OpenAIServer, ("gpt-5.4-mini",)),
    "openai_responses": ("openai", OpenAIServer, ("gpt-5.3-codex",)),
    "anthropic": ("anthropic", AnthropicServer, ("claude-opus-5-5", "claude-opus-4-0")),
    "mistral": ("mistral", MistralServer, ("mistral-medium-3-5",)),
    "cohere": ("cohere", CohereServer, ("command-a-plus-05-2026", "command-a")),
}
"""The vendors: kind, server and models, the first the one that is asked."""


@dataclass(frozen=True)
class House:
    """A gateway with everything around it.

    Attributes:
        address: Where the gateway listens.
        key: Its admin key.
        runtime: What it serves.
        vendors: The simulated vendors by the names of the table.
        clients: The official clients by their dialect.
    """

    address: str
    key: str
    runtime: Runtime
    vendors: dict[str, SimulatedVendor]
    clients: dict[str, Client]

    def model(self, vendor: str, number: int = 0) -> str:
        """A model of a vendor, as clients name it."""
        return f"{vendor}/{KINDS[vendor][2][number]}"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def whole_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House, None]:
    """The gateway, its vendors and its clients, once for all tests."""
    async with AsyncExitStack() as stack:
        vendors = {
            name: await stack.enter_async_context(server(models=models, key=UPSTREAM_KEY))
            for name, (_, server, models) in KINDS.items()
        }
        providers = {
            name: ProviderSettings(
                kind=kind, base_url=vendors[name].url, api_key="env:UPSTREAM", models=models
            )
            for name, (kind, _, models) in KINDS.items()
        }
        settings = Settings(
            home=tmp_path_factory.mktemp("conformance"),
            providers=providers,
            models={
                "compatible/sim-1": ModelSettings(input_usd=1, output_usd=5, cache_read_usd=0.2),
            },
        )
        runtime = await stack.enter_async_context(
            Runtime.open(settings, environment={"UPSTREAM": UPSTREAM_KEY})
        )
        await runtime.access.ensure_admin_key()
        secret = runtime.access.admin_key()
        assert secret is not None
        key = secret.reveal()
        address = await stack.enter_async_context(running(runtime))
        base = f"{address}/v1"
        asks = await stack.enter_async_context(
            openai.AsyncOpenAI(base_url=base, api_key=key, max_retries=0, timeout=60)
        )
        says = await stack.enter_async_context(
            anthropic.AsyncAnthropic(base_url=address, api_key=key, max_retries=0, timeout=60)
        )
        clients: tuple[Client, ...] = (ChatClient(asks), ResponsesClient(asks), MessagesClient(says))
        yield House(address, key, runtime, vendors, {client.name: client for client in clients})


@pytest.fixture
def house(whole_house: House) -> House:
    """The gateway, with vendors that have nothing left to say from the test before."""
    for vendor in whole_house.vendors.values():
        vendor.forget()
        vendor.requests.clear()
    return whole_house


@pytest.fixture(scope="session")
def peers() -> Peers:
    """The programs of others."""
    return installed()
