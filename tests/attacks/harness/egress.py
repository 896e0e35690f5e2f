"""Addresses: parameters of a path, redirects, spellings, embedded addresses, names that change their mind."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import unquote

from interlock_core import Call, Effect, JsonObject, ToolCall, ToolResult
from interlock_core.errors import InterlockError
from interlock_core.http import Egress, HttpClient
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import Answer, MemorySecrets, ReceivedRequest, json_answer, make_call
from interlock_core.toolspec import HttpRequest
from interlock_tools import DocumentOptions, ToolExecutor, ToolRegistry

from .cases import Case, filled
from .network import Names, Network, network
from .seen import Seen

CANARY = "canary-5d20b19e77c4"
_HOST = "api.example"


@dataclass(slots=True)
class Told:
    """What the caller of a tool was told."""

    error: InterlockError | None = None
    result: ToolResult | None = None

    @property
    def refused(self) -> bool:
        """Nothing was answered by anybody."""
        return self.error is not None or (
            self.result is not None and self.result.is_error and self.result.status is None
        )

    @property
    def text(self) -> str:
        """All of it."""
        return f"{self.error or ''}{self.result.text if self.result else ''}"


def document(server: str, path: str = "/one", *, parameters: JsonObject | None = None) -> JsonObject:
    """A document with one operation, whose credential is the canary."""
    operation: JsonObject = {"operationId": "one", "responses": {"200": {"description": "Done."}}}
    if parameters is not None:
        operation["parameters"] = [
            {"name": name, "in": str(place), "required": place == "path", "schema": {"type": "string"}}
            for name, place in parameters.items()
        ]
    return {
        "openapi": "3.1.0",
        "info": {"title": "API", "version": "1"},
        "servers": [{"url": server}],
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{"key": []}],
        "paths": {path: {"get": operation}},
    }


async def called(
    content: JsonObject, arguments: JsonObject, *, options: DocumentOptions | None = None, times: int = 1
) -> Told:
    """Load a document and call its one tool, once or several times; the last answer counts."""
    told = Told()
    registry = ToolRegistry()
    chosen = options or DocumentOptions(credential="token")
    executor = ToolExecutor(registry, secrets=MemorySecrets({"token": CANARY}))
    try:
        registry.add_document(content, namespace="api", options=chosen)
        (name,) = [tool.name for tool in registry.list()]
        for number in range(times):
            call = ToolCall(id=str(number), name=name, arguments=json.dumps(arguments))
            told = await _once(executor, call)
    except InterlockError as error:
        told.error = error
    finally:
        await executor.aclose()
    return told


async def _once(executor: ToolExecutor, call: ToolCall) -> Told:
    try:
        return Told(result=await executor.execute(call, make_call(call.name)))
    except InterlockError as error:
        return Told(error=error)


def _seen(net: Network, told: Told, *, own_requests: int = 0) -> Seen:
    """What came of a call; the first requests of the operator's own origin may hold the canary."""
    elsewhere = "\n".join(
        f"{entry.target} {entry.headers} {entry.body!r}" for entry in net.requests[own_requests:]
    )
    return Seen(
        canary=CANARY,
        error=told.error,
        refused=told.refused,
        figures={"connections to not public": net.inner, "requests": len(net.requests)},
        texts={"response": told.text, "network": elsewhere},
        facts={"canary not sent": CANARY not in elsewhere and CANARY not in told.text},
        requests=net.requests,
        dialled=net.dialled,
        judged=net.judged,
    )


# ---- 1: a parameter of a path


async def path_parameter(case: Case, folder: Path) -> Seen:
    """A value stands in a parameter of an operation whose server is the operator's own."""
    places = {"path": "id", "query": "q", "header": "X-Tag"}
    arguments: JsonObject = {"id": "7"}
    content = document(
        f"https://{_HOST}", "/v1/items/{id}/parts", parameters={"id": "path", "q": "query", "X-Tag": "header"}
    )
    options = DocumentOptions(base_url="https://public.example", credential="token")
    async with network(folder) as net:
        usual = await called(content, {**arguments, "q": "x", "X-Tag": "x"}, options=options)
        assert not usual.refused, usual.text
        (plain,) = net.requests
        net.secure.requests.clear()
        net.dialled.clear()
        arguments[places[str(case.send["in"])]] = case.send["value"]
        told = await called(content, arguments, options=options)
    seen = _seen(net, told, own_requests=1)
    seen.facts["host == api.example"] = all(_of_the_host(entry) for entry in net.requests)
    seen.facts["segments == 4"] = all(_in_template(entry) for entry in net.requests) and bool(net.requests)
    known = {name.lower() for name, _ in plain.headers}
    new = [name for entry in net.requests for name, _ in entry.headers if name.lower() not in known]
    seen.figures["new_headers"] = len(new)
    seen.facts["credential only to api.example"] = all(
        [value for name, value in entry.headers if name.lower() == "authorization"] == [f"Bearer {CANARY}"]
        for entry in net.requests
    )
    return seen


def _of_the_host(request: ReceivedRequest) -> bool:
    """Whether a request went to the origin that the operator wrote, which stands for the document's."""
    return [value for name, value in request.headers if name.lower() == "host"] == ["public.example"]


def _in_template(request: ReceivedRequest) -> bool:
    """Whether a path has the four segments of its template, each decoded once."""
    segments = [unquote(segment) for segment in request.path.split("/")[1:]]
    fixed = [*segments[:2], *segments[3:]]
    return len(segments) == 4 and fixed == ["v1", "items", "parts"] and segments[2] not in {".", ".."}


# ---- 18: a redirect after the check


async def redirect(case: Case, folder: Path) -> Seen:
    """The operator's own API answers with redirects, one after another."""
    hops = [as_object(entry) for entry in as_array(case.send["redirect"])]
    options = DocumentOptions(
        base_url="https://public.example",
        credential="token",
        redirects=("https://other.example", "https://public.example"),
    )
    async with network(folder, answer=_leading(hops, lambda: "9")) as net:
        told = await called(document("https://public.example", "/"), {}, options=options)
    assert net.requests, told.text
    return _seen(net, told, own_requests=1)


def _leading(hops: list[JsonObject], port: Callable[[], str]) -> Callable[[ReceivedRequest], Answer]:
    """Answers that lead from hop to hop, and then a plain one."""
    left = list(hops)

    def answer(_: ReceivedRequest) -> Answer:
        if not left:
            return json_answer({})
        hop = left.pop(0)
        location = str(filled(hop["location"], {"port": port()}))
        return Answer(status=cast("int", hop["status"]), headers=(("location", location),))

    return answer


# ---- 19, 20: how an address is written


async def address(case: Case, folder: Path) -> Seen:
    """An address stands in a document, or in the argument of a tool that fetches."""
    url = str(case.send["url"])
    async with network(folder, names=names_of(case)) as net:
        if case.surface == "tool-argument":
            told = await _fetched(url)
        else:
            told = await _twice(document(url))
    return _seen(net, told)


async def _twice(content: JsonObject, *, times: int = 1) -> Told:
    """With a credential, which no address that only a document names is given; and without one."""
    with_one = await called(content, {}, times=times)
    assert with_one.refused, with_one.text
    return await called(content, {}, options=DocumentOptions(), times=times)


async def _fetched(url: str) -> Told:
    """Call a program's own tool that fetches what its argument names, by our client, without a secret."""
    registry = ToolRegistry()
    executor = ToolExecutor(registry)
    async with HttpClient(egress=Egress()) as client:

        async def fetch(arguments: JsonObject, _: Call) -> str:
            request = HttpRequest(method="GET", url=str(arguments["url"]))
            return (await client.send(request)).body.decode("utf-8", "replace")

        schema: JsonObject = {"type": "object", "properties": {"url": {"type": "string"}}}
        registry.register_raw(
            fetch, name="web.fetch", description="Fetches.", parameters=schema, effect=Effect.READ
        )
        call = ToolCall(id="1", name="web.fetch", arguments=json.dumps({"url": url}))
        told = await _once(executor, call)
    await executor.aclose()
    return told


def names_of(case: Case) -> Names:
    """What names answer in a case."""
    table = as_object(case.send.get("dns", {}))
    return {
        name: [[str(address) for address in as_array(answer)] for answer in as_array(answers)]
        for name, answers in table.items()
    }


# ---- 21: names that change their mind


async def rebinding(case: Case, folder: Path) -> Seen:
    """Two calls one after the other, then one whose connection breaks and is tried again."""
    if case.surface == "mcp-client":
        return await _misled_mount(case, folder)
    broken = [json_answer({}), json_answer({}), Answer(raw=True, body=b"")]
    async with network(
        folder, names=names_of(case), answer=lambda _: broken.pop(0) if broken else json_answer({})
    ) as net:
        told = await _twice(document(str(case.send["url"])), times=3)
    return _seen(net, told)


async def _misled_mount(case: Case, folder: Path) -> Seen:
    """The server that the operator mounted leads its client to the name."""
    from interlock_tools.mcp import MountLimits, SdkConnection, ServerOptions

    lead = Answer(status=307, headers=(("location", str(case.send["url"])),))
    told = Told()
    async with network(folder, names=names_of(case), answer=lambda _: lead) as net:
        options = ServerOptions(url="https://public.example/mcp", credential="token", timeout_s=5.0)
        connection = SdkConnection(
            "strange",
            options,
            secrets=MemorySecrets({"token": CANARY}),
            egress=Egress(),
            limits=MountLimits(leave_s=1.0),
            changed=lambda: None,
        )
        for _ in range(2):
            try:
                await connection.definitions()
            except InterlockError as error:
                told = Told(error=error)
        await connection.aclose()
    own = sum(_of_the_host(entry) for entry in net.requests)
    return _seen(net, told, own_requests=own)
