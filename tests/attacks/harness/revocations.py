"""Four gateway processes on one store, what a key has open at each, and the ways to take it back at one."""

import asyncio
import json
import signal
import sqlite3
import time
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from interlock_api.testing import GatewayProcess, RawAnswer, talk
from interlock_core.jsontypes import JsonObject, as_object, parse_json
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest, json_answer, sse_answer

from .cases import Case
from .egress import document
from .seen import Seen, problems

PROCESSES = 4
TOOL = "api.one"
CHAT: JsonObject = {"model": "stub/small", "messages": [{"role": "user", "content": "hi"}]}
LIFE_S = 2.0
"""Seconds after which a key expires where a case wants one that does: each process learns of it before."""
CUT = RawAnswer(0, (), b"")
"""An answer that was begun, and ended before anything of it was sent."""
WITHIN_S = 1.0
"""Seconds after which nobody may accept what was taken back, beside what this machine is slow."""
_PATIENCE_S = 30.0
_CONFIG = """
[server]
mcp_sessions = true
max_wrong_keys = 1000000

[providers.stub]
kind = "openai-compatible"
base_url = "{vendor}/v1"
api_key = "sk-stub"
models = ["small"]

[providers.local]
kind = "local"
enabled = false

[models."stub/small"]
input_usd = 1
output_usd = 1

[tools.api]
source = "{folder}/api.json"
base_url = "{api}"

[[quotas]]
scope = "tool"
name = "api.*"
day_usd = 1000
call_usd = 0.001
"""
_OPEN: JsonObject = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
_READY: JsonObject = {"jsonrpc": "2.0", "method": "notifications/initialized"}
_CALL: JsonObject = {
    "jsonrpc": "2.0",
    "id": 2,
    "method": "tools/call",
    "params": {"name": TOOL, "arguments": {}},
}


@dataclass(slots=True)
class Replicas:
    """The processes, and whom they ask.

    Attributes:
        gateways: The processes; what is taken back is taken back at the first.
        vendor: Answers a stream with one piece and no end.
        numbers: Tells users apart.
    """

    gateways: list[GatewayProcess]
    vendor: LoopbackServer
    numbers: "count[int]" = field(default_factory=count)

    async def manage(self, method: str, path: str, body: JsonObject | None = None) -> JsonObject:
        """An administrator's request to the first process."""
        first = self.gateways[0]
        answer = await ask(first, method, path, body, key=first.key)
        assert answer.status < 300, answer
        return as_object(parse_json(answer.body)) if answer.body else {}


@dataclass(slots=True)
class Holder:
    """A user with a key, as one case needs them.

    Attributes:
        user: The user.
        team: The user's team, for which the key was made.
        key: The key's text.
        key_id: The key's id.
        sessions: Sessions of MCP by the process.
        streams: Open streams, each until its end.
        gone_at: When it was taken back, on the monotonic clock.
        slowest: The slowest answer of any process since, in seconds.
    """

    user: str
    team: str
    key: str
    key_id: str
    sessions: list[str] = field(default_factory=list[str])
    streams: list["asyncio.Task[float]"] = field(default_factory=list["asyncio.Task[float]"])
    gone_at: float = 0.0
    slowest: float = 0.0


async def ask(
    gateway: GatewayProcess, method: str, path: str, body: JsonObject | None = None, **headers: str
) -> RawAnswer:
    """One request on a connection of its own; `key` among the headers is the caller's.

    An answer whose end never comes is as good as none: what was open when its key ended is cut off.
    """
    try:
        found = await talk(gateway.port, _request(method, path, body, close=True, **headers))
    except ValueError:
        return CUT
    return found[0] if found else CUT


def _request(
    method: str, path: str, body: JsonObject | None, *, close: bool = False, **headers: str
) -> bytes:
    sent = b"" if body is None else json.dumps(body).encode()
    given = {
        "host": "localhost",
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "content-length": str(len(sent)),
    }
    given |= {name.replace("_", "-"): text for name, text in headers.items() if name != "key"}
    given |= {"x-api-key": headers["key"]} if "key" in headers else {}
    given |= {"connection": "close"} if close else {}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {text}" for name, text in given.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + sent


async def _endless() -> AsyncIterable[str]:
    yield json.dumps({"choices": [{"index": 0, "delta": {"role": "assistant", "content": "one"}}]})
    await asyncio.Event().wait()


def _vendor(request: ReceivedRequest) -> Answer:
    if as_object(parse_json(request.body)).get("stream"):
        return sse_answer(_endless())
    message: JsonObject = {"role": "assistant", "content": "ok"}
    usage: JsonObject = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    choices: JsonObject = {"index": 0, "message": message, "finish_reason": "stop"}
    return json_answer(
        {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": "small",
            "choices": [choices],
            "usage": usage,
        }
    )


@asynccontextmanager
async def replicas(folder: Path) -> AsyncGenerator[Replicas, None]:
    """Start the processes, each with its part for MCP loaded."""
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(LoopbackServer(_vendor))
        api = await stack.enter_async_context(LoopbackServer(lambda _: json_answer({})))
        (folder / "api.json").write_text(json.dumps(document(api.url)), "utf-8")
        config = _CONFIG.format(vendor=vendor.url, api=api.url, folder=folder)
        environment = {"XDG_CONFIG_HOME": str(folder / "none")}
        gateways = [
            GatewayProcess(folder / "home", config=config, environment=environment) for _ in range(PROCESSES)
        ]
        for gateway in gateways:
            stack.callback(_stopped, gateway)
        await asyncio.to_thread(gateways[0].start)
        await asyncio.gather(*(asyncio.to_thread(gateway.start) for gateway in gateways[1:]))
        made = Replicas(gateways, vendor)
        await asyncio.gather(*(_session(gateway, gateways[0].key) for gateway in gateways))
        yield made


def _stopped(gateway: GatewayProcess) -> None:
    gateway.send(signal.SIGKILL)
    gateway.wait()


async def _session(gateway: GatewayProcess, key: str) -> str:
    """Begin a session of MCP."""
    opened = await ask(gateway, "POST", "/mcp", _OPEN, key=key)
    session = opened.header("mcp-session-id")
    assert session is not None, opened
    await ask(gateway, "POST", "/mcp", _READY, key=key, mcp_session_id=session)
    return session


async def _holder(place: Replicas) -> Holder:
    """A user in a team, with the role of a developer, and a key for that team."""
    number = next(place.numbers)
    user, team = f"user{number}", f"team{number}"
    await place.manage("POST", "/api/teams", {"name": team})
    await place.manage("POST", "/api/users", {"name": user, "team": team})
    await place.manage("POST", "/api/roles/grants", {"user": user, "role": "developer"})
    wish: JsonObject = {"name": user, "user": user, "team": team}
    made = await place.manage("POST", "/api/keys", wish)
    return Holder(user, team, str(made["key"]), str(made["id"]))


async def _open_stream(gateway: GatewayProcess, request: bytes, first: bytes) -> "asyncio.Task[float]":
    """Open a stream, and wait for its first piece; what is given is done when it ends, and says when."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(request)
    await reader.readuntil(first)

    async def until_the_end() -> float:
        try:
            while await reader.read(65_536):
                pass
        except ConnectionError:
            pass  # an end is an end
        writer.close()
        return time.monotonic()

    return asyncio.create_task(until_the_end())


async def _warm(place: Replicas, holder: Holder, then: str, *, listens: bool) -> None:
    """Use the key in every process, and open there what the case is about."""
    for gateway in place.gateways:
        if "/mcp" in then or listens:
            holder.sessions.append(await _session(gateway, holder.key))
        if "stream" in then:
            body: JsonObject = {**CHAT, "stream": True}
            sent = _request("POST", "/v1/chat/completions", body, close=True, key=holder.key)
            holder.streams.append(await _open_stream(gateway, sent, b"one"))
        if listens:
            session = holder.sessions[-1]
            sent = _request("GET", "/mcp", None, close=True, key=holder.key, mcp_session_id=session)
            holder.streams.append(await _open_stream(gateway, sent, b"200 OK"))
    accepted = [await _then(place, holder, then, number) for number in range(PROCESSES)]
    assert accepted == [200] * PROCESSES, (then, accepted)


async def _then(place: Replicas, holder: Holder, then: str, number: int) -> int:
    """What a case does afterwards, at one process; its status, also where an answer of MCP tells it."""
    gateway = place.gateways[number]
    if "/mcp" not in then:
        return (await ask(gateway, "POST", "/v1/chat/completions", CHAT, key=holder.key)).status
    session = holder.sessions[number]
    answer = await ask(gateway, "POST", "/mcp", _CALL, key=holder.key, mcp_session_id=session)
    text = answer.body.decode("utf-8", "replace").replace(" ", "")
    if answer.status == 200 and '"isError":true' in text:
        return 429 if "Refused:" in text and "thereisnoroomforit" in text else 500
    return answer.status


async def _deleted(place: Replicas, holder: Holder) -> None:
    """There is no command for it: the row itself goes."""
    _stored(place, "DELETE FROM keys_api WHERE id = ?", holder.key_id)


async def _expired(place: Replicas, holder: Holder) -> None:
    """The key is given an end that lies a little ahead."""
    end = int((time.time() + LIFE_S) * 1_000_000)
    holder.gone_at = time.monotonic() + LIFE_S
    _stored(place, "UPDATE keys_api SET expires_at = ? WHERE id = ?", end, holder.key_id)


def _stored(place: Replicas, sql: str, *parameters: str | int) -> None:
    with closing(sqlite3.connect(place.gateways[0].home / "interlock.db", timeout=30)) as database:
        database.execute(sql, parameters)
        database.commit()


def _managed(method: str, path: str) -> "Callable[[Replicas, Holder], Awaitable[object]]":
    async def done(place: Replicas, holder: Holder) -> None:
        words = {"user": holder.user, "team": holder.team, "key": holder.key_id}
        await place.manage(method, path.format(**words))

    return done


async def _without_a_budget(place: Replicas, holder: Holder) -> None:
    await place.manage("PUT", "/api/quotas", {"scope": "user", "name": holder.user, "day_usd": 0})


REVOKED: Mapping[str, Callable[[Replicas, Holder], Awaitable[object]]] = {
    "key revoked": _managed("DELETE", "/api/keys/{key}"),
    "key expired": _expired,
    "user disabled": _managed("POST", "/api/users/{user}/disable"),
    "team removed": _managed("DELETE", "/api/teams/{team}/members/{user}"),
    "role taken away": _managed("DELETE", "/api/roles/grants/{user}/developer"),
    "key deleted": _deleted,
    "budget set to 0": _without_a_budget,
}
"""How each is done, at the first process or in the store."""


async def revoked(case: Case, place: Replicas) -> list[str]:
    """Carry out a case in every process; the words that do not hold."""
    revoke, then = str(case.send["revoke"]), str(case.send["then"])
    holder = await _holder(place)
    # A stream that only listens spends nothing, so a budget does not end it.
    listens = "stream" in then and revoke != "budget set to 0"
    await _warm(place, holder, then, listens=listens)
    await REVOKED[revoke](place, holder)
    holder.gone_at = holder.gone_at or time.monotonic()
    async with asyncio.timeout(_PATIENCE_S):
        last = await asyncio.gather(
            *(_until_refused(place, holder, then, number) for number in range(PROCESSES))
        )
        ends = await asyncio.gather(*holder.streams)
    bound = holder.gone_at + WITHIN_S + 2 * holder.slowest
    facts = {
        "refused in every process": all(accepted < bound for _, accepted in last),
        "streams end within 1 s": bool(ends) and all(end < bound for end in ends),
    }
    late = [round(moment - holder.gone_at, 2) for moment in (*(at for _, at in last), *ends)]
    wrong = [
        problem
        for status, _ in last
        for problem in problems(case, Seen(facts=facts, figures={"status": status}))
    ]
    return [f"{problem}: {late} after, {holder.slowest:.2f} s an answer" for problem in wrong]


async def _until_refused(place: Replicas, holder: Holder, then: str, number: int) -> tuple[int, float]:
    """Ask one process until it refuses; its status, and when the last question was asked that it took."""
    accepted = 0.0
    while True:
        began = time.monotonic()
        status = await _then(place, holder, then, number)
        holder.slowest = max(holder.slowest, time.monotonic() - began)
        if status not in {200, CUT.status}:
            return status, accepted
        accepted = began if status == 200 else accepted


async def without_sign_in(case: Case, place: Replicas) -> list[str]:
    """A case about people who sign in, which nobody can here: their cookie opens nothing at any process."""
    then = str(case.send["then"])
    path = "/mcp" if "/mcp" in then else "/v1/chat/completions"
    body: JsonObject = _CALL if path == "/mcp" else {**CHAT, "stream": "stream" in then}
    wrong: list[str] = []
    for gateway in place.gateways:
        answer = await ask(gateway, "POST", path, body, cookie="session=s3; interlock_session=s3")
        shut = answer.status == 401
        facts = {"refused in every process": shut, "streams end within 1 s": shut}
        wrong += problems(case, Seen(facts=facts, figures={"status": answer.status}))
    return wrong
