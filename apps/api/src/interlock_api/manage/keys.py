"""`/api/keys`: API keys; an administrator's view of all, everybody else's of their own."""

from typing import Annotated

from fastapi import Path
from pydantic import Field

from interlock_api.manage._frame import Body, Caller, House, Page, Paging, Shown, area, needs
from interlock_core import Money
from interlock_runtime import KeyRequest

router = area("keys")

_EITHER = ("keys", "keys.own")


class Key(Shown):
    """An API key without its text. Times are seconds since 1970."""

    id: str = Field(description="Its id, which may be shown and logged.")
    name: str = Field(description="What it is for.")
    hint: str = Field(description="Its last four characters, to tell keys apart.")
    user: str = Field(description="Whom it stands for.")
    team: str | None = Field(description="The team that counts where its user has none.")
    role: str | None = Field(description="The one role that it has; null for the roles of its user.")
    scopes: list[str] = Field(description="What it may at most be used for; empty means no restriction.")
    created_at: float = Field(description="When it was made.")
    created_by: str = Field(description="Who made it.")
    expires_at: float | None = Field(description="When it stops working; null for never.")
    revoked_at: float | None = Field(description="When it was revoked.")
    last_used_at: float | None = Field(description="When it was last used, to the minute.")
    budget_usd_day: float | None = Field(description="Most dollars that it may spend a day.")
    budget_usd_month: float | None = Field(description="Most dollars that it may spend a month.")


class NewKey(Key):
    """An API key that was made just now: the only answer that holds its text."""

    key: str = Field(description="The key itself, shown this once.")


class KeyWish(Body):
    """An API key to be made; it gets no right that its maker does not have."""

    name: str = Field(description="What it is for: 1 to 200 printable characters.")
    user: str | None = Field(default=None, description="Whom it stands for; its maker unless given.")
    team: str | None = Field(default=None, description="The team that counts where its user has none.")
    role: str | None = Field(default=None, description="Its one role; the roles of its user unless given.")
    scopes: list[str] = Field(
        default=[], max_length=100, description="Restrictions, such as `tool:github.*`."
    )
    expires_in_s: float | None = Field(default=None, description="Seconds after which it stops working.")
    budget_usd_day: float | None = Field(default=None, description="Most dollars a day.")
    budget_usd_month: float | None = Field(default=None, description="Most dollars a month.")


@router.get("", dependencies=[needs(*_EITHER)], summary="List API keys")
async def list_keys(caller: Caller, house: House, paging: Paging) -> Page[Key]:
    """Every key with the right `keys`, else the caller's own; oldest first."""
    found = [Key.model_validate(key) for key in await house.access.keys(by=caller)]
    return paging.page(found, key=_order)


@router.post("", dependencies=[needs(*_EITHER)], status_code=201, summary="Make an API key")
async def create_key(caller: Caller, house: House, body: KeyWish) -> NewKey:
    """Make a key; its text is in the answer, this once."""
    wish = KeyRequest(
        name=body.name,
        user=body.user,
        team=body.team,
        role=body.role,
        scopes=tuple(body.scopes),
        expires_in_s=body.expires_in_s,
        budget_day=_money(body.budget_usd_day),
        budget_month=_money(body.budget_usd_month),
    )
    return NewKey.model_validate(await house.access.create_key(wish, by=caller))


@router.get("/{id}", dependencies=[needs(*_EITHER)], summary="Show an API key")
async def show_key(caller: Caller, house: House, key: Annotated[str, Path(alias="id")]) -> Key:
    """One key; with the right `keys` any, else only one's own."""
    return Key.model_validate(await house.access.key(key, by=caller))


@router.delete("/{id}", dependencies=[needs(*_EITHER)], summary="Revoke an API key")
async def revoke_key(caller: Caller, house: House, key: Annotated[str, Path(alias="id")]) -> Key:
    """Revoke a key: at once in this process, within a second in others."""
    return Key.model_validate(await house.access.revoke_key(key, by=caller))


def _money(dollars: float | None) -> Money | None:
    return None if dollars is None else Money.usd(dollars)


def _order(key: Key) -> str:
    return f"{round(key.created_at * 1_000_000):020}{key.id}"
