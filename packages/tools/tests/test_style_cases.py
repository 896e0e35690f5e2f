"""Every case of the style table goes on the wire as the specifications say, seen by a raw socket server.

The cases stand in `cases/styles.json`; they were written from the specifications, apart from the code.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio

from interlock_core import JsonObject, ToolCall, ToolResult
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import LoopbackServer, ReceivedRequest, make_call
from interlock_tools import DocumentOptions, ToolExecutor, ToolRegistry

CASES = cast("list[JsonObject]", json.loads((Path(__file__).parent / "cases" / "styles.json").read_bytes()))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire() -> AsyncIterator[LoopbackServer]:
    """A server that keeps what it receives, for all cases."""
    async with LoopbackServer() as running:
        yield running


def document(case: JsonObject) -> JsonObject:
    """The case as a document of its version, with one operation that reads."""
    parameter, version = case["parameter"], str(case["version"])
    operation: JsonObject = {"parameters": [parameter], "responses": {"200": {"description": "Done."}}}
    form: JsonObject = {"swagger": "2.0"} if version == "2.0" else {"openapi": version}
    return {
        **form,
        "info": {"title": "Styles", "version": "1"},
        "paths": {str(case["path"]): {"get": operation}},
    }


def allowed(case: JsonObject) -> list[JsonObject]:
    """What may be sent: one thing, or one of several where the specification leaves it open."""
    expected = case.get("expect_any", [case.get("expect")])
    return [as_object(one) for one in as_array(expected)]


def seen(received: ReceivedRequest, name: str) -> JsonObject:
    """What arrived, in the words of the cases."""
    path, _, query = received.target.partition("?")
    header = received.header(name)
    cookie = received.header("cookie")
    return {
        "path": path,
        "query": query,
        "header": [name, None if header is None else header.encode("latin-1").decode()],
        "cookie": cookie,
    }


def fits(said: JsonObject, got: JsonObject) -> bool:
    """Whether what arrived is what a case allows; a cookie or header that it leaves out must be absent."""
    for key, value in said.items():
        if key == "header" and value in (None, []):
            if as_array(got["header"])[1] is not None:
                return False
        elif key == "cookie" and value in (None, ""):
            if got["cookie"] is not None:
                return False
        elif got[key] != value:
            return False
    return True


@pytest.mark.promise("O3", "O8")
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(as_object(case)["id"]))
@pytest.mark.asyncio(loop_scope="module")
async def test_a_value_is_written_as_the_specification_says(case: JsonObject, wire: LoopbackServer) -> None:
    """The request arrives byte for byte, or is refused where nothing may be sent."""
    registry = ToolRegistry()
    registry.add_document(document(case), namespace="w", options=DocumentOptions(base_url=wire.url))
    (tool,) = registry.list()
    parameter = as_object(case["parameter"])
    name = str(parameter["name"])
    (argument,) = as_object(tool.parameters["properties"])
    executor = ToolExecutor(registry)
    before = len(wire.requests)
    result: ToolResult | None = None
    try:
        call = ToolCall(id="c", name=tool.name, arguments=json.dumps({argument: case["value"]}))
        result = await executor.execute(call, make_call())
    except InterlockError:
        pass
    finally:
        await executor.aclose()
    refused = len(wire.requests) == before
    expected = allowed(case)
    if refused:
        said = result.text if result is not None else ""
        assert any(one.get("refused") for one in expected), f"refused: {said}"
        return
    got = seen(wire.requests[-1], name)
    sent = [one for one in expected if not one.get("refused")]
    assert any(fits(one, got) for one in sent), f"{got} is none of {sent}"
