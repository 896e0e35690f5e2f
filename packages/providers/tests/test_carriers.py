"""The two carriers send the same request, seen on the wire."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from interlock_core import (
    CompletionRequest,
    HttpRequest,
    ResponseFormat,
    Secret,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from interlock_core.errors import InterlockError, ProtocolError, UpstreamConnectionError, UpstreamTimeoutError
from interlock_core.http import Egress, HttpClient
from interlock_core.messages import Image, Text, assistant, system, tool_results, user
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest, raw_server
from interlock_providers import ProviderOptions, build_provider
from interlock_providers.carriers import Carrier, Credential
from interlock_providers.carriers.fast import FastCarrier
from interlock_providers.carriers.sdk_openai import OpenAISdkCarrier
from interlock_providers.rows import CarrierName
from interlock_providers.testing import OpenAIChatServer

KEY = Secret("sk-capture", name="key of vendor")
OF_THE_STACK = {"host", "user-agent", "connection", "accept-encoding", "content-length"}
PLAIN = CompletionRequest(model="vendor/sim-1", messages=(system("s"), user("héllo 漢")))
REQUESTS = {
    "text": PLAIN,
    "tools": replace(
        PLAIN,
        tools=(ToolSpec(name="a.b", description="d", strict=True),),
        messages=(
            user("x", Image(url="https://example.org/a.png")),
            assistant(ToolCall(id="1", name="a.b", arguments='{"q": 1}')),
            tool_results([ToolResult(call_id="1", name="a.b", content=(Text("r"),))]),
        ),
    ),
    "structured": replace(
        PLAIN,
        response_format=ResponseFormat(schema={"type": "object"}, strict=True),
        max_tokens=5,
        temperature=0.5,
        stop=("a", "b"),
        logprobs=2,
        extra={"logit_bias": {"1": 1}},
    ),
}


def headers_that_matter(request: ReceivedRequest) -> set[tuple[str, str]]:
    """Headers without those of the HTTP stack and the SDK's own."""
    return {
        (name.lower(), value)
        for name, value in request.headers
        if name.lower() not in OF_THE_STACK and not name.lower().startswith("x-stainless-")
    }


async def capture(carrier: CarrierName, request: CompletionRequest, *, stream: bool) -> ReceivedRequest:
    """What a vendor is sent."""
    async with OpenAIChatServer() as vendor:
        options = ProviderOptions(carrier=carrier)
        provider = build_provider(
            "vendor", kind="openai-compatible", base_url=vendor.url, api_key=KEY, options=options
        )
        try:
            if stream:
                async with aclosing(provider.stream(request)) as chunks:
                    assert [chunk async for chunk in chunks]
            else:
                await provider.complete(request)
        finally:
            await provider.aclose()
        return vendor.requests[0]


@pytest.mark.promise("P2")
@pytest.mark.parametrize("name", sorted(REQUESTS))
@pytest.mark.parametrize("stream", [False, True])
async def test_both_carriers_send_the_same_request(name: str, stream: bool) -> None:
    """Method, path, headers that matter and body are equal, byte for byte."""
    fast = await capture("fast", REQUESTS[name], stream=stream)
    sdk = await capture("sdk", REQUESTS[name], stream=stream)
    assert (fast.method, fast.target, fast.body) == (sdk.method, sdk.target, sdk.body)
    assert headers_that_matter(fast) == headers_that_matter(sdk)
    assert headers_that_matter(fast) == {
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("authorization", "Bearer sk-capture"),
    }


async def test_the_sdks_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Organisation, project, own headers, keys, addresses and proxies of the environment stay out."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-leak")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-leak")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-leak: 1\nauthorization: Bearer leak")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-leak")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    sent = await capture("sdk", PLAIN, stream=True)
    assert "leak" not in str(sent.headers)
    assert sent.header("authorization") == "Bearer sk-capture"


def carriers(origin: str, client: HttpClient) -> list[Carrier]:
    """Both carriers toward an origin."""
    credential = Credential(secret=KEY, origin=origin)
    return [
        FastCarrier(client, credential=credential),
        OpenAISdkCarrier(origin, credential=credential, read_timeout_s=5),
    ]


def post(origin: str) -> HttpRequest:
    """A request to a server."""
    return HttpRequest(method="POST", url=f"{origin}/v1/x", headers=(("accept", "text/plain"),), body=b"{}")


@pytest.mark.parametrize(
    ("raw", "classes"),
    [
        (b"", (UpstreamConnectionError, ProtocolError)),
        (b"nonsense\r\n\r\n", (UpstreamConnectionError, ProtocolError)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", (UpstreamConnectionError, ProtocolError)),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nxyz", (ProtocolError,)),
    ],
)
async def test_a_broken_answer_is_a_typed_error(
    raw: bytes, classes: tuple[type[InterlockError], ...]
) -> None:
    """Whatever breaks below the dialect comes out as one of our errors, from both carriers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(raw)

    async with raw_server(serve) as origin, HttpClient(egress=Egress(allowed_origins=[origin])) as client:
        for carrier in carriers(origin, client):
            with pytest.raises(classes):
                await carrier.send(post(origin))
            await carrier.aclose()


async def test_a_slow_answer_is_a_timeout() -> None:
    """The time for a request holds for its whole answer, in both carriers."""

    async def never(request: ReceivedRequest) -> Answer:
        del request
        await asyncio.Event().wait()
        return Answer()

    async with (
        LoopbackServer(never) as server,
        HttpClient(egress=Egress(allowed_origins=[server.url])) as client,
    ):
        for carrier in carriers(server.url, client):
            with pytest.raises(UpstreamTimeoutError):
                await carrier.send(post(server.url), timeout_s=0.05)
            await carrier.aclose()


async def test_a_body_beyond_the_limit_is_refused() -> None:
    """Both carriers read an error's body only so far."""
    async with (
        LoopbackServer(lambda request: Answer(body=b"x" * 100)) as server,
        HttpClient(egress=Egress(allowed_origins=[server.url])) as client,
    ):
        for carrier in carriers(server.url, client):
            async with carrier.stream(post(server.url)) as streamed:
                with pytest.raises(ProtocolError, match="longer than 10 bytes"):
                    await streamed.read(10)
            await carrier.aclose()


async def test_a_carrier_that_was_closed_opens_again() -> None:
    """Closing twice does nothing, also before it was ever used, and the next request opens a new client."""
    async with LoopbackServer(lambda request: Answer(body=b"ok")) as server:
        carrier = OpenAISdkCarrier(server.url)
        for _ in range(2):
            await carrier.aclose()
            await carrier.aclose()
            assert (await carrier.send(post(server.url))).body == b"ok"
        await carrier.aclose()
