"""The ledger's accounts and reservations as rows of the store."""

from collections.abc import Iterable, Sequence

from interlock_core.jsontypes import Json, as_array, dump_json, parse_json
from interlock_core.store import Row, SqlValue, Transaction
from interlock_security.quotas._books import Books, Held, Reserve, Sheet, State, Step
from interlock_security.quotas._model import Account, Scope

# One parameter for any number of ids: a list of placeholders would be another statement for each length.
_IDS = {
    "sqlite": "SELECT value FROM json_each(?)",
    "postgresql": "SELECT jsonb_array_elements_text(CAST(CAST(? AS text) AS jsonb))",
}
_SHEETS = "SELECT id, scope, name, span, spent, held, excess, alerted FROM quotas_accounts"
_HELD = "SELECT id, accounts, bound, made_at, ends_at, lease, state, cost FROM quotas_reservations"
_KEEP_SHEET = (
    "INSERT INTO quotas_accounts (id, scope, name, span, spent, held, excess, alerted)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET spent = excluded.spent,"
    " held = excluded.held, excess = excluded.excess, alerted = excluded.alerted"
)
_MAKE_HELD = (
    "INSERT INTO quotas_reservations (id, accounts, bound, made_at, ends_at, lease, state, cost)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_END_HELD = "UPDATE quotas_reservations SET state = ?, cost = ? WHERE id = ?"
ENDED = f"{_HELD} WHERE state = 'held' AND ends_at <= ? ORDER BY ends_at, id LIMIT ?"
"""Reservations that nobody settled by a moment, oldest first."""

CHARGED = f"{_HELD} WHERE state IN ('charged', 'late') ORDER BY ends_at, id LIMIT ?"
"""Reservations that were charged because nobody settled them in time, oldest first."""

RENEW = "UPDATE quotas_reservations SET ends_at = ? WHERE lease = ? AND state = 'held'"
"""Prolong the reservations of one process."""

FORGET = "DELETE FROM quotas_reservations WHERE state IN ('settled', 'released') AND ends_at <= ?"
"""Forget reservations that ended in peace long ago."""


async def load(transaction: Transaction, dialect: str, steps: Iterable[Step]) -> Books:
    """What some steps touch, as it is now."""
    ids = sorted({step.id for step in steps})
    rows = await transaction.fetch_all(f"{_HELD} WHERE id IN ({_IDS[dialect]})", (_texts(ids),))
    held = {one.id: one for one in map(held_of, rows)}
    accounts = {limit.account.id for step in steps if isinstance(step, Reserve) for limit in step.limits}
    accounts |= {account.id for one in held.values() for account in one.accounts}
    if not accounts:
        return Books({}, held)
    chosen = _texts(sorted(accounts))
    found = await transaction.fetch_all(f"{_SHEETS} WHERE id IN ({_IDS[dialect]})", (chosen,))
    return Books({str(row[0]): sheet_of(row) for row in found}, held)


async def keep(transaction: Transaction, books: Books) -> None:
    """Write what the steps changed."""
    if books.changed:
        rows = [_sheet_row(key, sheet) for key, sheet in sorted(books.changed.items())]
        await transaction.execute_many(_KEEP_SHEET, rows)
    if books.made:
        await transaction.execute_many(_MAKE_HELD, [_held_row(held) for held in books.made.values()])
    if books.touched:
        ended = [(held.state.value, held.cost, held.id) for held in books.touched.values()]
        await transaction.execute_many(_END_HELD, ended)


def sheet_of(row: Row) -> Sheet:
    """An account from its columns."""
    _, scope, name, span, spent, held, excess, alerted = row
    account = Account(Scope(str(scope)), str(name), str(span))
    reached = tuple(int(percent) for percent in str(alerted).split(",") if percent)
    return Sheet(account, _whole(spent), _whole(held), _whole(excess), reached)


def held_of(row: Row) -> Held:
    """A reservation from its columns."""
    key, accounts, bound, made, ends, lease, state, cost = row
    places = (as_array(place) for place in as_array(parse_json(str(accounts))))
    return Held(
        id=str(key),
        accounts=tuple(Account(Scope(str(scope)), str(name), str(span)) for scope, name, span in places),
        bound=_whole(bound),
        made_at=_whole(made) / 1_000_000,
        ends_at=_whole(ends) / 1_000_000,
        lease=str(lease),
        state=State(str(state)),
        cost=None if cost is None else _whole(cost),
    )


def micro(seconds: float) -> int:
    """A moment as the store keeps it."""
    return round(seconds * 1_000_000)


def _whole(value: SqlValue) -> int:
    return value if isinstance(value, int) else 0


def _texts(items: Sequence[str]) -> str:
    values: list[Json] = [*items]
    return dump_json(values)


def _sheet_row(key: str, sheet: Sheet) -> tuple[SqlValue, ...]:
    account, alerted = sheet.account, ",".join(map(str, sheet.alerted))
    return (
        key,
        account.scope.value,
        account.name,
        account.span,
        sheet.spent,
        sheet.held,
        sheet.excess,
        alerted,
    )


def _held_row(held: Held) -> tuple[SqlValue, ...]:
    places: list[Json] = [[one.scope.value, one.name, one.span] for one in held.accounts]
    times = (micro(held.made_at), micro(held.ends_at))
    return (held.id, dump_json(places), held.bound, *times, held.lease, held.state.value, held.cost)
