"""`/api/limits`: rate limits."""

from typing import Literal

from pydantic import Field

from interlock_api.manage._frame import Body, Caller, House, Page, Paging, Shown, area, needs

router = area("limits")

_Scope = Literal["global", "team", "user", "key", "tool", "provider", "model"]
_Kind = Literal["requests", "tokens", "concurrency"]


class Limit(Shown):
    """A limit."""

    id: str = Field(description="Scope, name, kind and window, such as `user:*:requests:60s`.")
    scope: _Scope = Field(description="Whose calls are counted together.")
    name: str = Field(description="The one that is counted; `*` for each by itself.")
    kind: _Kind = Field(description="What is counted.")
    limit: int = Field(description="Most units in any window, or most calls at a time.")
    window_s: float | None = Field(description="Length of the window in seconds; null for concurrency.")
    origin: str = Field(description="The file that declares it, where it is read-only; or `store`.")


class NewLimit(Body):
    """A limit to be set."""

    scope: _Scope = Field(description="Whose calls are counted together.")
    name: str = Field(default="*", description="The one that is counted; `*` for each by itself.")
    kind: _Kind = Field(default="requests", description="What is counted.")
    limit: int = Field(description="Most units in any window, or most calls at a time.")
    window: str = Field(default="", description="Length of the window, such as `1s`, `1m` or `24h`.")


@router.get("", dependencies=[needs("limits.read")], summary="List limits")
async def list_limits(caller: Caller, house: House, paging: Paging) -> Page[Limit]:
    """Every limit, sorted by its id."""
    found = [Limit.model_validate(limit) for limit in await house.limits.list(by=caller)]
    return paging.page(found, key=_id)


@router.put("", dependencies=[needs("limits.write")], summary="Set a limit")
async def set_limit(caller: Caller, house: House, body: NewLimit) -> Limit:
    """Set a limit; one of the same scope, name, kind and window is replaced."""
    made = await house.limits.set(
        body.scope, body.kind, body.limit, name=body.name, window=body.window, by=caller
    )
    return Limit.model_validate(made)


@router.delete("/{limit:path}", dependencies=[needs("limits.write")], summary="Clear a limit")
async def clear_limit(caller: Caller, house: House, limit: str) -> Limit:
    """Take a limit away that was set by command."""
    return Limit.model_validate(await house.limits.clear(limit, by=caller))


def _id(limit: Limit) -> str:
    return limit.id
