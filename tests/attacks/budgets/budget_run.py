"""One case of the family of budgets, carried out: `python budget_run.py CASE` prints what it found.

Case and findings are JSON objects. It is a program of its own because it forks. The bill is kept by the
stand-in for a vendor, in files that a kill does not touch; every state of an account that was committed is
kept by triggers in the database. A refusal is false when what it says is left was enough, or when the account
never stood where it says, but for the steps of one commit.
"""

import asyncio
import json
import multiprocessing
import signal
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from budget_case import ADA, WAIT_S, Case, Control, Gate, NoLog
from budget_crew import DIRECTED, Crew, swept

from interlock_core import Money
from interlock_core.store import Store
from interlock_security import BRANCH
from interlock_security.quotas import Quotas, subject_of

_NOTE = "INSERT INTO journal VALUES (new.id, new.spent + new.held)"
_JOURNAL = {
    "sqlite": (
        "CREATE TABLE journal (account TEXT, used INTEGER)",
        f"CREATE TRIGGER journal_made AFTER INSERT ON quotas_accounts BEGIN {_NOTE}; END",
        f"CREATE TRIGGER journal_changed AFTER UPDATE ON quotas_accounts BEGIN {_NOTE}; END",
    ),
    "postgresql": (
        "CREATE TABLE journal (account TEXT, used BIGINT)",
        f"CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {_NOTE}; RETURN new; END $$",
        "CREATE TRIGGER noted AFTER INSERT OR UPDATE ON quotas_accounts FOR EACH ROW EXECUTE FUNCTION note()",
    ),
}


@dataclass(slots=True)
class Found:
    """What came of a case.

    Attributes:
        calls: Requests that were billed.
        refused: Requests that were refused.
        killed: Processes that were killed.
        ended_badly: Processes that ended otherwise than they should.
        listed: Reservations that were charged because nobody settled them in time.
        overshoot: Micro-dollars above the limit, at any time.
        excess: Micro-dollars that were billed above what was set aside.
        false_refusals: Refusals without a reason.
        below: Accounts below the bill.
        drift: Micro-dollars that the ledger differs from the bill, beside those of the listed.
        held: Micro-dollars that are still set aside.
    """

    calls: int = 0
    refused: int = 0
    killed: int = 0
    ended_badly: int = 0
    listed: int = 0
    overshoot: int = 0
    excess: int = 0
    false_refusals: int = 0
    below: int = 0
    drift: int = 0
    held: int = 0


def carried_out(case: Case) -> Found:
    """Let the processes spend, and compare."""
    if (before := asyncio.run(_prepared(case))) is not None:
        Path(case.folder, "bill-before").write_text(before, "utf-8")
    forks = multiprocessing.get_context("fork")
    control = Control(
        arrived=forks.Semaphore(0),
        held=forks.Semaphore(0),
        answered=forks.Semaphore(0),
        gate=Gate(),
        rest=Gate(),
        ahead=forks.Value("d", 0.0),
        met=forks.Barrier(case.processes),
    )
    crew, found = Crew(case, control), Found()
    try:
        if case.scenario in DIRECTED:
            DIRECTED[case.scenario](case, control, crew)
        for number, one in enumerate(crew.processes):
            one.join(WAIT_S)
            wanted = -signal.SIGKILL if number < case.plan.victims else 0
            found.killed += one.exitcode == -signal.SIGKILL
            found.ended_badly += one.exitcode != wanted
    finally:
        crew.end()
    asyncio.run(_compared(case, control.ahead.value + 2 * case.plan.life_s, found))
    return found


async def _prepared(case: Case) -> str | None:
    """Make the tables and the journal, and spend all but the room that there shall be; its bill."""
    async with await Store.open(case.url, branches=[BRANCH]) as store:
        for statement in _JOURNAL[store.dialect]:
            await store.execute(statement)
        if case.plan.room is None:
            return None
        quotas = Quotas(store, configured=[case.quota], changes=NoLog())
        applied = await quotas.applied(subject_of(ADA))
        spent = Money(case.limit - case.plan.room * case.bound)
        hold = await quotas.admit(applied, spent, what="before")
        await quotas.settle(hold, spent)
        await quotas.aclose()
    accounts = " ".join(limit.account.id for limit in hold.limits)
    return f"{hold.id} {spent.micro_usd} {accounts}\n"


async def _compared(case: Case, ahead: float, found: Found) -> None:
    """Charge the dead, then hold the ledger against the bill and the database's own journal."""
    listed = await swept(case, ahead)
    async with await Store.open(case.url, branches=[BRANCH]) as store:
        accounts = await store.fetch_all("SELECT id, spent, held FROM quotas_accounts")
        journal = await store.fetch_all("SELECT DISTINCT account, used FROM journal")
    states: dict[str, set[int]] = {}
    for account, used in journal:
        states.setdefault(str(account), {0}).add(_whole(used))
    bills: dict[str, int] = {}
    billed: Counter[str] = Counter()
    before = _before(case)
    for key, cost, where in _bills(case):
        bills[key] = cost
        billed.update(dict.fromkeys(where, cost))
        found.excess += 0 if key == before else max(cost - case.bound, 0)
    above = sum(charged - bills.get(key, 0) for key, charged in listed)
    drift = sum(_whole(spent) - billed[str(name)] for name, spent, _ in accounts)
    found.calls, found.listed, found.drift = len(bills), len(listed), drift - above
    for name, spent, held in accounts:
        found.below += _whole(spent) < billed[str(name)]
        found.held += _whole(held)
        found.overshoot = max(found.overshoot, max(states[str(name)]) - case.limit)
    _refusals(case, states, found)


def _before(case: Case) -> str:
    """The reservation by which the budget was used up before."""
    file = Path(case.folder, "bill-before")
    return file.read_text().partition(" ")[0] if file.is_file() else ""


def _bills(case: Case) -> list[tuple[str, int, list[str]]]:
    """What the vendor billed: the reservation, the price, the accounts."""
    lines = [line for file in Path(case.folder).glob("bill-*") for line in file.read_text().splitlines()]
    parts = [line.split(" ") for line in lines]
    return [(key, int(cost), accounts) for key, cost, *accounts in parts]


def _refusals(case: Case, states: Mapping[str, set[int]], found: Found) -> None:
    """Count refusals, and those without a reason: the account never was so full, or there was room."""
    seen = {account: sorted(used) for account, used in states.items()}
    slack = case.callers * case.bound
    for file in Path(case.folder).glob("said-*"):
        for line in file.read_text().splitlines():
            account, *numbers = line.split(" ")
            limit, left, bound = map(int, numbers)
            near = bisect_left(seen[account], limit - left - slack)
            known = near < len(seen[account]) and seen[account][near] <= limit - left + slack
            found.refused += 1
            found.false_refusals += bound <= left or not known


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


if __name__ == "__main__":
    print(json.dumps(asdict(carried_out(Case(**json.loads(sys.argv[1]))))))
