"""Requests caught on the wire: what an official SDK sends, and what we send over each carrier.

A server on loopback keeps what arrives and refuses it, so that no answer has to be read. Two requests are
alike when method, target, the headers that matter and the meaning of the body are equal. Headers that do not
matter, and why:

- `host`, `content-length`: each sender's own address and count of its own bytes.
- `connection`, `accept-encoding`: how the HTTP stack works; keeping connections is HTTP/1.1's default, and
  compression, which the SDKs would take, is left out by carriers because it holds events back.
- `user-agent`, `x-stainless-…`, `x-fern-…`: the SDK's word about itself and what it runs on.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from importlib import import_module

import pytest

from interlock_core import (
    CompletionRequest,
    Json,
    JsonObject,
    ResponseFormat,
    Secret,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)
from interlock_core.errors import InterlockError
from interlock_core.http import Egress, HttpClient
from interlock_core.messages import Image, Text, assistant, system, tool_results, user
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest, json_answer
from interlock_providers.carriers import Carrier, Credential
from interlock_providers.carriers.fast import FastCarrier
from interlock_providers.codecs import codec
from interlock_providers.provider import HttpProvider, HttpSettings
from interlock_providers.rows import VENDORS

KEY = "sk-capture-0123456789"
MODEL = "model-1"
CITY: JsonObject = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
CALL_ID = "call1abcd"
WEATHER = ToolSpec(name="get_weather", description="Weather of a city.", parameters=CITY)
ASKED = (system("Be brief."), user("Hé, 漢?"))
PLAIN = CompletionRequest(model=f"vendor/{MODEL}", messages=ASKED, max_tokens=50, stop=("END",))
REQUESTS = {
    "text": PLAIN,
    "sampled": replace(PLAIN, temperature=0.5, top_p=0.9),
    "tools": replace(
        PLAIN,
        messages=(
            user("Weather in Oslo?"),
            assistant(ToolCall(id=CALL_ID, name="get_weather", arguments='{"city":"Oslo"}')),
            tool_results([ToolResult(call_id=CALL_ID, name="get_weather", content=(Text("rain"),))]),
        ),
        stop=(),
        tools=(WEATHER,),
        tool_choice=ToolChoice(mode="auto"),
    ),
    "tool forced": replace(
        PLAIN, stop=(), tools=(WEATHER,), tool_choice=ToolChoice(mode="required", name="get_weather")
    ),
    "tool required": replace(PLAIN, stop=(), tools=(WEATHER,), tool_choice=ToolChoice(mode="required")),
    "one tool at a time": replace(
        PLAIN, stop=(), tools=(WEATHER,), tool_choice=ToolChoice(mode="auto", parallel=False)
    ),
    "thought": replace(PLAIN, stop=(), reasoning_effort="low"),
    "image": replace(
        PLAIN, messages=(user("What is it?", Image(data=b"\x89PNG", media_type="image/png")),), stop=()
    ),
    "structured": replace(
        PLAIN, stop=(), response_format=ResponseFormat(schema=CITY, name="place", strict=True)
    ),
}
"""What is asked, in words that no vendor owns; each vendor's SDK is asked the same in its own."""

INDIFFERENT = {"host", "content-length", "connection", "accept-encoding", "user-agent"}
INDIFFERENT_PREFIXES = ("x-stainless-", "x-fern-")


@dataclass(frozen=True, slots=True)
class Caught:
    """A request, as far as it matters.

    Attributes:
        line: Method, path and query.
        headers: Those that matter, by name in lower case.
        body: Its JSON; None when there was none.
        raw: Its bytes, which may differ where the meaning is the same.
    """

    line: str
    headers: dict[str, str]
    body: Json
    raw: bytes = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Wire:
    """Asks, and says what was sent.

    Attributes:
        server: Keeps what arrives.
        kind: The row of our provider.
        dialect: How it speaks.
    """

    server: LoopbackServer
    kind: str
    dialect: str

    async def caught(self, asking: Awaitable[object], refusal: type[Exception]) -> Caught:
        """What is sent by something that fails with a refusal."""
        before = len(self.server.requests)
        with pytest.raises(refusal):
            await asking
        (received,) = self.server.requests[before:]
        return _caught(received)

    async def passed_on(self, theirs: Caught) -> Caught:
        """What our provider sends when a client of ours has sent what the SDK did."""
        headers = tuple(theirs.headers.items())
        asked = codec(self.dialect).parse_request(theirs.raw, headers).request
        return await self.ours(lambda provider: provider.complete(asked))

    async def ours(self, ask: Callable[[HttpProvider], Awaitable[object]]) -> Caught:
        """What our provider sends, the same over both carriers, byte for byte."""
        fast, sdk = [await self._over(carrier, ask) for carrier in ("fast", "sdk")]
        assert (fast, fast.raw) == (sdk, sdk.raw)
        return fast

    async def _over(self, carrier: str, ask: Callable[[HttpProvider], Awaitable[object]]) -> Caught:
        origin = self.server.url
        row = replace(VENDORS[self.kind], dialects=(self.dialect,))
        credential = Credential(secret=Secret(KEY, name="key"), origin=origin)
        carried: Carrier
        if carrier == "fast":
            client = HttpClient(egress=Egress(allowed_origins=[origin]))
            carried = FastCarrier(client, credential=credential, owned=True)
        else:
            assert row.sdk is not None
            carried = import_module(row.sdk).open_carrier(origin, credential)
        # Where the paths of a dialect do not hold the version, the base URL does.
        base = origin if row.versions else f"{origin}/v1"
        settings = HttpSettings(name="vendor", vendor=row, base_url=base)
        provider = HttpProvider(settings, codec(self.dialect), carried)
        try:
            return await self.caught(ask(provider), InterlockError)
        finally:
            await provider.aclose()


def _caught(received: ReceivedRequest) -> Caught:
    headers: dict[str, str] = {}
    for name, value in received.headers:
        lower = name.lower()
        if lower not in INDIFFERENT and not lower.startswith(INDIFFERENT_PREFIXES):
            assert lower not in headers, f"{lower} was sent twice"
            headers[lower] = value
    body = received.json() if received.body else None
    return Caught(f"{received.method} {received.target}", headers, body, received.body)


def _refuse(request: ReceivedRequest) -> Answer:
    del request
    return json_answer({"error": {"message": "no", "type": "invalid_request_error"}}, status=400)


@pytest.fixture
async def server() -> AsyncGenerator[LoopbackServer, None]:
    """A server that keeps what arrives, and refuses it."""
    async with LoopbackServer(_refuse) as running:
        yield running


async def first_piece(provider: HttpProvider, request: CompletionRequest) -> None:
    """Ask for a streamed answer, up to its first piece."""
    async for _ in provider.stream(request):
        return
