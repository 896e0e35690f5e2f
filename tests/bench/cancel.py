"""How soon a vendor sees that its client gave up: `python tests/bench/cancel.py`.

A stream has said its first word and goes on for ever; then its reader is cancelled, or leaves. Measured is
the time until the vendor's server, in the same process, sees the connection close. It is time on the clock,
not of the processor, because somebody pays for every token until then.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing

from figure import Figure
from interlock_core import CompletionRequest, Provider
from interlock_core.messages import user
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest
from interlock_providers import ProviderOptions, build_provider
from interlock_providers.rows import CarrierName

BOUND_MS = 100.0
WORD = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
ASKED = CompletionRequest(model="bench/m-1", messages=(user("Go on for ever"),))


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield WORD
        await asyncio.sleep(0.001)


def _answer(_: ReceivedRequest) -> Answer:
    return Answer(headers=(("content-type", "text/event-stream"),), body=_endless())


async def _cancelled(provider: Provider) -> float:
    """Cancel the task that reads; when that was."""
    said = asyncio.Event()

    async def read() -> None:
        async with aclosing(provider.stream(ASKED)) as chunks:
            async for _ in chunks:
                said.set()

    reading = asyncio.create_task(read())
    await said.wait()
    begun = time.perf_counter()
    reading.cancel()
    await asyncio.wait((reading,))
    return begun


async def _left(provider: Provider) -> float:
    """Leave the stream; when that was."""
    async with aclosing(provider.stream(ASKED)) as chunks:
        await anext(chunks)
        return time.perf_counter()


async def _times(
    give_up: Callable[[Provider], Awaitable[float]], carrier: CarrierName, runs: int
) -> list[float]:
    """Milliseconds until the server saw its client leave, once a run."""
    times: list[float] = []
    async with LoopbackServer(_answer) as server:
        options = ProviderOptions(carrier=carrier)
        provider = build_provider("bench", kind="openai-compatible", base_url=server.url, options=options)
        for _ in range(runs):
            server.client_left.clear()
            begun = await give_up(provider)
            await server.client_left.wait()
            times.append(1000 * (time.perf_counter() - begun))
        await provider.aclose()
    return times


def figures(*, full: bool) -> Iterator[Figure]:
    """Median and worst of many, for both ways to give up, over both carriers."""
    runs = 500 if full else 100
    ways = (("cancelled", _cancelled), ("left", _left))
    carriers: tuple[CarrierName, ...] = ("fast", "sdk")
    for carrier in carriers:
        for word, give_up in ways:
            times = asyncio.run(_times(give_up, carrier, runs))
            what = f"upstream closed once {word}, {carrier} carrier"
            yield Figure(f"{what}, median", statistics.median(times), "ms")
            yield Figure(f"{what}, worst of {runs}", max(times), "ms", BOUND_MS)


if __name__ == "__main__":
    for figure in figures(full=False):
        print(figure)
