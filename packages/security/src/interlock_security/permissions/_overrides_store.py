"""The overrides that commands and the API made, kept in the store and brought into force."""

from dataclasses import dataclass

from interlock_core.call import Principal
from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import (
    ConfigurationError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    StoreError,
)
from interlock_core.ids import new_id
from interlock_core.jsontypes import Json, dump_json, parse_json
from interlock_core.store import Row, Store
from interlock_security._changes import ChangeLog
from interlock_security.permissions._checker import PermissionChecker
from interlock_security.permissions._overrides import Override, RuleKind
from interlock_security.permissions._rules import Rule

_INSERT = (
    "INSERT INTO roles_overrides (id, user_name, kind, rule, until_us, reason, created_by, created_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_LIST = (
    "SELECT id, user_name, kind, rule, until_us, reason, created_by, created_at FROM roles_overrides"
    " ORDER BY created_at, id"
)
_LONGEST_REASON = 500
_LONGEST_USER = 200
_LAST_MOMENT = 253_402_300_799.0
"""The last second of the year 9999: later ones no store can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideRequest:
    """An override that somebody wants made.

    Attributes:
        user: For whom.
        kind: `allow` or `deny`.
        rule: Its rule as configuration writes it: the short form, a tool's pattern, or a table.
        reason: Why.
        until: First moment without it, in seconds since 1970; None for no end.
    """

    user: str
    kind: str
    rule: Json
    reason: str
    until: float | None = None


class Overrides:
    """Overrides of single users.

    Other processes see a change when they `refresh`, which is cheap within `max_age_s`.

    Args:
        store: Where they are kept.
        checker: Holds them in force, and says who may make them.
        changes: Where each change is recorded before it is made.
        clock: Tells the time.
        max_age_s: How old what is in force may be.
    """

    __slots__ = ("_changes", "_checker", "_clock", "_loaded_at", "_max_age_s", "_store")

    def __init__(
        self,
        store: Store,
        *,
        checker: PermissionChecker,
        changes: ChangeLog,
        clock: Clock | None = None,
        max_age_s: float = 1.0,
    ) -> None:
        self._store = store
        self._checker = checker
        self._changes = changes
        self._clock = clock or SystemClock()
        self._max_age_s = max_age_s
        self._loaded_at: float | None = None

    async def refresh(self) -> None:
        """Bring what is in the store into force, where it was last read too long ago.

        Raises:
            StoreError: It cannot be read, or one of them cannot be understood.
        """
        now = self._clock.monotonic()
        if self._loaded_at is None or now - self._loaded_at >= self._max_age_s:
            await self._load()

    async def list(self, user: str | None = None) -> tuple[Override, ...]:
        """Every override, or those of one user, the oldest first; those that have ended too.

        Raises:
            StoreError: They cannot be read.
        """
        await self._load()
        return tuple(one for one in self._checker.overrides if user is None or one.user == user)

    async def add(self, request: OverrideRequest, *, by: Principal) -> Override:
        """Make an override, in force at once here and within `max_age_s` elsewhere.

        Raises:
            InvalidRequestError: Something in it is wrong; `field` names it.
            PermissionDeniedError: `by` may not administer roles, or does not have the right that it gives.
            AuditUnavailableError: It could not be recorded, so it was not done.
            StoreError: It could not be kept.
        """
        made = self._made(request, by)
        self._require(by, made.rule, gives=made.kind is RuleKind.ALLOW)
        kept: Json = request.rule if isinstance(request.rule, dict) else _short(request.rule)
        async with self._changes.change("roles.override", by, made.as_json()):
            await self._store.execute(
                _INSERT,
                (
                    *(made.id, made.user, made.kind.value, dump_json(kept)),
                    *(None if made.until is None else int(made.until * 1e6), made.reason),
                    *(made.created_by, int(made.created_at * 1e6)),
                ),
            )
        await self._load()
        return made

    async def remove(self, override: str, *, by: Principal) -> None:
        """Take an override away.

        Raises:
            NotFoundError: There is none of that id.
            PermissionDeniedError: `by` may not administer roles, or does not have the right that it denied.
            AuditUnavailableError: It could not be recorded, so it was not done.
            StoreError: It could not be kept.
        """
        found = next((one for one in await self.list() if one.id == override), None)
        if found is None:
            raise NotFoundError(f"There is no override {override[:80]}.", field="override")
        self._require(by, found.rule, gives=found.kind is RuleKind.DENY)
        async with self._changes.change("roles.override.remove", by, found.as_json()):
            await self._store.execute("DELETE FROM roles_overrides WHERE id = ?", (override,))
        await self._load()

    def _made(self, request: OverrideRequest, by: Principal) -> Override:
        if not request.user.strip() or len(request.user) > _LONGEST_USER or not request.user.isprintable():
            raise InvalidRequestError("A user's name is 1 to 200 printable characters.", field="user")
        if not request.reason.strip() or len(request.reason) > _LONGEST_REASON:
            raise InvalidRequestError(
                f"An override has a reason of 1 to {_LONGEST_REASON} characters.", field="reason"
            )
        if request.kind not in {RuleKind.ALLOW, RuleKind.DENY}:
            raise InvalidRequestError("An override allows or denies.", field="verdict")
        now = self._clock.now()
        if request.until is not None and request.until <= now:
            raise InvalidRequestError(
                "The end of the override is over already.", field="until", remedy="Name a later moment."
            )
        if request.until is not None and not request.until <= _LAST_MOMENT:
            raise InvalidRequestError(
                "The end of the override lies beyond the year 9999.",
                field="until",
                remedy="Name an earlier moment, or leave it out for an override without an end.",
            )
        return Override(
            id=new_id("ovr"),
            user=request.user,
            kind=RuleKind(request.kind),
            rule=_rule(request.rule),
            until=None if request.until is None else int(request.until * 1e6) / 1e6,
            reason=request.reason.strip(),
            created_by=by.user,
            created_at=int(now * 1e6) / 1e6,
        )

    def _require(self, by: Principal, rule: Rule, *, gives: bool) -> None:
        verdict = self._checker.may_manage(by, "roles")
        if verdict.allowed and gives:
            verdict = self._checker.may_rule(by, rule)
        if not verdict.allowed:
            raise PermissionDeniedError(verdict.reason, field="rule")

    async def _load(self) -> None:
        now = self._clock.monotonic()
        rows = await self._store.fetch_all(_LIST)
        self._checker.use_overrides(map(_parsed, rows))
        self._loaded_at = now


def _short(rule: Json) -> Json:
    """A rule's short form; a bare pattern is one of tools."""
    return f"tool:{rule}" if isinstance(rule, str) and ":" not in rule else rule


def _rule(value: Json) -> Rule:
    try:
        rule = Rule.from_config(_short(value), where="rule")
    except ConfigurationError as exc:
        raise InvalidRequestError(exc.message, field=exc.field, remedy=exc.remedy) from exc
    if rule.manage:
        raise InvalidRequestError("An override speaks of tools and models alone.", field="rule")
    return rule


def _parsed(row: Row) -> Override:
    """An override of the store; one that cannot be understood may be a denial, so nothing goes on without it.

    Raises:
        StoreError: It cannot be understood.
    """
    override, user, kind, rule, until, reason, created_by, created_at = row
    try:
        return Override(
            id=str(override),
            user=str(user),
            kind=RuleKind(str(kind)),
            rule=Rule.from_config(parse_json(str(rule)), where="rule"),
            until=None if until is None else float(until) / 1e6,
            reason=str(reason),
            created_by=str(created_by),
            created_at=float(created_at or 0) / 1e6,
        )
    except (ValueError, ConfigurationError) as exc:
        raise StoreError(f"The override {override} in the store cannot be understood.") from exc
