"""The tables of users and teams."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interlock_core.store import SqlValue, Store

_SEEN = "SELECT user_name FROM keys_api UNION SELECT user_name FROM roles_grants"


@dataclass(frozen=True, slots=True)
class StoredUser:
    """A row of users.

    Attributes:
        name: The name.
        team: The user's team.
        left: The user was taken out of a team, and put into none since.
        disabled: No key of the user works.
        created_at: When the user was created.
        created_by: Who created the user.
    """

    name: str
    team: str | None
    left: bool
    disabled: bool
    created_at: float
    created_by: str


@dataclass(frozen=True, slots=True)
class StoredTeam:
    """A row of teams.

    Attributes:
        name: The name.
        organisation: The team's organisation.
        created_at: When it was created.
        created_by: Who created it.
    """

    name: str
    organisation: str | None
    created_at: float
    created_by: str


class PeopleTable:
    """Users and teams as rows. All methods raise `StoreError` when the store fails.

    Args:
        store: Where the tables are.
    """

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    async def user(self, name: str) -> StoredUser | None:
        """A user."""
        row = await self._store.fetch_one(
            "SELECT name, team, left_at, disabled_at, created_at, created_by FROM people_users"
            " WHERE name = ?",
            (name,),
        )
        return None if row is None else _user(row)

    async def users(self) -> dict[str, StoredUser]:
        """Every user by name."""
        rows = await self._store.fetch_all(
            "SELECT name, team, left_at, disabled_at, created_at, created_by FROM people_users"
        )
        return {str(row[0]): _user(row) for row in rows}

    async def seen(self) -> frozenset[str]:
        """Every name that a key or a granted role bears."""
        return frozenset(str(name) for (name,) in await self._store.fetch_all(_SEEN))

    async def is_seen(self, name: str) -> bool:
        """Whether a key or a granted role bears a name."""
        found = await self._store.fetch_one(
            "SELECT 1 FROM keys_api WHERE user_name = ?"
            " UNION ALL SELECT 1 FROM roles_grants WHERE user_name = ?",
            (name, name),
        )
        return found is not None

    async def insert_user(self, name: str, *, team: str | None, at: float, by: str) -> bool:
        """Keep a user; False when one of that name is there already."""
        return bool(
            await self._store.execute(
                "INSERT INTO people_users (name, team, created_at, created_by) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (name) DO NOTHING",
                (name, team, _micro(at), by),
            )
        )

    async def disable(self, name: str, *, at: float, by: str) -> None:
        """Mark a user as disabled, keeping one that was only seen so far; the time of the first stays."""
        await self._store.execute(
            "INSERT INTO people_users (name, disabled_at, created_at, created_by) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE"
            " SET disabled_at = COALESCE(people_users.disabled_at, excluded.disabled_at)",
            (name, _micro(at), _micro(at), by),
        )

    async def enable(self, name: str) -> None:
        """Take the mark away."""
        await self._store.execute("UPDATE people_users SET disabled_at = NULL WHERE name = ?", (name,))

    async def place(self, name: str, team: str | None, *, at: float, by: str) -> None:
        """Put a user into a team, or into none, keeping one that was only seen so far."""
        await self._store.execute(
            "INSERT INTO people_users (name, team, left_at, created_at, created_by) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET team = excluded.team, left_at = excluded.left_at",
            (name, team, _micro(at) if team is None else None, _micro(at), by),
        )

    async def team(self, name: str) -> StoredTeam | None:
        """A team."""
        row = await self._store.fetch_one(
            "SELECT name, organisation, created_at, created_by FROM people_teams WHERE name = ?", (name,)
        )
        return None if row is None else _team(row)

    async def teams(self) -> dict[str, StoredTeam]:
        """Every team by name."""
        rows = await self._store.fetch_all(
            "SELECT name, organisation, created_at, created_by FROM people_teams"
        )
        return {str(row[0]): _team(row) for row in rows}

    async def insert_team(self, name: str, *, organisation: str | None, at: float, by: str) -> bool:
        """Keep a team; False when one of that name is there already."""
        return bool(
            await self._store.execute(
                "INSERT INTO people_teams (name, organisation, created_at, created_by) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (name) DO NOTHING",
                (name, organisation, _micro(at), by),
            )
        )

    async def stored_users(self, names: Iterable[str]) -> Sequence[str]:
        """Which of these names are users in the store."""
        return [name for name in sorted(names) if await self.user(name) is not None]

    async def stored_teams(self, names: Iterable[str]) -> Sequence[str]:
        """Which of these names are teams in the store."""
        return [name for name in sorted(names) if await self.team(name) is not None]


def _user(row: Sequence[SqlValue]) -> StoredUser:
    name, team, left_at, disabled_at, created_at, created_by = row
    return StoredUser(
        name=str(name),
        team=_text(team),
        left=left_at is not None,
        disabled=disabled_at is not None,
        created_at=_seconds(created_at),
        created_by=str(created_by),
    )


def _team(row: Sequence[SqlValue]) -> StoredTeam:
    name, organisation, created_at, created_by = row
    return StoredTeam(str(name), _text(organisation), _seconds(created_at), str(created_by))


def _text(value: SqlValue) -> str | None:
    return None if value is None else str(value)


def _seconds(value: SqlValue) -> float:
    return value / 1_000_000 if isinstance(value, int) else 0.0


def _micro(seconds: float) -> int:
    return int(seconds * 1_000_000)
