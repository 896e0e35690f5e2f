"""Who is who, who may what: the local user, roles, grants and API keys behind one front."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from interlock_core import Call, CallKind, JsonObject, Principal, Secret, ToolSpec, Verdict, new_id
from interlock_core.errors import NotFoundError, PermissionDeniedError
from interlock_core.nearest import suggestion
from interlock_core.store import Store
from interlock_security import (
    ApiKeys,
    AuditLog,
    KeyRequest,
    PermissionChecker,
    PermissionGuard,
    RoleBook,
    RoleGrants,
    admin_key_text,
)

if TYPE_CHECKING:
    from interlock_runtime.settings import Settings

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
    return PermissionChecker(RoleBook(settings.roles))


class Access:
    """Permissions, roles and keys.

    Args:
        settings: The settings.
        store: Holds grants and keys.
        audit: Records every change before it is made.
        checker: Knows the rules.
    """

    def __init__(
        self, settings: "Settings", *, store: Store, audit: AuditLog, checker: PermissionChecker
    ) -> None:
        self._settings = settings
        self._checker = checker
        self._permission = PermissionGuard(checker, refusals=audit)
        configured = {name: user.roles for name, user in settings.users.items()}
        self._grants = RoleGrants(store, checker=checker, changes=audit, configured=configured)
        self._keys = ApiKeys(
            store, home=settings.home, checker=checker, changes=audit, roles_of=self._grants.roles_of
        )
        self._local: Principal | None = None

    async def local(self) -> Principal:
        """The user at this machine: admin, unless the configuration gives other roles."""
        if self._local is None:
            name = local_user()
            declared = name in self._settings.users
            roles = await self._grants.roles_of(name) if declared else frozenset({"admin"})
            self._local = Principal(user=name, roles=roles)
        return self._local

    async def principal_of(self, user: str) -> Principal:
        """A user by name, with the roles held."""
        if user == local_user():
            return await self.local()
        return Principal(user=user, roles=await self._grants.roles_of(user))

    async def authenticate(self, key: str) -> Principal:
        """Who an API key stands for.

        Raises:
            UnauthenticatedError: It is none, has ended or was revoked.
        """
        return await self._keys.authenticate(key)

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

    async def can(
        self, user: str, tool: ToolSpec, *, agent: str | None = None, arguments: JsonObject | None = None
    ) -> Verdict:
        """Whether a user may call a tool, and which rule decides."""
        call = Call(
            id=new_id("call"),
            kind=CallKind.TOOL,
            name=tool.name,
            principal=await self.principal_of(user),
            agent=agent,
            effect=tool.effect,
            category=tool.category,
            arguments=arguments,
        )
        return self._checker.may(call)

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
        )
        async with self._permission.around(call):
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

    async def grant(self, user: str, role: str) -> None:
        """Give a role to a user, as the local user.

        Raises:
            NotFoundError: There is no such role.
            PermissionDeniedError: The local user may not.
        """
        self._need(role)
        await self._grants.grant(user, role, by=await self.local())

    async def revoke_grant(self, user: str, role: str) -> None:
        """Take a role from a user, as the local user.

        Raises:
            NotFoundError: There is no such role, or the user does not hold it.
            PermissionDeniedError: The local user may not.
        """
        self._need(role)
        await self._grants.revoke(user, role, by=await self.local())

    async def create_key(self, request: KeyRequest) -> JsonObject:
        """Make an API key, as the local user; its text is in the answer this once.

        Raises:
            NotFoundError: There is no such role.
            PermissionDeniedError: The local user may not.
        """
        if request.role is not None:
            self._need(request.role)
        made = await self._keys.create(request, by=await self.local())
        return made.as_json()

    async def keys(self) -> Sequence[JsonObject]:
        """Every API key, without its text."""
        return [key.as_json() for key in await self._keys.list(by=await self.local())]

    async def has_keys(self) -> bool:
        """Whether there is any key yet."""
        return bool(await self._keys.list(by=Principal(user="system", roles=frozenset({"admin"}))))

    async def revoke_key(self, key_id: str) -> None:
        """Revoke an API key at once, as the local user.

        Raises:
            NotFoundError: There is no such key.
        """
        await self._keys.revoke(key_id, by=await self.local())

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
