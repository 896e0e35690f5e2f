"""`/api/teams`: teams, their members and organisations."""

from typing import Literal

from pydantic import Field

from interlock_api.manage._frame import Body, Caller, House, Page, Paging, Shown, area, needs

router = area("teams")


class Team(Shown):
    """A team. Times are seconds since 1970."""

    name: str = Field(description="The name.")
    organisation: str | None = Field(description="The organisation that the team belongs to.")
    members: list[str] = Field(description="The names of its users, sorted.")
    origin: Literal["configuration", "store"] = Field(
        description="`configuration`: declared, and read-only here. `store`: created by command."
    )
    created_at: float | None = Field(description="When it was created.")
    created_by: str | None = Field(description="Who created it.")


class NewTeam(Body):
    """A team to be created."""

    name: str = Field(description="The name: 1 to 200 printable characters.")
    organisation: str | None = Field(default=None, description="The organisation that it belongs to.")


@router.get("", dependencies=[needs("teams.read")], summary="List teams")
async def list_teams(caller: Caller, house: House, paging: Paging) -> Page[Team]:
    """Every team, sorted by name."""
    found = [Team.model_validate(team) for team in await house.access.people.teams(by=caller)]
    return paging.page(found, key=_name)


@router.post("", dependencies=[needs("teams.write")], status_code=201, summary="Create a team")
async def create_team(caller: Caller, house: House, body: NewTeam) -> Team:
    """Create a team without members."""
    made = await house.access.people.create_team(body.name, organisation=body.organisation, by=caller)
    return Team.model_validate(made)


@router.get("/{name}", dependencies=[needs("teams.read")], summary="Show a team")
async def show_team(caller: Caller, house: House, name: str) -> Team:
    """One team."""
    return Team.model_validate(await house.access.people.team(name, by=caller))


@router.put("/{name}/members/{user}", dependencies=[needs("teams.write")], summary="Add a member")
async def add_member(caller: Caller, house: House, name: str, user: str) -> Team:
    """Put a user into a team, out of any other."""
    return Team.model_validate(await house.access.people.add(name, user, by=caller))


@router.delete("/{name}/members/{user}", dependencies=[needs("teams.write")], summary="Remove a member")
async def remove_member(caller: Caller, house: House, name: str, user: str) -> Team:
    """Take a user out of a team."""
    return Team.model_validate(await house.access.people.remove(name, user, by=caller))


def _name(team: Team) -> str:
    return team.name
