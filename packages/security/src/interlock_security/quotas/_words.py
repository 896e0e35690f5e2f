"""Alerts of quotas in words: for the audit log, and for people."""

from interlock_core.jsontypes import JsonObject
from interlock_core.money import Money
from interlock_security.quotas._model import Alert


def alert_json(alert: Alert) -> JsonObject:
    """An alert as the audit log says it."""
    account = alert.account
    if account is None:
        return {
            "alert": alert.title,
            "kind": "overrun",
            "reservation": alert.reservation,
            "reserved_usd": Money(alert.bound).as_usd,
            "cost_usd": Money(alert.cost).as_usd,
            "message": f"A call cost {Money(alert.cost)}; {Money(alert.bound)} had been set aside for it.",
        }
    return {
        "alert": alert.title,
        "kind": "threshold",
        "scope": account.scope.value,
        "name": account.name,
        "span": account.span,
        "percent": alert.percent,
        "spent_usd": Money(alert.spent).as_usd,
        "limit_usd": Money(alert.bound).as_usd,
        "message": f"{account.scope} {account.name} spent {Money(alert.spent)} of {Money(alert.bound)} "
        f"({alert.percent} %) for {account.span}.",
    }


def told_json(alert: Alert, data: JsonObject, at: float) -> JsonObject:
    """An alert in the form in which people are told of suspicions too."""
    account = alert.account
    return {
        "id": alert.title if account is None else f"{alert.title}/{account.span}",
        "kind": f"quota-{data['kind']}",
        "subject": None if account is None else f"{account.scope}:{account.name}",
        "at": at,
        "message": data["message"],
        "data": {name: value for name, value in data.items() if name not in {"alert", "kind", "message"}},
    }
