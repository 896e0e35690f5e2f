"""What is shipped for Grafana and Prometheus asks for metrics and labels that there are."""

import json
import re
from collections.abc import Iterator
from typing import cast

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from interlock_core import Outcome, RouteDecision
from interlock_core.jsontypes import JsonObject, as_array, as_object, as_text
from interlock_core.testing import make_call
from interlock_observability import ProviderMetricsCollector
from interlock_observability.dashboards import dashboard, rules
from interlock_observability.provider_metrics._prometheus import HELP
from interlock_observability.testing import note, note_tool


def panels() -> list[JsonObject]:
    """The panels of the dashboard."""
    return [as_object(panel) for panel in as_array(as_object(json.loads(dashboard()))["panels"])]


def alerts() -> list[JsonObject]:
    """The rules."""
    groups = as_array(as_object(cast("JsonObject", yaml.safe_load(rules())))["groups"])
    return [as_object(rule) for group in groups for rule in as_array(as_object(group)["rules"])]


def queries() -> list[str]:
    """Every query, with Grafana's variables filled in."""
    told = [
        as_text(as_object(target)["expr"]) or ""
        for panel in panels()
        for target in as_array(panel["targets"])
    ]
    told += [as_text(rule["expr"]) or "" for rule in alerts()]
    return [
        query.replace("$__rate_interval", "5m").replace("$model", ".*").replace("$task", ".*")
        for query in told
    ]


async def exposed() -> dict[str, set[str]]:
    """The names of all samples, each with its labels."""
    collector = ProviderMetricsCollector()
    note(collector, first_token=0.1, score=0.5)
    note(collector, error="rate_limited")
    note_tool(collector)
    asked = Outcome(ok=True, model="b/y", task="analysis", tool_calls=3, tool_calls_valid=2)
    collector.record(make_call("b/y"), asked)
    collector.decided(RouteDecision(policy="cheap", task="writing", chosen="alpha/small"))
    collector.gauge("interlock_quota_used_ratio", lambda: {(): 0.5})
    collector.gauge("interlock_breaker_state", lambda: {(("model", "a/x"),): 0.0})
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(await collector.exposition()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def selectors(query: str) -> Iterator[tuple[str, set[str]]]:
    """The metrics that a query asks for, with the labels that it selects by."""
    for name, labels in re.findall(
        r"\b((?:interlock|gen_ai)_[a-z0-9_]+)(?:\{([^}]*)\})?(?=[\[\s)]|$)", query
    ):
        if name in {"gen_ai_request_model", "gen_ai_token_type"}:
            continue
        yield name, set(re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)", labels))


@pytest.mark.promise("M3")
@pytest.mark.parametrize("query", queries())
async def test_every_query_is_one_and_asks_for_what_is_exposed(query: str) -> None:
    """By Prometheus' own grammar; metrics, labels selected by, and labels grouped by."""
    promql_parser.parse(query)
    known = await exposed()
    asked = list(selectors(query))
    assert asked
    for name, labels in asked:
        assert name in known, name
        assert labels <= known[name], name
    grouped = {
        label for labels in re.findall(r"by \(([^)]*)\)", query) for label in re.split(r"\s*,\s*", labels)
    }
    assert grouped <= {label for name, _ in asked for label in known[name]}


@pytest.mark.promise("M3")
async def test_whatever_is_exposed_by_name_is_on_the_dashboard() -> None:
    """But for what a histogram is made of, and the state of breakers, which is a table of its own."""
    asked = {name for query in queries() for name, _ in selectors(query)}
    families = {name for name in HELP if not name.startswith("gen_ai")}
    assert families - asked == {"interlock_breaker_state", "interlock_audit_appends_total"}


@pytest.mark.promise("M3")
def test_the_rules_are_as_prometheus_wants_them() -> None:
    """Each by a name of its own, with how long it must hold, how bad it is and what to say."""
    found = alerts()
    assert len({str(rule["alert"]) for rule in found}) == len(found) >= 6
    for rule in found:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[mh]", str(rule["for"]))
        assert as_object(rule["labels"])["severity"] in {"info", "warning", "critical"}
        assert set(as_object(rule["annotations"])) == {"summary", "description"}


@pytest.mark.promise("M3")
def test_the_dashboard_is_as_grafana_imports_it() -> None:
    """Panels by ids of their own that do not lie above each other, of a data source that is chosen."""
    whole = as_object(json.loads(dashboard()))
    assert (whole["uid"], whole["title"]) == ("interlock", "Interlock")
    places = [as_object(panel["gridPos"]) for panel in panels()]
    assert len({str((place["x"], place["y"])) for place in places}) == len(
        {str(panel["id"]) for panel in panels()}
    )
    variables = {str(as_object(each)["name"]) for each in as_array(as_object(whole["templating"])["list"])}
    assert variables == {"datasource", "model", "task"}
    assert {str(as_object(panel["datasource"])["uid"]) for panel in panels()} == {"${datasource}"}
