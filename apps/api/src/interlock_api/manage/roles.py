"""`/api/roles`: roles, who holds them, overrides of single users, and why somebody may or may not."""

from typing import Annotated, Literal

from fastapi import Path
from pydantic import Field

from interlock_api.manage._frame import (
    Body,
    Caller,
    House,
    JsonFields,
    Page,
    Paging,
    Shown,
    area,
    needs,
    signed_in,
)
from interlock_core import Money
from interlock_core.jsontypes import JsonObject
from interlock_runtime import OverrideRequest, RightQuestion

router = area("roles")


class Role(Shown):
    """A role and its own rules as texts."""

    name: str = Field(description="Its name.")
    description: str = Field(description="What it is.")
    builtin: bool = Field(description="It comes with Interlock.")
    inherits: list[str] = Field(description="Roles whose rules it has too.")
    allow: list[str] = Field(description="What it permits.")
    deny: list[str] = Field(description="What it forbids.")
    approve: list[str] = Field(description="What it permits once people have approved it.")
    agents: list[str] = Field(description="The agents that hold it.")


class RoleGrant(Shown):
    """A role that a user holds."""

    user: str = Field(description="Who.")
    role: str = Field(description="Which role.")
    origin: str = Field(description="`configuration` or `store`.")
    granted_by: str = Field(description="Who granted it.")
    at: float | None = Field(description="When, in seconds since 1970; null for configuration.")


class GrantWish(Body):
    """A role to be granted."""

    user: str = Field(max_length=200, description="Who gets it.")
    role: str = Field(max_length=200, description="Which role.")


class Override(Shown):
    """A rule for one user alone. Times are seconds since 1970."""

    id: str = Field(description="Its id.")
    user: str = Field(description="For whom.")
    verdict: str = Field(description="`allow` or `deny`.")
    rule: str = Field(description="Of which calls it speaks.")
    until: float | None = Field(description="First moment without it; null for no end.")
    reason: str = Field(description="Why.")
    created_by: str = Field(description="Who made it.")
    created_at: float = Field(description="When.")


class OverrideWish(Body):
    """An override to be made."""

    user: str = Field(max_length=200, description="For whom.")
    verdict: Literal["allow", "deny"] = Field(description="What it does.")
    rule: str | JsonFields = Field(description="A rule in its short form, or as a table of configuration.")
    reason: str = Field(max_length=500, description="Why; it stands in the audit log.")
    until: float | None = Field(default=None, description="First moment without it, in seconds since 1970.")


class CanQuestion(Body):
    """May this user call that tool?"""

    user: str | None = Field(default=None, max_length=200, description="The user; the caller unless given.")
    tool: str = Field(max_length=200, description="The tool.")
    agent: str | None = Field(default=None, max_length=200, description="The agent that would make it.")
    arguments: JsonFields = Field(default={}, description="Arguments of the call.")
    at: float | None = Field(default=None, description="When, in seconds since 1970; now unless given.")
    tainted: list[str] = Field(default=[], max_length=100, description="Sources of untrusted text.")
    cost_usd: float | None = Field(default=None, ge=0, description="Most dollars that it can cost.")
    approved_by: list[str] = Field(default=[], max_length=100, description="Who said yes to it.")


class Explained(Shown):
    """The verdict, the rule that decided, and every rule that was looked at."""

    allowed: bool = Field(description="It may be made, with nobody asked first.")
    verdict: str = Field(description="`allow`, `approval` or `deny`.")
    approvals: int = Field(description="How many people must still say yes.")
    reason: str = Field(description="Why, in a sentence.")
    rule: str = Field(description="The rule that decided.")
    sides: JsonFields = Field(description="The answers for the user and the agent, each alone.")
    changes: list[str] = Field(description="What would have to change.")
    considered: list[JsonFields] = Field(description="Every rule that was looked at.")


@router.get("", dependencies=[needs("roles.read")], summary="List roles")
async def list_roles(house: House, paging: Paging) -> Page[Role]:
    """Every role, by name."""
    return paging.page([Role.model_validate(row) for row in house.access.roles()], key=lambda role: role.name)


@router.get("/grants", dependencies=[needs("roles.read")], summary="List who holds which role")
async def list_grants(house: House, paging: Paging) -> Page[RoleGrant]:
    """Every grant, by user and role."""
    found = [RoleGrant.model_validate(row) for row in await house.access.grants()]
    return paging.page(found, key=lambda grant: f"{grant.user}\x1f{grant.role}\x1f{grant.origin}")


@router.post("/grants", dependencies=[needs("roles")], status_code=204, summary="Grant a role")
async def grant_role(wish: GrantWish, caller: Caller, house: House) -> None:
    """Give a user a role; only rights that the caller has can be given."""
    await house.access.grant(wish.user, wish.role, by=caller)


@router.delete(
    "/grants/{user}/{role}", dependencies=[needs("roles")], status_code=204, summary="Revoke a role"
)
async def revoke_role(
    user: Annotated[str, Path(max_length=200, description="Who holds it.")],
    role: Annotated[str, Path(max_length=200, description="Which role.")],
    caller: Caller,
    house: House,
) -> None:
    """Take a role from a user."""
    await house.access.revoke_grant(user, role, by=caller)


@router.get("/overrides", dependencies=[needs("roles.read")], summary="List overrides")
async def list_overrides(caller: Caller, house: House, paging: Paging) -> Page[Override]:
    """Every override, those that have ended too."""
    found = [Override.model_validate(row) for row in await house.access.rules.overrides(by=caller)]
    return paging.page(found, key=lambda override: override.id)


@router.post("/overrides", dependencies=[needs("roles")], status_code=201, summary="Make an override")
async def make_override(wish: OverrideWish, caller: Caller, house: House) -> Override:
    """Allow or deny one user what a rule speaks of, whatever roles are held; denials of roles still win."""
    rule: JsonObject | str = wish.rule if isinstance(wish.rule, str) else dict(wish.rule)
    request = OverrideRequest(
        user=wish.user, kind=wish.verdict, rule=rule, reason=wish.reason, until=wish.until
    )
    return Override.model_validate(await house.access.rules.override(request, by=caller))


@router.delete(
    "/overrides/{override}", dependencies=[needs("roles")], status_code=204, summary="Remove an override"
)
async def remove_override(
    override: Annotated[str, Path(max_length=100, description="The override's id.")],
    caller: Caller,
    house: House,
) -> None:
    """Take an override away."""
    await house.access.rules.remove_override(override, by=caller)


@router.post("/can", dependencies=[signed_in], summary="Say whether somebody may call a tool, and why")
async def explain_right(question: CanQuestion, caller: Caller, house: House) -> Explained:
    """The caller's own rights, or with `roles.read` anybody's."""
    asked = RightQuestion(
        user=question.user or caller.user,
        tool=await house.tools.named(question.tool),
        agent=question.agent,
        arguments=dict(question.arguments),
        at=question.at,
        tainted=tuple(question.tainted),
        cost=None if question.cost_usd is None else Money.usd(question.cost_usd),
        approved_by=tuple(question.approved_by),
    )
    found = await house.access.rules.explain(asked, by=caller)
    return Explained.model_validate(found.as_json())


@router.get("/{role}", dependencies=[needs("roles.read")], summary="Show a role")
async def show_role(
    role: Annotated[str, Path(max_length=200, description="The role's name.")], house: House
) -> Role:
    """One role."""
    return Role.model_validate(house.access.role(role))
