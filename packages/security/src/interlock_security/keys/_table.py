"""The table of API keys."""

from collections.abc import Sequence

from interlock_core.store import Store
from interlock_security.keys._record import ApiKey, scopes_json

_FIND = (
    "SELECT lookup, id, name, hint, user_name, team, role, scopes, created_at, created_by, expires_at,"
    " revoked_at, last_used_at, budget_day_micro_usd, budget_month_micro_usd, user_kept_at"
    " FROM keys_api WHERE lookup = ?"
)
_BY_ID = (
    "SELECT id, name, hint, user_name, team, role, scopes, created_at, created_by, expires_at,"
    " revoked_at, last_used_at, budget_day_micro_usd, budget_month_micro_usd, user_kept_at"
    " FROM keys_api WHERE id = ?"
)
_ALL = (
    "SELECT id, name, hint, user_name, team, role, scopes, created_at, created_by, expires_at,"
    " revoked_at, last_used_at, budget_day_micro_usd, budget_month_micro_usd, user_kept_at FROM keys_api"
    " ORDER BY created_at, id"
)
_INSERT = (
    "INSERT INTO keys_api (id, name, lookup, hint, user_name, team, role, scopes, created_at, created_by,"
    " expires_at, budget_day_micro_usd, budget_month_micro_usd, user_kept_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
)


class KeyTable:
    """Keys as rows. All methods raise `StoreError` when the store fails.

    Args:
        store: Where the table is.
    """

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, lookup: bytes) -> tuple[bytes, ApiKey] | None:
        """The key that is looked up by this, with what it is looked up by."""
        row = await self._store.fetch_one(_FIND, (lookup,))
        if row is None:
            return None
        return (row[0] if isinstance(row[0], bytes) else b""), ApiKey.from_row(row[1:])

    async def get(self, key_id: str) -> ApiKey | None:
        """A key by its id."""
        row = await self._store.fetch_one(_BY_ID, (key_id,))
        return None if row is None else ApiKey.from_row(row)

    async def all(self) -> Sequence[ApiKey]:
        """Every key, oldest first."""
        return [ApiKey.from_row(row) for row in await self._store.fetch_all(_ALL)]

    async def insert(self, key: ApiKey, lookup: bytes) -> None:
        """Keep a key; one of that id that is there already stays as it is."""
        await self._store.execute(
            _INSERT,
            (
                *(key.id, key.name, lookup, key.hint, key.user, key.team, key.role, scopes_json(key.scopes)),
                *(_micro(key.created_at), key.created_by, _micro(key.expires_at)),
                *(
                    None if money is None else money.micro_usd
                    for money in (key.budgets.day, key.budgets.month)
                ),
                _micro(key.created_at) if key.user_kept else None,
            ),
        )

    async def revoke(self, key_id: str, at: float) -> None:
        """Mark a key as revoked; one that is already keeps its time."""
        await self._store.execute(
            "UPDATE keys_api SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (_micro(at), key_id)
        )

    async def used(self, key_id: str, at: float) -> None:
        """Note that a key was used."""
        await self._store.execute("UPDATE keys_api SET last_used_at = ? WHERE id = ?", (_micro(at), key_id))

    async def user_kept(self, key_id: str, at: float) -> None:
        """Note that a record of a key's user was seen."""
        await self._store.execute(
            "UPDATE keys_api SET user_kept_at = ? WHERE id = ? AND user_kept_at IS NULL", (_micro(at), key_id)
        )

    async def had_role(self, user: str) -> bool:
        """Whether a user was ever given a role, also one that was taken away since."""
        found = await self._store.fetch_one("SELECT 1 FROM roles_grants WHERE user_name = ?", (user,))
        return found is not None


def _micro(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1_000_000)
