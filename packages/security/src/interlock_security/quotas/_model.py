"""What a quota is, and what the ledger says of it."""

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.money import Money
from interlock_security.quotas._periods import Period, zone_of

EVERYBODY = "*"
"""The name of a quota that each one of its scope has for himself, unless he has one of his own."""

_LONGEST_NAME = 200
_MOST_MICRO_USD = 2**62
_MOST_PERCENT = 1_000
_MOST_TOKENS = 100_000_000


class Scope(StrEnum):
    """What a quota counts for, from the smallest to the largest; a tool stands beside them."""

    KEY = "key"
    USER = "user"
    TEAM = "team"
    ORGANISATION = "organisation"
    TOOL = "tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Most money for one user, team, organisation, key or tool.

    Attributes:
        scope: What it counts for.
        name: Whose it is; `*` for each one that has none of his own. For tools a pattern, counted together.
        day: Most money a day; None for no bound.
        month: Most money a month; None for no bound.
        time_zone: Where days and months begin.
        thresholds: Percents of it at which an alert is raised, once a period.
        max_tokens: Most output tokens of a request that names no limit itself.
        ceiling: Set aside for a request whose price is unknown; None refuses such requests.
        call_price: What one call of the tool costs; None for nothing.
        origin: Where it is declared, such as `config.toml:12`; empty when it is set in the store.

    Raises:
        InvalidRequestError: A field is wrong.
    """

    scope: Scope
    name: str
    day: Money | None = None
    month: Money | None = None
    time_zone: str = "UTC"
    thresholds: tuple[int, ...] = (50, 80, 100)
    max_tokens: int = 4_096
    ceiling: Money | None = None
    call_price: Money | None = None
    origin: str = ""

    def __post_init__(self) -> None:
        if not (self.name.strip() and self.name.isprintable() and len(self.name) <= _LONGEST_NAME):
            raise InvalidRequestError(
                f"A quota's name is 1 to {_LONGEST_NAME} printable characters.", field="name"
            )
        for field, amount in self._amounts():
            if amount is not None and not 0 <= amount.micro_usd <= _MOST_MICRO_USD:
                raise InvalidRequestError(f"{field} is no amount of money, 0 or more.", field=field)
        if self.day is None and self.month is None and self.call_price is None:
            raise InvalidRequestError(
                "A quota bounds a day or a month.",
                field="day_usd",
                remedy="State day_usd, month_usd or both.",
            )
        if self.call_price is not None and self.scope is not Scope.TOOL:
            raise InvalidRequestError("Only a tool has a price for each call.", field="call_usd")
        if not all(0 < percent <= _MOST_PERCENT for percent in self.thresholds):
            raise InvalidRequestError(
                f"Thresholds are percents from 1 to {_MOST_PERCENT}.", field="thresholds"
            )
        if not 1 <= self.max_tokens <= _MOST_TOKENS:
            raise InvalidRequestError(f"max_tokens is 1 to {_MOST_TOKENS:,}.", field="max_tokens")
        zone_of(self.time_zone)

    def _amounts(self) -> tuple[tuple[str, Money | None], ...]:
        return (
            ("day_usd", self.day),
            ("month_usd", self.month),
            ("ceiling_usd", self.ceiling),
            ("call_usd", self.call_price),
        )

    @property
    def title(self) -> str:
        """Its scope and name, as messages show it: `user:ada`."""
        return f"{self.scope}:{self.name}"

    def counts_for(self, name: str) -> bool:
        """Whether a tool of that name is counted here."""
        return fnmatchcase(name, self.name)

    def bound(self, period: Period) -> Money | None:
        """The most for a period; None for no bound."""
        return self.day if period is Period.DAY else self.month

    def as_json(self) -> JsonObject:
        """The quota as a JSON object."""
        thresholds: list[Json] = [*self.thresholds]
        return {
            "scope": self.scope.value,
            "name": self.name,
            "day_usd": _usd(self.day),
            "month_usd": _usd(self.month),
            "time_zone": self.time_zone,
            "thresholds": thresholds,
            "max_tokens": self.max_tokens,
            "ceiling_usd": _usd(self.ceiling),
            "call_usd": _usd(self.call_price),
            "origin": self.origin or "store",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Another bound for a while.

    Attributes:
        id: Its id.
        scope: What it counts for.
        name: Whose it is.
        period: The day's bound or the month's.
        bound: The bound while it lasts.
        reason: Why.
        made_by: Who made it.
        made_at: When, in seconds since 1970.
        until: The moment from which it no longer counts.
    """

    id: str
    scope: Scope
    name: str
    period: Period
    bound: Money
    reason: str
    made_by: str
    made_at: float
    until: float

    def as_json(self) -> JsonObject:
        """The override as a JSON object."""
        return {
            "id": self.id,
            "scope": self.scope.value,
            "name": self.name,
            "period": self.period.value,
            "usd": self.bound.as_usd,
            "reason": self.reason,
            "made_by": self.made_by,
            "made_at": self.made_at,
            "until": self.until,
        }


@dataclass(frozen=True, slots=True)
class Account:
    """Where a limit's money is counted: one scope, one name, one period.

    Attributes:
        scope: What it counts for.
        name: Whose it is.
        span: The period's own name, `2026-11-22` or `2026-11`.
    """

    scope: Scope
    name: str
    span: str

    @property
    def id(self) -> str:
        """Its name in the store: the scope has no colon and the span no `@`, so it is one account's alone."""
        return f"{self.scope}:{self.name}@{self.span}"

    @property
    def period(self) -> Period:
        """Whether it counts a day or a month."""
        return Period.DAY if len(self.span) > len("2026-11") else Period.MONTH

    @property
    def title(self) -> str:
        """How messages and alerts name its limit: `user:ada/day`."""
        return f"{self.scope}:{self.name}/{self.period}"


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound as it is at one moment.

    Attributes:
        account: Where it is counted.
        micro_usd: The bound.
        thresholds: Percents of it at which an alert is raised.
        resets_at: When the next period begins, in seconds since 1970.
    """

    account: Account
    micro_usd: int
    thresholds: tuple[int, ...] = ()
    resets_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Shortage:
    """A limit that has no room.

    Attributes:
        limit: The limit.
        left: What is left of it, in micro-dollars; below zero when a vendor billed more than was set aside.
    """

    limit: Limit
    left: int


class Verdict(StrEnum):
    """What became of one step on the ledger."""

    OK = "ok"
    REFUSED = "refused"
    AGAIN = "again"
    CONFLICT = "conflict"
    ABOVE = "above"
    LATE = "late"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that people should know of.

    Attributes:
        account: Whose limit it is.
        percent: The threshold that was reached; None for an overrun.
        reservation: The reservation that brought it about.
        spent: Micro-dollars spent in the period.
        bound: The limit, or what had been set aside for the reservation that cost more.
        cost: What the reservation cost, for an overrun.
    """

    account: Account | None
    percent: int | None
    reservation: str
    spent: int = 0
    bound: int = 0
    cost: int = 0

    @property
    def title(self) -> str:
        """Its short name: `user:ada/day@80`, or `overrun:<reservation>`."""
        if self.account is None or self.percent is None:
            return f"overrun:{self.reservation}"
        return f"{self.account.title}@{self.percent}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """What one step on the ledger brought.

    Attributes:
        verdict: What became of it.
        short: Every limit without room, when it was refused.
        unpriced: It was refused because nobody knows what it may cost.
        alerts: What it raised.
    """

    verdict: Verdict
    short: tuple[Shortage, ...] = ()
    unpriced: bool = False
    alerts: tuple[Alert, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """How far a limit is used.

    Attributes:
        limit: The limit.
        spent: Micro-dollars spent.
        held: Micro-dollars set aside for calls under way.
        excess: Micro-dollars that vendors billed above what had been set aside, contained in `spent`.
        origin: Where the quota is declared; `store` when it is set there, `key` for a key's own budget.
        override: The override that counts just now, if any.
    """

    limit: Limit
    spent: int = 0
    held: int = 0
    excess: int = 0
    origin: str = "store"
    override: Override | None = None

    def as_json(self) -> JsonObject:
        """The usage as a JSON object."""
        account, limit = self.limit.account, self.limit.micro_usd
        return {
            "scope": account.scope.value,
            "name": account.name,
            "period": account.period.value,
            "span": account.span,
            "limit_usd": Money(limit).as_usd,
            "spent_usd": Money(self.spent).as_usd,
            "reserved_usd": Money(self.held).as_usd,
            "left_usd": Money(limit - self.spent - self.held).as_usd,
            "excess_usd": Money(self.excess).as_usd,
            "used_ratio": round((self.spent + self.held) / limit, 6) if limit else None,
            "resets_at": self.limit.resets_at,
            "origin": self.origin,
            "override": None if self.override is None else self.override.as_json(),
        }


def _usd(amount: Money | None) -> float | None:
    return None if amount is None else amount.as_usd
