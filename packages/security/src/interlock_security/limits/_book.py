"""The limits that there are: those of the configuration, and those that commands keep in the store."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from interlock_core.call import Principal
from interlock_core.errors import ConfigurationError, ConflictError, NotFoundError
from interlock_core.nearest import suggestion
from interlock_core.store import Row, Store
from interlock_security._changes import ChangeLog
from interlock_security.limits._rules import LimitKind, LimitRule, LimitScope

FRESH_S = 1.0
"""Seconds for which a process goes by what it read: a change reaches every process within them."""

_Identity: TypeAlias = tuple[LimitScope, str, LimitKind, float]


class LimitBook:
    """The limits, by configuration and by command.

    Args:
        store: Holds those that commands set.
        changes: Records every change before it is made.
        configured: Those of the configuration, which are read-only here.

    Raises:
        ConfigurationError: The configuration declares one twice.
    """

    def __init__(self, store: Store, *, changes: ChangeLog, configured: Sequence[LimitRule] = ()) -> None:
        self._store = store
        self._changes = changes
        self._configured = {_identity(rule): rule for rule in configured}
        if len(self._configured) < len(configured):
            twice = next(rule for rule in configured if self._configured[_identity(rule)] is not rule)
            raise ConfigurationError(
                f"{twice.origin} declares the limit {twice.id} a second time.",
                field="limits",
                remedy="Keep one of them.",
            )
        self._known: tuple[LimitRule, ...] = ()
        self._until = float("-inf")

    async def open(self) -> None:
        """Read the store for the first time.

        Raises:
            ConfigurationError: The configuration declares a limit that a command has set, too.
        """
        for rule in await self._stored():
            declared = self._configured.get(_identity(rule))
            if declared is not None:
                raise ConfigurationError(
                    f"{declared.origin} declares the limit {rule.id}, which a command has set, too.",
                    field="limits",
                    remedy="Take it out of the file, start, and clear the other: interlock limits clear.",
                )
        await self.rules()

    async def rules(self) -> Sequence[LimitRule]:
        """Every limit, as it was at most a second ago."""
        now = self._store.clock.monotonic()
        if now >= self._until:
            self._until = now + FRESH_S
            self._known = (*self._configured.values(), *await self._stored())
        return self._known

    async def list(self) -> Sequence[LimitRule]:
        """Every limit, as it is now, those of the configuration first."""
        self._until = float("-inf")
        return await self.rules()

    async def set(self, rule: LimitRule, *, by: Principal) -> bool:
        """Set a limit; whether there was none of its scope, name, kind and window.

        Raises:
            ConflictError: The configuration declares it.
            AuditUnavailableError: The change cannot be recorded, so it is not made.
        """
        self._refuse_declared(rule)
        values = (*_key(rule), rule.limit, by.user, round(self._store.clock.now() * 1e6))
        known = {_identity(entry): entry for entry in await self._stored()}
        before = known.get(_identity(rule))
        data = {**rule.as_json(), "before": None if before is None else before.limit}
        async with self._changes.change("limits.set", by, data):
            await self._store.execute(
                "INSERT INTO limits_rules (scope, name, kind, window_us, most, set_by, set_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (scope, name, kind, window_us) DO UPDATE SET "
                "most = excluded.most, set_by = excluded.set_by, set_at = excluded.set_at",
                values,
            )
        self._until = float("-inf")
        return before is None

    async def clear(self, rule_id: str, *, by: Principal) -> LimitRule:
        """Take a limit away; the one that it was.

        Raises:
            NotFoundError: There is none of that id; the remedy names the nearest.
            ConflictError: The configuration declares it.
            AuditUnavailableError: The change cannot be recorded, so it is not made.
        """
        stored: Mapping[str, LimitRule] = {rule.id: rule for rule in await self._stored()}
        rule = stored.get(rule_id)
        if rule is None:
            for declared in self._configured.values():
                if declared.id == rule_id:
                    self._refuse_declared(declared)
            raise NotFoundError(
                f"There is no limit {rule_id}.", field="limit", remedy=suggestion(rule_id, stored)
            )
        async with self._changes.change("limits.clear", by, rule.as_json()):
            await self._store.execute(
                "DELETE FROM limits_rules WHERE scope = ? AND name = ? AND kind = ? AND window_us = ?",
                _key(rule),
            )
        self._until = float("-inf")
        return rule

    def _refuse_declared(self, rule: LimitRule) -> None:
        declared = self._configured.get(_identity(rule))
        if declared is not None:
            raise ConflictError(
                f"{declared.origin} declares the limit {rule.id}, so it is read-only here.",
                field="limits",
                remedy="Change it there.",
            )

    async def _stored(self) -> Sequence[LimitRule]:
        rows = await self._store.fetch_all(
            "SELECT scope, name, kind, window_us, most FROM limits_rules "
            "ORDER BY scope, name, kind, window_us"
        )
        return [_rule(row) for row in rows]


def _identity(rule: LimitRule) -> _Identity:
    return rule.scope, rule.name, rule.kind, rule.window_s


def _key(rule: LimitRule) -> tuple[str, str, str, int]:
    return rule.scope.value, rule.name, rule.kind.value, round(rule.window_s * 1e6)


def _rule(row: Row) -> LimitRule:
    scope, name, kind, window, most = row
    return LimitRule(
        scope=LimitScope(str(scope)),
        name=str(name),
        kind=LimitKind(str(kind)),
        limit=int(most or 0),
        window_s=int(window or 0) / 1e6,
    )
