"""Users, teams and organisations.

The rules:

1. Reading needs the area `users.read` or `teams.read`, changing `users.write` or `teams.write`.
2. What the configuration declares is read-only here, and no name is in both.
3. A user has one team at most, a team one organisation at most. A user's own team goes before the team that
   a key names; who was taken out of a team is in none, whatever a key names.
4. Every change is recorded before it is made.
5. A disabled user stays known: the name cannot be taken by somebody else.

Roles are no business of this module: `RoleGrants` gives them.
"""

from collections.abc import Mapping

from interlock_core.call import Principal
from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import (
    ConfigurationError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
)
from interlock_core.jsontypes import JsonObject
from interlock_core.nearest import suggestion
from interlock_core.store import Store
from interlock_security._changes import ChangeLog
from interlock_security.people._record import (
    DeclaredTeam,
    DeclaredUser,
    Standing,
    Team,
    User,
    checked_name,
)
from interlock_security.people._table import PeopleTable, StoredTeam, StoredUser
from interlock_security.permissions import PermissionChecker


class TakenError(InvalidRequestError):
    """The name is taken."""

    status = 409
    code = "taken"


class People:
    """All users and teams.

    Args:
        store: Where those are kept that are created by command.
        checker: Knows the rules.
        changes: Where each change is recorded before it is made.
        users: Users that the configuration declares, by name.
        teams: Teams that the configuration declares, by name.
        clock: Tells the time.
    """

    __slots__ = ("_changes", "_checker", "_clock", "_table", "_teams", "_users")

    def __init__(
        self,
        store: Store,
        *,
        checker: PermissionChecker,
        changes: ChangeLog,
        users: Mapping[str, DeclaredUser] | None = None,
        teams: Mapping[str, DeclaredTeam] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._table = PeopleTable(store)
        self._checker = checker
        self._changes = changes
        self._users = dict(users or {})
        self._teams = dict(teams or {})
        self._clock = clock or SystemClock()

    async def check(self) -> None:
        """Hold the configuration against the store.

        Raises:
            ConfigurationError: A name is in both, or a declared user's team is in neither.
            StoreError: They cannot be read.
        """
        for kind, declared, both in (
            ("users", self._users, await self._table.stored_users(self._users)),
            ("teams", self._teams, await self._table.stored_teams(self._teams)),
        ):
            if both:
                place = declared[both[0]].place
                raise ConfigurationError(
                    f"{place}: {both[0]} is in the store too.",
                    field=f"{kind}.{both[0]}",
                    remedy="Remove the table, or give it a name that was not created by command.",
                )
        wanted = {user.team: name for name, user in self._users.items() if user.team is not None}
        missing = wanted.keys() - self._teams.keys()
        missing -= set(await self._table.stored_teams(missing))
        if missing:
            team = min(missing)
            raise ConfigurationError(
                f"{self._users[wanted[team]].place}: there is no team {team}.",
                field=f"users.{wanted[team]}.team",
                remedy=f"Declare [teams.{team}], or 'interlock teams create {team}'.",
            )

    async def standing(self, user: str, *, team: str | None = None) -> Standing:
        """What a user's name means today.

        Args:
            user: The name; one that nobody created means nothing in particular.
            team: The team that counts where the user has none.

        Raises:
            StoreError: It cannot be read.
        """
        declared = self._users.get(user)
        found = await self._table.user(user) if declared is None else declared
        own = None if found is None else found.team
        left = isinstance(found, StoredUser) and found.left
        place = team if own is None and not left else own
        return Standing(
            kept=found is not None,
            disabled=found is not None and found.disabled,
            left=left,
            team=place,
            organisation=None if place is None else await self._organisation(place),
        )

    # ---- users

    async def users(self, *, by: Principal) -> tuple[User, ...]:
        """Every user, sorted by name: those of the configuration, of the store, and those only seen so far.

        Raises:
            PermissionDeniedError: `by` may not.
            StoreError: They cannot be read.
        """
        self._may(by, "users.read")
        stored, seen, teams = await self._table.users(), await self._table.seen(), await self._table.teams()
        names = sorted({*self._users, *stored, *seen})
        return tuple(self._user(name, stored.get(name), teams) for name in names)

    async def user(self, name: str, *, by: Principal) -> User:
        """One user.

        Raises:
            NotFoundError: There is none of that name; the remedy names the nearest.
            PermissionDeniedError: `by` may not.
            StoreError: It cannot be read.
        """
        self._may(by, "users.read")
        stored = await self._table.user(name)
        if stored is None and name not in self._users and not await self._table.is_seen(name):
            raise await self._no_user(name)
        return self._user(name, stored, await self._table.teams())

    async def create_user(self, name: str, *, team: str | None = None, by: Principal) -> User:
        """Create a user.

        Raises:
            InvalidRequestError: The name is none, or taken (`TakenError`).
            NotFoundError: There is no such team.
            ConflictError: The configuration declares it.
            PermissionDeniedError: `by` may not.
            AuditUnavailableError: It could not be recorded, so it was not done.
            StoreError: It could not be kept.
        """
        self._may(by, "users.write")
        checked_name(name, field="name")
        self._own_user(name)
        if team is not None:
            await self._need_team(team)
        if await self._table.user(name) is not None:
            raise _taken("user", name)
        async with self._changes.change("users.create", by, {"user": name, "team": team}):
            if not await self._table.insert_user(name, team=team, at=self._clock.now(), by=by.user):
                raise _taken("user", name)
        return await self._told(name)

    async def disable(self, name: str, *, by: Principal) -> User:
        """Disable a user: no key of theirs works any more, at once here and within a second elsewhere.

        Raises:
            NotFoundError: There is none of that name.
            ConflictError: The configuration declares it.
            InvalidRequestError: It is who asks.
            PermissionDeniedError: `by` may not.
            AuditUnavailableError: It could not be recorded, so it was not done.
            StoreError: It could not be kept.
        """
        if name == by.user:
            raise InvalidRequestError(
                "Nobody disables themselves.", field="name", remedy="Have another administrator do it."
            )
        await self._changeable(name, by)
        async with self._changes.change("users.disable", by, {"user": name}):
            await self._table.disable(name, at=self._clock.now(), by=by.user)
        return await self._told(name)

    async def enable(self, name: str, *, by: Principal) -> User:
        """Let a disabled user's keys work again.

        Raises:
            NotFoundError: There is none of that name.
            ConflictError: The configuration declares it.
            PermissionDeniedError: `by` may not.
            AuditUnavailableError: It could not be recorded, so it was not done.
            StoreError: It could not be kept.
        """
        await self._changeable(name, by)
        async with self._changes.change("users.enable", by, {"user": name}):
            await self._table.enable(name)
        return await self._told(name)

    # ---- teams

    async def teams(self, *, by: Principal) -> tuple[Team, ...]:
        """Every team, sorted by name.

        Raises:
            PermissionDeniedError: `by` may not.
            StoreError: They cannot be read.
        """
        self._may(by, "teams.read")
        stored, members = await self._table.teams(), await self._members()
        return tuple(self._team(name, stored.get(name), members) for name in sorted({*self._teams, *stored}))

    async def team(self, name: str, *, by: Principal) -> Team:
        """One team.

        Raises:
            NotFoundError: There is none of that name; the remedy names the nearest.
            PermissionDeniedError: `by` may not.
            StoreError: It cannot be read.
        """
        self._may(by, "teams.read")
        await self._need_team(name)
        return await self._team_told(name)

    async def create_team(self, name: str, *, organisation: str | None = None, by: Principal) -> Team:
        """Create a team.

        Raises:
            InvalidRequestError: A name is none, or taken (`TakenError`).
            ConflictError: The configuration declares it.
            PermissionDeniedError: `by` may not.
            AuditUnavailableError: It could not be recorded, so it was not done.
            StoreError: It could not be kept.
        """
        self._may(by, "teams.write")
        checked_name(name, field="name")
        if organisation is not None:
            checked_name(organisation, field="organisation")
        declared = self._teams.get(name)
        if declared is not None:
            raise _declared("team", name, declared.place)
        if await self._table.team(name) is not None:
            raise _taken("team", name)
        facts: JsonObject = {"team": name, "organisation": organisation}
        async with self._changes.change("teams.create", by, facts):
            now = self._clock.now()
            if not await self._table.insert_team(name, organisation=organisation, at=now, by=by.user):
                raise _taken("team", name)
        return await self._team_told(name)

    async def add(self, team: str, user: str, *, by: Principal) -> Team:
        """Put a user into a team, out of any other.

        Raises:
            NotFoundError: There is no such team, or no such user.
            ConflictError: The configuration declares the user.
            PermissionDeniedError: `by` may not.
            AuditUnavailableError: It could not be recorded, so it was not done.
            StoreError: It could not be kept.
        """
        self._may(by, "teams.write")
        await self._need_team(team)
        await self._need_user(user)
        async with self._changes.change("teams.add", by, {"team": team, "user": user}):
            await self._table.place(user, team, at=self._clock.now(), by=by.user)
        return await self._team_told(team)

    async def remove(self, team: str, user: str, *, by: Principal) -> Team:
        """Take a user out of a team.

        Raises:
            NotFoundError: There is no such team, or the user is not in it.
            ConflictError: The configuration declares the user.
            PermissionDeniedError: `by` may not.
            AuditUnavailableError: It could not be recorded, so it was not done.
            StoreError: It could not be kept.
        """
        self._may(by, "teams.write")
        await self._need_team(team)
        await self._need_user(user)
        stored = await self._table.user(user)
        if stored is None or stored.team != team:
            raise NotFoundError(
                f"{user} is not in {team}.", field="user", remedy="'interlock teams list' shows who is."
            )
        async with self._changes.change("teams.remove", by, {"team": team, "user": user}):
            await self._table.place(user, None, at=self._clock.now(), by=by.user)
        return await self._team_told(team)

    # ---- inside

    def _may(self, by: Principal, area: str) -> None:
        verdict = self._checker.may_manage(by, area)
        if not verdict.allowed:
            raise PermissionDeniedError(verdict.reason, field=area)

    def _own_user(self, name: str) -> None:
        declared = self._users.get(name)
        if declared is not None:
            raise _declared("user", name, declared.place)

    async def _changeable(self, name: str, by: Principal) -> None:
        self._may(by, "users.write")
        await self._need_user(name)

    async def _need_user(self, name: str) -> None:
        self._own_user(name)
        if await self._table.user(name) is None and not await self._table.is_seen(name):
            raise await self._no_user(name)

    async def _no_user(self, name: str) -> NotFoundError:
        known = sorted({*self._users, *await self._table.users(), *await self._table.seen()})
        return NotFoundError(f"There is no user {name[:80]}.", field="name", remedy=suggestion(name, known))

    async def _need_team(self, name: str) -> None:
        if name in self._teams or await self._table.team(name) is not None:
            return
        known = sorted({*self._teams, *await self._table.teams()})
        remedy = suggestion(name, known) if known else f"'interlock teams create {name[:80]}' makes it."
        raise NotFoundError(f"There is no team {name[:80]}.", field="team", remedy=remedy)

    async def _organisation(self, team: str) -> str | None:
        declared = self._teams.get(team)
        found = await self._table.team(team) if declared is None else declared
        return None if found is None else found.organisation

    async def _members(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        placed = {name: user.team for name, user in (await self._table.users()).items()}
        for name, team in sorted((placed | {name: user.team for name, user in self._users.items()}).items()):
            if team is not None:
                found.setdefault(team, []).append(name)
        return {team: tuple(names) for team, names in found.items()}

    async def _told(self, name: str) -> User:
        return self._user(name, await self._table.user(name), await self._table.teams())

    async def _team_told(self, name: str) -> Team:
        return self._team(name, await self._table.team(name), await self._members())

    def _user(self, name: str, stored: StoredUser | None, teams: Mapping[str, StoredTeam]) -> User:
        found = self._users.get(name) or stored
        team = None if found is None else found.team
        place = None if team is None else self._teams.get(team) or teams.get(team)
        return User(
            name=name,
            team=team,
            organisation=None if place is None else place.organisation,
            origin="configuration" if name in self._users else "seen" if stored is None else "store",
            disabled=found is not None and found.disabled,
            created_at=None if stored is None else stored.created_at,
            created_by="" if stored is None else stored.created_by,
        )

    def _team(self, name: str, stored: StoredTeam | None, members: Mapping[str, tuple[str, ...]]) -> Team:
        found = self._teams.get(name) or stored
        return Team(
            name=name,
            organisation=None if found is None else found.organisation,
            members=members.get(name, ()),
            origin="configuration" if name in self._teams else "store",
            created_at=None if stored is None else stored.created_at,
            created_by="" if stored is None else stored.created_by,
        )


def _declared(kind: str, name: str, place: str) -> ConflictError:
    return ConflictError(
        f"The configuration declares the {kind} {name} ({place}).",
        field=f"{kind}s.{name}",
        remedy="Change it there.",
    )


def _taken(kind: str, name: str) -> TakenError:
    return TakenError(
        f"There is a {kind} {name} already.", field="name", remedy="Choose another name, or change that one."
    )
