"""Tools that are held back, over HTTP: who sees them, who lets them in."""

import json
from typing import TYPE_CHECKING

import pytest

from interlock_core import JsonObject
from interlock_core.jsontypes import as_array, as_object, dump_json, parse_json
from interlock_core.testing import Answer, LoopbackServer
from interlock_runtime import KeyRequest

if TYPE_CHECKING:
    from .conftest import Gate


@pytest.mark.promise("O1")
async def test_a_changed_document_is_approved_over_http(gate: "Gate") -> None:
    """Exactly what was shown, by whoever may, in that one's name."""
    operation: JsonObject = {"operationId": "list"}

    def serve(_: object) -> Answer:
        root: JsonObject = {
            "openapi": "3.1.0",
            "info": {"title": "S"},
            "paths": {"/orders": {"get": operation}},
        }
        return Answer(body=json.dumps(root).encode())

    async def waiting() -> list[JsonObject]:
        answer = await gate.ask("GET", "/api/tools/withheld")
        return [as_object(row) for row in as_array(as_object(parse_json(answer.body))["items"])]

    async def approve(tool: JsonObject, key: str = "") -> int:
        body = dump_json({"tools": [{"name": tool["name"], "fingerprint": tool["fingerprint"]}]}).encode()
        path = "/api/tools/withheld/shop/approve"
        return (await gate.ask("POST", path, body=body, key=key, content_type="application/json")).status

    async with LoopbackServer(serve) as server:
        tools = gate.runtime.tools
        await tools.add(f"{server.url}/a.json", namespace="shop", base_url="", credential="", allow=())
        await tools.catalog()
        assert await waiting() == []
        operation["x-interlock-effect"] = "destructive"
        await tools.reload("shop")
        (row,) = await waiting()
        assert (row["name"], row["source"], row["why"]) == ("shop.list", "shop", "changed: effect")
        assert '+  "effect": "destructive",' in as_array(row["difference"])
        made = await gate.runtime.access.create_key(KeyRequest(name="d", user="dora", role="developer"))
        assert await approve(row, str(made["key"])) == 403
        assert await approve({**row, "fingerprint": "0" * 64}) == 409
        assert await approve(row) == 200
        assert await waiting() == []
        assert (await tools.named("shop.list")).effect.value == "destructive"
        assert await approve(row) == 404
