"""Texts that would be scripts, the user that the gateway has at its cache, and versions with known holes.

Each against a real server. What the server ran is what it says itself, by MONITOR.
"""

import hashlib
import json
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast
from urllib.parse import quote

import pytest
from redis.exceptions import RedisError

from interlock_core.call import Call, CallKind
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import JsonObject, as_array, as_object, parse_json
from interlock_runtime import Runtime, Settings
from interlock_runtime.settings import CacheSettings, LimitSettings, ProviderSettings
from interlock_security.limits import CACHE_USER_RULES, _script

from .harness.cache import USER, Cache, Client, argv, cache, client, lying
from .harness.cases import Case, family
from .harness.people import Town, town
from .harness.seen import Seen, problems

FAMILIES = (39,)
ROOT = Path(__file__).parents[2]
SHIPPED = {
    hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(): text
    for text in (_script.TAKE, _script.CORRECT, _script.RENEW, _script.RELEASE)
}
"""The scripts that ship with the gateway, by what the server knows them by."""

KEYS = "interlock:{limits}:"
RUNNING = ("EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO", "SCRIPT", "FUNCTION")
LIMITS = (
    LimitSettings(scope="global", limit=100_000),
    LimitSettings(scope="user", limit=10_000),
    LimitSettings(scope="key", limit=10_000),
    LimitSettings(scope="user", kind="concurrency", limit=100),
)


@asynccontextmanager
async def guarded_town(folder: Path) -> AsyncGenerator[tuple[Town, Cache], None]:
    """A gateway that counts in a server where its user may do only what it needs."""
    async with cache() as server:
        chosen = CacheSettings(url=server.url, local_percent=0)
        async with town(folder / "home", cache=chosen, limits=LIMITS) as place:
            yield place, server


def cases(place: str) -> list[Case]:
    """The cases of one way to attack."""
    found = [case for case in family(39).cases if case.send["place"] == place]
    assert found
    return found


# ---- texts where names stand


@pytest.mark.promise("A7")
async def test_a_text_that_would_be_a_script_is_a_name(tmp_path: Path) -> None:
    """As a user, a key, a limit, a model, a tag, a task and a credential; nothing but our scripts runs."""
    wrong: list[tuple[str, list[str]]] = []
    async with guarded_town(tmp_path) as (place, server):
        for number, case in enumerate(cases("tag")):
            seen = await named(case, number, place, server)
            if found := problems(case, seen):
                wrong.append((case.id, [*found, str(seen.facts), str(seen.figures)]))
        assert sorted(await server_scripts(server)) == [True] * len(SHIPPED)
    assert wrong == []


async def server_scripts(server: Cache) -> list[bool]:
    """Whether the server knows each of our scripts; one that was sent away would be a change of its state."""
    for text in SHIPPED.values():
        await server.admin.execute_command("SCRIPT", "LOAD", text)
    known = await server.admin.execute_command("SCRIPT", "EXISTS", *SHIPPED)
    return [bool(one) for one in cast("list[object]", known)]


async def named(case: Case, number: int, place: Town, server: Cache) -> Seen:
    """The text is sent wherever something is named."""
    text, admin = str(case.send["value"]), place.keys["admin"]
    folder = await server.admin.execute_command("CONFIG", "GET", "dir")
    await server.commands()
    statuses: list[int] = []

    async def send(method: str, path: str, body: JsonObject, *, key: str = admin, **headers: str) -> bytes:
        answer = await place.ask(
            method, path, key=key, headers=headers, body=b"" if method == "GET" else json.dumps(body).encode()
        )
        statuses.append(answer.status)
        return answer.body

    limit: JsonObject = {
        "scope": "user",
        "name": text,
        "kind": "requests",
        "limit": 9 + number,
        "window": "1m",
    }
    await send("PUT", "/api/limits", limit)
    made = as_object(parse_json(await send("POST", "/api/keys", {"name": text[:64], "user": text})))
    told = as_object(parse_json(await send("GET", "/api/limits", {})))
    assert "items" in told, told
    chat: JsonObject = {"model": "stub/small", "messages": [{"role": "user", "content": text}]}
    safe = re.sub(r"[,=]", ";", text)[:60]
    tags = {"x-interlock-tags": f"{quote(safe)}={safe}", "x-interlock-task": text[:64]}
    await send("POST", "/v1/chat/completions", chat, key=str(made["key"]), **tags)
    await send("POST", "/v1/chat/completions", {**chat, "model": text}, key=str(made["key"]))
    await send("GET", "/v1/models", {}, key=text)
    ran = await server.commands()
    rows = [as_object(row) for row in as_array(told["data"] if "data" in told else told["items"])]
    counter = f"{KEYS}user:requests:60000000:{text}"
    return Seen(
        figures={"status": max(statuses)},
        facts={
            "script not run": all(map(ours, ran))
            and any(map(running, ran))
            and folder == await server.admin.execute_command("CONFIG", "GET", "dir"),
            "names with this text are data": [row["name"] for row in rows if row["limit"] == 9 + number]
            == [text]
            and made["user"] == text
            and await server.admin.execute_command("EXISTS", counter) == 1,
        },
    )


def running(command: str) -> bool:
    """Whether a command runs or keeps a script."""
    return command.split(" ", 1)[0].upper() in RUNNING


def ours(command: str) -> bool:
    """Whether a command is none that runs or keeps a script, or one of ours."""
    if not running(command):
        return True
    word, _, rest = command.partition(" ")
    if word.upper() == "EVALSHA":
        return rest.split(" ", 1)[0] in SHIPPED
    return command.upper().startswith("SCRIPT LOAD ") and any(
        "".join(text.split()) == "".join(command[len("SCRIPT LOAD ") :].replace("\\n", "").split())
        for text in SHIPPED.values()
    )


# ---- the user of the gateway


@pytest.mark.promise("A7")
async def test_the_user_of_the_gateway_may_do_no_more_than_it_needs() -> None:
    """With the rights that the documents give it, it can neither read nor run nor change anything else."""
    wrong: list[tuple[str, object]] = []
    async with cache() as server:
        own = client(server.url)
        for case in cases("cache"):
            words = argv(str(case.send["value"]))
            said = await refusal(own, words)
            # What the server's own settings forbid too is asked of the rights alone as well.
            judged = str(await server.admin.execute_command("ACL", "DRYRUN", USER, *words))
            facts = {"refused by the cache": "answered" not in said and "no permissions" in judged}
            if problems(case, Seen(facts=facts)):
                wrong.append((case.id, f"{said}; {judged}"))
        assert "No permissions to access a key" in await refusal(own, ["HGET", "another:key", "field"])
        await own.aclose()
    assert wrong == []


async def refusal(own: Client, words: list[str]) -> str:
    """Why a command is refused; its answer where it is not."""
    try:
        return f"answered {await own.execute_command(*words)}"
    except RedisError as error:
        return str(error)


def test_the_documents_give_the_rights_that_were_tried() -> None:
    """Word by word."""
    assert f" {CACHE_USER_RULES}\n" in (ROOT / "docs" / "limits.md").read_text("utf-8")


# ---- versions


@pytest.mark.promise("A7")
async def test_a_cache_with_known_holes_is_refused_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With its version and what to do; one that says nothing of use is warned of; a mended one is used."""
    wrong: list[tuple[str, list[str]]] = []
    async with cache() as server:
        for case in cases("version"):
            folder = tmp_path / case.id
            folder.mkdir()
            version = str(case.send["value"])
            async with lying(server.url, version, folder) as url:
                caplog.clear()
                seen = await started(folder / "home", CacheSettings(url=url), caplog)
                if found := problems(case, seen):
                    wrong.append((case.id, [*found]))
                assert seen.error is None or (version in seen.error.message and seen.error.remedy)
    assert wrong == []


@pytest.mark.promise("A7")
async def test_a_version_that_was_mended_under_its_number_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the operator says so."""
    async with cache() as server, lying(server.url, "7.2.0", tmp_path) as url:
        chosen = CacheSettings(url=url, local_percent=0)
        assert (await started(tmp_path / "home", chosen, caplog)).refused
        accepted = replace(chosen, accept_versions=("7.2.0",))
        seen = await started(tmp_path / "home", accepted, caplog)
        assert seen.facts["start allowed"]


async def started(home: Path, chosen: CacheSettings, caplog: pytest.LogCaptureFixture) -> Seen:
    """The gateway starts with a cache, and counts one call there."""
    caplog.set_level(logging.WARNING)
    none = ProviderSettings(kind="local", enabled=False)
    settings = Settings(home=home, cache=chosen, limits=LIMITS, providers={"local": none})
    seen = Seen()
    try:
        async with Runtime.open(settings, environment={}) as runtime:
            call = Call(id="call_1", kind=CallKind.TOOL, name="x.y", principal=runtime.principal)
            async with runtime.limits.around_tools().around(call):
                shared = "interlock_limiter_local 0" in await runtime.records.prometheus()
            seen.facts["start allowed"] = shared
    except InterlockError as error:
        seen.error, seen.refused = error, True
    warned = "does not say which version" in caplog.text
    seen.facts["start refused or warned"] = seen.refused or warned
    return seen
