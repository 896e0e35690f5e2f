"""Scopes: what a key may at most be used for, whatever its roles permit.

A scope is a rule in its short form, such as `model:local/*`, `tool:github.*` or `effect:read`. No scope
means no restriction; with scopes, a call must fit one of them.
"""

from collections.abc import Iterable
from functools import lru_cache

from interlock_core.call import Call
from interlock_core.errors import InvalidRequestError
from interlock_security.permissions._rules import Rule


def checked_scopes(scopes: Iterable[str]) -> frozenset[str]:
    """The scopes, when every one of them is well formed.

    Raises:
        InvalidRequestError: One is not.
    """
    checked = frozenset(scopes)
    for scope in checked:
        try:
            Rule.parse(scope)
        except ValueError as exc:
            raise InvalidRequestError(
                f"{scope[:80]!r} is no scope: {exc}.", field="scopes", remedy="Such as tool:github.*."
            ) from exc
    return checked


def in_scope(scopes: frozenset[str], call: Call) -> bool:
    """Whether scopes leave a call possible."""
    return not scopes or any(rule.permits(call) for rule in _rules(scopes))


def manages_in_scope(scopes: frozenset[str], area: str) -> bool:
    """Whether scopes leave an area of administration open."""
    return not scopes or any(rule.manages(area) for rule in _rules(scopes))


def scopes_cover(wide: frozenset[str], narrow: frozenset[str]) -> bool:
    """Whether what `narrow` leaves possible, `wide` leaves possible too. Doubt is a no."""
    if not wide:
        return True
    return bool(narrow) and all(any(one.covers(rule) for one in _rules(wide)) for rule in _rules(narrow))


@lru_cache(maxsize=1024)
def _rules(scopes: frozenset[str]) -> tuple[Rule, ...]:
    """The scopes as rules; one that is malformed, which no key is made with, leaves nothing possible."""
    rules: list[Rule] = []
    for scope in sorted(scopes):
        try:
            rules.append(Rule.parse(scope))
        except ValueError:
            continue
    return tuple(rules)
