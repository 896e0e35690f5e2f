"""Every stream of the tables, read whole, in any pieces, and cut at every byte; then over real sockets.

A reader is fed every stream cut at every byte. Over sockets the connection is torn in the middle of a chunk
of HTTP: at the first byte, at the end of each event, and at every 151st byte; at every byte where the
environment says `INTERLOCK_FULL=1`, which takes about ten minutes.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock_core import Provider
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest
from interlock_providers import ProviderOptions
from interlock_providers.rows import CarrierName

from .provider_cases import StreamCase, stream_cases
from .stream_judge import Heard, check_cut, check_whole, heard, heard_over
from .table_vendors import KINDS, opened, request_for

STREAMS = stream_cases()
each_stream = pytest.mark.parametrize("case", STREAMS, ids=lambda case: case.id)


def cut_at(body: bytes, places: list[int]) -> Iterator[bytes]:
    """The pieces between these places."""
    ends = [0, *sorted(places), len(body)]
    return (body[start:end] for start, end in pairwise(ends))


@pytest.mark.promise("P3")
@each_stream
def test_a_stream_adds_up_in_one_piece_and_byte_by_byte(case: StreamCase) -> None:
    """To what its index says, or to its error after all that came before it."""
    check_whole(case, heard(case, [case.body]))
    check_whole(case, heard(case, (bytes((byte,)) for byte in case.body)))


@pytest.mark.promise("P3")
@each_stream
@settings(max_examples=15)
@given(data=st.data())
def test_a_stream_adds_up_in_any_pieces(case: StreamCase, data: st.DataObject) -> None:
    """Wherever a carrier cuts it."""
    places = data.draw(st.lists(st.integers(0, len(case.body)), max_size=12))
    check_whole(case, heard(case, cut_at(case.body, places)))


EVERY = 11 if os.environ.get("INTERLOCK_QUICK") == "1" else 1
"""Bytes from one cut to the next: CI tests this part alone at that size, and once more whole."""


@pytest.mark.promise("P4")
@each_stream
def test_a_stream_that_ends_after_any_byte_is_an_error_or_complete(case: StreamCase) -> None:
    """A typed error, or the whole answer; never another exception, a wrong word or wrong arguments."""
    whole = heard(case, [case.body])
    positions = range(0, len(case.body), EVERY)
    failed = [position for position in positions if _cut(case, position, whole)]
    assert len(failed) > len(positions) / 2


def _cut(case: StreamCase, position: int, whole: Heard) -> bool:
    """Whether a cut there is an error."""
    found = heard(case, [case.body[:position]])
    check_cut(whole, found)
    return found.error is not None


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
STEP = 1 if os.environ.get("INTERLOCK_FULL") == "1" else 151
SSE = (("content-type", "text/event-stream"),)


def event_ends(body: bytes) -> list[int]:
    """Where the events of a stream end."""
    return [found.end() for found in re.finditer(rb"\r?\n\r?\n", body)]


def said_by(case: StreamCase) -> int:
    """The end of the first event after which the model has said something."""
    return next(end for end in event_ends(case.body) if heard(case, [case.body[:end]]).answer.text)


async def nothing_pending() -> None:
    """No task is left but the test itself."""
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.promise("P3")
@each_stream
async def test_a_stream_adds_up_over_a_socket(case: StreamCase, carrier: CarrierName) -> None:
    """As it does in the reader alone."""
    pieces = list(cut_at(case.body, event_ends(case.body)))
    options = ProviderOptions(carrier=carrier)
    async with (
        LoopbackServer(lambda _: Answer(headers=SSE, body=pieces)) as server,
        opened(KINDS[case.dialect], server.url, options=options) as provider,
    ):
        check_whole(case, await heard_over(provider, request_for(case.dialect)))
    await nothing_pending()


@pytest.mark.promise("P4")
@each_stream
async def test_a_connection_that_tears_is_an_error_or_came_too_late(
    case: StreamCase, carrier: CarrierName
) -> None:
    """A typed error after what came; asked again only while nothing was said; nothing stays open."""
    whole = heard(case, [case.body])
    sent = b""

    def answer(_: ReceivedRequest) -> Answer:
        return Answer(raw=True, body=b"%b%x\r\n%b" % (HEAD, len(case.body), sent))

    async with (
        LoopbackServer(answer) as server,
        opened(KINDS[case.dialect], server.url, options=ProviderOptions(carrier=carrier)) as provider,
    ):
        for position in sorted({*range(0, len(case.body), STEP), *event_ends(case.body)} - {len(case.body)}):
            sent = case.body[:position]
            server.requests.clear()
            found = await heard_over(provider, request_for(case.dialect))
            check_cut(whole, found)
            said = found.answer.text or found.answer.message.content
            assert len(server.requests) <= (1 if said else 2)
            await server.until(lambda: server.open_connections == 0)
    await nothing_pending()


class Holding:
    """Answers with the beginning of a stream, then says nothing and keeps the connection open."""

    def __init__(self, begun: bytes) -> None:
        self._begun = begun

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield self._begun
        await asyncio.Event().wait()

    def __call__(self, _: ReceivedRequest) -> Answer:
        """The answer."""
        return Answer(headers=SSE, body=self._pieces())


async def left(server: LoopbackServer) -> None:
    """Wait until the server saw its client leave, and has no connection any more."""
    async with asyncio.timeout(10):
        await server.client_left.wait()
        await server.until(lambda: server.open_connections == 0)


TOLD_ERRORS = [case for case in STREAMS if case.errors and "UpstreamConnectionError" not in case.errors]
PLAIN_TEXTS = [case for case in STREAMS if case.id == f"{case.dialect}-text"]


@pytest.mark.promise("P4")
@pytest.mark.parametrize("case", TOLD_ERRORS, ids=lambda case: case.id)
async def test_an_error_within_a_stream_closes_a_connection_that_is_kept_open(
    case: StreamCase, carrier: CarrierName
) -> None:
    """The vendor sees us leave, though it says nothing more."""
    async with (
        LoopbackServer(Holding(case.body)) as server,
        opened(KINDS[case.dialect], server.url, options=ProviderOptions(carrier=carrier)) as provider,
    ):
        check_whole(case, await heard_over(provider, request_for(case.dialect)))
        await left(server)
    await nothing_pending()


async def read_until_said(provider: Provider, case: StreamCase, said: asyncio.Event) -> None:
    """Read for ever, and tell when the model said something."""
    async with aclosing(provider.stream(request_for(case.dialect))) as chunks:
        async for chunk in chunks:
            if chunk.text:
                said.set()


@pytest.mark.promise("P4")
@pytest.mark.parametrize("case", PLAIN_TEXTS, ids=lambda case: case.dialect)
@pytest.mark.parametrize("begun", [True, False])
async def test_cancelling_a_task_closes_the_upstream_in_every_dialect(
    case: StreamCase, begun: bool, carrier: CarrierName
) -> None:
    """After the first word, and while the vendor has said nothing yet."""
    async with (
        LoopbackServer(Holding(case.body[: said_by(case) if begun else 0])) as server,
        opened(KINDS[case.dialect], server.url, options=ProviderOptions(carrier=carrier)) as provider,
    ):
        said = asyncio.Event()
        reading = asyncio.create_task(read_until_said(provider, case, said))
        await (said.wait() if begun else server.until(lambda: bool(server.requests)))
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await left(server)
    await nothing_pending()


@pytest.mark.promise("P4")
@pytest.mark.parametrize("case", PLAIN_TEXTS, ids=lambda case: case.dialect)
async def test_closing_a_stream_closes_the_upstream_in_every_dialect(
    case: StreamCase, carrier: CarrierName
) -> None:
    """Whoever reads leaves in the middle of the answer."""
    async with (
        LoopbackServer(Holding(case.body[: said_by(case)])) as server,
        opened(KINDS[case.dialect], server.url, options=ProviderOptions(carrier=carrier)) as provider,
    ):
        async with aclosing(provider.stream(request_for(case.dialect))) as chunks:
            async for chunk in chunks:
                if chunk.text:
                    break
        await left(server)
    await nothing_pending()
