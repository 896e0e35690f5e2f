"""Guards at every way in: what is refused on one is refused on all, and no request replaces what is stored.

Each way is first seen to work where no guard refuses, so that a refusal says something.
"""

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pytest
import pytest_asyncio

from .harness.cases import family, matrix
from .harness.surfaces import TOOL, Said, Ways, ways

Cell: TypeAlias = tuple[str, str]
"""A guard, and a way in."""

FAMILIES = (11,)
FULL = os.environ.get("INTERLOCK_FULL") == "1"
ABSENT = {
    "/v1/rerank": "models that sort texts are not served",
    "/api/runs/{id}/resume": "runs are not kept, so that none is taken up again",
    "interlock runs rerun": "runs are not kept, so that none is made again",
}
"""Ways in that are not built. Once one is there, its answer is no longer that of a way that is not."""


@dataclass(slots=True)
class Houses:
    """Houses by the guard that refuses in them, opened when they are needed."""

    folder: Path
    stack: AsyncExitStack
    open: dict[str, Ways] = field(default_factory=dict[str, Ways])

    async def of(self, guard: str) -> Ways:
        """The house of a guard."""
        if guard not in self.open:
            self.open[guard] = await self.stack.enter_async_context(ways(self.folder / guard, guard))
        return self.open[guard]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def houses(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Houses, None]:
    """The houses of this module."""
    async with AsyncExitStack() as stack:
        yield Houses(tmp_path_factory.mktemp("houses"), stack)


GROUNDS = {
    "permission": ("permission_denied", "permission_error", "No role of "),
    "quota": ("quota_exceeded", "insufficient_quota", "billing_error", "may cost $"),
    "limit": ("rate_limit", "requests of"),
    "audit": ("audit_unavailable", "audit log", "its log says why"),
}
"""By which words a refusal says whose it is, in any dialect."""
SURFACES = {
    "chat": "/v1/chat/completions",
    "chat stream": "/v1/chat/completions?stream",
    "responses": "/v1/responses",
    "responses stream": "/v1/responses?stream",
    "messages": "/v1/messages",
    "messages stream": "/v1/messages?stream",
    "embeddings": "/v1/embeddings",
    "rerank": "/v1/rerank",
    "server-side tools": "/v1/responses?mcp",
    "MCP call": "/mcp",
    "tools call": "interlock tools call",
    "ask": "interlock ask",
    "stdio MCP": "interlock mcp",
    "run resume": "/api/runs/{id}/resume",
    "rerun": "interlock runs rerun",
}
_TOOLS = ("MCP call", "tools call", "stdio MCP")
_PROGRAMS = ("tools call", "ask", "stdio MCP", "rerun")
ELSEWHERE = {
    "redaction": "families 16 and 17 search every store for a canary",
    "taint": "family 27 has runs read what strangers wrote",
    "approval": "families 25 and 29, and the tests of /mcp, ask people",
    "egress": "families 18 to 22 and 42 lead addresses astray",
}
"""Guards whose cells are run by the families that are about them."""


async def refused(place: Ways, guard: str, path: str) -> str:
    """What is wrong with the answer of a way in where a guard must refuse; empty when nothing is."""
    before = place.upstream()
    said = await (
        place.command("runs", "rerun", "x") if path == "interlock runs rerun" else place.through(path)
    )
    if place.upstream() != before:
        return f"{place.upstream() - before} requests went upstream: {said}"
    if path in ABSENT:
        return "" if said.code in {"not_found", "usage"} else f"it is there now: {said}"
    if not said.code:
        return f"nothing was refused: {said}"
    whose = [name for name in GROUNDS if any(word in f"{said.code} {said.text}" for word in GROUNDS[name])]
    return "" if guard in whose or await recorded(place, guard, said) else f"refused by another: {said}"


async def recorded(place: Ways, guard: str, said: Said) -> bool:
    """Whether a refusal that tells the caller nothing of the tool is told to who reads the audit log."""
    if guard != "permission" or "not among those" not in said.text:
        return False
    return ("refused", TOOL) in {(row["kind"], row["name"]) for row in await place.runtime.trail.tail(1)}


def picked(cells: Sequence[Cell]) -> list[Cell]:
    """All cells; without FULL one program a guard, since each takes a second to start."""
    programs = [cell for cell in cells if cell[1] in {SURFACES[name] for name in _PROGRAMS}]
    chosen = programs if FULL else [cell for number, cell in enumerate(programs) if number % 5 == 0]
    return [*(cell for cell in cells if cell not in programs), *chosen]


@pytest.mark.promise("A2")
@pytest.mark.promise("A8")
@pytest.mark.asyncio(loop_scope="module")
async def test_what_a_guard_refuses_is_refused_at_every_way_in(houses: Houses) -> None:
    """Each row of the table; without the guard the same request is answered."""
    cases = family(11).cases
    cells = [(str(case.send["guard"]), str(case.send["path"])) for case in cases]
    assert {tuple(case.must) for case in cases} == {
        (f"refused by {guard}", "upstream_requests == 0") for guard in ("permission", "quota")
    }
    wrong: list[tuple[Cell, str]] = []
    free = await houses.of("none")
    for path in sorted({path for _, path in picked(cells)} - ABSENT.keys()):
        before, said = free.upstream(), await free.through(path)
        if said.code or free.upstream() != before + 1:
            wrong.append((("none", path), str(said)))
    for guard, path in picked(cells):
        if found := await refused(await houses.of(guard), guard, path):
            wrong.append(((guard, path), found))
    assert wrong == []


@pytest.mark.promise("A2")
@pytest.mark.asyncio(loop_scope="module")
async def test_every_cell_of_guards_and_ways_in_is_decided(houses: Houses) -> None:
    """Limits and the audit log too; the other guards have families of their own."""
    axes = matrix(11)
    assert [*SURFACES] == axes["surface"]
    assert {"permission", "quota", "limit", "audit", *ELSEWHERE} == {*axes["guard"]}
    limited = await houses.of("limit")
    assert not (await limited.through("/v1/chat/completions")).code
    cells = [("limit", path) for path in SURFACES.values()]
    # Questions to models have no effects outside, and no record before them; calls of tools have.
    cells += [("audit", SURFACES[name]) for name in _TOOLS]
    wrong = [
        (cell, found) for cell in picked(cells) if (found := await refused(await houses.of(cell[0]), *cell))
    ]
    assert wrong == []
