"""`/api/approvals`: calls that wait until somebody approves them."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import Field

from interlock_api.manage._frame import Body, Caller, House, Page, Paging, Shown, area, needs

router = area("approvals")

_EITHER = ("approvals.write", "approvals.own")


class Answer(Shown):
    """What one person said."""

    user: str = Field(description="Who.")
    granted: bool = Field(description="Yes or no.")
    reason: str = Field(description="Why, in their words.")
    at: float = Field(description="When, in seconds since 1970.")


class Approval(Shown):
    """One call that waits, or waited. Times are seconds since 1970."""

    id: str = Field(description="Its id.")
    state: str = Field(description="`pending`, `granted`, `denied`, `used` or `expired`.")
    tool: str = Field(description="Name of the tool.")
    effect: str = Field(description="What the call may do: `read`, `write` or `destructive`.")
    user: str = Field(description="Who asked.")
    agent: str | None = Field(description="The agent that acts for the user.")
    run: str | None = Field(description="The run that the call belongs to.")
    taint: list[str] = Field(description="Sources of untrusted text that had come into the run.")
    request: str = Field(description="Exactly what would be sent, secrets hidden.")
    digest: str = Field(description="SHA-256 that stands for the call; an answer counts for no other.")
    people: int = Field(description="How many must say yes.")
    others: bool = Field(description="Whether who asked counts for nobody.")
    asked_at: float = Field(description="When it was asked.")
    expires_at: float = Field(description="First moment at which no answer counts.")
    answers: list[Answer] = Field(description="What people said so far.")


class Reason(Body):
    """An answer's reason."""

    reason: str = Field(default="", max_length=500, description="Why; it stands in the audit log.")


@router.get("", dependencies=[needs("approvals.read", "approvals.own")], summary="List approvals")
async def list_approvals(
    caller: Caller,
    house: House,
    paging: Paging,
    every: Annotated[bool, Query(alias="all", description="Those that are over as well.")] = False,
) -> Page[Approval]:
    """Every call that waits with the right `approvals.read`, else the caller's own."""
    found = [Approval.model_validate(row) for row in await house.approvals.list(every=every, by=caller)]
    return paging.page(found, key=lambda approval: approval.id)


@router.post("/{approval}/approve", dependencies=[needs(*_EITHER)], summary="Approve a call")
async def approve_call(
    approval: Annotated[str, Path(max_length=100, description="The approval's id.")],
    said: Reason,
    caller: Caller,
    house: House,
) -> Approval:
    """Say yes to exactly the call that is shown; it may be made once."""
    row = await house.approvals.answer(approval, granted=True, reason=said.reason, by=caller)
    return Approval.model_validate(row)


@router.post("/{approval}/deny", dependencies=[needs(*_EITHER)], summary="Refuse a call")
async def deny_call(
    approval: Annotated[str, Path(max_length=100, description="The approval's id.")],
    said: Reason,
    caller: Caller,
    house: House,
) -> Approval:
    """Say no to the call that is shown."""
    row = await house.approvals.answer(approval, granted=False, reason=said.reason, by=caller)
    return Approval.model_validate(row)
