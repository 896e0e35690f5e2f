"""Every address of `ssrf.toml` and `ssrf_names.toml`, on every surface that takes one.

A surface takes the address itself (our client, a document, the server that a document names, a carrier), or
is led to it by the redirect of an origin that the operator wrote (the vendors' SDKs, the fast carrier, tools,
MCP servers by address, webhooks). On each, no address that is not public is dialled, no credential leaves for
it, and whoever asked is told; what is meant to pass passes where addresses are taken, and no redirect to
another origin is followed where none is meant.

`python -m pytest -s tests/attacks/test_ssrf.py` prints how many were tried on each surface, and how many
passed through; INTERLOCK_FULL=1 tries all of them on all.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

import pytest

from interlock_core import Effect, Event, EventKind, HttpRequest, JsonObject, Secret, ToolCall
from interlock_core.errors import (
    CallerError,
    EgressRefusedError,
    InterlockError,
    ProtocolError,
    RefusedError,
    UpstreamConnectionError,
)
from interlock_core.http import Egress, HttpClient, origin_of
from interlock_core.testing import MemorySecrets, make_call
from interlock_providers.carriers import Carrier, Credential
from interlock_providers.carriers.fast import FastCarrier
from interlock_security.alerts import WebhookNotifier
from interlock_tools import DocumentOptions, ToolExecutor, ToolRegistry
from interlock_tools.mcp import MemoryPins, MountedServer, SdkConnection, ServerOptions
from interlock_tools.openapi import load_document

from .ssrf_world import Case, World, cases, world

CANARY = "canary-8c1f03d7be52"
OPERATORS = "http://public.example"
DOCUMENT: JsonObject = {
    "openapi": "3.1.0",
    "info": {"title": "API", "version": "1"},
    "servers": [{"url": "https://public.example"}],
    "paths": {"/one": {"get": {"operationId": "one", "responses": {"200": {"description": "Done."}}}}},
}
SDKS = {
    "openai": "interlock_providers.carriers.sdk_openai",
    "anthropic": "interlock_providers.carriers.sdk_anthropic",
    "mistral": "interlock_providers.carriers.sdk_mistral",
    "cohere": "interlock_providers.carriers.sdk_cohere",
}

Surface = Callable[[Case, World], Awaitable[None]]
"""Asks for the address of a case, or is led to it.

Raises:
    InterlockError: It was refused.
"""


def egress(case: Case) -> Egress:
    """The rules with what the case's operator wrote."""
    return Egress(allowed_origins=case.allow)


# ---- surfaces that take an address


async def client(case: Case, _: World) -> None:
    """Our own client."""
    async with HttpClient(egress=egress(case)) as http:
        await http.send(HttpRequest(method="GET", url=case.url))


async def document(case: Case, _: World) -> None:
    """A document that is read from an address, through its redirects."""
    async with HttpClient(egress=egress(case)) as http:
        await load_document(case.url, client=http)


async def server_of_a_document(case: Case, _: World) -> None:
    """A tool whose server the document names."""
    await _called(case, {**DOCUMENT, "servers": [{"url": case.url}]}, DocumentOptions(credential="key"))


# ---- surfaces that a redirect leads on


async def tool(case: Case, _: World) -> None:
    """A tool at the operator's address, whose answer is a redirect."""
    await _called(case, DOCUMENT, DocumentOptions(base_url=OPERATORS, credential="key"))


async def mcp(case: Case, _: World) -> None:
    """A server at the operator's address that sends its client on."""
    options = ServerOptions(url=f"{OPERATORS}/mcp", credential="far", timeout_s=20.0)
    connection = SdkConnection("far", options, secrets=MemorySecrets({"far": CANARY}), egress=egress(case))
    mounted = MountedServer("far", options, connection=connection, pins=MemoryPins())
    try:
        await mounted.tools()
    finally:
        await mounted.aclose()


async def webhook(case: Case, _: World) -> None:
    """An alert to the operator's webhook, which sends it on; what cannot be told is logged."""
    async with HttpClient(egress=Egress(allowed_origins=[OPERATORS, *case.allow])) as http:
        notifier = WebhookNotifier(http, f"{OPERATORS}/hook/{CANARY}")
        await notifier.notify(Event(kind=EventKind.WARNING, run="", at=0.0, data={"alert": {"rule": "test"}}))


class Carried:
    """A carrier of the operator's vendor, which sends it on; one for all cases.

    Args:
        make: Opens it.
        url: What it is asked for; the case's own address when empty.
    """

    def __init__(self, make: Callable[[], Carrier], *, url: str = f"{OPERATORS}/v1/models") -> None:
        self._make = make
        self._url = url
        self._carrier: Carrier | None = None

    async def __call__(self, case: Case, _: World) -> None:
        """Ask."""
        self._carrier = self._carrier or self._make()
        request = HttpRequest(method="GET", url=self._url or case.url)
        reply = await self._carrier.send(request, timeout_s=20.0)
        if reply.status >= 300:
            raise ProtocolError(f"The vendor answers {reply.status}.")

    async def aclose(self) -> None:
        """Close the carrier."""
        if self._carrier is not None:
            await self._carrier.aclose()
            self._carrier = None


def credential(origin: str = OPERATORS) -> Credential:
    """The operator's key, for one origin."""
    return Credential(secret=Secret(CANARY, name="key"), origin=origin_of(origin))


def sdk(module: str) -> Carried:
    """A vendor's SDK, whose vendor sends it on."""
    return Carried(lambda: cast("Carrier", import_module(module).open_carrier(OPERATORS, credential())))


def fast(*, origin: str = OPERATORS, url: str = f"{OPERATORS}/v1/models") -> Carried:
    """Our own carrier."""

    def make() -> Carrier:
        http = HttpClient(egress=Egress(allowed_origins=[OPERATORS]))
        return FastCarrier(http, credential=credential(origin), owned=True)

    return Carried(make, url=url)


async def _called(case: Case, content: JsonObject, options: DocumentOptions) -> None:
    registry = ToolRegistry()
    executor = ToolExecutor(registry, secrets=MemorySecrets({"key": CANARY}), egress=egress(case))
    secured: JsonObject = {
        **content,
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{"key": []}],
    }
    try:
        registry.add_document(secured, namespace="api", options=options)
        (name,) = [entry.name for entry in registry.list()]
        result = await executor.execute(
            ToolCall(id="1", name=name, arguments="{}"), make_call(name, effect=Effect.READ)
        )
        if result.is_error:
            raise ProtocolError(result.text)
    finally:
        await executor.aclose()


TAKEN: dict[str, Surface] = {
    "our client": client,
    "a document by its address": document,
    "a server that a document names": server_of_a_document,
    "a carrier asked to go elsewhere": fast(origin="https://public.example:8443", url=""),
}
LED: dict[str, Surface] = {
    "a tool's redirect": tool,
    "an MCP server's redirect": mcp,
    "a webhook's redirect": webhook,
    "the fast carrier": fast(),
    **{f"the SDK of {name}": sdk(module) for name, module in SDKS.items()},
}


@dataclass(frozen=True, slots=True)
class Fits:
    """Which cases a surface can be asked.

    Attributes:
        redirects: It follows redirects.
        passing: What is meant to pass can pass.
        one_of: In the quick run, one of so many cases.
    """

    redirects: bool = False
    passing: bool = True
    one_of: int = 1


FITS = {
    "a document by its address": Fits(redirects=True, one_of=2),
    "a server that a document names": Fits(redirects=True, passing=False, one_of=2),
    "a carrier asked to go elsewhere": Fits(passing=False),
    "an MCP server's redirect": Fits(one_of=12),
    **{f"the SDK of {name}": Fits(one_of=12) for name in SDKS},
}


def chosen(name: str) -> list[Case]:
    """The cases that a surface is asked; other ones of a part on each surface."""
    fits = FITS.get(name, Fits())
    found = [
        case
        for case in cases()
        if (fits.redirects or not case.redirects) and (fits.passing or not case.passes)
    ]
    if os.environ.get("INTERLOCK_FULL") == "1":
        return found
    return found[[*TAKEN, *LED].index(name) % fits.one_of :: fits.one_of]


async def _one(surface: Surface, case: Case, here: World, *, led: bool) -> list[str]:
    """What went wrong with one case on one surface."""
    error: BaseException | None = None
    here.play(case, led=led)
    try:
        async with asyncio.timeout(60):
            await surface(case, here)
    except InterlockError as raised:
        error = raised
    wrong = [f"dialled {address}" for address in here.inner]
    if CANARY in "".join(f"{entry.target}{entry.headers}{entry.body!r}" for entry in here.elsewhere):
        wrong.append("a credential left")
    if error is not None and CANARY in f"{error}":
        wrong.append("a credential is in the error")
    if led:
        return [*wrong, *(f"followed to {entry.target}" for entry in here.elsewhere)]
    if case.passes:
        wrong += [] if error is None else [f"refused: {error}"]
        missed = case.dials is not None and case.dials not in here.dialled
        return [*wrong, f"dialled {here.dialled}"] if missed else wrong
    if not isinstance(error, RefusedError | CallerError | UpstreamConnectionError | ProtocolError):
        wrong.append(f"not refused: {error!r}")
    elif not case.redirects and here.requests:
        wrong.append("something was sent")
    return wrong


async def _tried(name: str, surface: Surface, folder: Path, *, led: bool) -> Sequence[str]:
    asked = chosen(name)
    found: dict[str, list[str]] = {}
    async with world(folder, asked[0], body=json.dumps(DOCUMENT).encode()) as here:
        for case in asked:
            found[case.id] = await _one(surface, case, here, led=led)
        if isinstance(surface, Carried):
            await surface.aclose()
    print(f"{name}: {len(asked)} tried, {sum(map(bool, found.values()))} passed through")
    return [f"{name}: {key}: {problem}" for key, problems in found.items() for problem in problems]


@pytest.mark.promise("A10")
@pytest.mark.parametrize("name", TAKEN)
async def test_an_address_is_judged_wherever_it_is_taken(name: str, tmp_path: Path) -> None:
    """Whatever notation, name, answer of the DNS or redirect it hides behind; the controls pass."""
    assert await _tried(name, TAKEN[name], tmp_path, led=False) == []


@pytest.mark.promise("A10")
@pytest.mark.parametrize("name", LED)
async def test_an_origin_that_the_operator_wrote_leads_nowhere_else(name: str, tmp_path: Path) -> None:
    """Its redirects to other origins are not followed, and its key goes to that origin alone."""
    assert await _tried(name, LED[name], tmp_path, led=True) == []


async def test_what_passes_through_is_noticed(tmp_path: Path) -> None:
    """Without the guard, the same cases do dial what they must not."""

    async def unguarded(case: Case, _: World) -> None:
        async with HttpClient(egress=Egress(allow_private=True)) as http:
            await http.send(HttpRequest(method="GET", url=case.url))

    found = await _tried("our client", unguarded, tmp_path, led=False)
    assert sum("dialled" in line for line in found) >= 10


async def test_a_refused_address_is_an_error_of_egress(tmp_path: Path) -> None:
    """And it names no more than host and port."""
    case = next(case for case in cases() if case.url.startswith("http://127.0.0.1/"))
    async with world(tmp_path, case) as here:
        with pytest.raises(EgressRefusedError, match=r"127\.0\.0\.1:80"):
            await client(case, here)
