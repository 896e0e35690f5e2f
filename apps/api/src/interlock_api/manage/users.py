"""`/api/users`: users, those of the configuration among them."""

from typing import Literal

from pydantic import Field

from interlock_api.manage._frame import Body, Caller, House, Page, Paging, Shown, area, needs

router = area("users")


class User(Shown):
    """A user. Times are seconds since 1970."""

    name: str = Field(description="The name.")
    team: str | None = Field(description="The user's team.")
    organisation: str | None = Field(description="The team's organisation.")
    roles: list[str] = Field(description="The roles that the user holds, by configuration or by grant.")
    origin: Literal["configuration", "store", "seen"] = Field(
        description=(
            "`configuration`: declared, and read-only here. `store`: created by command. `seen`: only known "
            "because a key or a granted role bears the name."
        )
    )
    disabled: bool = Field(description="No API key of the user works.")
    created_at: float | None = Field(description="When the user was created.")
    created_by: str | None = Field(description="Who created the user.")


class NewUser(Body):
    """A user to be created."""

    name: str = Field(description="The name: 1 to 200 printable characters.")
    team: str | None = Field(default=None, description="The user's team.")


@router.get("", dependencies=[needs("users.read")], summary="List users")
async def list_users(caller: Caller, house: House, paging: Paging) -> Page[User]:
    """Every user, sorted by name."""
    found = [User.model_validate(user) for user in await house.access.people.users(by=caller)]
    return paging.page(found, key=_name)


@router.post("", dependencies=[needs("users.write")], status_code=201, summary="Create a user")
async def create_user(caller: Caller, house: House, body: NewUser) -> User:
    """Create a user, who holds no role yet; `/api/roles` grants them."""
    made = await house.access.people.create_user(body.name, team=body.team, by=caller)
    return User.model_validate(made)


@router.get("/{name}", dependencies=[needs("users.read")], summary="Show a user")
async def show_user(caller: Caller, house: House, name: str) -> User:
    """One user."""
    return User.model_validate(await house.access.people.user(name, by=caller))


@router.post("/{name}/disable", dependencies=[needs("users.write")], summary="Disable a user")
async def disable_user(caller: Caller, house: House, name: str) -> User:
    """Stop every API key of a user: at once in this process, within a second in others."""
    await house.access.people.disable(name, by=caller)
    return User.model_validate(await house.access.people.user(name, by=caller))


@router.post("/{name}/enable", dependencies=[needs("users.write")], summary="Enable a user")
async def enable_user(caller: Caller, house: House, name: str) -> User:
    """Let a disabled user's API keys work again."""
    await house.access.people.enable(name, by=caller)
    return User.model_validate(await house.access.people.user(name, by=caller))


def _name(user: User) -> str:
    return user.name
