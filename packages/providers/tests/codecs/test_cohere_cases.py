"""The recorded streams, errors and counts of Cohere, each read to what it must add up to."""

from itertools import chain

import pytest

from interlock_core import Completion, JsonObject, Reasoning, Text
from interlock_core.assembly import CompletionAssembler
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import as_array, dump_json
from interlock_providers.codecs import VendorReply

# Tests are no package that could be named from outside.
from ..cases.provider_cases import (  # noqa: TID252 - see above
    CostCase,
    ErrorCase,
    StreamCase,
    cost_cases,
    error_cases,
    stream_cases,
)
from .cohere_events import CODEC, SENT

SPOKEN = "cohere-v2"
"""What the tables call the dialect."""
STREAMS = [case for case in stream_cases() if case.dialect == SPOKEN]
COSTS = [case for case in cost_cases() if case.dialect == SPOKEN]
ERRORS = [case for case in error_cases() if case.dialect == SPOKEN]


def assembled(body: bytes, size: int) -> Completion:
    """The answer of a stream that comes in pieces of that size."""
    parser, whole = CODEC.parse_stream(SENT), CompletionAssembler()
    for start in range(0, len(body), size):
        for chunk in parser.feed(body[start : start + size]):
            whole.feed(chunk)
    for chunk in parser.finish():
        whole.feed(chunk)
    return whole.completion()


def test_there_are_cases_of_cohere() -> None:
    """An empty table would judge nothing."""
    assert len(STREAMS) >= 10
    assert len(ERRORS) >= 30
    assert len(COSTS) >= 10


@pytest.mark.promise("P3")
@pytest.mark.parametrize("case", [c for c in STREAMS if not c.errors], ids=lambda case: case.id)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_a_recorded_stream_of_cohere_adds_up(case: StreamCase, size: int) -> None:
    """Texts, plan and thinking, calls, citations, usage and how it ended, at every cut."""
    answer = assembled(case.body, size)
    parts = answer.message.content
    assert "".join(part.text for part in parts if isinstance(part, Text)) == "".join(case.texts)
    assert "".join(part.text for part in parts if isinstance(part, Reasoning)) == case.plan + case.reasoning
    calls = [(call.id, call.name, call.arguments) for call in answer.message.tool_calls]
    assert calls == [(call.id, call.name, call.arguments) for call in case.tool_calls]
    assert str(answer.finish) in case.finishes
    assert case.native_finish in (None, answer.native_finish)
    assert sum(len(part.citations) for part in parts if isinstance(part, Text)) == case.citations
    assert len(as_array(answer.logprobs)) == case.logprobs
    if not case.usages:
        assert answer.usage is None
        return
    assert answer.usage is not None
    found = {name: getattr(answer.usage, name) for name in case.usages[0]}
    assert found in [dict(usage) for usage in case.usages]


@pytest.mark.promise("P4")
@pytest.mark.parametrize("case", [c for c in STREAMS if c.errors], ids=lambda case: case.id)
def test_a_recorded_stream_of_cohere_that_fails_gives_its_typed_error(case: StreamCase) -> None:
    """What came before is told, and then what went wrong."""
    parser = CODEC.parse_stream(SENT)
    told: list[str] = []
    chunks = chain(parser.feed(case.body), parser.finish())
    with pytest.raises(InterlockError) as caught:
        told.extend(chunk.text for chunk in chunks)
    assert type(caught.value).__name__ in case.errors
    assert "".join(told) == "".join(case.texts)


def caught_error(case: ErrorCase) -> InterlockError:
    """What the codec makes of a recorded error."""
    now = case.now.timestamp()
    if case.where == "status" and not 200 <= case.status < 300:
        return CODEC.parse_error(
            VendorReply(status=case.status, headers=case.headers, body=case.body, provider="vendor", now=now)
        )
    with pytest.raises(InterlockError) as caught:
        read_error(case)
    return caught.value


def read_error(case: ErrorCase) -> None:
    """Read an error that came as an answer."""
    if case.where == "stream":
        parser = CODEC.parse_stream(SENT, now=case.now.timestamp())
        list(parser.feed(case.body))
        list(parser.finish())
    else:
        CODEC.parse_response(case.body, SENT, case.headers)


@pytest.mark.promise("P4")
@pytest.mark.parametrize("case", ERRORS, ids=lambda case: case.id)
def test_a_recorded_error_of_cohere_is_typed(case: ErrorCase) -> None:
    """By who must act, with the vendor's id of the request and without its secrets."""
    error = caught_error(case)
    assert type(error).__name__ in case.classes
    assert error.retryable is case.retryable
    assert case.wait_fits(error.retry_after)
    assert not case.vendor_codes or error.vendor_code in case.vendor_codes
    assert error.request_id == case.request_id
    assert not case.fields or error.field in case.fields
    for secret in case.secrets:
        assert secret not in f"{error}{error!r}{error.as_json()}"


@pytest.mark.promise("P5")
@pytest.mark.parametrize("case", COSTS, ids=lambda case: case.id)
def test_recorded_usage_of_cohere_is_counted_exactly(case: CostCase) -> None:
    """Billed tokens, cached ones among them, and what is billed by the piece."""
    body: JsonObject = {"id": "a", "finish_reason": "COMPLETE", "message": {"content": []}}
    usage = CODEC.parse_response(dump_json({**body, "usage": case.usage}).encode(), SENT).usage
    if not case.expected:
        assert usage is None
        return
    assert usage is not None
    names = {name for row in case.expected for name in row}
    found = {name: getattr(usage, name) for name in names}
    assert found in [{name: row.get(name, 0) for name in names} for row in case.expected]
    assert dict(usage.requests) == dict(case.requests)
