"""`/api/quotas`: quotas of money, what is used of them, and other bounds for a while."""

from typing import Literal

from pydantic import Field

from interlock_api.manage._frame import Body, Caller, House, Page, Paging, Shown, area, needs
from interlock_runtime.settings import QuotaSettings

router = area("quotas")

_Scope = Literal["key", "user", "team", "organisation", "tool"]
_Period = Literal["day", "month"]


class Quota(Shown):
    """A quota."""

    scope: _Scope = Field(description="Whose calls are counted.")
    name: str = Field(description="The one that is counted; `*` for each by itself; for tools a pattern.")
    day_usd: float | None = Field(description="Most dollars a day.")
    month_usd: float | None = Field(description="Most dollars a month.")
    time_zone: str = Field(description="Where days and months begin.")
    thresholds: list[int] = Field(description="Percents at which an alert is raised, once a period.")
    max_tokens: int = Field(description="Most output tokens of a request that names no limit.")
    ceiling_usd: float | None = Field(description="Set aside for a request of unknown price.")
    call_usd: float | None = Field(description="For tools: what one call costs.")
    origin: str = Field(description="The file and line that declare it, where it is read-only; or `store`.")


class NewQuota(Body):
    """A quota to be set."""

    scope: _Scope = Field(description="Whose calls are counted.")
    name: str = Field(description="The one that is counted; `*` for each by itself; for tools a pattern.")
    day_usd: float | None = Field(default=None, description="Most dollars a day.")
    month_usd: float | None = Field(default=None, description="Most dollars a month.")
    time_zone: str = Field(default="UTC", description="Where days and months begin.")
    thresholds: list[int] = Field(default=[50, 80, 100], description="Percents at which an alert is raised.")
    max_tokens: int = Field(default=4_096, description="Most output tokens where none are named.")
    ceiling_usd: float | None = Field(default=None, description="Set aside where a price is unknown.")
    call_usd: float | None = Field(default=None, description="For tools: what one call costs.")


class Override(Shown):
    """Another bound for a while. Times are seconds since 1970."""

    id: str = Field(description="Its id.")
    scope: _Scope = Field(description="Whose limit it is.")
    name: str = Field(description="Whose limit it is.")
    period: _Period = Field(description="The day's limit or the month's.")
    usd: float = Field(description="The bound while it lasts.")
    reason: str = Field(description="Why.")
    made_by: str = Field(description="Who made it.")
    made_at: float = Field(description="When.")
    until: float = Field(description="The moment from which it no longer counts.")


class NewOverride(Body):
    """Another bound to be given for a while."""

    scope: _Scope = Field(description="Whose limit it is.")
    name: str = Field(description="Whose limit it is.")
    period: _Period = Field(description="The day's limit or the month's.")
    usd: float = Field(description="The bound while it lasts, higher or lower.")
    reason: str = Field(description="Why, for the audit log.")
    until: float = Field(description="The moment from which it no longer counts, in seconds since 1970.")


class Used(Shown):
    """How far one limit is used in its present period."""

    scope: _Scope = Field(description="Whose limit it is.")
    name: str = Field(description="Whose limit it is.")
    period: _Period = Field(description="The day's limit or the month's.")
    span: str = Field(description="The period itself: `2026-11-22` or `2026-11`.")
    limit_usd: float = Field(description="The bound just now.")
    spent_usd: float = Field(description="What was spent.")
    reserved_usd: float = Field(description="What is set aside for calls under way.")
    left_usd: float = Field(description="What is left; below zero when more was billed than was set aside.")
    excess_usd: float = Field(description="The part of what was spent that went beyond what was set aside.")
    used_ratio: float | None = Field(description="The part that is spent or set aside; null for no money.")
    resets_at: float = Field(description="When the next period begins, in seconds since 1970.")
    origin: str = Field(
        description="What declares it: a file and line, `store`, or `key` for a key's budget."
    )
    override: Override | None = Field(description="Another bound that counts just now.")


class Charged(Shown):
    """A call that was charged in full because its process died."""

    reservation: str = Field(description="Id of the reservation.")
    made_at: float = Field(description="When it was made, in seconds since 1970.")
    charged_usd: float = Field(description="What was charged.")
    cost_usd: float | None = Field(description="What it cost, where that was told later.")
    accounts: list[str] = Field(description="Where it was charged: scope, name and period.")


@router.get("", dependencies=[needs("quotas.read")], summary="List quotas")
async def list_quotas(caller: Caller, house: House, paging: Paging) -> Page[Quota]:
    """Every quota that is declared or set, sorted by scope and name."""
    found = [Quota.model_validate(quota) for quota in await house.quotas.list(by=caller)]
    return paging.page(found, key=_title)


@router.put("", dependencies=[needs("quotas.write")], summary="Set a quota")
async def set_quota(caller: Caller, house: House, body: NewQuota) -> Quota:
    """Set a quota; one of the same scope and name is replaced."""
    wanted = QuotaSettings(
        scope=body.scope,
        name=body.name,
        day_usd=body.day_usd,
        month_usd=body.month_usd,
        time_zone=body.time_zone,
        thresholds=tuple(body.thresholds),
        max_tokens=body.max_tokens,
        ceiling_usd=body.ceiling_usd,
        call_usd=body.call_usd,
    )
    return Quota.model_validate(await house.quotas.set(wanted, by=caller))


@router.get("/usage", dependencies=[needs("quotas.read")], summary="Show what is used")
async def show_usage(
    caller: Caller, house: House, paging: Paging, scope: _Scope | None = None, name: str | None = None
) -> Page[Used]:
    """How far each limit is used in its present period, live."""
    found = await house.quotas.usage(scope=scope, name=name, by=caller)
    return paging.page([Used.model_validate(usage) for usage in found], key=_account)


@router.get("/charged", dependencies=[needs("quotas.read")], summary="List what was charged for the dead")
async def list_charged(caller: Caller, house: House, paging: Paging) -> Page[Charged]:
    """The calls that were charged in full because their process died: all that may stand above the bills."""
    found = [Charged.model_validate(charged) for charged in await house.quotas.charged(by=caller)]
    return paging.page(found, key=_reservation)


@router.post(
    "/overrides", dependencies=[needs("quotas.write")], status_code=201, summary="Change a limit for a while"
)
async def make_override(caller: Caller, house: House, body: NewOverride) -> Override:
    """Give a limit another bound for a while; the one that is made last counts."""
    limit = (body.scope, body.name, body.period)
    made = await house.quotas.override(limit, body.usd, reason=body.reason, until=body.until, by=caller)
    return Override.model_validate(made)


@router.delete("/{scope}/{name:path}", dependencies=[needs("quotas.write")], status_code=204, summary="Clear")
async def clear_quota(caller: Caller, house: House, scope: _Scope, name: str) -> None:
    """Take a quota away that was set by command; what was spent stays counted."""
    await house.quotas.clear(scope, name, by=caller)


def _title(quota: Quota) -> str:
    return f"{quota.scope}:{quota.name}"


def _account(used: Used) -> str:
    return f"{used.scope}:{used.name}@{used.span}"


def _reservation(charged: Charged) -> str:
    return charged.reservation
