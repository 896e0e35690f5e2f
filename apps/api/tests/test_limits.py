"""What clients are told of limits: headers on every answer, 429 with the time to wait; their management."""

import json
from typing import TYPE_CHECKING

import pytest
from openai import RateLimitError

from interlock_api._limits import limit_headers
from interlock_core.jsontypes import as_array, as_object
from interlock_core.limits import LimitState

if TYPE_CHECKING:
    from .conftest import Gate


def state(unit: str, limit: int, remaining: int, reset_s: float, name: str = "user:*") -> LimitState:
    """A limit as it stands."""
    window = None if unit == "concurrency" else 60.0
    return LimitState(
        name=name, unit=unit, limit=limit, remaining=remaining, window_s=window, reset_s=reset_s
    )


def test_headers_tell_every_limit_and_the_nearest_of_each_unit() -> None:
    """By the draft of the standard, and as OpenAI's clients read them."""
    found = limit_headers(
        [
            state("requests", 100, 50, 59.2, 'a"b\u00e9'),
            state("requests", 10, 1, 3_661.0, "day"),
            state("tokens", 1_000, 900, 0.25, "tpm"),
            state("concurrency", 5, 4, 30.0, "at once"),
        ]
    )
    assert dict(found) == {
        "ratelimit-policy": '"a?b?";q=100;qu="requests";w=60, "day";q=10;qu="requests";w=60, '
        '"tpm";q=1000;qu="tokens";w=60, "at once";q=5;qu="concurrent-requests"',
        "ratelimit": '"a?b?";r=50;t=60, "day";r=1;t=3661, "tpm";r=900;t=1, "at once";r=4;t=30',
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "1",
        "x-ratelimit-reset-requests": "1h1m1s",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "900",
        "x-ratelimit-reset-tokens": "250ms",
    }
    assert limit_headers([]) == []


@pytest.mark.promise("A7")
async def test_the_official_client_sees_its_limit_and_when_to_come_back(gate: "Gate") -> None:
    """On an answer, on a stream, and on the refusal."""
    await gate.runtime.limits.set("user", "requests", 2)
    async with gate.client() as client:
        chat = client.chat.completions.with_raw_response
        first = await chat.create(model="acme/sim-1", messages=[{"role": "user", "content": "hello"}])
        assert first.headers["x-ratelimit-remaining-requests"] == "1"
        assert first.headers["ratelimit"].startswith('"user:*:requests:60s";r=1;t=60')
        second = await chat.create(
            model="acme/sim-1", messages=[{"role": "user", "content": "hello"}], stream=True
        )
        assert second.headers["x-ratelimit-remaining-requests"] == "0"
        with pytest.raises(RateLimitError) as raised:
            await chat.create(model="acme/sim-1", messages=[{"role": "user", "content": "hello"}])
    answer = raised.value.response
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    assert raised.value.code == "rate_limit_exceeded"
    assert "user:*:requests:60s" in raised.value.message


async def test_limits_are_managed_over_http(gate: "Gate") -> None:
    """Set, listed, cleared; what is wrong is told by its field."""
    body = json.dumps({"scope": "tool", "name": "github.issues_list", "limit": 3, "window": "1h"}).encode()
    made = await gate.ask("PUT", "/api/limits", body=body, content_type="application/json")
    assert made.status == 200
    name = as_object(json.loads(made.body))["id"]
    assert name == "tool:github.issues_list:requests:3600s"
    listed = as_object(json.loads((await gate.ask("GET", "/api/limits")).body))
    assert [as_object(row)["limit"] for row in as_array(listed["items"])] == [3]
    wrong = json.dumps({"scope": "tool", "limit": 3, "window": "soon"}).encode()
    refused = await gate.ask("PUT", "/api/limits", body=wrong, content_type="application/json")
    assert (refused.status, as_object(json.loads(refused.body))["field"]) == (400, "window")
    assert (await gate.ask("DELETE", f"/api/limits/{name}")).status == 200
    assert (await gate.ask("DELETE", f"/api/limits/{name}")).status == 404
