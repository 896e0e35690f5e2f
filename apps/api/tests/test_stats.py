"""`/api/stats` tells what `interlock stats` tells."""

from typing import TYPE_CHECKING

import pytest

from interlock_core.jsontypes import JsonObject, as_array, as_object, parse_json

if TYPE_CHECKING:
    from .conftest import Gate


async def told(gate: "Gate", path: str) -> JsonObject:
    """What a path answers."""
    answer = await gate.ask("GET", path)
    assert answer.status == 200, answer.body
    return as_object(parse_json(answer.body))


async def asked_twice(gate: "Gate") -> None:
    """Two calls to the model, at two tasks."""
    for task in ("writing", "analysis"):
        async with gate.client() as client:
            await client.chat.completions.create(
                model="acme/sim-1",
                messages=[{"role": "user", "content": "Hi"}],
                extra_headers={"x-interlock-task": task},
            )


@pytest.mark.promise("M1")
async def test_statistics_are_told_by_group_and_range(gate: "Gate") -> None:
    """As the records have them; a range that ends before it begins, or an unknown group, is refused."""
    await asked_twice(gate)
    found = await told(gate, "/api/stats?by=provider&by=task&since_s=3600")
    rows = [as_object(row) for row in as_array(found["rows"])]
    assert [(row["provider"], row["task"], row["requests"]) for row in rows] == [
        ("acme", "analysis", 1),
        ("acme", "writing", 1),
    ]
    one = await told(gate, "/api/stats?task=writing")
    assert [as_object(row)["model"] for row in as_array(one["rows"])] == ["acme/sim-1"]
    assert as_array((await told(gate, "/api/stats?until_s=86400"))["rows"]) == []
    assert as_array((await told(gate, "/api/stats?kind=tool"))["rows"]) == []
    for wrong in ("by=modell", "since_s=-1", "since_s=10&until_s=20", "sinse=1"):
        assert (await gate.ask("GET", f"/api/stats?{wrong}")).status == 400, wrong


@pytest.mark.promise("M2")
async def test_win_rates_and_the_curve_are_told(gate: "Gate") -> None:
    """What was compared and scored, by task."""
    await asked_twice(gate)
    (call, *_) = await gate.runtime.records.collector.calls(limit=2)
    assert await gate.runtime.records.collector.rate(call.run or "", 0.5)
    gate.runtime.records.collector.compared("acme/sim-1", "b/y", task="writing", better="first")
    wins = [as_object(row) for row in as_array((await told(gate, "/api/stats/wins?task=writing"))["rows"])]
    assert {
        (row["model"], row["against"], row["rate"]) for row in wins if isinstance(row["rate"], float)
    } == {
        ("acme/sim-1", "*", 1.0),
        ("acme/sim-1", "b/y", 1.0),
        ("b/y", "*", 0.0),
        ("b/y", "acme/sim-1", 0.0),
    }
    curve = [as_object(point) for point in as_array((await told(gate, "/api/stats/curve"))["rows"])]
    assert {(str(point["task"]), str(point["quality"])) for point in curve} == {
        ("analysis", "0.5"),
        ("writing", "None"),
    }


@pytest.mark.promise("M3", "M4")
async def test_the_dashboard_the_rules_and_the_anomalies_are_handed_out(gate: "Gate") -> None:
    """As Grafana and Prometheus load them."""
    assert (await told(gate, "/api/stats/dashboard"))["title"] == "Interlock"
    rules = await told(gate, "/api/stats/rules")
    assert rules["name"] == "prometheus-rules.yaml"
    assert str(rules["text"]).partition("groups:\n")[2].startswith("  - name: interlock\n")
    assert (await told(gate, "/api/stats/anomalies"))["items"] == []
