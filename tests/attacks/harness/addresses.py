"""Addresses in the places where a house could fetch them, each looked at once before it is used.

The first look at the name is good, or the first answer leads on; what comes after must reach nobody.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from interlock_api import running
from interlock_api.testing import talk
from interlock_core import Event, EventKind, Json, JsonObject
from interlock_core.errors import EgressRefusedError, InterlockError
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest, json_answer
from interlock_providers.testing import OpenAIChatServer
from interlock_runtime import Runtime, Settings
from interlock_runtime.settings import (
    AlertSettings,
    McpSettings,
    ProviderSettings,
    SkillSettings,
    ToolSettings,
)

from .cases import Case
from .egress import document, names_of
from .network import Network, network
from .seen import Seen
from .strange import ECHO, Strange

CANARY = "canary-42d1f6609be8"


@dataclass(slots=True)
class Trip:
    """One address in one place.

    Attributes:
        url: The address.
        folder: For what is made.
        net: The network.
        error: What the house said of it, where it said anything.
        own: Whether the address is the operator's own, which its credential is meant for.
    """

    url: str
    folder: Path
    net: Network
    error: InterlockError | None = None
    own: bool = False

    async def use(self, settings: Settings, work: Callable[[Runtime], Awaitable[object]]) -> None:
        """Open a house and do something in it."""
        try:
            async with Runtime.open(settings, environment={}) as runtime:
                await work(runtime)
        except InterlockError as error:
            self.error = error

    @property
    def home(self) -> Path:
        """The data folder."""
        return self.folder / "home"

    def file(self, content: JsonObject) -> str:
        """A document as a file."""
        path = self.folder / "document.json"
        path.write_text(json.dumps(content), "utf-8")
        return str(path)


async def fetched(case: Case, folder: Path) -> Seen:
    """Put the address where the case says, and have the house use it once."""
    hop = as_object(as_array(case.send["redirect"])[0])
    moved = Answer(
        status=cast("int", hop["status"]), headers=(("location", str(hop["location"])),), close=True
    )

    def answer(request: ReceivedRequest) -> Answer:
        """Lead on, but for the host of a document that is no part of the attack; each time anew."""
        return json_answer({}) if request.header("host") == "other.example" else moved

    async with network(folder, names=names_of(case), answer=answer) as net:
        trip = Trip(str(case.send["url"]), folder, net)
        await PLACES[str(case.send["place"])](trip)
    seen = Seen(error=trip.error, figures={"connections to not public": net.inner})
    strangers = [entry for entry in net.requests if not (trip.own and entry.target == "/x")]
    seen.facts["canary not sent"] = CANARY not in repr(strangers)
    # Where nobody is told, no answer led any further; what nobody fetches has no way to be led.
    asked = [entry.target for entry in net.requests if entry.header("host") != "other.example"]
    seen.facts["refused as egress"] = isinstance(trip.error, EgressRefusedError) or {*asked} <= {"/x"}
    return seen


# ---- in a question to a model


def _shown(part: Callable[[str], JsonObject]) -> Callable[[Trip], Awaitable[None]]:
    """An address that a client's message holds, sent to the gateway."""

    async def show(trip: Trip) -> None:
        async with OpenAIChatServer(models=("small",), key=CANARY) as vendor:
            provider = ProviderSettings(
                kind="openai-compatible", base_url=vendor.url, api_key=CANARY, models=("small",)
            )
            trip.net.own.add(int(vendor.url.removesuffix("/v1").rpartition(":")[2]))
            settings = Settings(home=trip.home, providers={"stub": provider})
            await trip.use(settings, lambda runtime: _asked(trip, runtime, part(trip.url)))

    return show


async def _asked(trip: Trip, runtime: Runtime, part: JsonObject) -> None:
    await runtime.access.ensure_admin_key()
    secret = runtime.access.admin_key()
    assert secret is not None
    message: JsonObject = {"role": "user", "content": [{"type": "text", "text": "What is it?"}, part]}
    body = dump_json({"model": "stub/small", "messages": [message]}).encode()
    async with running(runtime) as address:
        port = int(address.rpartition(":")[2])
        trip.net.own.add(port)
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx-api-key: {secret.reveal()}\r\n"
            f"connection: close\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        (answer,) = await talk(port, head.encode(), body)
    assert answer.status in {200, 400}, answer.body


# ---- in a document


async def _imported(trip: Trip) -> None:
    await _added(trip, trip.url)


def _written(change: Callable[[JsonObject, str], None]) -> Callable[[Trip], Awaitable[None]]:
    """An address that a document names; the document is imported, and its tool is called."""

    async def write(trip: Trip) -> None:
        content = document("https://other.example")
        content.pop("security")
        change(content, trip.url)
        async with _api(trip) as api:
            tool = ToolSettings(source=trip.file(content), base_url=api.url, credential=CANARY)
            await trip.use(Settings(home=trip.home, tools={"api": tool}), _one)

    return write


async def _added(trip: Trip, source: str) -> None:
    async def add(runtime: Runtime) -> None:
        await runtime.tools.add(source, namespace="api", base_url="", credential="", allow=())
        await runtime.tools.call("api.one", "{}")

    await trip.use(Settings(home=trip.home), add)


async def _one(runtime: Runtime) -> None:
    await runtime.tools.call("api.one", "{}", max_pages=5)


async def _served(trip: Trip) -> None:
    """Without a base address of the operator's, the document's own server is called."""
    content = document(trip.url.rpartition("/")[0], "/x")
    content.pop("security")
    await trip.use(Settings(home=trip.home, tools={"api": ToolSettings(source=trip.file(content))}), _one)


async def _referred(trip: Trip) -> None:
    content = document("https://other.example")
    content.pop("security")
    responses: JsonObject = {"200": {"$ref": f"{trip.url}#/responses/one"}}
    as_object(as_object(as_object(content["paths"])["/one"])["get"])["responses"] = responses
    await _added(trip, trip.file(content))


def _example(content: JsonObject, url: str) -> None:
    media: JsonObject = {"application/json": {"examples": {"one": {"externalValue": url}}}}
    operation = as_object(as_object(as_object(content["paths"])["/one"])["get"])
    operation["responses"] = {"200": {"description": "Done.", "content": media}}


def _scheme(made: Callable[[str], JsonObject]) -> Callable[[JsonObject, str], None]:
    def change(content: JsonObject, url: str) -> None:
        content["components"] = {"securitySchemes": {"key": made(url)}}
        content["security"] = [{"key": []}]

    return change


# ---- in an answer


def _api(trip: Trip, answer: Answer | None = None) -> "_Own":
    return _Own(trip, answer or json_answer({}))


class _Own(LoopbackServer):
    """The operator's own API."""

    def __init__(self, trip: Trip, answer: Answer) -> None:
        super().__init__(lambda _: answer)
        self._trip = trip

    async def __aenter__(self) -> "_Own":
        await super().__aenter__()
        self._trip.net.own.add(self.port)
        return self


def _answered(answer: Callable[[str], Answer]) -> Callable[[Trip], Awaitable[None]]:
    """An address that the operator's own API answers with."""

    async def call(trip: Trip) -> None:
        content = document("https://other.example")
        items: JsonObject = {"type": "array", "items": {"type": "object"}}
        operation = as_object(as_object(as_object(content["paths"])["/one"])["get"])
        operation["responses"] = {
            "200": {"description": "Done.", "content": {"application/json": {"schema": items}}}
        }
        async with _api(trip, answer(trip.url)) as api:
            tool = ToolSettings(source=trip.file(content), base_url=api.url, credential=CANARY, max_pages=5)
            await trip.use(Settings(home=trip.home, tools={"api": tool}), _one)
            assert api.requests

    return call


def _next(url: str) -> Answer:
    page: list[Json] = [{"id": 1}]
    return json_answer(page, headers=(("link", f'<{url}>; rel="next"'),))


# ---- in the settings, and on servers


async def _told(trip: Trip) -> None:
    async def tell(runtime: Runtime) -> None:
        event = Event(kind=EventKind.WARNING, run="run_1", at=0.0, data={"text": "suspicious"})
        await runtime.alerts.notify(event)

    await trip.use(Settings(home=trip.home, alerts=AlertSettings(webhook=trip.url)), tell)


async def _skilled(trip: Trip) -> None:
    async def look(runtime: Runtime) -> None:
        assert not list(runtime.skills.list())

    await trip.use(Settings(home=trip.home, skills=SkillSettings(folders=(trip.url,))), look)


async def _mounted(trip: Trip) -> None:
    async def mount(runtime: Runtime) -> None:
        await runtime.tools.call("far.echo", "{}")

    trip.own = True
    mcp = McpSettings(url=trip.url, credential=CANARY, timeout_s=5.0)
    await trip.use(Settings(home=trip.home, mcp={"far": mcp}), mount)


async def _pictured(trip: Trip) -> None:
    icons: list[Json] = [{"src": trip.url, "mimeType": "image/png"}]
    strange = Strange(tools=[{**ECHO, "icons": icons}])

    async def call(runtime: Runtime) -> None:
        await runtime.tools.call("far.echo", '{"text": "x"}')

    async with LoopbackServer(strange) as server:
        trip.net.own.add(server.port)
        mcp = McpSettings(url=f"{server.url}/mcp", credential=CANARY)
        await trip.use(Settings(home=trip.home, mcp={"far": mcp}), call)
    assert strange.executed == ["echo"]


PLACES: dict[str, Callable[[Trip], Awaitable[None]]] = {
    "image_url of a message": _shown(lambda url: {"type": "image_url", "image_url": {"url": url}}),
    "file_url of a message": _shown(lambda url: {"type": "file", "file": {"file_url": url}}),
    "address of a document to import": _imported,
    "webhook of an alert": _told,
    "address of a skill": _skilled,
    "address of a mounted server": _mounted,
    "server in an OpenAPI document": _served,
    "$ref to another document": _referred,
    "external example value": _written(_example),
    "token endpoint of a security scheme": _written(
        _scheme(
            lambda url: {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": url, "scopes": {}}}}
        )
    ),
    "OpenID discovery document": _written(
        _scheme(lambda url: {"type": "openIdConnect", "openIdConnectUrl": url})
    ),
    "link to the next page": _answered(_next),
    "Location of a created thing": _answered(
        lambda url: json_answer({}, status=201, headers=(("location", url),))
    ),
    "icon of a tool": _pictured,
}
"""What is done with the address, by its place."""
