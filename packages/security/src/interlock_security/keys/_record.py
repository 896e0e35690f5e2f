"""What is known of an API key; never its text."""

from collections.abc import Iterable
from dataclasses import dataclass

from interlock_core.errors import StoreError
from interlock_core.jsontypes import Json, JsonObject, as_array, dump_json, parse_json
from interlock_core.money import Money
from interlock_core.secret import Secret
from interlock_core.store import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyBudgets:
    """What a key may spend; None for no bound of its own.

    Attributes:
        day: Most money a day.
        month: Most money a month.
    """

    day: Money | None = None
    month: Money | None = None

    def __bool__(self) -> bool:
        return self.day is not None or self.month is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key, as lists show it. Times are seconds since 1970.

    Attributes:
        id: Its id, which may be shown and logged.
        name: What it is for.
        hint: Its last four characters, to tell keys apart.
        user: Whose it is.
        team: The user's team, if any.
        role: The one role that it has; None means the roles of its user.
        scopes: What it may at most be used for; empty means no restriction.
        created_at: When it was made.
        created_by: Who made it.
        expires_at: When it stops working; None for never.
        revoked_at: When it was revoked.
        last_used_at: When it was last used, to the minute.
        budgets: What it may spend.
        user_kept: There was a record of its user when it was made or last looked up.
    """

    id: str
    name: str
    hint: str
    user: str
    team: str | None
    role: str | None
    scopes: frozenset[str]
    created_at: float
    created_by: str
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None
    budgets: KeyBudgets = KeyBudgets()
    user_kept: bool = False

    def as_json(self) -> JsonObject:
        """The key as a JSON object, without its text."""
        return {
            "id": self.id,
            "name": self.name,
            "hint": self.hint,
            "user": self.user,
            "team": self.team,
            "role": self.role,
            "scopes": [*sorted(self.scopes)],
            "created_at": self.created_at,
            "created_by": self.created_by,
            "expires_at": self.expires_at,
            "revoked_at": self.revoked_at,
            "last_used_at": self.last_used_at,
            "budget_usd_day": None if self.budgets.day is None else self.budgets.day.as_usd,
            "budget_usd_month": None if self.budgets.month is None else self.budgets.month.as_usd,
        }

    @classmethod
    def from_row(cls, row: Row) -> "ApiKey":
        """A key from the columns of the store, in the order in which `_table` selects them.

        Raises:
            StoreError: The row names nobody, which no row that was kept does.
        """
        if row[0] is None or row[3] is None:
            raise StoreError("A row of the keys names no key or no user.")
        key_id, name, hint, user, team, role, scopes, created, by, expires, revoked, used, *rest = row
        day, month, kept = rest
        return cls(
            id=str(key_id),
            name=str(name),
            hint=str(hint),
            user=str(user),
            team=None if team is None else str(team),
            role=None if role is None else str(role),
            scopes=frozenset(str(scope) for scope in as_array(parse_json(str(scopes)))),
            created_at=_seconds(created) or 0.0,
            created_by=str(by),
            expires_at=_seconds(expires),
            revoked_at=_seconds(revoked),
            last_used_at=_seconds(used),
            budgets=KeyBudgets(day=_money(day), month=_money(month)),
            user_kept=kept is not None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest:
    """What a new key shall be.

    Attributes:
        name: What it is for, 1 to 200 printable characters.
        user: Whose it shall be; that of whoever makes it when None.
        team: The user's team.
        role: The one role that it shall have; None for the roles of its user.
        scopes: What it may at most be used for, such as `model:local/*` or `tool:github.*`.
        expires_in_s: Seconds after which it stops working; None for never.
        budget_day: Most money that it may spend a day; None for no bound of its own.
        budget_month: Most money that it may spend a month; None for no bound of its own.
    """

    name: str
    user: str | None = None
    team: str | None = None
    role: str | None = None
    scopes: tuple[str, ...] = ()
    expires_in_s: float | None = None
    budget_day: Money | None = None
    budget_month: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that was just made: the only moment at which its text is known.

    Attributes:
        key: What is known of it.
        text: The key itself.
    """

    key: ApiKey
    text: Secret

    def as_json(self) -> JsonObject:
        """The key as `interlock keys create --json` prints it, its text included."""
        return {**self.key.as_json(), "key": self.text.reveal()}


def scopes_json(scopes: Iterable[str]) -> str:
    """Scopes as the store keeps them."""
    items: list[Json] = [*sorted(scopes)]
    return dump_json(items)


def _seconds(value: object) -> float | None:
    return value / 1_000_000 if isinstance(value, int) else None


def _money(value: object) -> Money | None:
    return Money(value) if isinstance(value, int) else None
