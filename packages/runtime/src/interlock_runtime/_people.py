"""Users and teams as faces use them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from interlock_core import JsonObject, Principal
from interlock_runtime._lines import line_of
from interlock_security import DeclaredTeam, DeclaredUser, People, RoleGrants

if TYPE_CHECKING:
    from interlock_runtime.settings import Settings


def declared_users(settings: "Settings") -> dict[str, DeclaredUser]:
    """The users of the configuration, each with its place."""
    return {
        name: DeclaredUser(
            place=_place(settings, "users", name), team=user.team or None, disabled=user.disabled
        )
        for name, user in settings.users.items()
    }


def declared_teams(settings: "Settings") -> dict[str, DeclaredTeam]:
    """The teams of the configuration, each with its place."""
    return {
        name: DeclaredTeam(place=_place(settings, "teams", name), organisation=team.organisation or None)
        for name, team in settings.teams.items()
    }


def _place(settings: "Settings", table: str, name: str) -> str:
    if settings.file is None:
        return f"[{table}.{name}]"
    return f"{settings.file}:{line_of(settings.file, f'{table}.{name}')}"


class Directory:
    """Users and teams. What is asked without `by` is asked by the user at this machine.

    Args:
        people: Keeps them.
        grants: Who holds which role.
        local: Gives the user at this machine.
        forget: Has every recognised key looked up anew.
    """

    def __init__(
        self,
        people: People,
        *,
        grants: RoleGrants,
        local: Callable[[], Awaitable[Principal]],
        forget: Callable[[], None],
    ) -> None:
        self._people = people
        self._grants = grants
        self._local = local
        self._forget = forget

    async def users(self, *, by: Principal | None = None) -> Sequence[JsonObject]:
        """Every user with the roles held, sorted by name.

        Raises:
            PermissionDeniedError: `by` may not.
        """
        users = await self._people.users(by=await self._who(by))
        roles: dict[str, list[str]] = {}
        for grant in await self._grants.list():
            roles.setdefault(grant.user, []).append(grant.role)
        return [{**user.as_json(), "roles": [*sorted(set(roles.get(user.name, ())))]} for user in users]

    async def user(self, name: str, *, by: Principal | None = None) -> JsonObject:
        """One user with the roles held.

        Raises:
            NotFoundError: There is none of that name.
            PermissionDeniedError: `by` may not.
        """
        found = (await self._people.user(name, by=await self._who(by))).as_json()
        return {**found, "roles": [*sorted(await self._grants.roles_of(name))]}

    async def create_user(
        self, name: str, *, team: str | None = None, by: Principal | None = None
    ) -> JsonObject:
        """Create a user, who holds no role yet.

        Raises:
            InvalidRequestError: The name is none, or taken.
            NotFoundError: There is no such team.
            ConflictError: The configuration declares it.
            PermissionDeniedError: `by` may not.
        """
        made = await self._people.create_user(name, team=team, by=await self._who(by))
        self._forget()
        return {**made.as_json(), "roles": [*sorted(await self._grants.roles_of(name))]}

    async def disable(self, name: str, *, by: Principal | None = None) -> None:
        """Stop every key of a user: at once here, within a second in other processes.

        Raises:
            InvalidRequestError: It is who asks.
            NotFoundError: There is none of that name.
            ConflictError: The configuration declares the user.
            PermissionDeniedError: `by` may not.
        """
        await self._people.disable(name, by=await self._who(by))
        self._forget()

    async def enable(self, name: str, *, by: Principal | None = None) -> None:
        """Let a disabled user's keys work again.

        Raises:
            NotFoundError: There is none of that name.
            ConflictError: The configuration declares the user.
            PermissionDeniedError: `by` may not.
        """
        await self._people.enable(name, by=await self._who(by))
        self._forget()

    async def teams(self, *, by: Principal | None = None) -> Sequence[JsonObject]:
        """Every team with its members, sorted by name.

        Raises:
            PermissionDeniedError: `by` may not.
        """
        return [team.as_json() for team in await self._people.teams(by=await self._who(by))]

    async def team(self, name: str, *, by: Principal | None = None) -> JsonObject:
        """One team with its members.

        Raises:
            NotFoundError: There is none of that name.
            PermissionDeniedError: `by` may not.
        """
        return (await self._people.team(name, by=await self._who(by))).as_json()

    async def create_team(
        self, name: str, *, organisation: str | None = None, by: Principal | None = None
    ) -> JsonObject:
        """Create a team.

        Raises:
            InvalidRequestError: A name is none, or taken.
            ConflictError: The configuration declares it.
            PermissionDeniedError: `by` may not.
        """
        made = await self._people.create_team(name, organisation=organisation, by=await self._who(by))
        self._forget()
        return made.as_json()

    async def add(self, team: str, user: str, *, by: Principal | None = None) -> JsonObject:
        """Put a user into a team, out of any other.

        Raises:
            NotFoundError: There is no such team, or no such user.
            ConflictError: The configuration declares the user.
            PermissionDeniedError: `by` may not.
        """
        changed = await self._people.add(team, user, by=await self._who(by))
        self._forget()
        return changed.as_json()

    async def remove(self, team: str, user: str, *, by: Principal | None = None) -> JsonObject:
        """Take a user out of a team.

        Raises:
            NotFoundError: There is no such team, or the user is not in it.
            ConflictError: The configuration declares the user.
            PermissionDeniedError: `by` may not.
        """
        changed = await self._people.remove(team, user, by=await self._who(by))
        self._forget()
        return changed.as_json()

    async def _who(self, by: Principal | None) -> Principal:
        return await self._local() if by is None else by
