"""The exposition is read by Prometheus' own parser, and says what was recorded."""

from collections import Counter

import pytest
from prometheus_client.parser import text_string_to_metric_families

from interlock_core import Outcome
from interlock_core.testing import FakeClock, make_call
from interlock_observability import CONTENT_TYPE, ProviderMetricsCollector
from interlock_observability.testing import note, note_tool


async def samples(
    collector: ProviderMetricsCollector,
) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by name and labels."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for family in text_string_to_metric_families(await collector.exposition()):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def sums(found: dict[tuple[str, tuple[tuple[str, str], ...]], float], name: str) -> float:
    """The sum of all samples of a name."""
    return sum(value for (each, _), value in found.items() if each == name)


@pytest.mark.promise("M3")
async def test_the_promised_names_are_there() -> None:
    """OpenTelemetry's for generative AI, and our own."""
    collector = ProviderMetricsCollector(clock=FakeClock())
    note(collector, seconds=0.5, first_token=0.1, usd="0.25", tokens=(100, 20))
    note(collector, error="overloaded")
    note(collector, error="rate_limited", usd=None, tokens=None)
    note(collector, usd=None)
    note_tool(collector)
    note_tool(collector, error="permission_denied")
    outcome = Outcome(ok=True, model="b/y", task="analysis", tool_calls=3, tool_calls_valid=2)
    collector.record(make_call("b/y"), outcome)
    left = Outcome(ok=False, error="CancelledError", cancelled=True, model="b/y", task="analysis")
    collector.record(make_call("b/y"), left)
    found = await samples(collector)
    requests = {
        dict(labels)["outcome"]: value
        for (name, labels), value in found.items()
        if name == "interlock_requests_total" and dict(labels)["model"] == "alpha/small"
    }
    assert requests == {"ok": 2, "overloaded": 1, "rate_limited": 1}
    assert sums(found, "interlock_requests_total") == 6
    assert sums(found, "interlock_cost_usd_total") == pytest.approx(0.251)
    assert sums(found, "interlock_cost_unknown_total") == 2
    assert sums(found, "gen_ai_client_operation_duration_seconds_count") == 3
    assert sums(found, "gen_ai_client_operation_duration_seconds_sum") == pytest.approx(1.5)
    assert sums(found, "gen_ai_server_time_to_first_token_seconds_count") == 1
    assert sums(found, "gen_ai_client_token_usage_sum") == 100 + 20 + 2 * 15
    assert found["interlock_refusals_total", (("reason", "rate_limited"),)] == 1
    assert found["interlock_refusals_total", (("reason", "permission_denied"),)] == 1
    assert found["interlock_tool_calls_total", (("namespace", "git"), ("outcome", "ok"))] == 1
    valid = Counter(
        {dict(k[1])["valid"]: v for k, v in found.items() if k[0] == "interlock_model_tool_calls_total"}
    )
    assert valid == {"true": 2, "false": 1}
    assert "0.0.4" in CONTENT_TYPE


@pytest.mark.promise("M3")
async def test_histograms_are_cumulative_and_end_with_all() -> None:
    """As Prometheus wants them."""
    collector = ProviderMetricsCollector()
    for seconds in (0.005, 0.05, 0.5, 5.0, 500.0):
        note(collector, seconds=seconds)
    buckets = [
        (float(dict(labels)["le"]), value)
        for (name, labels), value in (await samples(collector)).items()
        if name == "gen_ai_client_operation_duration_seconds_bucket"
    ]
    counts = [value for _, value in sorted(buckets)]
    assert counts == sorted(counts)
    assert (counts[0], counts[-2], counts[-1]) == (1, 4, 5)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ('odd/"na\\me" of it', 'odd/"na\\me" of it'),
        ("odd/a\nb\x00c\ud800", "odd/a?b?c?"),
        ("odd/" + "x" * 500, "odd/" + "x" * 196),
    ],
    ids=["quoted", "unprintable", "endless"],
)
async def test_odd_names_are_told_as_far_as_they_can_be(name: str, told: str) -> None:
    """A model's name is the vendor's, a task's the client's."""
    collector = ProviderMetricsCollector()
    for _ in range(2):
        note(collector, name)
    found = await samples(collector)
    assert {dict(labels)["model"] for each, labels in found if each == "interlock_requests_total"} == {told}


async def test_an_idle_collector_exposes_its_own_state() -> None:
    """And nothing else."""
    found = await samples(ProviderMetricsCollector())
    assert {name for name, _ in found} == {"interlock_metrics_store_up", "interlock_metrics_dropped_total"}


async def test_no_user_and_no_key_is_exposed() -> None:
    """Whoever scrapes need not know who asks."""
    collector = ProviderMetricsCollector()
    collector.record(make_call("alpha/small", user="somebody"), Outcome(ok=True, model="alpha/small"))
    assert "somebody" not in await collector.exposition()
