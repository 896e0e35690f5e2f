"""What a caller names, or writes into a body: no tool without a grant, and nothing runs but what is stored.

Each request on a hidden tool is sent to two houses that differ in nothing but that tool, and must be answered
with the same bytes.
"""

import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from interlock_core import JsonObject
from interlock_core.jsontypes import as_object

from .harness.cases import Case, canary_places, family, filled, forms
from .harness.egress import document
from .harness.network import Network, network
from .harness.surfaces import Said, Ways, ways

FAMILIES = (28, 33)
FULL = os.environ.get("INTERLOCK_FULL") == "1"
CANARY = "canary-28e0c7715d9a"
ROLES = """
[roles.some]
allow = [{ tools = ["api.*", "gate.*"] }, { models = ["*"] }]
"""
HIDDEN = """
[tools.secret]
source = "%s"
base_url = "{api}"
credential = "canary-28e0c7715d9a"
"""
GATE = """
[approvals]
require = "write"

[tools.gate]
source = "%s"
base_url = "{api}"
credential = "canary-28e0c7715d9a"
"""
AT_THIS_MACHINE = frozenset({"F28-21", "F28-22", "F28-23", "F28-24", "F28-25"})
"""Rows of the command line: who starts it can read the configuration, so a tool's being there is no secret.

That its answer is the one of an unknown tool is not asked of them; everything else is.
"""
STORED_NOWHERE = "skills are read, not run, over HTTP"
"""Why `/api/skills/…/run` answers 404, which is the refusal of every row that goes there."""


# ---- 28: a tool by its identifier


@pytest.mark.promise("A2")
async def test_a_tool_without_a_grant_is_answered_like_one_that_is_not_there(tmp_path: Path) -> None:
    """By every name of it, at every entry; nothing runs with the server's credential."""
    content = json.dumps(document("http://127.0.0.1:1", "/read")).replace('"one"', '"read"')
    (tmp_path / "secret.json").write_text(content, "utf-8")
    hidden = HIDDEN % (tmp_path / "secret.json")
    cases = [case for case in family(28).cases if FULL or case.surface != "cli" or case.id == "F28-21"]
    wrong: list[tuple[str, object]] = []
    async with (
        ways(tmp_path / "with", more=ROLES + hidden, role="some") as there,
        ways(tmp_path / "without", more=ROLES, role="some") as nowhere,
    ):
        assert "secret.read" in {tool.name for tool in (await there.runtime.tools.catalog()).list(("*",))}
        for case in cases:
            assert case.must == ("executed == 0", "body == that of an unknown tool", "response lacks canary")
            said, unknown = await named(case, there), await named(case, nowhere)
            if said != unknown and case.id not in AT_THIS_MACHINE:
                wrong.append((case.id, (said, unknown)))
            if there.api.requests or [form for form in forms(CANARY) if form in said.text]:
                wrong.append((case.id, said))
        kinds = {
            str(row["kind"]) for row in await there.runtime.trail.tail(50) if row["name"] == "secret.read"
        }
    assert wrong == []
    assert kinds == {"refused"}


async def named(case: Case, place: Ways) -> Said:
    """Name the tool of a case where the case says."""
    tool = str(case.send["tool"]).replace("{id of secret.read}", "secret-read")
    match case.send["place"]:
        case "body":
            return await place.post(f"/api/tools/{tool.replace(' ', '%20')}/call", {"name": tool})
        case "tool_choice":
            choice: JsonObject = {"type": "function", "function": {"name": tool}}
            message: JsonObject = {"role": "user", "content": "hi"}
            body: JsonObject = {"model": "stub/small", "messages": [message], "tool_choice": choice}
            return await place.post("/v1/chat/completions", body)
        case "mcp entry":
            entry: JsonObject = {"type": "mcp", "server_label": "secret", "allowed_tools": [tool]}
            return await place.post("/v1/responses", {"model": "stub/small", "input": "hi", "tools": [entry]})
        case "tools/call":
            return await place.mcp(tool)
        case _:
            return await place.command("tools", "call", tool)


# ---- 33: a definition in a body


@asynccontextmanager
async def guarded(folder: Path) -> AsyncGenerator[tuple[Ways, Network], None]:
    """A house with a tool that people must approve, on a network of its own."""
    content = json.dumps(document("http://127.0.0.1:1", "/save")).replace('"one"', '"save"')
    (folder / "gate.json").write_text(content.replace('"get"', '"post"'), "utf-8")
    async with (
        network(folder / "net") as net,
        ways(folder / "house", more=ROLES + GATE % (folder / "gate.json"), role="some") as place,
    ):
        net.own |= {place.port, place.api.port, int(place.vendor.url.removesuffix("/v1").rpartition(":")[2])}
        yield place, net


@pytest.mark.promise("A2")
@pytest.mark.promise("T3")
async def test_a_body_replaces_nothing_that_is_stored(tmp_path: Path) -> None:
    """It is refused, or what is stored runs: no address of the caller's, no tool, no approval less."""
    wrong: list[tuple[str, object]] = []
    async with guarded(tmp_path) as (place, net):
        for case in family(33).cases:
            stored = (place.folder / "config.toml").read_bytes()
            tools = (await place.runtime.tools.catalog()).list(("*",))
            asked = len(place.vendor.requests)
            path = str(case.send["path"])
            body = as_object(filled(case.send["body"], canary_places(CANARY)))
            said = await place.post(path, body if "skills" in path else {"model": "stub/small", **body})
            gate = await place.mcp("gate.save")
            allowed = {404} if "skills" in path else {200, 400, 403, 422}
            facts = {
                "status": said.status in allowed,
                "stored definition ran": (place.folder / "config.toml").read_bytes() == stored
                and (await place.runtime.tools.catalog()).list(("*",)) == tools
                and not place.api.requests
                and len(place.vendor.requests) - asked <= 1,
                "connections to evil.example == 0": net.dialled == [] and "evil.example" not in net.looked_up,
                "approval still asked": bool(gate.code) and "approv" in gate.text.lower(),
            }
            wrong += [(case.id, (word, said, gate)) for word, holds in facts.items() if not holds]
    assert wrong == []
