"""Which key may be made by whom.

The rules, in this order:

1. The request is well formed: a name, scopes, a role that exists, budgets of more than nothing.
2. Making keys for oneself needs the area `keys.own` or `keys`; for others, or for another team, `keys`.
3. A key has no right that its maker does not have: roles and scopes are held against the maker's own.
4. A key made with a key does not outlive it.
5. A key with a budget makes no keys: each of them could spend as much again.
"""

import math
from dataclasses import dataclass

from interlock_core.call import Principal
from interlock_core.errors import InvalidRequestError, PermissionDeniedError
from interlock_security.keys._record import ApiKey, KeyRequest
from interlock_security.permissions import PermissionChecker, checked_scopes

_MAX_CHARS = 200
_MAX_MICRO_USD = 1_000_000_000 * 1_000_000
_MAX_SECONDS = 100 * 366 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Mint:
    """A request that passed the rules.

    Attributes:
        user: Whose key it is.
        scopes: Its scopes.
        expires_at: When it expires, in seconds since 1970.
    """

    user: str
    scopes: frozenset[str]
    expires_at: float | None


def well_formed(request: KeyRequest) -> frozenset[str]:
    """Rule 1; gives the scopes.

    Raises:
        InvalidRequestError: A field is wrong.
    """
    for field, text in (("name", request.name), ("user", request.user), ("team", request.team)):
        if text is not None and not (text.strip() and text.isprintable() and len(text) <= _MAX_CHARS):
            raise InvalidRequestError(f"The {field} is 1 to {_MAX_CHARS} printable characters.", field=field)
    for field, budget in (("budget_usd_day", request.budget_day), ("budget_usd_month", request.budget_month)):
        if budget is not None and not 0 < budget.micro_usd <= _MAX_MICRO_USD:
            raise InvalidRequestError(
                "A budget is more than nothing, and at most a billion dollars.",
                field=field,
                remedy="Leave it out for none, or revoke the key that shall spend nothing.",
            )
    seconds = request.expires_in_s
    if seconds is not None and not (math.isfinite(seconds) and 0 < seconds <= _MAX_SECONDS):
        raise InvalidRequestError("A key expires between now and a hundred years.", field="expires")
    return checked_scopes(request.scopes)


def mint(
    request: KeyRequest,
    *,
    by: Principal,
    made_with: ApiKey | None,
    roles: frozenset[str],
    now: float,
    checker: PermissionChecker,
) -> Mint:
    """Rules 1 to 5.

    Args:
        request: What is wanted.
        by: Who wants it.
        made_with: The key with which they came, if any.
        roles: The roles that the new key will have today.
        now: Seconds since 1970.
        checker: Knows the rules.

    Raises:
        InvalidRequestError: A field is wrong.
        PermissionDeniedError: `by` may not make such a key.
    """
    scopes = well_formed(request)
    user = request.user if request.user is not None else by.user
    own = user == by.user and request.team in {None, by.team}
    verdict = checker.may_manage(by, "keys")
    if not verdict.allowed and own:
        verdict = checker.may_manage(by, "keys.own")
    if not verdict.allowed:
        raise PermissionDeniedError(verdict.reason, field="user")
    verdict = checker.may_hand_on(by, roles, scopes=scopes)
    if not verdict.allowed:
        raise PermissionDeniedError(verdict.reason, field="role")
    expires = None if request.expires_in_s is None else now + request.expires_in_s
    end = None if made_with is None else made_with.expires_at
    if end is not None and (expires is None or expires > end):
        raise PermissionDeniedError(
            "A key made with a key does not outlive it.",
            field="expires",
            remedy="Give an earlier end, or make it with a key that lasts.",
        )
    if made_with is not None and made_with.budgets:
        raise PermissionDeniedError(
            "A key with a budget makes no keys.",
            field="name",
            remedy="Make it with a key that has none, or on the command line.",
        )
    return Mint(user=user, scopes=scopes, expires_at=expires)
