"""Who is who, who may what: the local user, roles, grants and API keys behind one front."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from interlock_core import Call, CallKind, JsonObject, Money, Permit, Principal, Secret, ToolSpec, new_id
from interlock_core.errors import NotFoundError, PermissionDeniedError, RefusedError
from interlock_core.nearest import suggestion
from interlock_core.store import Store
from interlock_runtime._guarded import PriceOf
from interlock_runtime._people import Directory, declared_teams, declared_users
from interlock_runtime._rules import Rules
from interlock_security import (
    ApiKeys,
    AuditLog,
    KeyRequest,
    KeyRules,
    Overrides,
    People,
    PermissionChecker,
    PermissionGuard,
    RoleBook,
    RoleGrants,
    admin_key_text,
)

if TYPE_CHECKING:
    from interlock_runtime.settings import Settings
    from interlock_security.alerts import KeyWatch

ADMIN_KEY_FILE = "admin.key"
"""Name of the file in the data folder that holds the first start's admin key."""


def local_user() -> str:
    """`local:<os user>`: who can read the data folder."""
    try:
        import pwd

        return f"local:{pwd.getpwuid(os.getuid()).pw_name}"
    except (ImportError, KeyError, AttributeError):
        import getpass

        return f"local:{getpass.getuser()}"


def permission_checker(settings: "Settings") -> PermissionChecker:
    """The checker over the built-in roles and those of the configuration."""
    return PermissionChecker(RoleBook(settings.roles), environment=settings.server.environment)


async def _unpriced(tool: str) -> Money | None:
    """Nothing is known of prices yet."""
    del tool


class Access:
    """Permissions, roles and keys.

    Args:
        settings: The settings.
        store: Holds grants and keys.
        audit: Records every change before it is made.
        checker: Knows the rules.

    Attributes:
        people: Users and teams.
        rules: Overrides, and explanations.
        permission: The guard around calls that nobody approves.
        permission_before_approval: The guard around calls that people are asked about behind it.
    """

    def __init__(
        self, settings: "Settings", *, store: Store, audit: AuditLog, checker: PermissionChecker
    ) -> None:
        self._settings = settings
        self._checker = checker
        self.rules = Rules(
            checker,
            Overrides(store, checker=checker, changes=audit),
            principal_of=self.principal_of,
            local=self.local,
        )
        self.permission = PermissionGuard(checker, refusals=audit, refresh=self.rules.refresh)
        self.permission_before_approval = PermissionGuard(
            checker, refusals=audit, approval_follows=True, refresh=self.rules.refresh
        )
        configured = {name: user.roles for name, user in settings.users.items()}
        self._grants = RoleGrants(store, checker=checker, changes=audit, configured=configured)
        self._people = People(
            store,
            checker=checker,
            changes=audit,
            users=declared_users(settings),
            teams=declared_teams(settings),
        )
        self._keys = ApiKeys(
            store,
            home=settings.home,
            checker=checker,
            changes=audit,
            roles_of=self._grants.roles_of,
            owners=self._people,
            rules=KeyRules(most_wrong=settings.server.max_wrong_keys),
            clock=store.clock,
        )
        self.people = Directory(self._people, grants=self._grants, local=self.local, forget=self._keys.forget)
        self._local: Principal | None = None
        self._watch: KeyWatch | None = None
        self._price_of: PriceOf = _unpriced

    @property
    def permit(self) -> Permit:
        """Says who may do what."""
        return self._checker

    async def local(self) -> Principal:
        """The user at this machine: admin, unless the configuration gives other roles."""
        if self._local is None:
            name = local_user()
            declared = name in self._settings.users
            roles = await self._grants.roles_of(name) if declared else frozenset({"admin"})
            standing = await self._people.standing(name)
            self._local = Principal(
                user=name, roles=roles, team=standing.team, organisation=standing.organisation
            )
        return self._local

    async def check(self) -> None:
        """Hold the users and teams of the configuration against those of the store.

        Raises:
            ConfigurationError: A name is in both, or a declared user's team is in neither.
        """
        await self._people.check()

    async def principal_of(self, user: str) -> Principal:
        """A user by name, with the roles held."""
        if user == local_user():
            return await self.local()
        standing = await self._people.standing(user)
        roles = await self._grants.roles_of(user)
        return Principal(user=user, roles=roles, team=standing.team, organisation=standing.organisation)

    async def authenticate(self, key: str, *, address: str | None = None) -> Principal:
        """Who an API key stands for.

        Args:
            key: Its text.
            address: The client's network address; None where no network is between.

        Raises:
            LockedOutError: Too many wrong keys came from the client's network.
            UnauthenticatedError: It is none, has ended, was revoked, or its user is disabled.
            PermissionDeniedError: None of its roles exists any more.
            StoreError: What is in force just now cannot be read.
        """
        try:
            principal = await self._keys.authenticate(key, address=address)
        except RefusedError:
            if self._watch is not None and address:
                self._watch.refused(key, address)
            raise
        # Much is asked of the permit without a guard, such as which models or tools one may see.
        await self.rules.refresh()
        if self._watch is not None and address:
            self._watch.signed_in(principal, address)
        return principal

    async def renew(self, principal: Principal) -> Principal:
        """Whom a principal's key stands for by now, looked up anew: for what stays open after its request.

        Raises:
            UnauthenticatedError: Nobody.
            StoreError: It cannot be read.
        """
        return principal if principal.key_id is None else await self._keys.renew(principal.key_id)

    def watched(self, watch: "KeyWatch | None") -> None:
        """Show somebody from here on which keys come from where."""
        self._watch = watch

    def priced(self, price_of: PriceOf) -> None:
        """Learn from here on what one call of a tool costs: rules may bound it."""
        self._price_of = price_of
        self.rules.price_of = price_of

    def require(self, principal: Principal, area: str) -> None:
        """Refuse a principal who may not administer an area such as `stats.read`.

        Raises:
            PermissionDeniedError: The principal may not.
        """
        verdict = self._checker.may_manage(principal, area)
        if not verdict.allowed:
            raise PermissionDeniedError(verdict.reason, field=area)

    def may_ask(self, principal: Principal, model: str) -> bool:
        """Whether a principal may ask a model."""
        call = Call(id="", kind=CallKind.MODEL, name=model, principal=principal)
        return self._checker.may(call).allowed

    async def require_tool(self, principal: Principal, tool: ToolSpec) -> None:
        """Refuse a principal who may not call a tool at all, before any work is done for it.

        Raises:
            PermissionDeniedError: The principal may not; the refusal is in the audit log.
        """
        call = Call(
            id=new_id("call"),
            kind=CallKind.TOOL,
            name=tool.name,
            principal=principal,
            effect=tool.effect,
            category=tool.category,
            cost_bound=await self._price_of(tool.name),
        )
        async with self.permission_before_approval.around(call):
            return

    def roles(self) -> Sequence[JsonObject]:
        """Every role, sorted by name."""
        return [self._checker.roles.describe(name) for name in self._checker.roles.names()]

    def role(self, name: str) -> JsonObject:
        """One role.

        Raises:
            NotFoundError: There is none; the remedy names the nearest.
        """
        self._need(name)
        return self._checker.roles.describe(name)

    async def grants(self) -> Sequence[JsonObject]:
        """Who holds which role, by configuration or by grant."""
        return [grant.as_json() for grant in await self._grants.list()]

    async def grant(self, user: str, role: str, *, by: Principal | None = None) -> None:
        """Give a role to a user; the user at this machine asks when `by` is None.

        Raises:
            NotFoundError: There is no such role.
            PermissionDeniedError: Who asks may not.
        """
        self._need(role)
        await self._grants.grant(user, role, by=by or await self.local())

    async def revoke_grant(self, user: str, role: str, *, by: Principal | None = None) -> None:
        """Take a role from a user; the user at this machine asks when `by` is None.

        Raises:
            NotFoundError: The user does not hold it.
            PermissionDeniedError: Who asks may not.
        """
        await self._grants.revoke(user, role, by=by or await self.local())

    async def create_key(self, request: KeyRequest, *, by: Principal | None = None) -> JsonObject:
        """Make an API key; its text is in the answer this once.

        Args:
            request: What it shall be.
            by: Who asks; the user at this machine when None.

        Raises:
            NotFoundError: There is no such role.
            PermissionDeniedError: Who asks may not.
        """
        if request.role is not None:
            self._need(request.role)
        made = await self._keys.create(request, by=by or await self.local())
        return made.as_json()

    async def keys(self, *, by: Principal | None = None) -> Sequence[JsonObject]:
        """Every API key that `by` may see, without its text; the user at this machine when None."""
        return [key.as_json() for key in await self._keys.list(by=by or await self.local())]

    async def key(self, key_id: str, *, by: Principal) -> JsonObject:
        """One API key that `by` may see, without its text.

        Raises:
            NotFoundError: There is none that `by` may see.
        """
        for key in await self.keys(by=by):
            if key["id"] == key_id:
                return key
        raise NotFoundError(
            "There is no such key that you may see.", field="id", remedy="The list of keys shows their ids."
        )

    async def has_keys(self) -> bool:
        """Whether there is any key yet."""
        return bool(await self._keys.list(by=Principal(user="system", roles=frozenset({"admin"}))))

    async def revoke_key(self, key_id: str, *, by: Principal | None = None) -> JsonObject:
        """Revoke an API key at once; the user at this machine asks when `by` is None.

        Raises:
            NotFoundError: There is no such key that one may revoke.
        """
        return (await self._keys.revoke(key_id, by=by or await self.local())).as_json()

    async def ensure_admin_key(self) -> bool:
        """Make the first admin key when there is none; whether it was made just now."""
        return (await self._keys.ensure_admin_key()).created

    def admin_key(self) -> Secret | None:
        """The first admin key itself, while its file is there."""
        return admin_key_text(self._settings.home)

    def tell_admin_key(self, learn: Callable[[Secret], None]) -> None:
        """Tell the first admin key, while its file is there, to whoever hides secrets."""
        if (key := self.admin_key()) is not None:
            learn(key)

    def admin_key_path(self) -> Path:
        """The file of the first admin key."""
        return self._settings.home / ADMIN_KEY_FILE

    async def aclose(self) -> None:
        """Write what is pending."""
        await self._keys.aclose()

    def _need(self, role: str) -> None:
        names = self._checker.roles.names()
        if role not in names:
            raise NotFoundError(f"There is no role {role}.", field="role", remedy=suggestion(role, names))
