"""Swallowed refusal: when a step that tells whom a key stands for fails, nobody is let in, as nobody else.

Every failure at every entry. `interlock mcp` asks for no key, since who can read the data folder is the user
at this machine; only what it reads there can fail.
"""

import asyncio
import json
import logging
import os
import shutil
import sqlite3
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from interlock_core.jsontypes import JsonObject

from .harness.cases import Case, family, matrix
from .harness.identity import FAULTS, USER, Broken, broken
from .harness.seen import Seen, problems
from .harness.surfaces import BODIES, TOOL, Said, Ways, ways

FAMILIES = (10,)
FULL = os.environ.get("INTERLOCK_FULL") == "1"
STDIO = "interlock mcp"
SAID = ("user record missing", "role is missing")
"""What is no failure of ours, and so a refusal that says itself why, without a line in the log."""
_CALL: JsonObject = {
    "jsonrpc": "2.0",
    "id": 2,
    "method": "tools/call",
    "params": {"name": TOOL, "arguments": {}},
}
_GET = ("/v1/models", "/api/keys", "/api/events")


@dataclass(slots=True)
class Stage:
    """A gateway, and who tells at it whom a key stands for."""

    place: Ways
    door: Broken


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage, None]:
    """The gateway of this module."""
    async with ways(tmp_path_factory.mktemp("refusals")) as place, broken(place) as door:
        yield Stage(place, door)


async def asked(place: Ways, entry: str, key: str) -> Said:
    """Ask at one entry, with a key."""
    if entry in _GET:
        return await replace(place, key=key).ask("GET", entry)
    body = _CALL if entry == "/mcp" else BODIES[entry]
    return await replace(place, key=key).post(entry, body)


async def refused(stage: Stage, fault: str, entry: str, log: pytest.LogCaptureFixture) -> Seen:
    """What came of one failure at one entry."""
    place, before = stage.place, stage.place.upstream()
    log.clear()
    async with stage.door.failing(fault) as key:
        said = await asked(place, entry, key)
    told = f"{said.text}{log.text}"
    absent = USER not in said.text and "caller" not in said.text and said.status != 200
    return Seen(
        refused=bool(said.code) and said.status >= 400,
        figures={"status": said.status, "executed": place.upstream() - before},
        facts={
            "identity absent": absent,
            "logged": bool(log.records) or fault in SAID,
            "no key": key not in told,
        },
    )


@pytest.mark.asyncio(loop_scope="module")
async def test_without_a_failure_the_same_key_is_let_in(stage: Stage) -> None:
    """Else a refusal would prove nothing; where nothing is built, 404 follows the key's check."""
    key = await stage.door.key()
    for entry in matrix(10)["entry"]:
        if entry != STDIO:
            said = await asked(stage.place, entry, key)
            assert said.status == (404 if entry == "/api/events" else 200), (entry, said)


@pytest.mark.asyncio(loop_scope="module")
async def test_no_failure_lets_anybody_in(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Every case of the table."""
    caplog.set_level(logging.WARNING)
    wrong: list[object] = []
    for case in family(10).cases:
        seen = await refused(stage, str(case.send["fault"]), str(case.send["path"]), caplog)
        if missed := problems(case, seen):
            wrong.append((case.id, case.given, missed, seen.figures))
    assert wrong == []


@pytest.mark.asyncio(loop_scope="module")
async def test_no_failure_lets_anybody_in_at_any_entry(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Every cell of the matrix: refused, nothing executed, no default identity, logged without the key."""
    caplog.set_level(logging.WARNING)
    axes = matrix(10)
    assert {*axes["fault"]} == {*FAULTS}
    wrong: list[object] = []
    for fault in axes["fault"]:
        for entry in axes["entry"]:
            if entry == STDIO:
                continue
            must = (
                "refused",
                "status in [401, 403, 503]",
                "executed == 0",
                "identity absent",
                "logged",
                "no key",
            )
            seen = await refused(stage, fault, entry, caplog)
            if missed := problems(Case("F10", "http", fault, {}, must), seen):
                wrong.append((fault, entry, missed, seen.figures, caplog.text[-2_000:]))
    assert wrong == []


@pytest.mark.asyncio(loop_scope="module")
async def test_a_memory_that_mixes_keys_up_is_thrown_away(stage: Stage) -> None:
    """Nobody is told apart by it again, and nobody is kept out."""
    async with stage.door.failing("cache returns another identity") as key:
        assert (await asked(stage.place, "/v1/models", key)).status == 503
        assert (await asked(stage.place, "/v1/models", key)).status == 200


async def served(place: Ways, sent: bytes) -> tuple[int, str]:
    """What `interlock mcp` says to these lines, and how it ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "interlock_cli", "mcp"),
        env=place.environment(),
        cwd=place.folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(sent)
    return process.returncode or 0, f"{out.decode()}{err.decode()}"


def _not_there(home: Path) -> None:
    (home / "interlock.db").unlink()
    (home / "interlock.db").mkdir()


def _no_database(home: Path) -> None:
    for path in home.glob("interlock.db*"):
        path.unlink()
    (home / "interlock.db").write_bytes(b"no database " * 1_000)


def _no_rule(home: Path) -> None:
    with closing(sqlite3.connect(home / "interlock.db")) as raw:
        raw.execute(
            "INSERT INTO roles_overrides (id, user_name, kind, rule, until_us, reason, created_by,"
            " created_at) VALUES ('x', 'someone', 'allow', '{\"tool', NULL, '', '', 0)"
        )
        raw.commit()


def _no_role(home: Path) -> None:
    config = home.parent / "config.toml"
    config.write_text(
        config.read_text("utf-8").replace('roles = ["admin"]', 'roles = ["no-such-role"]'), "utf-8"
    )


SPOILT: dict[str, Callable[[Path], None]] = {
    "store down": _not_there,
    "store raises an unknown error": _no_database,
    "policy set does not parse": _no_rule,
    "role is missing": _no_role,
}
"""What can fail where no key is asked for."""


@pytest.mark.parametrize("fault", [*SPOILT] if FULL else [*SPOILT][2:3])
async def test_a_program_of_the_user_at_this_machine_refuses_too(fault: str, tmp_path: Path) -> None:
    """It calls the tool without a failure, and does not start, or refuses the call, with one."""
    lines = [
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        },
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        _CALL,
    ]
    sent = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    async with ways(tmp_path / "good") as place:
        copy = tmp_path / "copy"
        shutil.copytree(place.folder, copy)
        there = replace(place, folder=copy)
        SPOILT[fault](copy / "home")
        code, told = await served(there, sent)
        assert place.upstream() == 0, told
        assert code or '"isError":true' in told.replace(" ", ""), told
        well = await place.stdio(TOOL)
        assert (well.code, place.upstream()) == ("", 1), well
