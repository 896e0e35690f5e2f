"""What a model thought goes back to the vendor that thought it, unchanged, and to no other."""

import json
from typing import Any

import pytest

from interlock_providers.testing import Say, Thought, ToolUse

from .conftest import House
from .neutral import Body
from .table import CLIENTS, VENDORS
from .writing import write

pytestmark = pytest.mark.asyncio(loop_scope="session")
WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])

SECRET = "geheimer Gedanke 秘"
SEALED = "c2VhbGVkLXRob3VnaHQtMDEyMzQ1Njc4OQ=="
HIDDEN = "aGlkZGVuLXRob3VnaHQtOTg3NjU0MzIxMA=="
ASK: Body = {"tools": ["get_weather"], "turns": [{"role": "user", "parts": [{"text": "weather?"}]}]}
CALL = ToolUse("get_weather", '{"city":"Bern"}')
THOUGHT = Say(parts=(Thought(SECRET, sealed=SEALED), CALL))


def thinking(client: str, vendor: str, ask: Body) -> Body:
    """The words of an ask, with thoughts wanted as far as dialect and vendor can."""
    body = write(client, {"max_tokens": 4096, **ask})
    if client == "messages" and vendor != "mistral":
        return {**body, "thinking": {"type": "enabled", "budget_tokens": 2048}}
    if client == "responses":
        return {**body, "include": ["reasoning.encrypted_content"], "store": False}
    return body


def continued(client: str, vendor: str, said: list[Body], number: str) -> Body:
    """The next request: everything so far, and the call's result."""
    key = "input" if client == "responses" else "messages"
    result = {"role": "tool", "parts": [{"result": number, "text": "7 °C"}]}
    before, after = thinking(client, vendor, ASK), write(client, {"turns": [result]})
    return {**before, key: [*before[key], *said, *after[key]]}


async def converse(house: House, client: str, vendor: str, say: Say, *, stream: bool) -> tuple[Any, Any]:
    """What the client read first, and what the vendor was asked next."""
    server = house.vendors[vendor].then(say, Say("7 °C."))
    name = house.model(vendor)
    heard = await house.clients[client].ask({"model": name, **thinking(client, vendor, ASK)}, stream=stream)
    ((number, _, _),) = heard.calls
    last = await house.clients[client].ask(
        {"model": name, **continued(client, vendor, heard.said, number)}, stream=stream
    )
    assert last.text == "7 °C."
    return heard, server.requests[1].json()


@pytest.mark.promise("P1", "G1")
@WAYS
async def test_signed_and_redacted_thoughts_go_back_to_anthropic(house: House, stream: bool) -> None:
    """In their order, with their signatures, before the call that they led to."""
    say = Say(parts=(Thought(SECRET, sealed=SEALED), Thought(redacted=True, sealed=HIDDEN), CALL))
    heard, sent = await converse(house, "messages", "anthropic", say, stream=stream)

    signed: Body = {"type": "thinking", "thinking": SECRET, "signature": SEALED}
    hidden: Body = {"type": "redacted_thinking", "data": HIDDEN}
    assert heard.raw["content"][0]["thinking"] == SECRET
    first, second, call = sent["messages"][1]["content"]
    assert (first, second) == (signed, hidden)
    assert call["type"] == "tool_use"


@pytest.mark.promise("P1", "G1")
@WAYS
@pytest.mark.parametrize("vendor", ["openai", "openai_responses"])
async def test_encrypted_reasoning_goes_back_to_openai(house: House, vendor: str, stream: bool) -> None:
    """The item as it came, with its id and its payload."""
    heard, sent = await converse(house, "responses", vendor, THOUGHT, stream=stream)
    (told,) = [item for item in heard.raw["output"] if item["type"] == "reasoning"]
    (given,) = [item for item in sent["input"] if item.get("type") == "reasoning"]
    assert told["summary"] == [{"type": "summary_text", "text": SECRET}]
    assert given["encrypted_content"] == SEALED
    assert given["id"].startswith("rs_")
    assert sent["store"] is False


@pytest.mark.promise("P1", "G1")
@WAYS
@pytest.mark.parametrize(("client", "vendor"), [("messages", "openai_responses"), ("responses", "anthropic")])
async def test_sealed_thoughts_survive_a_client_of_another_dialect(
    house: House, client: str, vendor: str, stream: bool
) -> None:
    """What the vendor sealed comes back to it as it was, whatever carried it in between."""
    _, sent = await converse(house, client, vendor, THOUGHT, stream=stream)
    if vendor == "anthropic":
        first = sent["messages"][1]["content"][0]
        assert first == {"type": "thinking", "thinking": SECRET, "signature": SEALED}
    else:
        (given,) = [item for item in sent["input"] if item.get("type") == "reasoning"]
        assert given["encrypted_content"] == SEALED


@pytest.mark.promise("P1")
@WAYS
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_conversation_with_thoughts_goes_on(
    house: House, client: str, vendor: str, stream: bool
) -> None:
    """Whatever of them the client's dialect could hold: the vendor takes the next request."""
    _, sent = await converse(house, client, vendor, THOUGHT, stream=stream)
    assert "7 °C" in json.dumps(sent, ensure_ascii=False)


@pytest.mark.promise("P1", "G1")
@WAYS
@pytest.mark.parametrize(
    ("client", "maker", "taker"),
    [
        (client, maker, taker)
        for client, maker in (
            ("messages", "anthropic"),
            ("messages", "openai_responses"),
            ("responses", "openai_responses"),
            ("responses", "anthropic"),
        )
        for taker in VENDORS
        # The same vendor by another name: the client's own words are its to send.
        if taker != maker and (maker, taker) != ("openai_responses", "openai")
    ],
)
async def test_thoughts_are_shown_to_no_other_vendor(
    house: House, client: str, maker: str, taker: str, stream: bool
) -> None:
    """Neither their words nor their seal; the rest of the conversation is."""
    house.vendors[maker].then(THOUGHT)
    asked = {"model": house.model(maker), **thinking(client, maker, ASK)}
    heard = await house.clients[client].ask(asked, stream=stream)
    ((number, _, _),) = heard.calls
    server = house.vendors[taker].then(Say("7 °C."))
    body = continued(client, taker, heard.said, number)
    body.pop("thinking", None)

    last = await house.clients[client].ask({"model": house.model(taker), **body}, stream=stream)

    assert last.text == "7 °C."
    shown = server.requests[-1].body.decode()
    assert SEALED not in shown
    assert "geheimer Gedanke" not in json.dumps(json.loads(shown), ensure_ascii=False)
    assert "Bern" in shown
    assert "reasoning" in last.headers["x-interlock-adapted"]
