"""Roles, overrides, explanations and approvals over HTTP, for those who may and those who may not."""

from typing import TYPE_CHECKING

import pytest

from interlock_api.testing import RawAnswer
from interlock_core import Call, CallKind, Effect, Prepared, Principal, ToolSpec
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, dump_json, parse_json
from interlock_runtime import KeyRequest

if TYPE_CHECKING:
    from .conftest import Gate


def told(answer: RawAnswer) -> JsonObject:
    """The object of an answer's body."""
    return as_object(parse_json(answer.body))


async def sent(gate: "Gate", method: str, path: str, body: Json = None, *, key: str = "") -> RawAnswer:
    """A request with a body of JSON."""
    data = b"" if body is None else dump_json(body).encode()
    return await gate.ask(method, path, body=data, key=key, content_type="application/json")


async def key_of(gate: "Gate", user: str, role: str) -> str:
    """A key of a user."""
    return str((await gate.runtime.access.create_key(KeyRequest(name=user, user=user, role=role)))["key"])


@pytest.mark.promise("A5")
async def test_roles_are_granted_overridden_and_explained(gate: "Gate") -> None:
    """What one does is seen by the next request."""
    names = [as_object(row)["name"] for row in as_array(told(await gate.ask("GET", "/api/roles"))["items"])]
    assert {"admin", "readonly"} <= set(names)
    assert told(await gate.ask("GET", "/api/roles/readonly"))["builtin"] is True
    assert (await gate.ask("GET", "/api/roles/absent")).status == 404
    granted = await sent(gate, "POST", "/api/roles/grants", {"user": "dora", "role": "readonly"})
    assert granted.status == 204
    question: JsonObject = {"user": "dora", "tool": "github.issues_create"}
    assert told(await sent(gate, "POST", "/api/roles/can", question))["verdict"] == "deny"
    wish: JsonObject = {
        "user": "dora",
        "verdict": "allow",
        "rule": {"tools": ["github.issues_create"], "taint_free": True},
        "reason": "on call",
    }
    made = await sent(gate, "POST", "/api/roles/overrides", wish)
    assert made.status == 201
    assert told(await sent(gate, "POST", "/api/roles/can", question))["verdict"] == "allow"
    tainted: JsonObject = {**question, "tainted": ["web.fetch"]}
    assert told(await sent(gate, "POST", "/api/roles/can", tainted))["verdict"] == "deny"
    name = str(told(made)["id"])
    assert name in (await gate.ask("GET", "/api/roles/overrides")).body.decode()
    assert (await gate.ask("DELETE", f"/api/roles/overrides/{name}")).status == 204
    assert (await gate.ask("DELETE", "/api/roles/grants/dora/readonly")).status == 204
    assert as_array(told(await gate.ask("GET", "/api/roles/grants"))["items"]) == []
    for wrong in ({**wish, "colour": "red"}, {**wish, "verdict": "maybe"}, {**wish, "rule": "speed:fast"}):
        assert (await sent(gate, "POST", "/api/roles/overrides", wrong)).status in {400, 422}


@pytest.mark.promise("A5")
async def test_who_may_not_administer_roles_sees_and_changes_nothing(gate: "Gate") -> None:
    """But their own rights everybody may know."""
    key = await key_of(gate, "mallory", "readonly")
    wish: JsonObject = {"user": "mallory", "role": "admin"}
    asked: list[tuple[str, str, Json]] = [
        ("GET", "/api/roles", None),
        ("GET", "/api/roles/overrides", None),
        ("POST", "/api/roles/grants", wish),
        ("POST", "/api/roles/can", {"user": "admin", "tool": "github.issues_create"}),
        ("GET", "/api/approvals", None),
    ]
    for method, path, body in asked:
        assert (await sent(gate, method, path, body, key=key)).status == 403, path
    own = await sent(gate, "POST", "/api/roles/can", {"tool": "github.issues_create"}, key=key)
    assert (own.status, told(own)["allowed"]) == (200, False)


@pytest.mark.promise("T3")
async def test_an_approval_is_answered_by_somebody_else_over_http(gate: "Gate") -> None:
    """The body names nobody: who answers is whom the key stands for."""
    tool = ToolSpec(name="shop.buy", effect=Effect.WRITE)
    dora = Principal(user="dora", roles=frozenset({"developer"}))
    call = Call(id="c", kind=CallKind.TOOL, name=tool.name, principal=dora, effect=tool.effect)
    asked = await gate.runtime.approvals.ask(call, Prepared(tool=tool, arguments={"n": 1}), others=True)
    dora_key = await key_of(gate, "dora", "developer")
    (row,) = as_array(told(await sent(gate, "GET", "/api/approvals", key=dora_key))["items"])
    path = f"/api/approvals/{as_object(row)['id']}"
    assert as_object(row)["id"] == asked["id"]
    assert (await sent(gate, "POST", f"{path}/approve", {}, key=dora_key)).status == 403
    assert (await sent(gate, "POST", f"{path}/approve", {"user": "admin"})).status in {400, 422}
    granted = await sent(gate, "POST", f"{path}/approve", {"reason": "fine"})
    assert (granted.status, told(granted)["state"]) == (200, "granted")
    assert (await sent(gate, "POST", f"{path}/deny", {})).status == 409
    assert as_array(told(await gate.ask("GET", "/api/approvals"))["items"]) == []
    assert len(as_array(told(await gate.ask("GET", "/api/approvals?all=true"))["items"])) == 1
