"""The tables of the vault."""

from collections.abc import Sequence

from interlock_core.record import record
from interlock_core.store import Row, Store, Transaction
from interlock_security.vault._seal import Place

LOCK = "vault"
"""What transactions on the vault are serialised by."""

CURRENT, FORMER, REMOVED = "current", "former", "removed"
"""States of a version. `former` can still be read by its number; `removed` keeps the count alone."""

_SELECT = (
    "SELECT tenant, kind, name, version, state, scope, key_id, wrapped, sealed, created_at, created_by,"
    " last_used_at FROM vault_secrets"
)
_ALL = _SELECT + " WHERE tenant = ? ORDER BY kind, name, version"
_VERSIONS = _SELECT + " WHERE tenant = ? AND kind = ? AND name = ? ORDER BY version DESC"
_OTHERS = _SELECT + " WHERE key_id <> ? AND state <> 'removed' ORDER BY tenant, kind, name, version LIMIT ?"
_INSERT = (
    "INSERT INTO vault_secrets (tenant, kind, name, version, state, scope, key_id, wrapped, sealed,"
    " created_at, created_by, last_used_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@record(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One version as the store keeps it.

    Attributes:
        place: What it is bound to.
        state: Its state.
        key_id: The key of keys that its data key is under.
        wrapped: The data key.
        sealed: The value.
        created_at: When it was set, in microseconds since 1970.
        created_by: By whom.
        last_used_at: When it was last given out; None when never.
    """

    place: Place
    state: str
    key_id: str
    wrapped: bytes
    sealed: bytes
    created_at: int
    created_by: str
    last_used_at: int | None = None


@record(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A key of keys as the store knows it.

    Attributes:
        id: Its id.
        state: `next` while it is being made, then `current`, then `former`.
        wrapped: What the store keeps for its holder.
        proof: What only that key can have made; empty before it is made.
    """

    id: str
    state: str
    wrapped: bytes
    proof: bytes


def envelope(row: Row) -> Envelope:
    """An envelope from its row."""
    tenant, kind, name, version, state, scope, key_id, wrapped, sealed, created_at, created_by, used = row
    return Envelope(
        place=Place(
            tenant=str(tenant), kind=str(kind), name=str(name), version=_int(version), scope=str(scope)
        ),
        state=str(state),
        key_id=str(key_id),
        wrapped=_bytes(wrapped),
        sealed=_bytes(sealed),
        created_at=_int(created_at),
        created_by=str(created_by),
        last_used_at=None if used is None else _int(used),
    )


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


async def generation(store: Store) -> int:
    """A number that grows with every change of the vault."""
    row = await store.fetch_one("SELECT generation FROM vault_state WHERE vault = 1")
    return 0 if row is None else _int(row[0])


async def grow(transaction: Transaction) -> None:
    """Let every process notice a change."""
    await transaction.execute("UPDATE vault_state SET generation = generation + 1 WHERE vault = 1")


async def all_of(store: Store, tenant: str) -> Sequence[Envelope]:
    """Every version that a tenant has, oldest first."""
    rows = await store.fetch_all(_ALL, (tenant,))
    return [envelope(row) for row in rows]


async def versions_of(transaction: Transaction, tenant: str, kind: str, name: str) -> Sequence[Envelope]:
    """Every version of one secret, newest first."""
    rows = await transaction.fetch_all(_VERSIONS, (tenant, kind, name))
    return [envelope(row) for row in rows]


async def under_other_keys(transaction: Transaction, key_id: str, most: int) -> Sequence[Envelope]:
    """Some versions whose data key is not under a key; of all tenants."""
    rows = await transaction.fetch_all(_OTHERS, (key_id, most))
    return [envelope(row) for row in rows]


async def insert(transaction: Transaction, one: Envelope) -> None:
    """Keep a version."""
    place = one.place
    await transaction.execute(
        _INSERT,
        (
            *(place.tenant, place.kind, place.name, place.version, one.state, place.scope, one.key_id),
            *(one.wrapped, one.sealed, one.created_at, one.created_by, one.last_used_at),
        ),
    )


async def rewrap(transaction: Transaction, one: Envelope, *, state: str, key_id: str, wrapped: bytes) -> None:
    """Put a version's data key under another key, or the version in another state."""
    place = one.place
    await transaction.execute(
        "UPDATE vault_secrets SET state = ?, key_id = ?, wrapped = ?"
        " WHERE tenant = ? AND kind = ? AND name = ? AND version = ?",
        (state, key_id, wrapped, place.tenant, place.kind, place.name, place.version),
    )


async def delete(transaction: Transaction, place: Place) -> None:
    """Forget a version."""
    await transaction.execute(
        "DELETE FROM vault_secrets WHERE tenant = ? AND kind = ? AND name = ? AND version = ?",
        (place.tenant, place.kind, place.name, place.version),
    )


async def used(store: Store, place: Place, at: int) -> None:
    """Note that a version was given out."""
    await store.execute(
        "UPDATE vault_secrets SET last_used_at = ?"
        " WHERE tenant = ? AND kind = ? AND name = ? AND version = ?",
        (at, place.tenant, place.kind, place.name, place.version),
    )


async def keys(transaction: Transaction | Store) -> Sequence[KeyRow]:
    """Every key of keys, oldest first."""
    rows = await transaction.fetch_all(
        "SELECT id, state, wrapped, proof FROM vault_keys ORDER BY created_at, id"
    )
    return [
        KeyRow(id=str(key_id), state=str(state), wrapped=_bytes(wrapped), proof=_bytes(proof))
        for key_id, state, wrapped, proof in rows
    ]


async def announce(transaction: Transaction, key_id: str, at: int) -> None:
    """Note the key that is about to be made."""
    await transaction.execute(
        "INSERT INTO vault_keys (id, state, wrapped, proof, created_at) VALUES (?, 'next', ?, ?, ?)",
        (key_id, b"", b"", at),
    )


async def promote(transaction: Transaction, key_id: str, wrapped: bytes, proof: bytes) -> None:
    """Make the key that was announced the current one."""
    await transaction.execute("UPDATE vault_keys SET state = 'former' WHERE state = 'current'")
    await transaction.execute(
        "UPDATE vault_keys SET state = 'current', wrapped = ?, proof = ? WHERE id = ?",
        (wrapped, proof, key_id),
    )


async def drop_key(transaction: Transaction, key_id: str) -> None:
    """Forget a key of keys."""
    await transaction.execute("DELETE FROM vault_keys WHERE id = ?", (key_id,))


async def take_lease(store: Store, name: str, owner: str, *, now: int, until: int) -> bool:
    """Take or extend a lease, unless another owner's has not run out."""
    return bool(
        await store.execute(
            "INSERT INTO vault_leases (name, owner, until) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until"
            " WHERE vault_leases.until <= ? OR vault_leases.owner = excluded.owner",
            (name, owner, until, now),
        )
    )


async def give_lease(store: Store, name: str, owner: str) -> None:
    """Give a lease back."""
    await store.execute("DELETE FROM vault_leases WHERE name = ? AND owner = ?", (name, owner))
