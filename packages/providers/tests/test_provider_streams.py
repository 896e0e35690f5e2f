"""Streams over real sockets, by both carriers: breaks, drips, cancellation, silence."""

import asyncio
from contextlib import aclosing
from typing import Protocol

import pytest

from interlock_core import Chunk, CompletionRequest, Provider
from interlock_core.errors import (
    BillingError,
    InterlockError,
    OverloadedError,
    ProtocolError,
    UpstreamError,
    UpstreamTimeoutError,
)
from interlock_core.messages import system, user
from interlock_providers.provider import Timeouts
from interlock_providers.testing import Failure, OpenAIChatServer, Say

ASKED = CompletionRequest(model="vendor/sim-1", messages=(system("Be brief."), user("Say hello to me")))


class MakeProvider(Protocol):
    """Makes a provider that asks a base URL."""

    def __call__(self, base_url: str, *, timeouts: Timeouts | None = ...) -> Provider:
        """Make it."""
        ...


async def collect(provider: Provider) -> list[Chunk]:
    """All chunks of a stream."""
    async with aclosing(provider.stream(ASKED)) as chunks:
        return [chunk async for chunk in chunks]


async def test_a_stream_that_breaks_before_its_first_token_is_tried_again_unseen(
    make: MakeProvider, vendor: OpenAIChatServer
) -> None:
    """An error event or a torn connection before anything was said leaves no trace in the answer."""
    vendor.then(Say(fail=Failure.overloaded()), Say("lost words", cut_after=40), Say("whole"))
    chunks = await collect(make(vendor.url))
    assert "".join(chunk.text for chunk in chunks) == "whole"
    assert len(vendor.requests) == 3


@pytest.mark.promise("P4")
@pytest.mark.parametrize(
    ("say", "cls"),
    [
        (Say("one two", fail=Failure.overloaded()), OverloadedError),
        (Say("one two", cut_after=700), UpstreamError),
        (Say("one two", cut_after=700, clean_cut=True), ProtocolError),
        (Say("one two", fail=Failure.no_money()), BillingError),
    ],
)
async def test_a_stream_that_breaks_after_a_token_is_never_tried_again(
    make: MakeProvider, vendor: OpenAIChatServer, say: Say, cls: type[InterlockError]
) -> None:
    """What was delivered stays delivered, then comes the typed error."""
    vendor.then(say)
    seen: list[str] = []

    async def read() -> None:
        async with aclosing(make(vendor.url).stream(ASKED)) as chunks:
            async for chunk in chunks:
                seen.append(chunk.text)

    with pytest.raises(cls):
        await read()
    assert "one" in "".join(seen)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("clean", [False, True])
async def test_a_stream_cut_at_any_byte_ends_in_a_typed_error(
    make: MakeProvider, vendor: OpenAIChatServer, clean: bool
) -> None:
    """Over the socket, cut every few bytes: no wrong token, no hang, no other error."""
    whole = "alpha beta"
    provider = make(vendor.url)
    for cut in range(0, 1500, 61):
        vendor.then(*[Say(whole, cut_after=cut, clean_cut=clean)] * 3)
        text = ""
        try:
            async with aclosing(provider.stream(ASKED)) as chunks:
                async for chunk in chunks:
                    text += chunk.text
        except UpstreamError:
            pass
        else:
            assert text == whole
        assert whole.startswith(text)
        vendor.forget()


async def test_a_piece_is_delivered_when_it_comes(make: MakeProvider, vendor: OpenAIChatServer) -> None:
    """Each piece is seen before the vendor is allowed to send the next."""
    gates = [asyncio.Event() for _ in range(4)]
    vendor.then(Say("a b c", gates=gates))
    gates[0].set()
    seen: list[str] = []
    async with aclosing(make(vendor.url).stream(ASKED)) as chunks:
        async for chunk in chunks:
            if chunk.text:
                seen.append(chunk.text)
                gates[len(seen)].set()
    assert seen == ["a", " b", " c"]


@pytest.mark.promise("P4")
@pytest.mark.parametrize("say", [Say("never ending", endless=True), Say("and then silence", hold=True)])
async def test_closing_a_stream_closes_the_upstream(
    make: MakeProvider, vendor: OpenAIChatServer, say: Say
) -> None:
    """The vendor sees the connection close while it is still sending, or still silent."""
    vendor.then(say)
    async with aclosing(make(vendor.url).stream(ASKED)) as chunks:
        async for chunk in chunks:
            if chunk.text:
                break
    assert await asyncio.wait_for(vendor.client_left.wait(), 10)


@pytest.mark.promise("P4")
@pytest.mark.parametrize("said", [True, False])
async def test_cancelling_whoever_reads_closes_the_upstream(
    make: MakeProvider, vendor: OpenAIChatServer, said: bool
) -> None:
    """After the first token and before it."""
    vendor.then(Say("first", hold=True) if said else Say("first", gates=[asyncio.Event()]))
    reading = asyncio.create_task(collect(make(vendor.url)))
    await vendor.asked.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await asyncio.wait_for(vendor.client_left.wait(), 10)


async def test_a_silent_stream_times_out(make: MakeProvider, vendor: OpenAIChatServer) -> None:
    """After what was said before, and the connection is closed."""
    vendor.then(Say("first", hold=True))
    seen: list[str] = []

    async def read() -> None:
        provider = make(vendor.url, timeouts=Timeouts(idle_s=0.05))
        async with aclosing(provider.stream(ASKED)) as chunks:
            async for chunk in chunks:
                seen.append(chunk.text)

    with pytest.raises(UpstreamTimeoutError, match="said nothing for"):
        await read()
    assert "first" in seen
    await asyncio.wait_for(vendor.client_left.wait(), 10)


@pytest.mark.parametrize(
    "timeouts", [Timeouts(first_s=0.05), Timeouts(stream_s=0.05, first_s=60)], ids=["first", "stream"]
)
async def test_a_stream_that_says_nothing_at_all_times_out(
    make: MakeProvider, vendor: OpenAIChatServer, timeouts: Timeouts
) -> None:
    """The vendor is given up, and its connection with it."""
    provider = make(vendor.url, timeouts=timeouts)
    await provider.models()
    vendor.then(*[Say("late", gates=[asyncio.Event()])] * 3)
    with pytest.raises(UpstreamTimeoutError):
        await collect(provider)
    await asyncio.wait_for(vendor.client_left.wait(), 10)
