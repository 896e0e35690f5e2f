"""`/api/tools`: tools that are held back until somebody approves what is said of them now."""

from typing import Annotated

from fastapi import Path
from pydantic import Field

from interlock_api.manage._frame import Body, Caller, House, Page, Paging, Shown, area, needs
from interlock_core import JsonObject
from interlock_core.jsontypes import as_array, as_object

router = area("tools")


class Withheld(Shown):
    """One tool that is not offered."""

    name: str = Field(description="Its name.")
    source: str = Field(description="The MCP server or the document that it comes from.")
    why: str = Field(description="`new`, `changed`, or what is suspicious about it.")
    fingerprint: str = Field(description="SHA-256 of what is said of it now.")
    difference: list[str] = Field(description="Lines that say what changed against what was approved.")


class Looked(Body):
    """A tool as it was shown."""

    name: str = Field(max_length=200, description="Its name.")
    fingerprint: str = Field(max_length=100, description="The fingerprint that was shown.")


class Approval(Body):
    """Tools to offer."""

    tools: list[Looked] = Field(min_length=1, max_length=1_000, description="The tools.")


@router.get("/withheld", dependencies=[needs("tools")], summary="List tools that are held back")
async def list_withheld(house: House, paging: Paging) -> Page[Withheld]:
    """Tools of documents from addresses and of started MCP servers that wait until they are approved."""
    found = [row for state in await house.tools.held.all() for row in _rows(state)]
    return paging.page(found, key=lambda row: row.name)


@router.post("/withheld/{source}/approve", dependencies=[needs("tools")], summary="Approve tools")
async def approve_tools(
    source: Annotated[str, Path(max_length=100, description="The MCP server or the document.")],
    approval: Approval,
    caller: Caller,
    house: House,
    paging: Paging,
) -> Page[Withheld]:
    """Offer tools exactly as they were shown; the answer is what is still held back of that source."""
    shown = [(tool.name, tool.fingerprint) for tool in approval.tools]
    await house.tools.held.approve(source, shown, by=caller)
    return paging.page(_rows(await house.tools.held.of(source)), key=lambda row: row.name)


def _rows(state: JsonObject) -> list[Withheld]:
    waiting = [as_object(entry) for entry in as_array(state["withheld"])]
    return [Withheld.model_validate({**entry, "source": state["name"]}) for entry in waiting]
