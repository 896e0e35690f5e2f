"""What only one vendor has in a conversation is not dropped in silence when another goes on with it."""

import json

import pytest

from interlock_core import JsonObject, Secret
from interlock_providers import build_provider, codec
from interlock_providers.testing import AnthropicServer, MistralServer

SEARCHED: JsonObject = {
    "model": "any/sim-1",
    "max_tokens": 100,
    "messages": [
        {"role": "user", "content": "Who won?"},
        {
            "role": "assistant",
            "content": [
                {
                    "type": "server_tool_use",
                    "id": "srvtoolu_1",
                    "name": "web_search",
                    "input": {"query": "x"},
                },
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
                {"type": "text", "text": "Ann won."},
            ],
        },
        {"role": "user", "content": "And before?"},
    ],
}


@pytest.mark.promise("P1")
async def test_a_search_that_one_vendor_made_is_not_told_to_another_and_that_is_said() -> None:
    """The words that came of it are; to the vendor that made it, the blocks go back as they were."""
    asked = codec("anthropic-messages").parse_request(json.dumps(SEARCHED).encode()).request
    key = Secret("key-of-vendor-1", name="key")
    async with MistralServer() as other, AnthropicServer() as own:
        mistral = build_provider("any", kind="mistral", base_url=other.url, api_key=key)
        answer = await mistral.complete(asked)
        await mistral.aclose()
        anthropic = build_provider("any", kind="anthropic", base_url=own.url, api_key=key)
        kept = await anthropic.complete(asked)
        await anthropic.aclose()
    assert any("left out" in sentence for sentence in answer.adapted)
    assert b"srvtoolu_1" not in other.requests[-1].body
    assert b"Ann won." in other.requests[-1].body
    assert not any("left out" in sentence for sentence in kept.adapted)
    assert own.requests[-1].body.count(b"srvtoolu_1") == 2
