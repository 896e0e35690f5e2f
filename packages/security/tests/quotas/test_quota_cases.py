"""Every worked-out case of the ledger, step by step, on both databases."""

import tomllib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import cast

import pytest

from interlock_core.call import Principal
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import JsonObject
from interlock_core.money import Money
from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_security import BRANCH
from interlock_security.quotas import Hold, Period, Posting, Quota, Quotas, Scope, Verdict, span

CASES = cast(
    "Sequence[JsonObject]",
    tomllib.loads((Path(__file__).parents[1] / "cases" / "quotas.toml").read_text("utf-8"))["case"],
)
SCOPES = {"key": Scope.KEY, "user": Scope.USER, "team": Scope.TEAM, "org": Scope.ORGANISATION}
WORDS = {scope: word for word, scope in SCOPES.items()}
TABLES = ("quotas_set", "quotas_overrides", "quotas_accounts", "quotas_reservations")


@pytest.fixture
async def store(url: str, clock: FakeClock) -> AsyncGenerator[Store, None]:
    """A store of each kind, with a clock that stands still."""
    opened = await Store.open(url, branches=[BRANCH], clock=clock)
    try:
        yield opened
    finally:
        await opened.aclose()


class Raised:
    """Takes note of alerts, by their titles."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    @asynccontextmanager
    async def change(self, name: str, by: Principal, data: JsonObject) -> AsyncGenerator[None, None]:
        """Let a change be made; nobody looks at it here."""
        yield

    async def note(self, kind: str, principal: Principal, data: JsonObject) -> None:
        """Take note of one."""
        assert (kind, principal.user) == ("quotas.alert", "system")
        self.titles.append(str(data["alert"]))


def place(title: str) -> tuple[Scope, str, Period]:
    """What `user:ada/day` names."""
    whose, _, period = title.rpartition("/")
    word, _, name = whose.partition(":")
    return SCOPES[word], name, Period(period)


def quotas_of(case: JsonObject) -> list[Quota]:
    """The quotas that a case's limits are."""
    found: dict[tuple[Scope, str], dict[Period, JsonObject]] = {}
    for title, limit in cast("Mapping[str, JsonObject]", case["limits"]).items():
        scope, name, period = place(title)
        found.setdefault((scope, name), {})[period] = limit
    made: list[Quota] = []
    for (scope, name), bounds in found.items():
        amounts = {period: Money(cast("int", limit["micro_usd"])) for period, limit in bounds.items()}
        alerts = {tuple(cast("list[int]", limit.get("alerts", []))) for limit in bounds.values()}
        assert len(alerts) == 1, "the periods of one quota share their thresholds"
        ceiling = case.get("ceiling")
        made.append(
            Quota(
                scope=scope,
                name=name,
                day=amounts.get(Period.DAY),
                month=amounts.get(Period.MONTH),
                time_zone=str(case.get("zone", "UTC")),
                thresholds=alerts.pop(),
                ceiling=Money(ceiling) if isinstance(ceiling, int) else None,
                origin="case",
            )
        )
    return made


class Machine:
    """Takes the steps of one case."""

    def __init__(self, store: Store, case: JsonObject, admin: Principal) -> None:
        self.raised = Raised()
        self.quotas = Quotas(
            store,
            configured=quotas_of(case),
            changes=self.raised,
            notes=self.raised,
            life_s=float(cast("int", case.get("seconds", 600))),
        )
        self._admin = admin
        self._holds: dict[str, Hold] = {}

    async def take(self, step: JsonObject) -> tuple[str, JsonObject]:
        """Take one step: what became of it in the table's words, and what else it says."""
        try:
            match step["do"]:
                case "reserve":
                    return await self._reserve(step)
                case "settle":
                    cost = Money(cast("int", step["cost"]))
                    return (await self.quotas.settle(self._hold(step), cost)).verdict.value, {}
                case "release":
                    return (await self.quotas.release(self._hold(step))).verdict.value, {}
                case "sweep":
                    return "ok", {"charged": [*await self.quotas.sweep()]}
                case "override":
                    until = datetime.fromisoformat(str(step["until"])).timestamp()
                    bound = Money(cast("int", step["micro_usd"]))
                    limit = place(str(step["limit"]))
                    await self.quotas.override(limit, bound, reason="case", until=until, by=self._admin)
                    return "ok", {}
                case _:
                    return "ok", {}
        except InvalidRequestError:
            return "invalid", {}

    def _hold(self, step: JsonObject) -> Hold:
        key = str(step["id"])
        return self._holds.get(key, Hold(id=key, limits=(), bound=Money(0)))

    async def _reserve(self, step: JsonObject) -> tuple[str, JsonObject]:
        words = (str(word).partition(":") for word in cast("list[str]", step["subject"]))
        applied = await self.quotas.applied(tuple((SCOPES[word], name) for word, _, name in words))
        bound = step["bound"]
        posting = await self.quotas.reserve(
            str(step["id"]), applied, Money(bound) if isinstance(bound, int) else None
        )
        if posting.verdict is Verdict.OK:
            key = str(step["id"])
            self._holds[key] = Hold(id=key, limits=applied.limits, bound=Money(0))
        return posting.verdict.value, _by(posting)


def _by(posting: Posting) -> JsonObject:
    if posting.unpriced:
        return {"by": ["unknown-price"]}
    titles = [one.limit.account for one in posting.short]
    return {"by": [f"{WORDS[one.scope]}:{one.name}/{one.period}" for one in titles]} if titles else {}


async def state(store: Store, case: JsonObject, at: float) -> JsonObject:
    """Spent and reserved of every limit of a case, in the periods of a moment."""
    found: JsonObject = {}
    for title in cast("Mapping[str, JsonObject]", case["limits"]):
        scope, name, period = place(title)
        here = span(period, str(case.get("zone", "UTC")), at)
        row = await store.fetch_one(
            "SELECT spent, held FROM quotas_accounts WHERE scope = ? AND name = ? AND span = ?",
            (scope.value, name, here),
        )
        found[title] = [0, 0] if row is None else [cast("int", row[0]), cast("int", row[1])]
    return found


@pytest.mark.promise("A8")
async def test_the_ledger_holds_what_was_worked_out_by_hand(
    store: Store, clock: FakeClock, admin: Principal
) -> None:
    """All cases, each from an empty ledger: result, alerts and state after every step."""
    assert len(CASES) >= 87
    for case in CASES:
        for table in TABLES:
            await store.execute(f"DELETE FROM {table}")
        machine = Machine(store, case, admin)
        for step in cast("list[JsonObject]", case["steps"]):
            at = datetime.fromisoformat(str(step["at"])).timestamp()
            clock.set_now(at)
            raised = machine.raised.titles
            raised.clear()
            result, more = await machine.take(step)
            await machine.quotas.settled()
            told: JsonObject = {
                "result": result,
                "alerts": [
                    *sorted(title.replace("organisation:", "org:") for title in machine.raised.titles)
                ],
                "state": await state(store, case, at),
                **more,
            }
            wanted: JsonObject = {
                **{name: step[name] for name in ("result", "state", "by", "charged") if name in step},
                "alerts": [*sorted(cast("list[str]", step.get("alerts", [])))],
            }
            assert told == wanted, f"{case['id']} {case['title']}: {step}"
        await machine.quotas.aclose()
