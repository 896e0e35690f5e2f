"""What clients are told when a quota is spent, and `/api/quotas`."""

import json
import time
from typing import TYPE_CHECKING

import pytest
from openai import RateLimitError

from interlock_core.jsontypes import JsonObject, as_array, as_object, parse_json

if TYPE_CHECKING:
    from .conftest import Gate


async def ask(
    gate: "Gate", method: str, path: str, fields: "JsonObject | None" = None, *, key: str = ""
) -> tuple[int, JsonObject]:
    """Status and object of an answer of the management interface."""
    body = b"" if fields is None else json.dumps(fields).encode()
    headers = {"content_type": "application/json"} if body else {}
    answer = await gate.ask(method, f"/api/quotas{path}", body=body, key=key, **headers)
    return answer.status, as_object(parse_json(answer.body)) if answer.body else {}


@pytest.mark.promise("A8")
async def test_a_spent_quota_is_told_in_the_dialect_with_the_time_to_wait(gate: "Gate") -> None:
    """The official client sees 429 and `Retry-After`; a raised limit lets it pass again."""
    made = await ask(gate, "PUT", "", {"scope": "user", "name": "admin", "day_usd": 0.1})
    assert made[0] == 200
    async with gate.client() as client:
        with pytest.raises(RateLimitError) as refused:
            await client.chat.completions.create(
                model="acme/sim-1", messages=[{"role": "user", "content": "hello"}]
            )
        assert "Nobody knows what acme/sim-1 may cost" in str(refused.value)
        await ask(gate, "PUT", "", {"scope": "user", "name": "admin", "day_usd": 0.1, "ceiling_usd": 0.06})
        await client.chat.completions.create(
            model="acme/sim-1", messages=[{"role": "user", "content": "hello"}]
        )
        with pytest.raises(RateLimitError, match="the day quota of user admin is ") as refused:
            await client.chat.completions.create(
                model="acme/sim-1", messages=[{"role": "user", "content": "hello"}]
            )
        assert int(refused.value.response.headers["retry-after"]) > 0
        until = time.time() + 60
        place: JsonObject = {
            "scope": "user",
            "name": "admin",
            "period": "day",
            "usd": 1.0,
            "reason": "launch",
        }
        status, row = await ask(gate, "POST", "/overrides", {**place, "until": until})
        assert (status, row["usd"]) == (201, 1.0)
        await client.chat.completions.create(
            model="acme/sim-1", messages=[{"role": "user", "content": "hello"}]
        )
    _, usage = await ask(gate, "GET", "/usage?scope=user")
    (used,) = map(as_object, as_array(usage["items"]))
    assert (used["limit_usd"], used["spent_usd"], used["reserved_usd"]) == (1.0, 0.12, 0.0)


@pytest.mark.promise("A8", "W4")
async def test_quotas_are_managed_over_http(gate: "Gate") -> None:
    """Listed, set, cleared; unknown fields and wrong values are refused by name."""
    status, made = await ask(
        gate, "PUT", "", {"scope": "tool", "name": "sam.*", "day_usd": 3, "call_usd": 0.01}
    )
    assert (status, made["origin"]) == (200, "store")
    _, listed = await ask(gate, "GET", "")
    assert [as_object(item)["name"] for item in as_array(listed["items"])] == ["sam.*"]
    assert (await ask(gate, "GET", "/charged"))[1]["items"] == []
    ada: JsonObject = {"scope": "user", "name": "ada", "day_usd": 1.0}
    status, problem = await ask(gate, "PUT", "", {**ada, "user": "eve"})
    assert (status, problem["field"]) == (400, "user")
    status, problem = await ask(gate, "PUT", "", {**ada, "time_zone": "Mars"})
    assert (status, problem["field"]) == (400, "time_zone")
    place: JsonObject = {"scope": "user", "name": "ada", "period": "day", "usd": 1.0, "reason": "x"}
    assert (await ask(gate, "POST", "/overrides", {**place, "until": 1.0}))[0] == 400
    assert (await ask(gate, "POST", "/overrides", {**place, "until": time.time() + 60}))[0] == 404
    assert (await ask(gate, "DELETE", "/tool/sam.*"))[0] == 204
    assert (await ask(gate, "DELETE", "/tool/sam.*"))[0] == 404


@pytest.mark.promise("A8")
async def test_who_may_not_sees_and_changes_nothing(gate: "Gate") -> None:
    """A developer's key is refused, whatever the body says."""
    from interlock_runtime import KeyRequest

    made = await gate.runtime.access.create_key(KeyRequest(name="dev", user="ada", role="developer"))
    key = str(made["key"])
    assert (await ask(gate, "GET", "", key=key))[0] == 403
    assert (await ask(gate, "PUT", "", {"scope": "user", "name": "ada", "day_usd": 99.0}, key=key))[0] == 403
    assert (await ask(gate, "DELETE", "/user/ada", key=key))[0] == 403
