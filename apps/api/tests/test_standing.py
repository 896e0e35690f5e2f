"""What a key has open ends when it no longer stands."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from interlock_api._standing import Open, Standings
from interlock_core import Call, CallKind, Principal
from interlock_core.errors import (
    InterlockError,
    PermissionDeniedError,
    QuotaExceededError,
    RefusedError,
    StoreError,
    UnauthenticatedError,
)
from interlock_providers.testing import OpenAIChatServer, Say
from interlock_runtime import KeyRequest

if TYPE_CHECKING:
    from .conftest import Gate, MakeGate

ADA = Principal(user="ada", roles=frozenset({"agent", "developer"}), key_id="key_1", team="blue")
CALL = Call(id="call_1", kind=CallKind.MODEL, name="acme/sim-1", principal=ADA)
QUESTION: dict[str, object] = {
    "model": "acme/sim-1",
    "messages": [{"role": "user", "content": "Hi"}],
    "stream": True,
}


class Desk:
    """Keys and budgets in a test's hands.

    Attributes:
        now: Whom the key stands for, or why for nobody.
        unpaid: The calls for which no budget pays any more.
        asked: How often a key was looked up.
        looked: It was.
    """

    def __init__(self) -> None:
        self.now: Principal | InterlockError = ADA
        self.unpaid: set[str] = set()
        self.asked = 0
        self.looked = asyncio.Event()

    async def renew(self, principal: Principal) -> Principal:
        """Look the key up."""
        self.asked += 1
        self.looked.set()
        await asyncio.sleep(0)
        if isinstance(self.now, InterlockError):
            raise self.now
        return self.now if principal.key_id == ADA.key_id else principal

    async def withdrawn(self, call: str) -> QuotaExceededError | None:
        """Say whether a call is paid for."""
        return QuotaExceededError("Nothing is left.") if call in self.unpaid else None


def begun(standings: Standings, principal: Principal = ADA, call: Call | None = None) -> "asyncio.Task[None]":
    """Work that never ends by itself."""

    async def forever(held: Open) -> None:
        del held
        await asyncio.Event().wait()

    return asyncio.create_task(standings.while_standing(principal, forever, call=call))


@pytest.fixture
def desk() -> Desk:
    """Keys and budgets."""
    return Desk()


@pytest.fixture
def standings(desk: Desk) -> Standings:
    """What is open, looked at when the test says so."""
    return Standings(desk, desk, every_s=3_600)


async def ended(standings: Standings, *tasks: "asyncio.Task[None]") -> list[InterlockError]:
    """Check once; why each ended."""
    await asyncio.sleep(0)
    await standings.check()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    await standings.aclose()
    return [error for error in found if isinstance(error, InterlockError)]


async def test_one_look_up_serves_all_that_a_key_has_open(standings: Standings, desk: Desk) -> None:
    """And it ends all of it; what another key has open goes on."""
    other = begun(standings, replace(ADA, key_id="key_2"))
    tasks = [begun(standings) for _ in range(20)]
    await asyncio.sleep(0)
    await standings.check()
    assert desk.asked == 2
    assert not any(task.done() for task in (*tasks, other))
    desk.now = UnauthenticatedError("This API key was revoked.")
    desk.asked = 0
    other.cancel()
    assert len(await ended(standings, *tasks)) == 20
    assert desk.asked == 1


@pytest.mark.parametrize(
    ("now", "kind"),
    [
        (UnauthenticatedError("gone"), UnauthenticatedError),
        (replace(ADA, roles=frozenset({"agent"})), PermissionDeniedError),
        (replace(ADA, roles=frozenset[str]()), PermissionDeniedError),
        (replace(ADA, team=None), PermissionDeniedError),
        (replace(ADA, team="red"), PermissionDeniedError),
    ],
)
async def test_what_is_open_ends_when_its_key_stands_for_less(
    standings: Standings, desk: Desk, now: Principal | InterlockError, kind: type[InterlockError]
) -> None:
    """With the reason."""
    task = begun(standings)
    desk.now = now
    (error,) = await ended(standings, task)
    assert type(error) is kind


async def test_what_is_open_goes_on_when_its_key_stands_for_more(standings: Standings, desk: Desk) -> None:
    """A role that is granted meanwhile takes nothing away."""
    task = begun(standings)
    desk.now = replace(ADA, roles=ADA.roles | {"admin"})
    await asyncio.sleep(0)
    await standings.check()
    assert not task.done()
    task.cancel()
    assert await ended(standings, task) == []


async def test_an_answer_that_no_budget_pays_for_any_more_ends(standings: Standings, desk: Desk) -> None:
    """But not the others of its key."""
    paid, unpaid = begun(standings, call=replace(CALL, id="call_2")), begun(standings, call=CALL)
    desk.unpaid = {CALL.id}
    (error,) = await ended(standings, unpaid)
    assert isinstance(error, QuotaExceededError)
    assert not paid.done()
    paid.cancel()
    assert await ended(standings, paid) == []


async def test_what_is_open_outlives_two_failed_look_ups_and_not_three(
    standings: Standings, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody stays whose key cannot be looked up; a look-up that succeeds in between counts."""
    task = begun(standings)
    await asyncio.sleep(0)
    fault = StoreError("The database is away.")
    for now in (fault, fault, ADA, fault, fault):
        desk.now = now
        await standings.check()
        assert not task.done()
    desk.now = fault
    (error,) = await ended(standings, task)
    assert isinstance(error, RefusedError)
    assert caplog.text.count("could not be looked up") == 5


async def test_work_that_is_cancelled_by_others_stays_cancelled(standings: Standings) -> None:
    """Also when its key falls at the same moment: the client left."""
    known: list[Open] = []

    async def forever(held: Open) -> None:
        known.append(held)
        await asyncio.Event().wait()

    task = asyncio.create_task(standings.while_standing(ADA, forever))
    await asyncio.sleep(0)
    known[0].end(UnauthenticatedError("gone"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await standings.aclose()


async def test_what_has_no_key_is_not_looked_up(standings: Standings, desk: Desk) -> None:
    """The user at this machine, for whom nothing is in the store."""
    task = begun(standings, replace(ADA, key_id=None))
    await asyncio.sleep(0)
    await standings.check()
    assert desk.asked == 0
    task.cancel()
    assert await ended(standings, task) == []


async def test_the_look_out_ends_with_nothing_open_and_begins_anew(desk: Desk) -> None:
    """Without a timer left behind."""
    standings = Standings(desk, desk, every_s=0.001)
    for _ in range(2):
        desk.now, desk.looked = ADA, asyncio.Event()
        task = begun(standings)
        async with asyncio.timeout(20):
            await desk.looked.wait()
            (watch,) = (one for one in asyncio.all_tasks() if "_watch" in str(one.get_coro()))
            desk.now = UnauthenticatedError("gone")
            with pytest.raises(UnauthenticatedError):
                await task
            await watch


Change = Callable[["Gate", str], Awaitable[object]]


async def revoke(gate: "Gate", key: str) -> None:
    """Revoke the key."""
    await gate.runtime.access.revoke_key(key)


async def disable(gate: "Gate", key: str) -> None:
    """Disable its user."""
    del key
    await gate.runtime.access.people.disable("bob")


async def take_away(gate: "Gate", key: str) -> None:
    """Take its user's role away."""
    del key
    await gate.runtime.access.revoke_grant("bob", "agent")


@pytest.mark.parametrize(
    ("change", "words"), [(revoke, "revoked"), (disable, "disabled"), (take_away, "no longer has")]
)
async def test_a_stream_in_another_process_ends_with_the_reason(
    make_gate: "MakeGate", vendor: OpenAIChatServer, change: Change, words: str
) -> None:
    """It was begun by a gateway that hears of it from the store alone; the vendor is left at once."""
    vendor.then(Say("One two three four", hold=True))
    async with make_gate() as first, make_gate() as second:
        await first.runtime.access.grant("bob", "agent")
        made = await first.runtime.access.create_key(KeyRequest(name="k", user="bob"))
        body = json.dumps(QUESTION).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx-api-key: {made['key']}\r\n"
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", second.port)
            writer.write(f"{head}connection: close\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
            await reader.readuntil(b"four")
            await change(first, str(made["id"]))
            rest = (await reader.read()).decode()
            await vendor.client_left.wait()
            writer.close()
        assert '"error"' in rest
        assert words in rest


async def test_a_session_of_mcp_ends_with_the_rights_that_it_was_begun_with(make_gate: "MakeGate") -> None:
    """What listens there is told at once that it is open, and ends too; a new session has what is left."""
    opening = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    both = {"accept": "application/json, text/event-stream", "content_type": "application/json"}
    body = json.dumps(opening).encode()
    listing = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}).encode()
    async with make_gate(mcp_sessions=True) as gate:
        for role in ("agent", "developer"):
            await gate.runtime.access.grant("bob", role)
        key = str((await gate.runtime.access.create_key(KeyRequest(name="k", user="bob")))["key"])
        session = (await gate.ask("POST", "/mcp", body=body, key=key, **both)).header("mcp-session-id") or ""
        inside = {**both, "mcp_session_id": session}
        assert (await gate.ask("POST", "/mcp", body=listing, key=key, **inside)).status == 200
        head = f"GET /mcp HTTP/1.1\r\nhost: localhost\r\nx-api-key: {key}\r\nmcp-session-id: {session}\r\n"
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
            writer.write(f"{head}accept: text/event-stream\r\n\r\n".encode())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            await gate.runtime.access.revoke_grant("bob", "developer")
            with suppress(ConnectionError):
                await reader.read()
            writer.close()
            while (refused := await gate.ask("POST", "/mcp", body=listing, key=key, **inside)).status == 200:
                pass
        assert refused.status == 403
        assert b"no longer has" in refused.body
        again = (await gate.ask("POST", "/mcp", body=body, key=key, **both)).header("mcp-session-id") or ""
        inside["mcp_session_id"] = again
        assert (await gate.ask("POST", "/mcp", body=listing, key=key, **inside)).status == 200
