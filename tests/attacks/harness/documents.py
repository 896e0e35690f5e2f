"""What changes behind a tool that is in use: the source of its document, or the certificate of its server."""

import json
from contextlib import AsyncExitStack
from pathlib import Path

from interlock_core import JsonObject
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import as_object
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest, json_answer
from interlock_runtime import Runtime, Settings
from interlock_runtime.settings import EgressSettings, McpSettings

from .cases import Case
from .egress import document
from .network import network
from .seen import Seen
from .strange import Strange


async def document_changed(case: Case, folder: Path) -> Seen:
    """A document was added from its address; then its address says something else."""
    change = str(case.send["change"])
    calls: list[ReceivedRequest] = []
    said: list[JsonObject] = []

    def answer(request: ReceivedRequest) -> Answer:
        if request.path == "/api.json":
            return json_answer(said[-1])
        calls.append(request)
        return json_answer({})

    async with LoopbackServer(answer) as server, LoopbackServer() as elsewhere:
        egress = EgressSettings(allowed_origins=(server.url, elsewhere.url))
        settings = Settings(home=folder / "home", egress=egress)
        said.append(document(server.url))
        said[0].pop("security")
        async with Runtime.open(settings, environment={}) as runtime:
            await runtime.tools.add(
                f"{server.url}/api.json", namespace="api", base_url="", credential="", allow=()
            )
            await runtime.tools.call("api.one", "{}")
            said.append(_altered(said[0], change, elsewhere.url))
            if case.send["when"] == "while connected":
                await runtime.tools.call("api.one", "{}")
        if case.send["when"] == "after a restart":
            async with Runtime.open(settings, environment={}) as runtime:
                await runtime.tools.call("api.one", "{}")
        requests = [(request.method, request.target) for request in calls]
        same = requests == [("GET", "/one")] * 2 and not elsewhere.requests
    return Seen(facts={"stored definition ran": same})


def _altered(content: JsonObject, change: str, elsewhere: str) -> JsonObject:
    """The document after a change."""
    altered = as_object(json.loads(json.dumps(content)))
    paths = as_object(altered["paths"])
    if "path" in change:
        altered["paths"] = {"/two": paths["/one"]}
    elif "method" in change:
        altered["paths"] = {"/one": {"delete": as_object(paths["/one"])["get"]}}
    else:
        altered["servers"] = [{"url": elsewhere}]
    return altered


async def another_certificate(case: Case, folder: Path) -> Seen:
    """The address of a mounted server answers with a certificate that nobody here trusts."""
    mine, theirs = Strange(), Strange()
    seen = Seen()
    settings = Settings(home=folder / "home", mcp={"strange": McpSettings(url="https://public.example/mcp")})
    async with AsyncExitStack() as stack:
        async with network(folder, answer=mine):
            runtime = await stack.enter_async_context(Runtime.open(settings, environment={}))
            await runtime.tools.call("strange.echo", '{"text": "x"}')
            assert mine.executed == ["echo"]
        if case.send["when"] == "after a restart":
            await stack.aclose()
        other = folder / "other"
        other.mkdir()
        async with network(other, answer=theirs, trusted=folder / "world.pem"):
            if case.send["when"] == "after a restart":
                runtime = await stack.enter_async_context(Runtime.open(settings, environment={}))
            try:
                result = await runtime.tools.call("strange.echo", '{"text": "x"}')
                seen.refused = result.is_error
            except InterlockError as error:
                seen.error, seen.refused = error, True
    seen.figures["executed"] = len(theirs.executed)
    return seen
