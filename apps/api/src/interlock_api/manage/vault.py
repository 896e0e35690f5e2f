"""`/api/vault`: secrets, which go in and never come out."""

from typing import Annotated

from fastapi import Path, Response
from pydantic import Field

from interlock_api.manage._frame import Body, Caller, House, Page, Paging, Shown, area, needs
from interlock_core import Secret
from interlock_core.jsontypes import JsonObject, as_object

router = area("vault")

Name = Annotated[str, Path(max_length=160, description="The name; of a former version NAME@VERSION.")]


class Scope(Shown):
    """Where a secret may be used; anywhere when both are empty."""

    uses: list[str] = Field(serialization_alias="for", description="Tables, such as `tools.github`.")
    hosts: list[str] = Field(description="Hosts that it may be sent to.")


class KeptSecret(Shown):
    """What may be shown of a secret."""

    name: str = Field(description="Its name: `vault:NAME` stands for it.")
    version: int = Field(description="Its current version.")
    former: int | None = Field(description="An older version that can still be read as `NAME@VERSION`.")
    scope: Scope = Field(description="Where it may be used.")
    created_at: float = Field(description="When this version was set, in seconds since 1970.")
    created_by: str = Field(description="By whom.")
    last_used_at: float | None = Field(description="When it was last given out.")


class Value(Body):
    """A value to keep."""

    value: str = Field(repr=False, description="The secret. No answer ever repeats it.")
    uses: list[str] | None = Field(
        default=None,
        alias="for",
        description="Where it may be used; as before when this and `hosts` are left out.",
    )
    hosts: list[str] | None = Field(default=None, description="Hosts that it may be sent to.")


class Rotated(Shown):
    """What a change of the vault's key did."""

    key: str = Field(description="Id of the key that seals the vault now.")
    rewrapped: int = Field(description="Versions that were wrapped anew.")
    resumed: bool = Field(description="A change that had been begun was finished.")


@router.get("", dependencies=[needs("vault.read")], summary="List secrets")
async def secrets(caller: Caller, house: House, paging: Paging) -> Page[KeptSecret]:
    """Every secret, without its value."""
    return paging.page([_shown(row) for row in await house.vault.list(by=caller)], key=lambda one: one.name)


@router.put("/{name:path}", dependencies=[needs("vault.write")], summary="Keep a secret")
async def keep_secret(name: Name, body: Value, caller: Caller, house: House) -> KeptSecret:
    """Keep a value under a name: a new secret, or a new version of one."""
    kept = await house.vault.set(
        name, Secret(body.value, name=name), by=caller, uses=body.uses, hosts=body.hosts
    )
    return _shown(kept)


@router.delete(
    "/{name:path}", dependencies=[needs("vault.write")], status_code=204, summary="Forget a secret"
)
async def forget_secret(name: Name, caller: Caller, house: House) -> Response:
    """Forget a secret with all its versions, or its former version alone."""
    await house.vault.remove(name, by=caller)
    return Response(status_code=204)


@router.post("/rotate-key", dependencies=[needs("vault.write")], summary="Change the vault's key")
async def rotate_vault_key(caller: Caller, house: House) -> Rotated:
    """Change the key that seals the vault, or finish a change that was begun."""
    return Rotated.model_validate(await house.vault.rotate_key(by=caller))


def _shown(row: JsonObject) -> KeptSecret:
    scope = as_object(row["scope"])
    return KeptSecret.model_validate(
        {**row, "scope": {"uses": scope.get("for", []), "hosts": scope.get("hosts", [])}}
    )
