"""`/api/session`: whom the request's key stands for."""

from pydantic import Field

from interlock_api.manage._frame import Caller, House, Shown, area, signed_in

router = area("session")


class Session(Shown):
    """Whom a key stands for, and what it may do."""

    user: str = Field(description="The user.")
    team: str | None = Field(description="The user's team.")
    organisation: str | None = Field(description="The team's organisation.")
    key_id: str | None = Field(description="The id of the key; never its text.")
    roles: list[str] = Field(description="The roles that it has today.")
    scopes: list[str] = Field(description="What it may at most be used for; empty means no restriction.")


@router.get("", dependencies=[signed_in], summary="Who am I")
async def session(caller: Caller, house: House) -> Session:
    """Whom the key of this request stands for."""
    del house
    return Session(
        user=caller.user,
        team=caller.team,
        organisation=caller.organisation,
        key_id=caller.key_id,
        roles=sorted(caller.roles),
        scopes=sorted(caller.scopes),
    )
