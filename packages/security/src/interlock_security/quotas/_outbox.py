"""Alerts from the commit that raised them until somebody was told of them.

The rules:

1. An alert is kept by the very commit that raised it: a process that dies afterwards takes none along.
2. It is told at least once, by the process that raised it, or by another one when that took too long. Who
   dies between telling and noting that it was told has it told twice.
3. What could not be told is tried again, after a while that doubles up to an hour.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from interlock_core.ids import new_id
from interlock_core.jsontypes import as_object, dump_json, parse_json
from interlock_core.store import Store, Transaction
from interlock_security.quotas._model import Account, Alert, Scope
from interlock_security.quotas._rows import micro

_PATIENCE_S = 60.0
_MOST_DOUBLINGS = 6
_AT_ONCE = 100
_KEPT_S = 86_400.0
_KEEP = "INSERT INTO quotas_alerts (id, data, at, due, tries, told) VALUES (?, ?, ?, ?, 1, 0)"
_DUE = "SELECT id, data, due, tries FROM quotas_alerts WHERE told = 0 AND due <= ? ORDER BY due, id LIMIT ?"
_CLAIM = "UPDATE quotas_alerts SET due = ?, tries = tries + 1 WHERE id = ? AND told = 0 AND due = ?"
_TOLD = "UPDATE quotas_alerts SET told = 1 WHERE id = ?"
_FORGET = "DELETE FROM quotas_alerts WHERE told = 1 AND due <= ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """An alert that somebody must be told of.

    Attributes:
        id: Its id.
        alert: What it says.
    """

    id: str
    alert: Alert


class Outbox:
    """Keeps alerts until they are told.

    Args:
        store: Where they are kept; its clock tells the time.
    """

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep(self, transaction: Transaction, alerts: Sequence[Alert]) -> Sequence[Untold]:
        """Keep alerts with the commit that raised them; who keeps them has a minute to tell them."""
        found = [Untold(id=new_id("alert"), alert=alert) for alert in alerts]
        if found:
            now = self._store.clock.now()
            times = (micro(now), micro(now + _PATIENCE_S))
            await transaction.execute_many(_KEEP, [(one.id, _text(one.alert), *times) for one in found])
        return found

    async def claim(self) -> Sequence[Untold]:
        """Take over what nobody told in time; no other process takes the same.

        Raises:
            StoreError: They cannot be read.
        """
        now, found = self._store.clock.now(), list[Untold]()
        for key, data, due, tries in await self._store.fetch_all(_DUE, (micro(now), _AT_ONCE)):
            doublings = min(tries if isinstance(tries, int) else 0, _MOST_DOUBLINGS)
            then = micro(now + _PATIENCE_S * 2**doublings)
            if await self._store.execute(_CLAIM, (then, key, due)):
                found.append(Untold(id=str(key), alert=_alert(str(data))))
        return found

    async def told(self, key: str) -> None:
        """Note that an alert was told.

        Raises:
            StoreError: It cannot be noted, so the alert will be told again.
        """
        await self._store.execute(_TOLD, (key,))

    async def forget(self) -> None:
        """Forget what was told long ago.

        Raises:
            StoreError: It cannot be done.
        """
        await self._store.execute(_FORGET, (micro(self._store.clock.now() - _KEPT_S),))


def _text(alert: Alert) -> str:
    account = alert.account
    return dump_json(
        {
            "account": None if account is None else [account.scope.value, account.name, account.span],
            "percent": alert.percent,
            "reservation": alert.reservation,
            "spent": alert.spent,
            "bound": alert.bound,
            "cost": alert.cost,
        }
    )


def _alert(text: str) -> Alert:
    data = as_object(parse_json(text))
    account, percent = data["account"], data["percent"]
    amounts = {name: value for name, value in data.items() if isinstance(value, int)}
    return Alert(
        account=_account(account) if isinstance(account, list) else None,
        percent=percent if isinstance(percent, int) else None,
        reservation=str(data["reservation"]),
        spent=amounts["spent"],
        bound=amounts["bound"],
        cost=amounts["cost"],
    )


def _account(parts: Sequence[object]) -> Account:
    scope, name, span = parts
    return Account(Scope(str(scope)), str(name), str(span))
