"""`/api/stats`: what models and tools did and cost, who wins, what quality costs, what was not usual."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import Depends, Query
from pydantic import Field

from interlock_api.manage._frame import House, JsonFields, Shown, area, needs
from interlock_core.jsontypes import JsonObject, as_object, parse_json
from interlock_runtime import Asked, Dimension
from interlock_runtime.dashboards import RULES, dashboard, rules

router = area("stats")

_READ = [needs("stats.read")]
_Dimension = Literal["provider", "model", "task"]
_Kind = Literal["model", "tool"]


class _Calls:
    """Which calls are asked of."""

    def __init__(
        self,
        since_s: Annotated[float | None, Query(ge=0, description="Those of the last seconds.")] = None,
        until_s: Annotated[float | None, Query(ge=0, description="Not those of the last seconds.")] = None,
        provider: Annotated[str | None, Query(description="Of this provider alone.")] = None,
        model: Annotated[str | None, Query(description="Of this model alone.")] = None,
        task: Annotated[str | None, Query(description="Of this class of task alone.")] = None,
    ) -> None:
        wanted: dict[Dimension, str | None] = {"provider": provider, "model": model, "task": task}
        self.since_s, self.until_s = since_s, until_s
        self.only: dict[Dimension, str] = {name: value for name, value in wanted.items() if value is not None}

    def asked(self, kind: _Kind = "model") -> Asked:
        """As the records take it."""
        return Asked(since_s=self.since_s, until_s=self.until_s, kind=kind, only=self.only)


_Of = Annotated[_Calls, Depends()]


class Figures(Shown):
    """Rows of figures."""

    since: float | None = Field(description="Start of the range after rounding, seconds since 1970.")
    until: float | None = Field(description="Its end after rounding; null for now.")
    complete: bool = Field(description="The store could be read; else only one process's calls are in.")
    rows: Sequence[JsonFields] = Field(description="The rows.")


class Anomalies(Shown):
    """What was not usual."""

    items: Sequence[JsonFields] = Field(description="What was told, the newest first.")


class Rules(Shown):
    """A file of alert rules."""

    name: str = Field(description="Its name.")
    text: str = Field(description="The whole of it: YAML.")


@router.get("", dependencies=_READ, summary="Statistics")
async def read_stats(
    house: House,
    of: _Of,
    by: Annotated[Sequence[_Dimension], Query(description="What a row stands for; several for each.")] = (
        "model",
    ),
    kind: Annotated[_Kind, Query(description="Calls to models or to tools.")] = "model",
) -> Figures:
    """Requests, success, failures, seconds, tokens and cost, by provider, model or task."""
    return _figures((await house.records.stats(of.asked(kind), by=tuple(by))).as_json(), "rows")


@router.get("/wins", dependencies=_READ, summary="Win rates")
async def read_wins(house: House, of: _Of) -> Figures:
    """How often each model did better than others, by task, with intervals of 95 %."""
    return _figures((await house.records.win_rates(of.asked())).as_json(), "rows")


@router.get("/curve", dependencies=_READ, summary="Cost-quality curve")
async def read_curve(house: House, of: _Of) -> Figures:
    """Mean score and mean cost by task and model, and who is efficient."""
    return _figures((await house.records.curve(of.asked())).as_json(), "points")


@router.get("/anomalies", dependencies=_READ, summary="Anomalies")
async def read_anomalies(
    house: House, limit: Annotated[int, Query(ge=1, le=500, description="Most of them.")] = 50
) -> Anomalies:
    """Anomalies of cost, latency, failures and refusals that were told, the newest first."""
    return Anomalies.model_validate({"items": [*await house.records.anomalies(limit)]})


@router.get("/dashboard", dependencies=_READ, summary="Dashboard for Grafana")
async def read_dashboard() -> JsonFields:
    """A dashboard over `/metrics`, as Grafana imports it."""
    return JsonFields(as_object(parse_json(dashboard())))


@router.get("/rules", dependencies=_READ, summary="Alert rules for Prometheus")
async def read_rules() -> Rules:
    """Alert rules over `/metrics`, as a file that Prometheus loads."""
    return Rules(name=RULES, text=rules())


def _figures(told: JsonObject, rows: str) -> Figures:
    names = ("since", "until", "complete")
    return Figures.model_validate({**{name: told[name] for name in names}, "rows": told[rows]})
