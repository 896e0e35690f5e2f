"""What a client puts into names cannot make the headers of its answer break, or grow without a bound."""

import json
from typing import TYPE_CHECKING

import pytest

from interlock_core.jsontypes import Json
from interlock_providers.testing import AnthropicServer
from interlock_runtime.settings import ProviderSettings

if TYPE_CHECKING:
    from .conftest import MakeGate


@pytest.mark.parametrize("stream", [False, True])
async def test_what_was_adapted_is_told_in_a_header_of_bounded_length(
    make_gate: "MakeGate", *, stream: bool
) -> None:
    """Line breaks, other scripts and hundreds of long names of tools: one short line of ASCII comes back."""
    tools: list[Json] = [
        {
            "type": "function",
            "function": {
                "name": f"t{number}\r\nset-cookie: a=b\r\n\r\n\u20ac{'x' * 2_000}",
                "parameters": {"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
            },
        }
        for number in range(300)
    ]
    body = json.dumps(
        {
            "model": "claude/sim-1",
            "messages": [{"role": "user", "content": "hi"}],
            "tools": tools,
            "stream": stream,
        }
    ).encode()
    async with AnthropicServer(models=("sim-1",)) as vendor:
        rows = {
            "claude": ProviderSettings(kind="anthropic", base_url=vendor.url, models=("sim-1",)),
            "local": ProviderSettings(kind="local", enabled=False),
        }
        async with make_gate(providers=rows) as gate:
            answer = await gate.ask("POST", "/v1/chat/completions", body=body)
    assert answer.status == 200, answer.body[:500]
    told = answer.header("x-interlock-adapted")
    assert told is not None
    assert len(told) < 4_000
    assert told.isascii()
    assert told.isprintable()
    assert "more" in told
    assert answer.header("set-cookie") is None
