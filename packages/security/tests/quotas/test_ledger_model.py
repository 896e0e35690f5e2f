"""The ledger against a model that is simple enough to be believed, in any order of steps."""

import asyncio
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_security import BRANCH
from interlock_security.quotas import Account, Ledger, Limit, Scope, Verdict

START = datetime(2027, 2, 28, 12, tzinfo=UTC)
BOUNDS = {(Scope.USER, "ada"): 100, (Scope.USER, "bob"): 60, (Scope.TEAM, "core"): 130}
LIFE_S = 3_600.0
EXAMPLES = 300 if os.environ.get("FULL") == "1" else 15
TABLES = ("quotas_accounts", "quotas_reservations")


@dataclass
class Kept:
    """A reservation as the model knows it."""

    spans: list[tuple[Scope, str, str]]
    bound: int
    ends: float
    state: str = "held"
    cost: int = 0


class World:
    """A store that the examples share, each beginning with empty tables."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner = runner
        self.compared = 0
        self.clock = FakeClock()
        self.store = runner.run(Store.open("sqlite://", branches=[BRANCH], clock=self.clock))


class LedgerMachine(RuleBasedStateMachine):
    """Takes the same steps on the ledger and on the model."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        for table in TABLES:
            self.world.runner.run(self.world.store.execute(f"DELETE FROM {table}"))
        self.world.clock.set_now(START.timestamp())
        self.ledger = Ledger(self.world.store, limits_of=self._limits_of, life_s=LIFE_S)
        self.spent: dict[tuple[Scope, str, str], int] = {}
        self.kept: dict[str, Kept] = {}

    async def _limits_of(self, accounts: object) -> dict[Account, Limit]:
        return {}

    def teardown(self) -> None:
        """Close the ledger."""
        self.world.runner.run(self.ledger.aclose())

    # ---- the model

    def _here(self, user: str) -> list[tuple[Scope, str, str]]:
        day = datetime.fromtimestamp(self.world.clock.now(), UTC).strftime("%Y-%m-%d")
        spans = (day, day[:7])
        return [
            (scope, name, span)
            for scope, name in ((Scope.USER, user), (Scope.TEAM, "core"))
            for span in spans
        ]

    def _held(self, place: tuple[Scope, str, str]) -> int:
        return sum(one.bound for one in self.kept.values() if one.state == "held" and place in one.spans)

    # ---- the steps

    @rule(key=st.sampled_from("abcdefgh"), user=st.sampled_from(("ada", "bob")), bound=st.integers(0, 70))
    def reserve(self, key: str, user: str, bound: int) -> None:
        """Set aside, where it fits everywhere."""
        places = self._here(user)
        limits = [Limit(Account(*place), BOUNDS[place[0], place[1]]) for place in places]
        posting = self.world.runner.run(self.ledger.reserve(key, limits, bound))
        known = self.kept.get(key)
        if known is not None:
            same = known.bound == bound and known.spans[0][1] == user
            assert posting.verdict is (Verdict.AGAIN if same else Verdict.CONFLICT)
            return
        short = [
            place
            for place in places
            if self.spent.get(place, 0) + self._held(place) + bound > BOUNDS[place[0], place[1]]
        ]
        assert [
            (one.limit.account.scope, one.limit.account.name, one.limit.account.span) for one in posting.short
        ] == short
        assert posting.verdict is (Verdict.REFUSED if short else Verdict.OK)
        if not short:
            self.kept[key] = Kept(places, bound, self.world.clock.now() + LIFE_S)

    @rule(key=st.sampled_from("abcdefgh"), cost=st.integers(0, 90))
    def settle(self, key: str, cost: int) -> None:
        """Book the truth, whatever was set aside."""
        verdict = self.world.runner.run(self.ledger.settle(key, cost)).verdict
        known = self.kept.get(key)
        if known is None:
            assert verdict is Verdict.UNKNOWN
            return
        if known.state in {"settled", "released"}:
            again = known.state == "settled" and known.cost == cost
            assert verdict is (Verdict.AGAIN if again else Verdict.CONFLICT)
            return
        late = known.state == "charged"
        assert verdict is (Verdict.LATE if late else Verdict.ABOVE if cost > known.bound else Verdict.OK)
        self._spend(known, max(cost - known.bound, 0) if late else cost)
        known.state, known.cost = "settled", cost

    @rule(key=st.sampled_from("abcdefgh"))
    def release(self, key: str) -> None:
        """Give back."""
        verdict = self.world.runner.run(self.ledger.release(key)).verdict
        known = self.kept.get(key)
        if known is None:
            assert verdict is Verdict.UNKNOWN
        elif known.state == "held":
            assert verdict is Verdict.OK
            known.state = "released"
        else:
            assert verdict is (Verdict.AGAIN if known.state == "released" else Verdict.CONFLICT)

    @rule(minutes=st.integers(1, 700))
    def wait(self, minutes: int) -> None:
        """Let time pass: hours, days, the end of a month."""
        self.world.clock.set_now(self.world.clock.now() + timedelta(minutes=minutes).total_seconds())

    @rule()
    def renew(self) -> None:
        """The process shows that it lives."""
        self.world.runner.run(self.ledger.renew())
        for known in self.kept.values():
            if known.state == "held":
                known.ends = self.world.clock.now() + LIFE_S

    @rule()
    def sweep(self) -> None:
        """Charge what nobody settled in time."""
        charged, _ = self.world.runner.run(self.ledger.sweep())
        now = self.world.clock.now()
        due = {key for key, one in self.kept.items() if one.state == "held" and one.ends <= now}
        assert set(charged) == due
        for key in due:
            self._spend(self.kept[key], self.kept[key].bound)
            self.kept[key].state = "charged"

    def _spend(self, known: Kept, amount: int) -> None:
        for place in known.spans:
            self.spent[place] = self.spent.get(place, 0) + amount

    @invariant()
    def the_books_are_the_same(self) -> None:
        """Every account holds what the model says."""
        rows = self.world.runner.run(
            self.world.store.fetch_all("SELECT scope, name, span, spent, held FROM quotas_accounts")
        )
        found = {
            (Scope(str(scope)), str(name), str(span)): (spent, held)
            for scope, name, span, spent, held in rows
        }
        places = {place for known in self.kept.values() for place in known.spans}
        self.world.compared += 1
        assert found == {place: (self.spent.get(place, 0), self._held(place)) for place in places}


@contextmanager
def world() -> Generator[World, None, None]:
    """A world to run examples in."""
    with asyncio.Runner() as runner:
        made = World(runner)
        try:
            yield made
        finally:
            runner.run(made.store.aclose())


@pytest.mark.promise("A8")
def test_the_ledger_agrees_with_its_model_in_any_order_of_steps() -> None:
    """Reservations, settlements, releases, repetitions, time and sweeps."""
    with world() as made:
        machine = type("Machine", (LedgerMachine,), {"world": made})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
        assert made.compared > EXAMPLES
