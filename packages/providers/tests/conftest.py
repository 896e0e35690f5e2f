"""A simulated vendor, and providers that ask it over both carriers."""

import os
from collections.abc import AsyncGenerator
from typing import Protocol

import pytest
from hypothesis import settings

from interlock_core import PriceBook, Provider, Secret
from interlock_core.resilience import RetryPolicy
from interlock_core.testing import FakeClock
from interlock_providers import ProviderOptions, build_provider
from interlock_providers.provider import Timeouts
from interlock_providers.rows import CarrierName
from interlock_providers.testing import OpenAIChatServer

# A busy machine is no failure: nothing here is judged by how long it takes.
QUICK = os.environ.get("INTERLOCK_QUICK") == "1"
settings.register_profile("interlock", deadline=None, max_examples=20 if QUICK else 100)
settings.load_profile("interlock")

KEY = "sk-test-0123456789abcdef"
TEST_KEY = Secret(KEY, name="key of vendor")


class MakeProvider(Protocol):
    """Makes a provider that asks a base URL."""

    def __call__(
        self,
        base_url: str,
        *,
        kind: str = ...,
        models: tuple[str, ...] = ...,
        key: Secret | None = ...,
        prices: PriceBook | None = ...,
        timeouts: Timeouts | None = ...,
    ) -> Provider:
        """Make it; it is closed when the test ends."""
        ...


@pytest.fixture
def clock() -> FakeClock:
    """The clock of every provider; sleeping moves it on."""
    return FakeClock()


@pytest.fixture
async def vendor() -> AsyncGenerator[OpenAIChatServer, None]:
    """A vendor that wants a key."""
    async with OpenAIChatServer(
        key=KEY, models=("sim-1", "gpt-5.4-mini", "text-embedding-3-small")
    ) as server:
        yield server


@pytest.fixture(params=["fast", "sdk"])
def carrier(request: pytest.FixtureRequest) -> CarrierName:
    """Both carriers."""
    name: CarrierName = request.param
    return name


@pytest.fixture
async def make(carrier: CarrierName, clock: FakeClock) -> AsyncGenerator[MakeProvider, None]:
    """Makes providers named `vendor`, over one of the carriers."""
    made: list[Provider] = []

    def make_one(
        base_url: str,
        *,
        kind: str = "openai-compatible",
        models: tuple[str, ...] = (),
        key: Secret | None = TEST_KEY,
        prices: PriceBook | None = None,
        timeouts: Timeouts | None = None,
    ) -> Provider:
        options = ProviderOptions(
            carrier=carrier,
            prices=prices,
            timeouts=timeouts,
            retries=RetryPolicy(jitter=0),
            clock=clock,
            sleep=clock.sleep,
        )
        provider = build_provider(
            "vendor", kind=kind, base_url=base_url, api_key=key, models=models, options=options
        )
        made.append(provider)
        return provider

    yield make_one
    for provider in made:
        await provider.aclose()
