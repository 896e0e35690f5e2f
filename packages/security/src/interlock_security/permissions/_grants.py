"""Roles of users: declared in configuration, or granted and kept in the store."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from interlock_core.call import Principal
from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import ConflictError, InvalidRequestError, NotFoundError, PermissionDeniedError
from interlock_core.jsontypes import JsonObject
from interlock_core.store import Store
from interlock_security._changes import ChangeLog
from interlock_security.permissions._checker import PermissionChecker

_MAX_USER_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A role that a user holds.

    Attributes:
        user: Who.
        role: Which role.
        origin: `configuration` or `store`.
        granted_by: Who granted it; empty for configuration.
        at: When, in seconds since 1970; None for configuration.
    """

    user: str
    role: str
    origin: str
    granted_by: str = ""
    at: float | None = None

    def as_json(self) -> JsonObject:
        """The grant as a JSON object."""
        return {
            "user": self.user,
            "role": self.role,
            "origin": self.origin,
            "granted_by": self.granted_by,
            "at": self.at,
        }


class RoleGrants:
    """Which roles users hold.

    Args:
        store: Where grants are kept.
        checker: Knows the roles and who may give them.
        changes: Where each change is recorded before it is made.
        configured: Roles of users that configuration declares; they are read-only here.
        clock: Tells the time.

    Raises:
        ConfigurationError: Configuration gives a role that does not exist.
    """

    __slots__ = ("_changes", "_checker", "_clock", "_configured", "_store")

    def __init__(
        self,
        store: Store,
        *,
        checker: PermissionChecker,
        changes: ChangeLog,
        configured: Mapping[str, Iterable[str]] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._store = store
        self._checker = checker
        self._changes = changes
        self._clock = clock or SystemClock()
        self._configured = {user: frozenset(roles) for user, roles in (configured or {}).items()}
        for user, roles in self._configured.items():
            for role in roles:
                checker.roles.need(role, field=f"users.{user}.roles")

    async def roles_of(self, user: str) -> frozenset[str]:
        """Every role that a user holds.

        Raises:
            StoreError: The grants cannot be read.
        """
        rows = await self._store.fetch_all(
            "SELECT role FROM roles_grants WHERE user_name = ? AND revoked_at IS NULL", (user,)
        )
        return self._configured.get(user, frozenset()) | {str(role) for (role,) in rows}

    async def list(self, user: str | None = None) -> tuple[Grant, ...]:
        """All grants, or those of one user, sorted by user and role.

        Raises:
            StoreError: The grants cannot be read.
        """
        rows = await self._store.fetch_all(
            "SELECT user_name, role, granted_by, granted_at FROM roles_grants WHERE revoked_at IS NULL"
        )
        grants = [
            Grant(user=str(who), role=str(role), origin="store", granted_by=str(by), at=float(at or 0) / 1e6)
            for who, role, by, at in rows
        ]
        grants += [
            Grant(user=who, role=role, origin="configuration")
            for who, roles in self._configured.items()
            for role in roles
        ]
        wanted = [grant for grant in grants if user is None or grant.user == user]
        return tuple(sorted(wanted, key=lambda grant: (grant.user, grant.role, grant.origin)))

    async def grant(self, user: str, role: str, *, by: Principal) -> Grant:
        """Give a user a role; giving one that is granted already changes nothing.

        Raises:
            ConfigurationError: There is no such role.
            InvalidRequestError: The user's name is empty or too long.
            PermissionDeniedError: `by` may not administer roles, or does not have these rights.
            ConflictError: Configuration declares it.
            AuditUnavailableError: It could not be recorded, so it was not done.
            StoreError: It could not be kept.
        """
        if not user.strip() or len(user) > _MAX_USER_CHARS or not user.isprintable():
            raise InvalidRequestError("A user's name is 1 to 200 printable characters.", field="user")
        self._checker.roles.need(role, field="role")
        self._allowed(by, role)
        self._not_declared(user, role)
        at = int(self._clock.now() * 1e6)
        async with self._changes.change("roles.grant", by, {"user": user, "role": role}):
            await self._store.execute(
                "INSERT INTO roles_grants (user_name, role, granted_by, granted_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (user_name, role) DO UPDATE SET granted_by = excluded.granted_by,"
                " granted_at = excluded.granted_at, revoked_at = NULL"
                " WHERE roles_grants.revoked_at IS NOT NULL",
                (user, role, by.user, at),
            )
        return Grant(user=user, role=role, origin="store", granted_by=by.user, at=at / 1e6)

    async def revoke(self, user: str, role: str, *, by: Principal) -> None:
        """Take a role from a user.

        Raises:
            NotFoundError: The user does not hold it.
            PermissionDeniedError: `by` may not administer roles, or does not have these rights.
            ConflictError: Configuration declares it.
            AuditUnavailableError: It could not be recorded, so it was not done.
            StoreError: It could not be kept.
        """
        self._allowed(by, role)
        self._not_declared(user, role)
        if not any(grant.role == role for grant in await self.list(user)):
            raise NotFoundError(f"{user} does not hold the role {role}.", field="role")
        async with self._changes.change("roles.revoke", by, {"user": user, "role": role}):
            # The row stays: who had a role and lost it must not fall back to the role of those who never had.
            await self._store.execute(
                "UPDATE roles_grants SET revoked_at = ? WHERE user_name = ? AND role = ?",
                (int(self._clock.now() * 1e6), user, role),
            )

    def _allowed(self, by: Principal, role: str) -> None:
        # A role that configuration no longer has gives nothing: only who may administer roles matters then.
        held = [role] if self._checker.roles.get(role) is not None else []
        for verdict in (
            self._checker.may_manage(by, "roles"),
            self._checker.may_hand_on(by, held, scopes=by.scopes),
        ):
            if not verdict.allowed:
                raise PermissionDeniedError(verdict.reason, field="role")

    def _not_declared(self, user: str, role: str) -> None:
        if role in self._configured.get(user, ()):
            raise ConflictError(
                f"Configuration gives {user} the role {role}.",
                field=f"users.{user}.roles",
                remedy="Change it in the configuration file.",
            )
