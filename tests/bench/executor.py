"""What the executor adds to a call: CPU time of a tool call beside the same request by the bare client.

Both speak to one server on loopback, in turn, so that whatever else the machine does falls on both. The
server runs in a process of its own, so that CPU time is the caller's alone.

    uv run python tests/bench/executor.py           quick
    FULL=1 uv run python tests/bench/executor.py    more calls

Prints microseconds of CPU per call, p50 and p99, of the bare client, of the executor, and the difference.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable

from interlock_core import JsonObject, ToolCall
from interlock_core.http import Egress, HttpClient
from interlock_core.testing import MemorySecrets, make_call
from interlock_tools import DocumentOptions, ExecutorLimits, ToolExecutor, ToolRegistry

CALLS = 4_000 if os.environ.get("FULL") else 1_000
WARM_UP = 200
TARGET_US = 300
SERVER = """
import asyncio, json
body = json.dumps({"id": 5, "name": "A note", "tags": ["x", "y"], "text": "t" * 200}).encode()
head = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(body)
class Answering(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.held = b""
    def data_received(self, data):
        self.held += data
        while b"\\r\\n\\r\\n" in self.held:
            top, _, self.held = self.held.partition(b"\\r\\n\\r\\n")
            lines = [line for line in top.lower().split(b"\\r\\n") if line.startswith(b"content-length")]
            self.held = self.held[int(lines[0].split(b":")[1]) if lines else 0:]
            self.transport.write(head + body)
async def serve():
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(serve())
"""
NOTE: JsonObject = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "text": {"type": "string"},
    },
}
CHANGE: JsonObject = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string", "maxLength": 200}, "text": {"type": "string"}},
}
DOCUMENT: JsonObject = {
    "openapi": "3.1.0",
    "info": {"title": "Notes"},
    "paths": {
        "/books/{book}/notes/{id}": {
            "parameters": [
                {"name": "book", "in": "path", "required": True, "schema": {"type": "string"}},
                {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
                {"name": "fields", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
            ],
            "get": {
                "operationId": "get_note",
                "responses": {"200": {"content": {"application/json": {"schema": NOTE}}}},
            },
            "patch": {
                "operationId": "change_note",
                "requestBody": {"required": True, "content": {"application/json": {"schema": CHANGE}}},
                "responses": {"200": {"content": {"application/json": {"schema": NOTE}}}},
            },
        }
    },
}
CASES = {
    "read": ("notes.get_note", '{"book": "a b", "id": 7, "fields": ["name", "text"]}'),
    "change": ("notes.change_note", '{"book": "a b", "id": 7, "name": "A better note"}'),
}


async def timed(call: Awaitable[object]) -> float:
    """Microseconds of CPU of one call."""
    begun = time.process_time_ns()
    await call
    return (time.process_time_ns() - begun) / 1_000


def shown(name: str, values: list[float]) -> str:
    """One line of the table."""
    ordered = sorted(values)
    middle, high = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
    return f"{name:<22}{middle:>9.0f}{high:>9.0f}{statistics.fmean(ordered):>9.0f}"


async def measure(url: str) -> None:
    """Measure and print."""
    registry = ToolRegistry()
    registry.add_document(
        DOCUMENT, namespace="notes", options=DocumentOptions(base_url=url, credentials={"bearer": "key"})
    )
    executor = ToolExecutor(registry, secrets=MemorySecrets({"key": "secret-key"}), limits=ExecutorLimits())
    client = HttpClient(egress=Egress(allowed_origins=[url]))
    context = make_call()
    print(f"{'CPU µs of a call':<22}{'p50':>9}{'p99':>9}{'mean':>9}")
    for name, (tool, arguments) in CASES.items():
        one = ToolCall(id="c", name=tool, arguments=arguments)
        request = (await executor.prepare(one, context)).request
        assert request is not None
        assert not (await executor.execute(one, context)).is_error
        bare: list[float] = []
        whole: list[float] = []
        for number in range(WARM_UP + CALLS):
            plain = await timed(client.send(request))
            called = await timed(executor.execute(one, context))
            if number >= WARM_UP:
                bare.append(plain)
                whole.append(called)
        print(shown(f"{name}, bare client", bare))
        print(shown(f"{name}, executor", whole))
        added = statistics.median(whole) - statistics.median(bare)
        print(f"{name}: {added:.0f} µs added at the median (at most {TARGET_US})")
    await executor.aclose()
    await client.aclose()


def main() -> None:
    """Start the server, measure, stop it."""
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        asyncio.run(measure(f"http://127.0.0.1:{port}"))
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
