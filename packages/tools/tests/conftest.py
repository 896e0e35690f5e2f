"""What the tests of this package share: a server that keeps what it receives, and one call to it."""

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from interlock_core import HttpRequest, Json, JsonObject, ToolCall
from interlock_core.testing import LoopbackServer, ReceivedRequest, make_call
from interlock_tools import DocumentOptions, ToolExecutor, ToolRegistry

# Sandboxes are of Linux; that other systems refuse is tested by test_sandbox_refusal.py on all of them.
collect_ignore_glob = [] if sys.platform == "linux" else ["test_sandbox_[ac]*.py", "test_dev_*.py"]


@pytest.fixture
async def server() -> AsyncIterator[LoopbackServer]:
    """A server that answers with what it received, and keeps it."""
    async with LoopbackServer() as running:
        yield running


@pytest.fixture
def send(server: LoopbackServer) -> Callable[..., Awaitable[ReceivedRequest]]:
    """Calls the one operation of a document, and gives what arrived; the dry run says the same."""

    async def call(
        operation: JsonObject,
        arguments: JsonObject,
        *,
        path: str = "/x",
        method: str = "post",
        **document: Json,
    ) -> ReceivedRequest:
        registry = ToolRegistry()
        paths: JsonObject = {path: {method: operation}}
        registry.add_document(
            {"openapi": "3.1.0", "info": {"title": "W"}, "paths": paths, **document},
            namespace="w",
            options=DocumentOptions(base_url=server.url),
        )
        executor = ToolExecutor(registry)
        one = ToolCall(id="c", name=registry.list()[0].name, arguments=json.dumps(arguments))
        try:
            prepared = await executor.dry_run(one, make_call())
            result = await executor.execute(one, make_call())
        finally:
            await executor.aclose()
        assert not result.is_error, result.text
        assert prepared.request is not None
        assert_same(prepared.request, server.requests[-1], server)
        return server.requests[-1]

    return call


def assert_same(prepared: HttpRequest, received: ReceivedRequest, server: LoopbackServer) -> None:
    """The dry run shows the request as it arrived."""
    assert prepared.url == server.url + received.target
    assert prepared.method == received.method
    assert (prepared.body or b"") == received.body
    for name, value in prepared.headers:
        assert (received.header(name) or "").encode("latin-1") == value.encode()
