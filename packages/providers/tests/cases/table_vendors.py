"""Puts the tables before the real thing: what codec and kind of provider a dialect of a table means."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache

from interlock_core import CompletionRequest, Provider, Secret
from interlock_core.messages import Message, Reasoning, Text, user
from interlock_core.resilience import RetryPolicy
from interlock_core.testing import FakeClock
from interlock_providers import ProviderOptions, build_provider
from interlock_providers.codecs import Codec, Rendered, Target, codec

CODECS: Mapping[str, str] = {
    "openai-chat": "openai-chat",
    "openai-responses": "openai-responses",
    "anthropic-messages": "anthropic-messages",
    "mistral": "mistral-chat",
    "cohere-v2": "cohere-chat",
}
"""The codec of each dialect of the tables."""
KINDS: Mapping[str, str] = {
    "openai-chat": "openai",
    "openai-responses": "openai",
    "anthropic-messages": "anthropic",
    "mistral": "mistral",
    "cohere-v2": "cohere",
}
"""The kind of provider that speaks each dialect of the tables."""
PLAIN = CompletionRequest(model="vendor/m-1", messages=(user("Say hello"),), max_tokens=100)
_SEALED = Reasoning(text="", encrypted="c2VhbGVk", id="rs_1", vendor="vendor")


def request_for(dialect: str) -> CompletionRequest:
    """A request that a provider speaks in that dialect.

    Where a vendor has two dialects, sealed reasoning goes in the one that takes it back.
    """
    if dialect != "openai-responses":
        return PLAIN
    said = Message("assistant", (_SEALED, Text("Hello")))
    return replace(PLAIN, messages=(user("Say hello"), said, user("Once more")))


@cache
def sent_in(dialect: str, *, stream: bool) -> tuple[Codec, Rendered]:
    """The codec of a dialect, and a request that it wrote."""
    spoken = codec(CODECS[dialect])
    return spoken, spoken.render_request(PLAIN, Target(provider="vendor", model="m-1"), stream=stream)


class Waits:
    """Stands in for `asyncio.sleep`: notes the seconds, while the clock stands still."""

    def __init__(self) -> None:
        self.noted: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """Note them."""
        self.noted.append(seconds)


@asynccontextmanager
async def opened(
    kind: str,
    url: str,
    *,
    key: str = "sk-test-0123456789abcdef",
    now: float = 1_795_000_000.0,
    waits: Waits | None = None,
    options: ProviderOptions | None = None,
) -> AsyncGenerator[Provider, None]:
    """A provider named `vendor` of that kind, which tries twice at most, at a moment that stands still."""
    chosen = replace(
        options or ProviderOptions(),
        clock=FakeClock(now),
        sleep=(waits or Waits()).sleep,
        retries=RetryPolicy(attempts=2, jitter=0),
    )
    secret = Secret(key, name="key of vendor")
    provider = build_provider("vendor", kind=kind, base_url=url, api_key=secret, options=chosen)
    try:
        yield provider
    finally:
        await provider.aclose()
