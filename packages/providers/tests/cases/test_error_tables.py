"""Every error of the tables, answered by a server on loopback and raised by a provider that asked it.

The request is made whole, or streamed where the error stands within a stream, over both carriers. Judged
are what is raised, how often the server was asked, and that no secret can be read from any of it.
"""

import logging
import re
import traceback
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

import pytest

from interlock_core import Provider
from interlock_core.errors import InterlockError, ProtocolError
from interlock_core.jsontypes import dump_json
from interlock_core.resilience import RetryPolicy
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest
from interlock_providers import ProviderOptions
from interlock_providers.rows import CarrierName

from .provider_cases import ErrorCase, error_cases
from .table_vendors import KINDS, Waits, opened, request_for

ATTEMPTS = 2
PATIENCE_S = RetryPolicy().max_retry_after_s


def kind_of(case: ErrorCase) -> str:
    """The kind of provider that meets this error."""
    return "openai-compatible" if case.table == "compatible" else KINDS[case.dialect]


def server_for(case: ErrorCase) -> LoopbackServer:
    """A server that gives this answer to whatever it is asked; a stream comes event by event."""

    async def events() -> AsyncIterator[bytes]:
        for event in re.split(rb"(?<=\n\n)", case.body):
            yield event

    def answer(_: ReceivedRequest) -> Answer:
        body = case.body if case.where == "status" else events()
        return Answer(status=case.status, headers=case.headers, body=body)

    return LoopbackServer(answer)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a provider raised, what it had delivered by then, how often it asked, and how it waited."""

    error: InterlockError
    delivered: str
    asked: int
    waited: list[float]


async def outcome_of(case: ErrorCase, carrier: CarrierName, *, stream: bool) -> Outcome:
    """Ask the server that answers with an error, whole or streamed."""
    delivered: list[str] = []
    waits = Waits()
    request = request_for(case.dialect)

    async def ask(provider: Provider) -> None:
        if not stream:
            await provider.complete(request)
            return
        async with aclosing(provider.stream(request)) as chunks:
            async for chunk in chunks:
                delivered.append(chunk.text)

    async with (
        server_for(case) as server,
        opened(
            kind_of(case),
            server.url,
            key=case.key,
            now=case.now.timestamp(),
            waits=waits,
            options=ProviderOptions(carrier=carrier),
        ) as provider,
    ):
        with pytest.raises(InterlockError) as caught:
            await ask(provider)
        return Outcome(caught.value, "".join(delivered), len(server.requests), waits.noted)


def says_words(case: ErrorCase) -> bool:
    """Whether the model said something before the error: the streams of the tables say one word, or none."""
    return case.where == "stream" and re.search(rb'"(?:Hello|Hel|Coca|A)"', case.body) is not None


def expected_requests(case: ErrorCase, error: InterlockError) -> int:
    """How often the vendor may be asked.

    What was delivered is never asked for again, nor is an answer whose form is broken: it would come again.
    """
    if not case.retryable or says_words(case) or isinstance(error, ProtocolError):
        return 1
    return 1 if (error.retry_after or 0) > PATIENCE_S else ATTEMPTS


@pytest.mark.promise("P4")
@pytest.mark.parametrize("case", error_cases(), ids=lambda case: case.id)
async def test_an_error_of_a_vendor_is_raised_as_what_it_is(
    case: ErrorCase, carrier: CarrierName, caplog: pytest.LogCaptureFixture
) -> None:
    """Class, retry, wait, code, id and field, and no secret in anything that a person may read."""
    caplog.set_level(logging.DEBUG)
    outcome = await outcome_of(case, carrier, stream=case.where == "stream")
    check_raised(case, outcome)
    error = outcome.error
    shown = (
        str(error),
        repr(error),
        dump_json(error.as_json()),
        "".join(traceback.format_exception(error)),
        caplog.text,
        "\n".join(f"{record.msg!r} {record.args!r}" for record in caplog.records),
    )
    for secret in {case.key, *case.secrets}:
        assert [text for text in shown if secret in text] == []


@pytest.mark.promise("P4")
@pytest.mark.parametrize(
    "case", [case for case in error_cases() if case.where == "status"], ids=lambda case: case.id
)
async def test_an_error_in_place_of_a_stream_is_the_same(case: ErrorCase) -> None:
    """Whoever asked for a stream learns what whoever asked for a whole answer does."""
    outcome = await outcome_of(case, "fast", stream=True)
    check_raised(case, outcome)
    told = str(outcome.error) + dump_json(outcome.error.as_json())
    assert [secret for secret in (case.key, *case.secrets) if secret in told] == []


def check_raised(case: ErrorCase, outcome: Outcome) -> None:
    """What was raised, how often was asked and how long was waited are those of the case."""
    error = outcome.error
    assert type(error).__name__ in case.classes
    assert error.retryable is case.retryable
    assert case.wait_fits(error.retry_after), error.retry_after
    if case.vendor_codes:
        assert error.vendor_code in case.vendor_codes
    assert error.request_id == case.request_id
    if case.fields:
        assert error.field in case.fields
    assert (error.vendor, error.vendor_status) in {("vendor", case.status), ("vendor", None)}
    assert bool(outcome.delivered) is says_words(case)
    assert outcome.asked == expected_requests(case, error)
    assert outcome.waited == [max(0.5, error.retry_after or 0)] * (outcome.asked - 1)


BARE_KEY = "plain0123456789abcdefkey"
TELLTALES = {
    "openai-chat": b'data: {"error":{"message":"no %s","type":"server_error","code":"%s"}}\n\n',
    "openai-responses": b'event: error\ndata: {"type":"error","code":"%s","message":"no %s"}\n\n',
    "anthropic-messages": b'event: error\ndata: {"type":"error","error":{"type":"%s","message":"no %s"}}\n\n',
    "mistral": b'data: {"object":"error","message":"no %s","type":"%s","code":"%s"}\n\n',
    "cohere-v2": b'event: message-end\ndata: {"type":"message-end","delta":{"error":"no %s"}}\n\n',
}


WRITTEN = {
    "plain": BARE_KEY,
    "escaped": "".join(f"\\u{ord(character):04x}" for character in BARE_KEY),
    "cut": "x" * 484 + BARE_KEY,
}
"""How a key comes back: as it is, in escapes of JSON, and where long words are cut."""


@pytest.mark.promise("P4")
@pytest.mark.parametrize("place", ["stream", "answer", "status"])
@pytest.mark.parametrize("written", sorted(WRITTEN))
@pytest.mark.parametrize("dialect", sorted(TELLTALES))
async def test_a_key_that_is_repeated_is_hidden(
    dialect: str, written: str, place: str, carrier: CarrierName
) -> None:
    """A gateway in between repeats a key that looks like nothing, whatever the status and the form."""
    said = TELLTALES[dialect].replace(b"%s", WRITTEN[written].encode())
    data = said.partition(b"data: ")[2].strip()
    headers = (("x-request-id", BARE_KEY), ("request-id", BARE_KEY))
    kind = "text/event-stream" if place == "stream" else "application/json"
    reply = Answer(
        status=500 if place == "status" else 200,
        headers=(("content-type", kind), *headers),
        body=said if place == "stream" else data,
    )
    options = ProviderOptions(carrier=carrier)
    async with (
        LoopbackServer(lambda _: reply) as server,
        opened(KINDS[dialect], server.url, key=BARE_KEY, options=options) as provider,
    ):
        request = request_for(dialect)
        asking = anext(provider.stream(request)) if place == "stream" else provider.complete(request)
        with pytest.raises(InterlockError) as caught:
            await asking
    error = caught.value
    told = "".join(traceback.format_exception(error)) + repr(error) + dump_json(error.as_json())
    assert BARE_KEY[:8] not in told
    assert dict(server.requests[0].headers)["authorization"] == f"Bearer {BARE_KEY}"
