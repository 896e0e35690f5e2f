"""`/api/audit`: the audit log."""

from collections.abc import AsyncGenerator
from typing import Annotated, Literal

from fastapi import Depends, Query, Response
from fastapi.responses import StreamingResponse
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
)
from interlock_core.errors import InvalidRequestError, VerificationError
from interlock_runtime.audit import AuditQuery, verifier_source

router = area("audit")

_TYPES = {"json": "application/json", "jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
_READ = [needs("audit.read")]
_LAST_SECOND = 253_402_300_799  # of the year 9999: what no store can hold as a time is refused by its name


class Record(Shown):
    """A record of the log."""

    record: int = Field(description="Its place in the log.")
    time: float = Field(description="When, in seconds since 1970.")
    kind: str = Field(description="`intent`, `outcome`, `refused`, `alert`, or what was noted.")
    user: str | None = Field(description="The user behind it.")
    agent: str | None = Field(description="The agent that acted.")
    key: str | None = Field(description="Id of the key.")
    team: str | None = Field(description="The user's team.")
    name: str | None = Field(description="The tool, the model or the change.")
    outcome: str | None = Field(description="`ok`, `refused`, or the code of an error.")
    run: str | None = Field(description="Id of the run.")
    trace: str | None = Field(description="Id of the trace.")
    id: str = Field(description="Its id.")
    ref: str | None = Field(description="Id of the intent that an outcome belongs to.")
    erased: bool = Field(description="Its data were erased; that it was logged is still proved.")
    data: JsonFields = Field(description="What it says, redacted before it was stored.")


class Checkpoint(Shown):
    """The log as it is now, signed."""

    checkpoint: str = Field(description="A C2SP signed note: origin, number of records, root.")
    key: str = Field(description="The key to check it with, as `name+id+key`.")


class Report(Shown):
    """What verification found."""

    ok: bool = Field(description="Nothing is wrong.")
    records: int = Field(description="How many records were read.")
    checkpoint: JsonFields | None = Field(description="The checkpoint that they were held against.")
    problems: list[JsonFields] = Field(description="What is wrong, and where.")
    notices: list[JsonFields] = Field(description="What is worth knowing, such as calls without an outcome.")
    more_problems: int = Field(description="Problems beyond those listed.")


class Source(Shown):
    """A program."""

    source: str = Field(description="Its text.")


class Erasure(Body):
    """Which data are erased."""

    before: float = Field(
        description="Records from before this time, in seconds since 1970.", ge=0, le=_LAST_SECOND
    )
    dry_run: bool = Field(default=True, description="Only say what would be erased.")


class Erased(Shown):
    """What was erased, or would be."""

    before: float = Field(description="Records from before this time, in seconds since 1970.")
    count: int = Field(description="How many payloads.")
    first: int | None = Field(description="Place of the first.")
    last: int | None = Field(description="Place of the last.")
    dry_run: bool = Field(description="Nothing was erased.")


class Rotated(Shown):
    """A change of the key."""

    old: str = Field(description="The key that signed until then, as `name+id+key`.")
    new: str = Field(description="The key that signs from here on: give it to those who check the log.")
    record: int = Field(description="Place of the record that names both, signed by the old one.")


class Who:
    """Whose records; what is left away asks for nothing."""

    def __init__(
        self,
        user: Annotated[str, Query(description="Name of the user.")] = "",
        agent: Annotated[str, Query(description="Name of the agent.")] = "",
        key: Annotated[str, Query(description="Id of the key.")] = "",
        team: Annotated[str, Query(description="Name of the team.")] = "",
    ) -> None:
        self.user, self.agent, self.key, self.team = user, agent, key, team


class What:
    """Records of what; what is left away asks for nothing."""

    def __init__(
        self,
        name: Annotated[str, Query(description="Tool, model or change; `github.*`: all that begin so.")] = "",
        kind: Annotated[str, Query(description="Kind of record.")] = "",
        outcome: Annotated[str, Query(description="`ok`, `refused`, or the code of an error.")] = "",
        run: Annotated[str, Query(description="Id of the run.")] = "",
        text: Annotated[str, Query(description="What stands in its data.", max_length=200)] = "",
    ) -> None:
        self.name, self.kind, self.outcome, self.run, self.text = name, kind, outcome, run, text


def _query(
    who: Annotated[Who, Depends()],
    what: Annotated[What, Depends()],
    since: Annotated[
        float | None, Query(description="First time, in seconds since 1970.", ge=0, le=_LAST_SECOND)
    ] = None,
    until: Annotated[
        float | None, Query(description="Time before which, likewise.", ge=0, le=_LAST_SECOND)
    ] = None,
) -> AuditQuery:
    return AuditQuery(
        user=who.user,
        agent=who.agent,
        key=who.key,
        team=who.team,
        name=what.name,
        kind=what.kind,
        outcome=what.outcome,
        run=what.run,
        text=what.text,
        since=since,
        until=until,
    )


Asked = Annotated[AuditQuery, Depends(_query)]


@router.get("", dependencies=_READ, summary="Search records")
async def search_audit(house: House, asked: Asked, paging: Paging) -> Page[Record]:
    """Records that fit, the newest first. Pages stand still while records are appended."""
    found, following = await house.trail.search(asked, limit=paging.limit, cursor=paging.after)
    items = [Record.model_validate(row) for row in found]
    return paging.made(items, more=following is not None, key=lambda _: following or "")


@router.get(
    "/export",
    dependencies=_READ,
    summary="Export records",
    response_class=StreamingResponse,
    responses={200: {"description": "The records.", "content": {kind: {} for kind in _TYPES.values()}}},
)
async def export_audit(
    house: House,
    asked: Asked,
    form: Annotated[
        Literal["json", "jsonl", "csv"], Query(alias="format", description="How they are written.")
    ] = "json",
) -> Response:
    """Records that fit, in the order of the log; all of them as `jsonl` can be checked without a server."""
    pieces = house.trail.export(form, asked)
    first = await anext(pieces, "")

    async def stream() -> AsyncGenerator[str, None]:
        yield first
        async for piece in pieces:
            yield piece

    headers = {"content-disposition": f'attachment; filename="audit.{form}"'}
    return StreamingResponse(stream(), media_type=_TYPES[form], headers=headers)


@router.get("/checkpoint", dependencies=_READ, summary="Read the signed checkpoint")
async def read_checkpoint(house: House) -> Checkpoint:
    """The log as it is now, signed; it is shown to the witness first."""
    return Checkpoint(checkpoint=await house.trail.checkpoint(), key=await house.trail.key())


@router.get("/verifier", dependencies=_READ, summary="Read the stand-alone verifier")
async def read_verifier() -> Source:
    """One file of Python that checks proofs and exports with `cryptography` alone."""
    return Source(source=verifier_source())


@router.get(
    "/records/{record}/proof",
    dependencies=_READ,
    summary="Prove a record",
    responses={200: {"description": "The proof, byte by byte.", "content": {_TYPES["json"]: {}}}},
)
async def prove_record(
    house: House,
    record: str,
    since: Annotated[
        str | None, Query(description="An older checkpoint that the log must continue.", max_length=4096)
    ] = None,
) -> Response:
    """The proof of a record, by its id or its place, as a file."""
    try:
        proof = await house.trail.prove(record, since=since)
    except VerificationError as error:
        if error.field != "since":
            raise
        raise InvalidRequestError(error.message, field="since", remedy=error.remedy) from error
    return Response(proof, media_type="application/json")


@router.post("/verify", dependencies=_READ, summary="Verify the log")
async def verify_audit(house: House) -> Report:
    """Read the whole log and say what is wrong with it."""
    return Report.model_validate(await house.trail.verify())


@router.post("/rotate-key", dependencies=[needs("audit.write")], summary="Change the log's key")
async def rotate_audit_key(caller: Caller, house: House) -> Rotated:
    """Let a new key sign the log. Whoever holds the old one can follow a whole export to the new one."""
    return Rotated.model_validate(await house.trail.rotate_key(by=caller))


@router.post("/erase", dependencies=[needs("audit.write")], summary="Erase old data")
async def erase_audit(caller: Caller, house: House, body: Erasure) -> Erased:
    """Erase what old records say; headers and hashes stay, and every proof holds."""
    if body.dry_run:
        found = await house.trail.plan_erasure(body.before)
    else:
        found = await house.trail.erase(body.before, by=caller, policy=f"asked by {caller.user}")
    return Erased.model_validate(found | {"dry_run": body.dry_run})
