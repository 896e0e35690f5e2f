"""Revoked stays open: what was taken back at one process is refused by all, and what it opened ends.

Four processes on one store, each with the key in memory; the key is used at each until it is refused there.
The second that they have is one of a machine that is not slow itself: the slowest answer shows by how much it
is. By default every second case is run, all of them with INTERLOCK_FULL=1.
"""

import asyncio
import os
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from interlock_core.jsontypes import as_object, parse_json

from .harness.cases import Case, family
from .harness.revocations import REVOKED, Replicas, ask, replicas, revoked, without_sign_in

FAMILIES = (35,)
ABSENT = {"logout", "password changed", "all sessions ended"}
"""What people who sign in do. None can: there are keys alone, so that nothing of it is there to stay open."""
FULL = os.environ.get("INTERLOCK_FULL") == "1"
_TOGETHER = 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Replicas, None]:
    """The processes of this module."""
    async with replicas(tmp_path_factory.mktemp("replicas")) as made:
        yield made


@pytest.mark.asyncio(loop_scope="module")
async def test_what_was_taken_back_is_refused_everywhere_within_a_second(place: Replicas) -> None:
    """Requests, streams of answers, streams of MCP that only listen, and sessions of MCP."""
    cases = [case for case in family(35).cases if case.send["revoke"] not in ABSENT]
    assert {str(case.send["revoke"]) for case in cases} == {*REVOKED}
    turns = asyncio.Semaphore(_TOGETHER)

    async def carried_out(case: Case) -> tuple[str, str, list[str]]:
        async with turns:
            return case.id, case.given, await revoked(case, place)

    found = await asyncio.gather(*map(carried_out, cases if FULL else cases[::2]))
    assert [one for one in found if one[2]] == []


@pytest.mark.asyncio(loop_scope="module")
async def test_nobody_signs_in_so_that_no_cookie_opens_anything(place: Replicas) -> None:
    """Once there is a way to sign in, its cases are to be carried out like those of keys."""
    cases = [case for case in family(35).cases if case.send["revoke"] in ABSENT]
    assert len(cases) == 9
    wrong = [(case.id, found) for case in cases if (found := await without_sign_in(case, place))]
    assert wrong == []
    first = place.gateways[0]
    described = as_object(parse_json((await ask(first, "GET", "/openapi.json", key=first.key)).body))
    ways = [path for path in as_object(described["paths"]) if path.startswith("/api/")]
    assert ways
    assert [
        path for path in ways if any(word in path for word in ("login", "logout", "password", "sign"))
    ] == []
