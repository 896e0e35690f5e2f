"""Any vendor's answer in any client's words: calls, ends, counts, refusals and forms keep their meaning."""

import json
from typing import Any

import anthropic
import openai
import pytest

from interlock_api.testing import talk
from interlock_providers.testing import Say, ToolUse

from .conftest import House
from .neutral import TOOLS, Body, comparable
from .reading import read
from .table import CLIENTS, TABLE, VENDORS, spoken
from .writing import write

pytestmark = pytest.mark.asyncio(loop_scope="session")
WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
PAIRS = pytest.mark.parametrize(
    ("client", "vendor"), [(client, vendor) for client in CLIENTS for vendor in VENDORS]
)

SAID = "Zuerst — 好的 🌍."
CALLS = (
    ToolUse("get_weather", '{"city": "Zürich \\"🌍\\""}'),
    ToolUse("send_mail", '{"to":"a@example.com",  "urgent":false}'),
    ToolUse("get_weather", '{"city":"São\\nPaulo"}'),
)
ASK: Body = {"tools": [*TOOLS], "turns": [{"role": "user", "parts": [{"text": "both, please"}]}]}


@pytest.mark.promise("G1", "P3")
@WAYS
@PAIRS
async def test_calls_come_and_their_results_go_back(
    house: House, client: str, vendor: str, stream: bool
) -> None:
    """Names, ids and arguments of parallel calls; then the vendor is asked with calls and results."""
    server = house.vendors[vendor].then(Say(SAID, calls=CALLS), Say("Fertig."))
    body = {"model": house.model(vendor), **write(client, ASK)}

    heard = await house.clients[client].ask(body, stream=stream)

    assert heard.text == SAID
    assert [name for _, name, _ in heard.calls] == [call.name for call in CALLS]
    assert len({number for number, _, _ in heard.calls}) == len(CALLS)
    assert heard.finish == {"chat": "tool_calls", "responses": "completed", "messages": "tool_use"}[client]
    exact = client != "messages" and (stream or vendor != "anthropic")
    for (_, _, arguments), call in zip(heard.calls, CALLS, strict=True):
        assert json.loads(arguments) == json.loads(call.arguments)
        assert arguments == call.arguments or not exact

    results = [
        {"result": number, "text": f"Ergebnis {at} ✓"} for at, (number, _, _) in enumerate(heard.calls)
    ]
    turns = [*ASK["turns"], {"role": "tool", "parts": results}]
    key = "input" if client == "responses" else "messages"
    before, after = write(client, ASK), write(client, {"turns": turns[1:]})
    said = {"model": house.model(vendor), **before, key: [*before[key], *heard.said, *after[key]]}
    last = await house.clients[client].ask(said, stream=stream)

    assert last.text == "Fertig."
    _, request = server.requests
    sent: Any = request.json()
    calls = [
        {"call": number, "name": call.name, "arguments": call.arguments}
        for (number, _, _), call in zip(heard.calls, CALLS, strict=True)
    ]
    made = {"role": "assistant", "parts": [{"text": SAID}, *calls]}
    assert comparable(read(request.path, sent)["turns"]) == comparable([turns[0], made, turns[1]])
    assert "x-interlock-adapted" not in last.headers


@pytest.mark.promise("P3")
@WAYS
@PAIRS
async def test_a_call_without_arguments_is_an_empty_object(
    house: House, client: str, vendor: str, stream: bool
) -> None:
    """However the vendor says that there are none."""
    house.vendors[vendor].then(Say(calls=(ToolUse("get_weather", "{}"),)))
    heard = await house.clients[client].ask(
        {"model": house.model(vendor), **write(client, ASK)}, stream=stream
    )
    assert [(name, arguments) for _, name, arguments in heard.calls] == [("get_weather", "{}")]


def ends() -> list[Any]:
    """Every end that a vendor has a word for, and that a client does."""
    return [
        pytest.param(name, client, vendor, id=f"{name}-{client}-{vendor}")
        for name, end in TABLE["finishes"].items()
        for client in CLIENTS
        for vendor in VENDORS
        if spoken(vendor, client) in end["vendor"] and end["client"][client]
    ]


@pytest.mark.promise("G1", "P1")
@WAYS
@pytest.mark.parametrize(("name", "client", "vendor"), ends())
async def test_why_an_answer_ended_is_told_in_the_clients_word(
    house: House, name: str, client: str, vendor: str, stream: bool
) -> None:
    """From the vendor's word to the client's."""
    end = TABLE["finishes"][name]
    word = end["vendor"][spoken(vendor, client)]
    stop = "END" if name == "stop_sequence" else None
    house.vendors[vendor].then(Say(SAID, finish=None if word == "completed" else word, stop_sequence=stop))
    body = {"model": house.model(vendor), **write(client, {})}

    heard = await house.clients[client].ask(body, stream=stream)

    assert heard.finish == end["client"][client]
    assert heard.text == SAID
    if stop is not None and client == "messages" and vendor == "anthropic":
        assert heard.raw["stop_sequence"] == stop


@pytest.mark.promise("P5", "G1")
@WAYS
@PAIRS
async def test_usage_is_what_the_vendor_said_and_the_cost_the_price_tables(
    house: House, client: str, vendor: str, stream: bool
) -> None:
    """Cached, written and reasoning tokens in the client's own fields."""
    row = TABLE["usage"][vendor]
    house.vendors[vendor].then(Say(SAID, usage=TABLE["usage"][spoken(vendor, client)]["said"]))
    body = {"model": house.model(vendor), **write(client, {})}

    heard = await house.clients[client].ask(body, stream=stream)

    wanted = {"input": 0, "output": 0, "cached": 0, "written": 0, "reasoning": 0, **row["is"]}
    assert heard.usage == wanted
    if not stream:
        cost = heard.headers.get("x-interlock-cost-usd")
        assert (None if cost is None else float(cost)) == row.get("cost")


@pytest.mark.promise("P5")
@pytest.mark.parametrize(
    ("client", "path"),
    [("chat", "/v1/chat/completions"), ("responses", "/v1/responses"), ("messages", "/v1/messages")],
)
@pytest.mark.parametrize("vendor", ["compatible", "anthropic", "mistral"])
async def test_a_stream_tells_its_cost_with_its_usage(
    house: House, client: str, path: str, vendor: str
) -> None:
    """Under `interlock` in the last event that tells the usage."""
    row = TABLE["usage"][vendor]
    house.vendors[vendor].then(Say(SAID, usage=row["said"]))
    asked = {"model": house.model(vendor), "stream": True, **write(client, {})}
    if client == "chat":
        asked["stream_options"] = {"include_usage": True}
    data = json.dumps(asked).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
    head += "content-type: application/json\r\n"
    head += f"authorization: Bearer {house.key}\r\ncontent-length: {len(data)}\r\n\r\n"

    (answer,) = await talk(int(house.address.rpartition(":")[2]), head.encode() + data)

    lines = [line.removeprefix("data: ") for line in answer.body.decode().splitlines()]
    told = [json.loads(line) for line in lines if line.startswith("{") and '"interlock"' in line]
    assert len(told) == 1
    facts = told[0].get("interlock") or told[0]["response"]["interlock"]
    assert facts["cost_usd"] == pytest.approx(row["cost"])
    assert facts["run"] == answer.header("x-interlock-run")


@pytest.mark.promise("G1", "P1")
@WAYS
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("vendor", ["compatible", "openai", "openai_responses", "anthropic"])
async def test_a_refusal_stays_one(house: House, client: str, vendor: str, stream: bool) -> None:
    """Its words where the vendor has some, and the client's own mark."""
    words = "I will not do that."
    house.vendors[vendor].then(
        Say(finish="refusal") if vendor == "anthropic" else Say(refusal=words, finish=None)
    )
    body = {"model": house.model(vendor), **write(client, {})}

    heard = await house.clients[client].ask(body, stream=stream)

    if vendor != "anthropic":
        assert words in json.dumps(heard.raw)
    if client == "messages":
        assert heard.finish == "refusal"
    elif vendor != "anthropic":
        assert heard.refusal == words
        assert not heard.text
    else:
        assert heard.finish == {"chat": "content_filter", "responses": "incomplete:content_filter"}[client]


@pytest.mark.promise("P3")
@WAYS
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_form_is_brought_about_where_the_model_has_none(
    house: House, client: str, stream: bool
) -> None:
    """By a tool that has to be called, which the client never sees; and the header tells."""
    server = house.vendors["anthropic"]
    body = {"model": house.model("anthropic", 1), **write(client, {"schema": True})}

    heard = await house.clients[client].ask(body, stream=stream)

    value = json.loads(heard.text)
    assert (type(value["city"]), type(value["degrees"]), heard.calls) == (str, int, [])
    assert heard.finish == {"chat": "stop", "responses": "completed", "messages": "end_turn"}[client]
    assert "tool" in heard.headers["x-interlock-adapted"]
    (request,) = server.requests
    sent: Any = request.json()
    assert "output_config" not in sent
    assert sent["tool_choice"]["type"] == "tool"


BAD, GOOD = '{"city": 5}', '{"city":"Bern","degrees":3}'


@pytest.mark.promise("P3")
@PAIRS
async def test_an_answer_that_lacks_its_form_is_asked_for_again(
    house: House, client: str, vendor: str
) -> None:
    """The second attempt is what the client reads, and it is told."""
    server = house.vendors[vendor].then(Say(BAD), Say(GOOD))
    body = {"model": house.model(vendor), **write(client, {"schema": True})}
    heard = await house.clients[client].ask(body, stream=False)
    assert heard.text == GOOD
    assert len(server.requests) == 2
    assert heard.headers["x-interlock-attempts"] == "2"
    assert "2" in heard.headers["x-interlock-adapted"]


@pytest.mark.promise("P3")
@WAYS
@PAIRS
async def test_an_answer_that_never_fits_is_an_error(
    house: House, client: str, vendor: str, stream: bool
) -> None:
    """It is not handed on as if it were right."""
    house.vendors[vendor].then(Say(BAD), Say(BAD), Say(BAD))
    body = {"model": house.model(vendor), **write(client, {"schema": True})}
    with pytest.raises((openai.APIError, anthropic.APIError), match=r"form"):
        await house.clients[client].ask(body, stream=stream)
