"""Which quotas there are, and which bounds follow from them for one principal at one moment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from interlock_core.call import Principal
from interlock_core.errors import ConfigurationError
from interlock_core.jsontypes import Json, as_array, dump_json, parse_json
from interlock_core.money import Money
from interlock_core.store import Row, SqlValue, Store
from interlock_security.quotas._model import EVERYBODY, Account, Limit, Override, Quota, Scope
from interlock_security.quotas._periods import Period, place
from interlock_security.quotas._rows import micro

Subject: TypeAlias = tuple[tuple[Scope, str], ...]
"""Whom a call counts for: key, user, team, organisation, tool, as far as known."""

_FRESH_S = 0.4
_MOST_KEYS = 10_000
_SET = (
    "SELECT scope, name, day_micro_usd, month_micro_usd, time_zone, thresholds, max_tokens,"
    " ceiling_micro_usd, call_micro_usd FROM quotas_set ORDER BY scope, name"
)
_KEEP = (
    "INSERT INTO quotas_set (scope, name, day_micro_usd, month_micro_usd, time_zone, thresholds, max_tokens,"
    " ceiling_micro_usd, call_micro_usd) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (scope, name) DO UPDATE SET day_micro_usd = excluded.day_micro_usd,"
    " month_micro_usd = excluded.month_micro_usd, time_zone = excluded.time_zone,"
    " thresholds = excluded.thresholds, max_tokens = excluded.max_tokens,"
    " ceiling_micro_usd = excluded.ceiling_micro_usd, call_micro_usd = excluded.call_micro_usd"
)
_OVERRIDES = (
    "SELECT id, scope, name, period, micro_usd, reason, made_by, made_at, until FROM quotas_overrides"
    " WHERE until > ? ORDER BY made_at, id"
)
_MAKE_OVERRIDE = (
    "INSERT INTO quotas_overrides (id, scope, name, period, micro_usd, reason, made_by, made_at, until)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_KEY = "SELECT budget_day_micro_usd, budget_month_micro_usd FROM keys_api WHERE id = ?"


def subject_of(principal: Principal) -> Subject:
    """Whom the calls of a principal count for."""
    named = (
        (Scope.KEY, principal.key_id),
        (Scope.USER, principal.user),
        (Scope.TEAM, principal.team),
        (Scope.ORGANISATION, principal.organisation),
    )
    return tuple((scope, name) for scope, name in named if name)


@dataclass(frozen=True, slots=True)
class Rules:
    """What is known of quotas at one moment.

    Attributes:
        quotas: Every quota by its scope and name.
        overrides: Those that have not ended, the oldest first.
        until: Until when this is fresh, on the monotonic clock.
    """

    quotas: Mapping[tuple[Scope, str], Quota]
    overrides: Sequence[Override] = ()
    until: float = 0.0

    def quota(self, scope: Scope, name: str) -> Quota | None:
        """The quota that counts for somebody: an own one, else that of everybody."""
        own = self.quotas.get((scope, name))
        return own or (None if scope is Scope.TOOL else self.quotas.get((scope, EVERYBODY)))

    def tools(self, name: str) -> list[Quota]:
        """The quotas under which a tool's calls fall."""
        return [
            quota
            for (scope, _), quota in self.quotas.items()
            if scope is Scope.TOOL and quota.counts_for(name)
        ]

    def override(self, account: Account, at: float) -> Override | None:
        """The override of a limit that counts at a moment: the latest that has not ended."""
        whose = (account.scope, account.name, account.period)
        for override in reversed(self.overrides):
            if (override.scope, override.name, override.period) == whose and at < override.until:
                return override
        return None

    def limits(self, quota: Quota, name: str, at: float) -> list[Limit]:
        """The bounds that a quota sets for somebody at a moment."""
        found: list[Limit] = []
        for period in Period:
            bound = quota.bound(period)
            if bound is None:
                continue
            here, resets = place(period, quota.time_zone, at)
            account = Account(quota.scope, name, here)
            override = self.override(account, at) if self.overrides else None
            micro_usd = bound.micro_usd if override is None else override.bound.micro_usd
            found.append(Limit(account, micro_usd, quota.thresholds, resets))
        return found


@dataclass(frozen=True, slots=True)
class Applied:
    """The quotas that a call falls under.

    Attributes:
        quotas: Each with the name that it counts for.
        limits: The bounds that follow from them now.
    """

    quotas: tuple[tuple[Quota, str], ...] = ()
    limits: tuple[Limit, ...] = ()

    @property
    def ceiling(self) -> Money | None:
        """What is set aside where a price is unknown: the largest that any of them states; None for none."""
        stated = [quota.ceiling.micro_usd for quota, _ in self.quotas if quota.ceiling is not None]
        return Money(max(stated)) if stated else None

    @property
    def call_price(self) -> Money | None:
        """What one call of the tool costs: the largest that any of them states; None for nothing."""
        stated = [quota.call_price.micro_usd for quota, _ in self.quotas if quota.call_price is not None]
        return Money(max(stated)) if stated else None

    @property
    def max_tokens(self) -> int:
        """Most output tokens of a request that names no limit: the smallest that any of them states."""
        return min(quota.max_tokens for quota, _ in self.quotas)


@dataclass(slots=True)
class _Seen:
    """Budgets of keys, which never change once a key is made."""

    quotas: dict[str, Quota | None] = field(default_factory=dict[str, Quota | None])


class QuotaBook:
    """The quotas of the configuration, those that are set in the store, and the budgets of keys.

    What is set in the store counts at once in this process, and within a second in others.

    Args:
        store: Where quotas, overrides and keys are.
        configured: The quotas of the configuration.
    """

    __slots__ = ("_configured", "_keys", "_rules", "_store")

    def __init__(self, store: Store, configured: Iterable[Quota] = ()) -> None:
        self._store = store
        self._configured = {(quota.scope, quota.name): quota for quota in configured}
        self._rules: Rules | None = None
        self._keys = _Seen()

    @property
    def configured(self) -> Mapping[tuple[Scope, str], Quota]:
        """The quotas of the configuration, by scope and name."""
        return self._configured

    async def rules(self) -> Rules:
        """What is known of quotas now, at most a second old.

        Raises:
            StoreError: They cannot be read.
        """
        now = self._store.clock.monotonic()
        if self._rules is None or self._rules.until <= now:
            self._rules = await self._read(now + _FRESH_S)
        return self._rules

    def forget(self) -> None:
        """Read everything anew from now on."""
        self._rules = None

    async def applied(self, subject: Subject) -> Applied:
        """The quotas that a call falls under, and the bounds that they set just now.

        Raises:
            StoreError: They cannot be read.
        """
        rules, at = await self.rules(), self._store.clock.now()
        quotas: list[tuple[Quota, str]] = []
        for scope, name in subject:
            if scope is Scope.TOOL:
                quotas += [(quota, quota.name) for quota in rules.tools(name)]
                continue
            quota = await self._key(rules, name) if scope is Scope.KEY else rules.quota(scope, name)
            if quota is not None:
                quotas.append((quota, name))
        if not quotas:
            return Applied()
        limits = [limit for quota, name in quotas for limit in rules.limits(quota, name, at)]
        return Applied(tuple(quotas), tuple(limits))

    async def quota(self, scope: Scope, name: str) -> Quota | None:
        """The quota that counts for a scope's name; None for no bound.

        Raises:
            StoreError: It cannot be read.
        """
        rules = await self.rules()
        if scope is Scope.KEY:
            return await self._key(rules, name)
        return rules.quota(scope, name)

    async def limits_of(self, accounts: Sequence[Account]) -> Mapping[Account, Limit]:
        """The limits of accounts as they are now; an account of a past period keeps its own name.

        Raises:
            StoreError: They cannot be read.
        """
        rules, at = await self.rules(), self._store.clock.now()
        found: dict[Account, Limit] = {}
        known: dict[tuple[Scope, str], list[Limit]] = {}
        for account in accounts:
            whose = (account.scope, account.name)
            if whose not in known:
                quota = await self.quota(*whose)
                known[whose] = [] if quota is None else rules.limits(quota, account.name, at)
            for limit in known[whose]:
                if limit.account == account:
                    found[account] = limit
                elif limit.account.period is account.period:
                    found[account] = replace(limit, account=account)
        return found

    async def keep(self, quota: Quota) -> None:
        """Set a quota in the store.

        Raises:
            StoreError: It cannot be kept.
        """
        thresholds: list[Json] = [*quota.thresholds]
        amounts = (_amount(quota.day), _amount(quota.month), quota.time_zone, dump_json(thresholds))
        rest = (quota.max_tokens, _amount(quota.ceiling), _amount(quota.call_price))
        await self._store.execute(_KEEP, (quota.scope.value, quota.name, *amounts, *rest))
        self.forget()

    async def remove(self, scope: Scope, name: str) -> None:
        """Take a quota out of the store.

        Raises:
            StoreError: It cannot be done.
        """
        await self._store.execute("DELETE FROM quotas_set WHERE scope = ? AND name = ?", (scope.value, name))
        self.forget()

    async def override(self, override: Override) -> None:
        """Keep an override; the one that is made last counts.

        Raises:
            StoreError: It cannot be kept.
        """
        whose = (override.scope.value, override.name, override.period.value, override.bound.micro_usd)
        times = (micro(override.made_at), micro(override.until))
        row = (override.id, *whose, override.reason, override.made_by, *times)
        await self._store.execute(_MAKE_OVERRIDE, row)
        self.forget()

    async def _read(self, until: float) -> Rules:
        quotas = dict(self._configured)
        for row in await self._store.fetch_all(_SET):
            quota = _quota(row)
            whose = (quota.scope, quota.name)
            if whose in self._configured:
                origin = self._configured[whose].origin
                raise ConfigurationError(
                    f"{origin} declares a quota for {quota.title}, and the store holds one too.",
                    field="quotas",
                    remedy="Remove it from the file, or start without it and clear the store's: "
                    f"interlock quota set {quota.scope} {quota.name} --clear",
                )
            quotas[whose] = quota
        rows = await self._store.fetch_all(_OVERRIDES, (micro(self._store.clock.now()),))
        return Rules(quotas, [_override(row) for row in rows], until)

    async def _key(self, rules: Rules, key_id: str) -> Quota | None:
        """The quota of one key: what is set for it, else its own budget within what holds for every key."""
        own = rules.quotas.get((Scope.KEY, key_id))
        if own is not None:
            return own
        everybody = rules.quotas.get((Scope.KEY, EVERYBODY))
        budget = await self._budget(key_id)
        if budget is None or everybody is None:
            return budget or everybody
        day = everybody.day if budget.day is None else budget.day
        month = everybody.month if budget.month is None else budget.month
        return replace(everybody, name=key_id, day=day, month=month, origin=budget.origin)

    async def _budget(self, key_id: str) -> Quota | None:
        if key_id not in self._keys.quotas:
            row = await self._store.fetch_one(_KEY, (key_id,))
            if len(self._keys.quotas) >= _MOST_KEYS:
                self._keys.quotas.clear()
            self._keys.quotas[key_id] = None if row is None else _key_budget(key_id, row)
        return self._keys.quotas[key_id]


def _key_budget(key_id: str, row: Row) -> Quota | None:
    day, month = _money(row[0]), _money(row[1])
    if day is None and month is None:
        return None
    return Quota(scope=Scope.KEY, name=key_id, day=day, month=month, origin="key")


def _quota(row: Row) -> Quota:
    scope, name, day, month, zone, thresholds, max_tokens, ceiling, call = row
    percents = as_array(parse_json(str(thresholds)))
    return Quota(
        scope=Scope(str(scope)),
        name=str(name),
        day=_money(day),
        month=_money(month),
        time_zone=str(zone),
        thresholds=tuple(percent for percent in percents if isinstance(percent, int)),
        max_tokens=max_tokens if isinstance(max_tokens, int) else 0,
        ceiling=_money(ceiling),
        call_price=_money(call),
    )


def _override(row: Row) -> Override:
    key, scope, name, period, micro_usd, reason, made_by, made_at, until = row
    return Override(
        id=str(key),
        scope=Scope(str(scope)),
        name=str(name),
        period=Period(str(period)),
        bound=_money(micro_usd) or Money(0),
        reason=str(reason),
        made_by=str(made_by),
        made_at=_seconds(made_at),
        until=_seconds(until),
    )


def _money(value: SqlValue) -> Money | None:
    return Money(value) if isinstance(value, int) else None


def _amount(amount: Money | None) -> int | None:
    return None if amount is None else amount.micro_usd


def _seconds(value: SqlValue) -> float:
    return value / 1_000_000 if isinstance(value, int) else 0.0
