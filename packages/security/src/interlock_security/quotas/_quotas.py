"""Quotas as guards and faces use them: admit, settle, tell, set, override."""

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from interlock_core.call import Principal
from interlock_core.errors import (
    ConflictError,
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    QuotaExceededError,
)
from interlock_core.ids import new_id
from interlock_core.jsontypes import JsonObject
from interlock_core.money import Money
from interlock_core.protocols import Notifier
from interlock_core.run import Event, EventKind
from interlock_core.store import Store
from interlock_security._changes import ChangeLog
from interlock_security.quotas._book import Applied, QuotaBook, Rules, Subject
from interlock_security.quotas._books import Held, State
from interlock_security.quotas._ledger import Ledger
from interlock_security.quotas._model import (
    EVERYBODY,
    Account,
    Alert,
    Limit,
    Override,
    Posting,
    Quota,
    Scope,
    Shortage,
    Usage,
    Verdict,
)
from interlock_security.quotas._outbox import Untold
from interlock_security.quotas._periods import Period, span
from interlock_security.quotas._rows import sheet_of
from interlock_security.quotas._words import alert_json, told_json

_ACCOUNTS = (
    "SELECT id, scope, name, span, spent, held, excess, alerted FROM quotas_accounts WHERE span IN (?, ?)"
    " ORDER BY id LIMIT ?"
)
_MOST_USAGE = 10_000
_AT_ONCE = 200
_LONGEST_S = 10 * 366 * 86_400
_SYSTEM = Principal(user="system")

_logger = logging.getLogger("interlock.security.quotas")


class Notes(Protocol):
    """Records what is neither a call nor a change. `AuditLog` is one."""

    async def note(self, kind: str, principal: Principal, data: JsonObject) -> object:
        """Record something durably."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Money that was set aside.

    Attributes:
        id: Id of the reservation; empty when no quota applied and nothing was set aside.
        limits: The limits that it counts for.
        bound: What was set aside.
    """

    id: str
    limits: tuple[Limit, ...]
    bound: Money


class Quotas:
    """Sets aside, books, tells and changes.

    Args:
        store: Where the ledger is; its clock tells the time.
        configured: The quotas of the configuration.
        changes: Where each change is recorded before it is made.
        notes: Where thresholds that were reached are recorded; None for nowhere.
        notifier: Is told of the same; None for nobody.
        life_s: Seconds that a reservation lives once its process is dead.
    """

    __slots__ = ("_book", "_changes", "_ledger", "_notes", "_notifier", "_store", "_tasks")

    def __init__(
        self,
        store: Store,
        *,
        configured: Sequence[Quota] = (),
        changes: ChangeLog,
        notes: Notes | None = None,
        notifier: Notifier | None = None,
        life_s: float = 60.0,
    ) -> None:
        self._store = store
        self._book = QuotaBook(store, configured)
        self._ledger = Ledger(store, limits_of=self._book.limits_of, on_alerts=self._raise, life_s=life_s)
        self._changes = changes
        self._notes = notes
        self._notifier = notifier
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- around a call

    async def applied(self, subject: Subject) -> Applied:
        """The quotas that a call falls under.

        Raises:
            StoreError: They cannot be read.
        """
        return await self._book.applied(subject)

    async def call_price(self, tool: str) -> Money | None:
        """What one call of a tool costs; None where no quota of tools states it.

        Raises:
            StoreError: The quotas cannot be read.
        """
        quotas = (await self._book.rules()).tools(tool)
        return Applied(tuple((quota, quota.name) for quota in quotas)).call_price

    async def reserve(self, key: str, applied: Applied, bound: Money | None) -> Posting:
        """Set aside the most that a call can cost.

        Args:
            key: Id of the reservation.
            applied: The quotas that it falls under.
            bound: The most that it can cost; None when its price is unknown.

        Raises:
            InvalidRequestError: The bound is below zero.
            StoreError: The ledger cannot be reached; nothing is set aside.
        """
        most = applied.ceiling if bound is None else bound
        if not applied.limits:
            return Posting(verdict=Verdict.OK)
        if most is None:
            return Posting(verdict=Verdict.REFUSED, unpriced=True)
        return await self._ledger.reserve(key, applied.limits, most.micro_usd)

    async def admit(self, applied: Applied, bound: Money | None, *, what: str) -> Hold:
        """Set aside the most that a call can cost, or refuse it.

        Args:
            applied: The quotas that it falls under.
            bound: The most that it can cost; None when its price is unknown.
            what: What is called, for the refusal.

        Raises:
            QuotaExceededError: There is no room for it.
            StoreError: The ledger cannot be reached; nothing is set aside.
        """
        key, most = new_id("hold"), applied.ceiling if bound is None else bound
        posting = await self.reserve(key, applied, bound)
        if posting.verdict is Verdict.REFUSED:
            raise self._refusal(posting, applied, most, what)
        return Hold(id=key if applied.limits else "", limits=applied.limits, bound=most or Money(0))

    async def settle(self, hold: Hold, cost: Money | None) -> Posting:
        """Book what a call cost; None where nobody knows, which charges all that was set aside.

        Raises:
            InvalidRequestError: The cost is below zero.
            StoreError: The ledger cannot be reached: all that was set aside will be charged.
        """
        if not hold.id:
            return Posting(verdict=Verdict.OK)
        current = await self._book.limits_of([limit.account for limit in hold.limits])
        known = tuple(current.get(limit.account, limit) for limit in hold.limits)
        return await self._ledger.settle(hold.id, (hold.bound if cost is None else cost).micro_usd, known)

    async def release(self, hold: Hold) -> Posting:
        """Give back what was set aside for a call that was never sent, or that nobody bills.

        Raises:
            StoreError: The ledger cannot be reached: all that was set aside will be charged.
        """
        return await self._ledger.release(hold.id) if hold.id else Posting(verdict=Verdict.OK)

    async def sweep(self) -> tuple[str, ...]:
        """Charge the reservations of processes that died; their ids.

        Raises:
            StoreError: The ledger cannot be reached.
        """
        return (await self._ledger.sweep())[0]

    async def tend(self) -> None:
        """What this process does now and then by itself: book what is owed, renew, charge for the dead."""
        await self._ledger.tend()

    # ---- what there is

    async def quotas(self) -> Sequence[Quota]:
        """Every quota that is configured or set, sorted by scope and name.

        Raises:
            StoreError: They cannot be read.
        """
        rules = await self._book.rules()
        order = list(Scope)
        return sorted(rules.quotas.values(), key=lambda quota: (order.index(quota.scope), quota.name))

    async def usage(self, *, scope: Scope | None = None, name: str | None = None) -> Sequence[Usage]:
        """How far each limit is used in its present period, live; those of everybody where money was spent.

        Args:
            scope: Of this scope alone.
            name: Of this name alone.

        Raises:
            StoreError: It cannot be read.
        """
        rules = await self._book.rules()
        at = self._store.clock.now()
        found = await self._usages(rules, at, scope, name)
        told = [await self._told(rules, usage, at) for usage in found]
        order = list(Scope)
        return sorted(told, key=lambda one: (order.index(one.limit.account.scope), one.limit.account.id))

    async def used(self) -> Mapping[tuple[Scope, Period], float]:
        """The part that is spent or set aside of the limit that is used most, for each scope and period.

        A limit of nothing has no part.

        Raises:
            StoreError: It cannot be read.
        """
        highest: dict[tuple[Scope, Period], float] = {}
        for usage in await self._usages(await self._book.rules(), self._store.clock.now()):
            account, bound = usage.limit.account, usage.limit.micro_usd
            if bound:
                ratio = (usage.spent + usage.held) / bound
                whose = (account.scope, account.period)
                highest[whose] = max(ratio, highest.get(whose, 0.0))
        return highest

    async def charged(self, limit: int = 100) -> Sequence[JsonObject]:
        """The reservations that were charged because their process died, oldest first.

        Raises:
            StoreError: They cannot be read.
        """
        return [_charged_json(held) for held in await self._ledger.charged(limit)]

    # ---- changes

    async def set(self, quota: Quota, *, by: Principal) -> None:
        """Set a quota in the store, or change the one that is there.

        Raises:
            ConflictError: The configuration declares it.
            AuditUnavailableError: It could not be recorded, so it was not done.
            StoreError: It could not be kept.
        """
        self._refuse_configured(quota.scope, quota.name)
        async with self._changes.change("quotas.set", by, quota.as_json()):
            await self._book.keep(replace(quota, origin=""))

    async def clear(self, scope: Scope, name: str, *, by: Principal) -> None:
        """Take a quota out of the store; what was spent stays counted.

        Raises:
            ConflictError: The configuration declares it.
            NotFoundError: There is none.
            AuditUnavailableError: It could not be recorded, so it was not done.
            StoreError: It could not be kept.
        """
        self._refuse_configured(scope, name)
        if (scope, name) not in (await self._book.rules()).quotas:
            raise NotFoundError(
                f"No quota is set for {scope}:{name[:64]}.",
                field="name",
                remedy="'interlock quota list' shows them.",
            )
        async with self._changes.change("quotas.clear", by, {"scope": scope.value, "name": name}):
            await self._book.remove(scope, name)

    async def override(
        self, account: tuple[Scope, str, Period], bound: Money, *, reason: str, until: float, by: Principal
    ) -> Override:
        """Give a limit another bound for a while, higher or lower; the one that is made last counts.

        Args:
            account: Scope, name and period of the limit.
            bound: Its bound while this lasts.
            reason: Why, for the audit log.
            until: The moment from which it no longer counts, in seconds since 1970.
            by: Who does it.

        Raises:
            InvalidRequestError: There is no reason, or the end has passed.
            NotFoundError: There is no such limit.
            AuditUnavailableError: It could not be recorded, so it was not done.
            StoreError: It could not be kept.
        """
        scope, name, period = account
        now = self._store.clock.now()
        _check_override(bound, reason, until, now)
        quota = None if name == EVERYBODY and scope is not Scope.TOOL else await self._book.quota(scope, name)
        if quota is None or quota.bound(period) is None:
            raise NotFoundError(
                f"No quota bounds the {period} of {scope}:{name[:64]}.",
                field="name",
                remedy="'interlock quota usage' shows the limits.",
            )
        made = Override(
            id=new_id("override"),
            scope=scope,
            name=name,
            period=period,
            bound=bound,
            reason=reason.strip(),
            made_by=by.user,
            made_at=now,
            until=until,
        )
        async with self._changes.change("quotas.override", by, made.as_json()):
            await self._book.override(made)
        return made

    async def open(self) -> None:
        """Refuse a quota that both the configuration and the store declare; tell what is still untold.

        Where there is a quota, the ledger is tended from now on.

        Raises:
            ConfigurationError: Both declare one.
            StoreError: The store cannot be read.
        """
        rules = await self._book.rules()
        await self._ledger.retell()
        if rules.quotas:
            self._ledger.begin()

    async def settled(self) -> None:
        """Wait until every alert that was raised so far is told."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def aclose(self) -> None:
        """Write and tell what waits; the store stays open."""
        await self._ledger.aclose()
        await self.settled()

    # ---- inside

    def _refuse_configured(self, scope: Scope, name: str) -> None:
        declared = self._book.configured.get((scope, name))
        if declared is not None:
            raise ConflictError(
                f"{declared.origin} declares the quota for {declared.title}, so it is read-only here.",
                field="name",
                remedy="Change it in that file, or raise it for a while: interlock quota override.",
            )

    def _refusal(
        self, posting: Posting, applied: Applied, bound: Money | None, what: str
    ) -> QuotaExceededError:
        if posting.unpriced or bound is None:
            titles = ", ".join(quota.title for quota, _ in applied.quotas)
            return QuotaExceededError(
                f"Nobody knows what {what} may cost, and a quota holds for {titles}.",
                field="model",
                remedy="Choose a model whose price is known, state its price in [models], or let an "
                "administrator state ceiling_usd in the quota.",
            )
        now = self._store.clock.now()
        waits = [max(short.limit.resets_at - now, 0.0) for short in posting.short]
        return QuotaExceededError(
            f"{what} may cost {bound}, and there is no room for it: "
            + "; ".join(_sentence(short) for short in posting.short)
            + ".",
            field=posting.short[0].limit.account.title,
            remedy="Ask for less (max_tokens, a cheaper model), wait, or ask an administrator to raise the "
            "quota for a while: interlock quota override.",
            retry_after=float(math.ceil(max(waits))),
        )

    async def _usages(
        self, rules: Rules, at: float, scope: Scope | None = None, name: str | None = None
    ) -> Sequence[Usage]:
        """How far each limit is used, in no order."""
        found: dict[str, Usage] = {}
        for limit in await self._wanted(rules, at, scope, name):
            found[limit.account.id] = Usage(limit)
        rows = await self._sheets(rules, at)
        for start in range(0, len(rows), _AT_ONCE):
            sheets = [
                sheet
                for sheet in map(sheet_of, rows[start : start + _AT_ONCE])
                if scope in {None, sheet.account.scope} and name in {None, sheet.account.name}
            ]
            limits = await self._book.limits_of([sheet.account for sheet in sheets])
            for sheet in sheets:
                limit = limits.get(sheet.account)
                if limit is not None:
                    found[sheet.account.id] = Usage(limit, sheet.spent, sheet.held, sheet.excess)
            # There may be thousands: calls under way go on in between.
            await asyncio.sleep(0)
        return list(found.values())

    async def _wanted(self, rules: Rules, at: float, scope: Scope | None, name: str | None) -> list[Limit]:
        """The limits that are shown even when nothing was spent: those with a name."""
        named = [
            (quota, quota.name)
            for quota in rules.quotas.values()
            if quota.name != EVERYBODY or quota.scope is Scope.TOOL
        ]
        if scope is not None and name is not None:
            quota = await self._book.quota(scope, name)
            named = [] if quota is None else [(quota, name)]
        return [
            limit
            for quota, whose in named
            if scope in {None, quota.scope} and name in {None, whose}
            for limit in rules.limits(quota, whose, at)
        ]

    async def _sheets(self, rules: Rules, at: float) -> "list[tuple[str | int | float | bytes | None, ...]]":
        zones = {quota.time_zone for quota in rules.quotas.values()} | {"UTC"}
        spans = {(span(Period.DAY, zone, at), span(Period.MONTH, zone, at)) for zone in zones}
        return [
            row
            for pair in sorted(spans)
            for row in await self._store.fetch_all(_ACCOUNTS, (*pair, _MOST_USAGE))
        ]

    async def _told(self, rules: Rules, usage: Usage, at: float) -> Usage:
        account = usage.limit.account
        quota = await self._book.quota(account.scope, account.name)
        origin = (quota.origin if quota is not None else "") or "store"
        return replace(usage, origin=origin, override=rules.override(account, at))

    def _raise(self, untold: Sequence[Untold]) -> None:
        """Tell of alerts, behind the call that raised them."""
        for one in untold:
            task = asyncio.create_task(self._tell(one.id, one.alert))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _tell(self, key: str, alert: Alert) -> None:
        data, at = alert_json(alert), self._store.clock.now()
        _logger.warning("%s", data["message"])
        try:
            try:
                if self._notes is not None:
                    await self._notes.note("quotas.alert", _SYSTEM, data)
            finally:  # people are told of it also when the audit log cannot be written
                if self._notifier is not None:
                    told: JsonObject = {"alert": told_json(alert, data, at)}
                    await self._notifier.notify(Event(kind=EventKind.WARNING, run="", at=at, data=told))
            await self._ledger.told(key)
        except InterlockError as error:
            _logger.warning("an alert could not be told to all; it is tried again: %s", error)


def _check_override(bound: Money, reason: str, until: float, now: float) -> None:
    if bound.micro_usd < 0:
        raise InvalidRequestError("The bound is below zero.", field="usd", remedy="Give dollars, 0 or more.")
    if not reason.strip():
        raise InvalidRequestError("An override needs a reason.", field="reason", remedy="Say why it is made.")
    if not now < until <= now + _LONGEST_S:
        raise InvalidRequestError(
            "An override ends between now and ten years.", field="until", remedy="Give another end."
        )


def _sentence(short: Shortage) -> str:
    account = short.limit.account
    return (
        f"the {account.period} quota of {account.scope} {account.name} is {Money(short.limit.micro_usd)} and "
        f"{Money(max(short.left, 0))} of it is left"
    )


def _charged_json(held: Held) -> JsonObject:
    late = held.state is State.LATE
    return {
        "reservation": held.id,
        "made_at": held.made_at,
        "charged_usd": Money(max(held.bound, held.cost or 0)).as_usd,
        "cost_usd": Money(held.cost or 0).as_usd if late else None,
        "accounts": [account.id for account in held.accounts],
    }


__all__ = ["Account", "Hold", "Notes", "Quotas"]
