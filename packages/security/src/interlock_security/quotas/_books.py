"""The rules of the ledger, on what was read from it: no store, no clock, no waiting.

In this order for a reservation: the same one again changes nothing; another one under its id is a conflict;
it fits where spent + held + bound is at most the limit, for every limit, or nothing is set aside at all. What
is set aside and booked belongs to the accounts of the moment in which it was reserved. A settlement books the
truth, above what was set aside too. What nobody settled before it ended is charged in full.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from interlock_core.errors import InvalidRequestError
from interlock_security.quotas._model import Account, Alert, Limit, Posting, Shortage, Verdict


class State(StrEnum):
    """Where a reservation stands."""

    HELD = "held"
    SETTLED = "settled"
    RELEASED = "released"
    CHARGED = "charged"
    LATE = "late"


@dataclass(slots=True)
class Sheet:
    """What one account holds, in micro-dollars."""

    account: Account
    spent: int = 0
    held: int = 0
    excess: int = 0
    alerted: tuple[int, ...] = ()


@dataclass(slots=True)
class Held:
    """One reservation."""

    id: str
    accounts: tuple[Account, ...]
    bound: int
    made_at: float
    ends_at: float
    lease: str
    state: State = State.HELD
    cost: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """Set money aside.

    Attributes:
        id: Id of the reservation.
        limits: Every limit that it counts for, as it is now.
        bound: The most that it can cost.
        at: When.
        ends_at: When it is charged unless it is settled or renewed before.
        lease: Of which process it is.
    """

    id: str
    limits: tuple[Limit, ...]
    bound: int
    at: float
    ends_at: float
    lease: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """Book what a reservation cost; `limits` are those of its accounts as they are now, for the alerts."""

    id: str
    cost: int
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Give a reservation back whole: nothing was sent."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Charge a reservation in full, when it has ended by `at`."""

    id: str
    at: float
    limits: tuple[Limit, ...] = ()


Step: TypeAlias = Reserve | Settle | Release | Charge
"""One step on the ledger."""


class Books:
    """The accounts and reservations that some steps touch.

    Args:
        sheets: What is known of accounts, by their ids; a missing one is empty.
        held: What is known of reservations, by their ids.
    """

    __slots__ = ("_held", "_sheets", "changed", "made", "touched")

    def __init__(self, sheets: Mapping[str, Sheet], held: Mapping[str, Held]) -> None:
        self._sheets = dict(sheets)
        self._held = dict(held)
        self.changed: dict[str, Sheet] = {}
        self.made: dict[str, Held] = {}
        self.touched: dict[str, Held] = {}

    def post(self, step: Step) -> Posting:
        """Take one step."""
        match step:
            case Reserve():
                return self._reserve(step)
            case Settle():
                return self._settle(step)
            case Release():
                return self._release(step)
            case Charge():
                return self._charge(step)

    def _reserve(self, step: Reserve) -> Posting:
        accounts = tuple(limit.account for limit in step.limits)
        known = self._held.get(step.id)
        if known is not None:
            same = known.bound == step.bound and {one.title for one in known.accounts} == {
                one.title for one in accounts
            }
            return Posting(verdict=Verdict.AGAIN if same else Verdict.CONFLICT)
        lefts = [limit.micro_usd - self._used(limit.account) for limit in step.limits]
        short = tuple(
            Shortage(limit, left) for limit, left in zip(step.limits, lefts, strict=True) if step.bound > left
        )
        if short:
            return Posting(verdict=Verdict.REFUSED, short=short)
        for account in accounts:
            self._sheet(account).held += step.bound
        held = Held(step.id, accounts, step.bound, step.at, step.ends_at, step.lease)
        self._held[step.id] = self.made[step.id] = held
        return Posting(verdict=Verdict.OK)

    def _settle(self, step: Settle) -> Posting:
        held = self._held.get(step.id)
        if held is None:
            return Posting(verdict=Verdict.UNKNOWN)
        if held.state in {State.SETTLED, State.LATE}:
            return Posting(verdict=Verdict.AGAIN if held.cost == step.cost else Verdict.CONFLICT)
        if held.state is State.RELEASED:
            return Posting(verdict=Verdict.CONFLICT)
        late = held.state is State.CHARGED
        above = max(step.cost - held.bound, 0)
        if late:
            alerts = self._book(held, spent=above, held=0, excess=above, limits=step.limits)
        else:
            alerts = self._book(held, spent=step.cost, held=-held.bound, excess=above, limits=step.limits)
        if above:
            overrun = Alert(account=None, percent=None, reservation=held.id, bound=held.bound, cost=step.cost)
            alerts = (overrun, *alerts)
        self._end(held, State.LATE if late else State.SETTLED, step.cost)
        if late:
            return Posting(verdict=Verdict.LATE, alerts=alerts)
        return Posting(verdict=Verdict.ABOVE if above else Verdict.OK, alerts=alerts)

    def _release(self, step: Release) -> Posting:
        held = self._held.get(step.id)
        if held is None:
            return Posting(verdict=Verdict.UNKNOWN)
        if held.state is State.RELEASED:
            return Posting(verdict=Verdict.AGAIN)
        if held.state is not State.HELD:
            return Posting(verdict=Verdict.CONFLICT)
        self._book(held, spent=0, held=-held.bound, excess=0, limits=())
        self._end(held, State.RELEASED, 0)
        return Posting(verdict=Verdict.OK)

    def _charge(self, step: Charge) -> Posting:
        held = self._held.get(step.id)
        if held is None:
            return Posting(verdict=Verdict.UNKNOWN)
        if held.state is not State.HELD or held.ends_at > step.at:
            return Posting(verdict=Verdict.CONFLICT)
        alerts = self._book(held, spent=held.bound, held=-held.bound, excess=0, limits=step.limits)
        self._end(held, State.CHARGED, held.bound)
        return Posting(verdict=Verdict.OK, alerts=alerts)

    def _book(
        self, reservation: Held, *, spent: int, held: int, excess: int, limits: Iterable[Limit]
    ) -> tuple[Alert, ...]:
        """Change every account of a reservation; what it raises."""
        known = {limit.account: limit for limit in limits}
        alerts: list[Alert] = []
        for account in reservation.accounts:
            sheet = self._sheet(account)
            sheet.spent += spent
            sheet.held += held
            sheet.excess += excess
            if spent and account in known:
                alerts += _reached(sheet, known[account], reservation.id)
        return tuple(alerts)

    def _end(self, held: Held, state: State, cost: int) -> None:
        held.state, held.cost = state, cost
        if held.id not in self.made:
            self.touched[held.id] = held

    def _used(self, account: Account) -> int:
        sheet = self._sheets.get(account.id)
        return 0 if sheet is None else sheet.spent + sheet.held

    def _sheet(self, account: Account) -> Sheet:
        """The account, to be changed."""
        sheet = self._sheets.get(account.id)
        if sheet is None:
            sheet = self._sheets[account.id] = Sheet(account)
        self.changed[account.id] = sheet
        return sheet


def _reached(sheet: Sheet, limit: Limit, reservation: str) -> list[Alert]:
    """The thresholds that an account reached now for the first time in its period."""
    fresh = [
        percent
        for percent in limit.thresholds
        if percent not in sheet.alerted and sheet.spent * 100 >= percent * limit.micro_usd
    ]
    sheet.alerted = tuple(sorted({*sheet.alerted, *fresh}))
    return [
        Alert(
            account=sheet.account,
            percent=percent,
            reservation=reservation,
            spent=sheet.spent,
            bound=limit.micro_usd,
        )
        for percent in fresh
    ]


def checked_amount(value: int, field: str) -> int:
    """An amount of micro-dollars that may be booked.

    Raises:
        InvalidRequestError: It is below zero.
    """
    if value < 0:
        raise InvalidRequestError(
            f"The {field} is {value} micro-dollars.", field=field, remedy="Give 0 or more."
        )
    return value
