"""Approvals that wait: asked in one process, answered in another, used once; overrides; roles of agents."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from interlock_core import Call, CallKind, Effect, JsonObject, Principal, ToolCall
from interlock_core.errors import ApprovalDeniedError, PermissionDeniedError
from interlock_core.testing import LoopbackServer, ScriptedApprover, json_answer
from interlock_runtime import OverrideRequest, RightQuestion, Runtime, Settings
from interlock_runtime.settings import ApprovalSettings, ToolSettings

NOTHING: dict[str, str] = {}
ADA = Principal(user="ada", roles=frozenset({"clerk"}))
BOB = Principal(user="bob", roles=frozenset({"approver"}))
ROLES: dict[str, JsonObject] = {
    "clerk": {
        "inherits": ["developer"],
        "approve": [{"tools": ["shop.put*"], "four_eyes": 1}],
    },
    "approver": {"allow": ["manage:approvals.*"]},
    "careful": {"inherits": ["readonly"], "agents": ["reader"]},
}


@dataclass(frozen=True)
class Shop:
    """A document with a write, and a server that takes it.

    Attributes:
        settings: The settings.
        server: The server.
    """

    settings: Settings
    server: LoopbackServer

    async def buy(self, runtime: Runtime, *, who: Principal = ADA, agent: str | None = None) -> None:
        """Make the call that changes something."""
        (tool,) = (await runtime.tools.catalog()).list(["shop.put*"])
        call = ToolCall(id="1", name=tool.name, arguments='{"id": "7"}')
        context = Call(
            id="call_1", kind=CallKind.TOOL, name=tool.name, principal=who, agent=agent, effect=tool.effect
        )
        await runtime.tools.executor.execute(call, context)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncGenerator[Shop, None]:
    """The shop."""
    parameter: JsonObject = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    done: JsonObject = {"200": {"description": "Done."}}
    document: JsonObject = {
        "openapi": "3.1.0",
        "info": {"title": "Shop", "version": "1"},
        "paths": {
            "/items/{id}": {
                "put": {"operationId": "putItem", "parameters": [parameter], "responses": done},
                "get": {"operationId": "getItem", "parameters": [parameter], "responses": done},
            }
        },
    }
    file = tmp_path / "shop.json"
    file.write_text(json.dumps(document))
    async with LoopbackServer(lambda _: json_answer({})) as server:
        tools = {"shop": ToolSettings(source=str(file), base_url=server.url)}
        yield Shop(Settings(home=tmp_path / "home", tools=tools, roles=dict(ROLES)), server)


async def waiting(runtime: Runtime) -> JsonObject:
    """The first question that waits, as soon as there is one."""
    for _ in range(10_000):
        if rows := await runtime.approvals.list(by=BOB):
            return rows[0]
    raise AssertionError("nothing was asked")


@asynccontextmanager
async def opened(
    settings: Settings, *answers: bool
) -> AsyncGenerator[tuple[Runtime, ScriptedApprover], None]:
    """A runtime with somebody at hand."""
    approver = ScriptedApprover(*answers)
    async with Runtime.open(settings, environment=NOTHING, approver=approver) as runtime:
        yield runtime, approver


@pytest.mark.promise("T3")
@pytest.mark.promise("A5")
async def test_a_rule_of_four_eyes_waits_for_somebody_else(shop: Shop) -> None:
    """Who is at hand is not asked; the answer comes from another process, and the call is made once."""
    async with opened(shop.settings, True) as (runtime, approver):
        with pytest.raises(ApprovalDeniedError, match="interlock approvals approve apr_"):
            await shop.buy(runtime)
        assert (approver.asked, shop.server.requests) == ([], [])
        async with opened(shop.settings) as (elsewhere, _):
            (row,) = await elsewhere.approvals.list(by=BOB)
            assert str(row["request"]).startswith("PUT ")
            asker = replace(BOB, user="ada")
            with pytest.raises(PermissionDeniedError, match="Somebody else"):
                await elsewhere.approvals.answer(str(row["id"]), granted=True, by=asker)
            await elsewhere.approvals.answer(str(row["id"]), granted=True, by=BOB)
        await shop.buy(runtime)
        assert len(shop.server.requests) == 1
        with pytest.raises(ApprovalDeniedError):
            await shop.buy(runtime)
        assert len(shop.server.requests) == 1
        kinds = [(row["kind"], row["name"]) for row in await runtime.trail.tail()]
        assert ("intent", "approvals.approve") in kinds
        assert "approved" in [kind for kind, _ in kinds]


@pytest.mark.promise("T3")
async def test_a_call_waits_for_its_answer_as_long_as_the_settings_say(shop: Shop) -> None:
    """A yes lets it go on, a no refuses it with the words of who said so, silence refuses it."""
    patient = replace(shop.settings, approvals=ApprovalSettings(wait_s=30))
    async with opened(patient) as (runtime, _):
        for granted in (True, False):
            buying = asyncio.create_task(shop.buy(runtime))
            row = await waiting(runtime)
            await runtime.approvals.answer(str(row["id"]), granted=granted, reason="hm", by=BOB)
            if granted:
                await buying
            else:
                with pytest.raises(ApprovalDeniedError, match="bob said no: hm"):
                    await buying
        assert len(shop.server.requests) == 1
    brief = replace(
        shop.settings, home=shop.settings.home / "b", approvals=ApprovalSettings(wait_s=0.01, valid_s=60)
    )
    async with opened(brief) as (runtime, _):
        with pytest.raises(ApprovalDeniedError, match="it waits as apr_"):
            await shop.buy(runtime)


@pytest.mark.promise("A6")
async def test_what_nobody_at_hand_answers_waits_too(shop: Shop) -> None:
    """After untrusted text a change of an agent needs a yes; its user may give it elsewhere."""
    admin = Principal(user="root", roles=frozenset({"admin"}))
    settings = replace(shop.settings, approvals=ApprovalSettings(require="write"))
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        with pytest.raises(ApprovalDeniedError, match="nobody can be asked"):
            await shop.buy(runtime, who=admin, agent="helper")
        (row,) = await runtime.approvals.list(by=admin)
        await runtime.approvals.answer(str(row["id"]), granted=True, by=admin)
        await shop.buy(runtime, who=admin, agent="helper")
    assert len(shop.server.requests) == 1


@pytest.mark.promise("A5")
async def test_overrides_and_roles_of_agents_are_in_force(shop: Shop) -> None:
    """An agent has the roles that name it; a denial for one user holds in every process."""
    admin = Principal(user="root", roles=frozenset({"admin"}))
    async with opened(shop.settings) as (runtime, _):
        with pytest.raises(PermissionDeniedError, match="the agent reader"):
            await shop.buy(runtime, who=admin, agent="reader")
        await shop.buy(runtime, who=admin, agent="helper")
        request = OverrideRequest(user="root", kind="deny", rule="effect:write", reason="on leave")
        made = await runtime.access.rules.override(request)
        async with opened(shop.settings) as (elsewhere, _):
            with pytest.raises(PermissionDeniedError, match=str(made["id"])):
                await shop.buy(elsewhere, who=admin)
        (tool,) = (await runtime.tools.catalog()).list(["shop.put*"])
        assert tool.effect is Effect.WRITE
        found = await runtime.access.rules.explain(RightQuestion(user="root", tool=tool))
        assert found.verdict.rule == "default-deny" or str(made["id"]) in found.verdict.rule
        assert len(await runtime.access.rules.overrides()) == 1
        with pytest.raises(PermissionDeniedError):
            await runtime.access.rules.explain(RightQuestion(user="root", tool=tool), by=BOB)
        await runtime.access.rules.remove_override(str(made["id"]))
        await shop.buy(runtime, who=admin)
