"""Redirects to other origins: only where the operator said so, to read, with nothing of the request."""

import pytest

from interlock_core import JsonObject, ToolCall, ToolResult
from interlock_core.errors import EgressRefusedError
from interlock_core.http import Egress
from interlock_core.testing import Answer, LoopbackServer, MemorySecrets, ReceivedRequest, make_call
from interlock_tools import DocumentOptions, ToolExecutor, ToolRegistry

PATHS: JsonObject = {
    "/log": {
        "get": {"operationId": "log"},
        "put": {"operationId": "write"},
        "post": {"operationId": "add"},
        "delete": {"operationId": "drop"},
    }
}
KEPT = Answer(headers=(("content-type", "text/plain"),), body=b"12 passed")


async def called(api: LoopbackServer, store: LoopbackServer, tool: str, *patterns: str) -> ToolResult:
    """The result of a call whose API redirects to the store."""
    registry = ToolRegistry()
    registry.add_document(
        {"openapi": "3.1.0", "info": {"title": "R"}, "paths": PATHS},
        namespace="r",
        options=DocumentOptions(
            base_url=api.url, credentials={"bearer": "key"}, headers={"x-own": "mine"}, redirects=patterns
        ),
    )
    egress = Egress(allowed_origins=[store.url])
    executor = ToolExecutor(registry, secrets=MemorySecrets({"key": "secret-key"}), egress=egress)
    try:
        return await executor.execute(ToolCall(id="c", name=f"r.{tool}"), make_call())
    finally:
        await executor.aclose()


def away(store: LoopbackServer) -> Answer:
    """A redirect to the store, with a signature in its address as such have."""
    return Answer(status=302, headers=(("location", f"{store.url}/kept?signature=abc"),))


@pytest.mark.promise("O11")
async def test_reading_follows_to_where_the_operator_said_with_nothing_of_the_request() -> None:
    """Neither credential nor header goes along."""
    async with LoopbackServer(lambda _: KEPT) as store, LoopbackServer(lambda _: away(store)) as api:
        result = await called(api, store, "log", "http://127.0.0.1:*")
    assert result.structured == "12 passed"
    assert api.requests[0].header("authorization") == "Bearer secret-key"
    (request,) = store.requests
    assert request.target == "/kept?signature=abc"
    assert request.header("authorization") is None
    assert request.header("x-own") is None


@pytest.mark.promise("O11")
@pytest.mark.parametrize(
    ("tool", "patterns"),
    [("log", ()), ("log", ("https://*.example.org",)), ("write", ("http://127.0.0.1:*",))],
)
async def test_nothing_else_leaves_the_origin(tool: str, patterns: tuple[str, ...]) -> None:
    """Not without the operator's word, not to another place than that, and never a change."""
    async with LoopbackServer(lambda _: KEPT) as store, LoopbackServer(lambda _: away(store)) as api:
        with pytest.raises(EgressRefusedError, match="another origin"):
            await called(api, store, tool, *patterns)
        assert store.requests == []


@pytest.mark.promise("O13")
@pytest.mark.parametrize("status", [301, 302])
@pytest.mark.parametrize("tool", ["write", "add", "drop"])
async def test_a_change_that_has_moved_is_not_taken_for_done(tool: str, status: int) -> None:
    """A reading of the new address says nothing of the change."""
    moved = Answer(status=status, headers=(("location", "/log/"),))
    async with LoopbackServer(lambda _: moved) as api, LoopbackServer() as store:
        result = await called(api, store, tool)
        assert len(api.requests) == 1
    assert (result.is_error, result.error_code) == (True, "upstream_protocol")
    assert f"has moved within {api.url}" in result.text
    assert "base_url" in result.text


@pytest.mark.promise("O13")
async def test_what_is_shown_elsewhere_after_a_change_is_said() -> None:
    """303 leads to another address, whose answer is not that of the change."""

    def serve(request: ReceivedRequest) -> Answer:
        if request.method == "POST":
            return Answer(status=303, headers=(("location", "/log/7?key=abc"),))
        return KEPT

    async with LoopbackServer(serve) as api, LoopbackServer() as store:
        result = await called(api, store, "add")
    assert result.text.endswith("[POST was answered with 303 See Other: this is what GET /log/7 says.]")
    assert not result.is_error


@pytest.mark.promise("O13")
async def test_a_redirect_to_no_address_is_a_result() -> None:
    """Whatever stands in the header."""
    broken = Answer(status=302, headers=(("location", "http://[bad"),))
    async with LoopbackServer(lambda _: broken) as api, LoopbackServer() as store:
        result = await called(api, store, "log")
        assert len(api.requests) == 1
    assert "no address" in result.text
