"""What asking a vendor costs, beside its own SDK: `python tests/bench/providers.py [DIALECT…]`.

For each vendor, processor time of this process for a whole answer and for each event of a stream, the vendor
(`vendors.py`) being a process of its own: asked by the official SDK as its documentation shows, by our
provider over the fast carrier, and by our provider over the SDK's HTTP client. A repetition measures all
three in turn, and a ratio is that of one repetition, so that a machine that is busy for a while spoils it
least; the median of the ratios is told. Where aiohttp is installed, the fast carrier is held against it too.
"""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from figure import Figure
from interlock_core import CompletionRequest, HttpRequest, Secret
from interlock_core.http import Egress, HttpClient
from interlock_core.messages import system, user
from interlock_providers.carriers import Carrier, Credential
from interlock_providers.carriers.fast import FastCarrier
from interlock_providers.codecs import codec
from interlock_providers.provider import HttpProvider, HttpSettings
from interlock_providers.rows import VENDORS
from sdks import (
    ASKED,
    BRIEF,
    KEY,
    MODEL,
    AnthropicMessages,
    Asked,
    CohereChat,
    MistralChat,
    OpenAIChat,
    OpenAIResponses,
)
from vendors import EVENTS

CALL_BOUND = 115
EVENT_BOUND = 110
REQUEST = CompletionRequest(
    model=f"bench/{MODEL}", messages=(system(BRIEF), user(ASKED)), max_tokens=200, stream_usage=True
)
HEADERS = (("accept", "application/json"), ("content-type", "application/json"))
STREAMING = b'{"stream":true}'


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor in one dialect.

    Attributes:
        title: For people.
        kind: Its row.
        dialect: How it is spoken to.
        path: Where it is, below the server of all vendors.
        base: What our base URL has behind that.
        sdk: Its official SDK at a base URL.
        calls: How many whole answers a repetition asks for.
    """

    title: str
    kind: str
    dialect: str
    path: str
    base: str
    sdk: Callable[[str], Asked]
    calls: int = 100


VENDORS_ASKED = (
    Vendor("openai chat", "openai", "openai-chat", "/openai", "/v1", OpenAIChat),
    Vendor("openai responses", "openai", "openai-responses", "/openai", "/v1", OpenAIResponses),
    Vendor("anthropic", "anthropic", "anthropic-messages", "/anthropic", "", AnthropicMessages),
    Vendor("mistral", "mistral", "mistral-chat", "/mistral", "", MistralChat, calls=20),
    Vendor("cohere", "cohere", "cohere-chat", "/cohere", "", CohereChat),
)


class Ours(Asked):
    """Our provider, over a carrier."""

    def __init__(self, provider: HttpProvider) -> None:
        self._provider = provider

    async def whole(self) -> str:
        """The text of a whole answer."""
        return (await self._provider.complete(REQUEST)).text

    async def streamed(self) -> int:
        """How many pieces of text a streamed answer has."""
        pieces = 0
        async with aclosing(self._provider.stream(REQUEST)) as chunks:
            async for chunk in chunks:
                pieces += bool(chunk.text)
        return pieces

    async def aclose(self) -> None:
        """Close connections."""
        await self._provider.aclose()


class Bare(Asked):
    """The fast carrier alone, its answers read as bytes."""

    def __init__(self, url: str, body: bytes) -> None:
        origin = url[: url.index("/", 8)]
        self._client = HttpClient(egress=Egress(allowed_origins=[origin]))
        self._carrier = FastCarrier(self._client)
        self._request = HttpRequest(method="POST", url=url, headers=HEADERS, body=body)

    async def whole(self) -> str:
        """The body of a whole answer."""
        return (await self._carrier.send(self._request)).body.decode()

    async def streamed(self) -> int:
        """How many pieces of text a streamed answer has."""
        streaming = replace(self._request, body=STREAMING)
        async with self._carrier.stream(streaming) as reply:
            return b"".join([piece async for piece in reply]).count(b'" word"')

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()


class Aiohttp(Asked):
    """aiohttp, its answers read as bytes."""

    def __init__(self, url: str, body: bytes) -> None:
        self._session = import_module("aiohttp").ClientSession()
        self._url = url
        self._body = body

    async def whole(self) -> str:
        """The body of a whole answer."""
        async with self._session.post(self._url, data=self._body, headers=dict(HEADERS)) as answer:
            body: bytes = await answer.read()
        return body.decode()

    async def streamed(self) -> int:
        """How many pieces of text a streamed answer has."""
        async with self._session.post(self._url, data=STREAMING, headers=dict(HEADERS)) as answer:
            return b"".join([piece async for piece in answer.content.iter_any()]).count(b'" word"')

    async def aclose(self) -> None:
        """Close connections."""
        await self._session.close()


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor time of one repetition, in microseconds.

    Attributes:
        call: For a whole answer.
        burst: For an event of a stream that comes as fast as it can be sent.
        paced: For an event of a stream whose events come one by one.
    """

    call: float
    burst: float
    paced: float


@contextmanager
def vendors() -> Generator[str, None, None]:
    """The vendors in a process of their own: where they are."""
    command = [sys.executable, str(Path(__file__).with_name("vendors.py"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def ours(vendor: Vendor, origin: str, path: str, carrier: str) -> Ours:
    """Our provider for a vendor at a path of an origin."""
    row = replace(VENDORS[vendor.kind], dialects=(vendor.dialect,))
    secret = Secret(KEY, name="key")
    credential = Credential(secret=secret, origin=origin)
    carried: Carrier
    if carrier == "fast":
        client = HttpClient(egress=Egress(allowed_origins=[origin]))
        carried = FastCarrier(client, credential=credential, owned=True)
    else:
        assert row.sdk is not None
        carried = import_module(row.sdk).open_carrier(origin, credential)
    settings = HttpSettings(name="bench", vendor=row, base_url=f"{origin}{path}{vendor.base}", secret=secret)
    return Ours(HttpProvider(settings, codec(vendor.dialect), carried))


class Way:
    """One way to ask: at full speed, and with a pause behind each event."""

    def __init__(self, title: str, make: Callable[[str], Asked], path: str) -> None:
        self.title = title
        self.costs: list[Cost] = []
        self._fast = make(path)
        self._paced = make(f"/paced{path}")

    async def warm_up(self) -> None:
        """Ask once, and see that the answers are what they should be."""
        assert "word" in await self._fast.whole(), self.title
        assert await self._fast.streamed() == EVENTS, self.title
        assert await self._paced.streamed() == EVENTS, self.title

    async def measure(self, calls: int, streams: int) -> None:
        """One repetition."""
        self.costs.append(
            Cost(
                await _cpu_us(self._fast.whole, calls) / calls,
                await _cpu_us(self._fast.streamed, streams) / streams / EVENTS,
                await _cpu_us(self._paced.streamed, 1) / EVENTS,
            )
        )

    async def aclose(self) -> None:
        """Close connections."""
        await self._fast.aclose()
        await self._paced.aclose()


async def _cpu_us(ask: Callable[[], Awaitable[object]], times: int) -> float:
    began = time.process_time_ns()
    for _ in range(times):
        await ask()
    return (time.process_time_ns() - began) / 1000


async def compare(ways: list[Way], runs: int, *, calls: int, streams: int) -> None:
    """Measure the ways in turn, several times."""
    for way in ways:
        await way.warm_up()
    for run in range(runs):
        for way in ways if run % 2 else reversed(ways):
            await way.measure(calls, streams)
    for way in ways:
        await way.aclose()


def told(title: str, against: Way, way: Way, bounds: tuple[float, float]) -> Iterator[Figure]:
    """The ratios of one way to another, with the medians that they are made of."""
    for what, bound in (("call", bounds[0]), ("burst", bounds[1]), ("paced", bounds[1])):
        pairs = [
            (getattr(ours, what), getattr(theirs, what))
            for ours, theirs in zip(way.costs, against.costs, strict=True)
        ]
        mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(ours / theirs for ours, theirs in pairs)
        name = f"{title} {what}: {way.title} {mine:.0f} / {against.title} {other:.0f} us"
        yield Figure(name, 100 * ratio, "%", bound)


def figures(runs: int, only: tuple[str, ...] = ()) -> Iterator[Figure]:
    """What is measured, in the order of the report.

    Args:
        runs: Repetitions.
        only: Dialects to measure; all unless given.
    """
    with vendors() as origin:
        for vendor in VENDORS_ASKED:
            if only and vendor.dialect not in only:
                continue
            sdk = Way("SDK", lambda path, it=vendor: it.sdk(origin + path), vendor.path)
            over = [
                Way(name, lambda path, it=vendor, by=name: ours(it, origin, path, by), vendor.path)
                for name in ("fast", "sdk")
            ]
            asyncio.run(compare([sdk, *over], runs, calls=vendor.calls, streams=max(1, vendor.calls // 20)))
            for way in over:
                yield from told(vendor.title, sdk, way, (CALL_BOUND, EVENT_BOUND))
        if find_spec("aiohttp") is not None:
            yield from _against_aiohttp(origin, runs)


def _against_aiohttp(origin: str, runs: int) -> Iterator[Figure]:
    async def measure() -> tuple[Way, Way]:
        path = "/openai"
        other = Way("aiohttp", lambda at: Aiohttp(f"{origin}{at}/v1/chat/completions", b"{}"), path)
        bare = Way("fast", lambda at: Bare(f"{origin}{at}/v1/chat/completions", b"{}"), path)
        await compare([other, bare], runs, calls=200, streams=10)
        return other, bare

    other, bare = asyncio.run(measure())
    yield from told("bytes", other, bare, (CALL_BOUND, EVENT_BOUND))


def main() -> None:
    """Prints one row a figure as it comes."""
    for figure in figures(7, tuple(sys.argv[1:])):
        print(figure, flush=True)


if __name__ == "__main__":
    main()
