"""The recorded streams and errors of the dialect openai-responses, each read to what it must add up to."""

import pytest

from interlock_core import Completion, CompletionRequest, JsonObject, Reasoning, Refusal, Text
from interlock_core.assembly import CompletionAssembler
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_core.messages import user
from interlock_providers.codecs import Target, VendorReply, codec

# Tests are no package that could be named from outside.
from ..cases.provider_cases import (  # noqa: TID252 - see above
    CostCase,
    ErrorCase,
    StreamCase,
    cost_cases,
    error_cases,
    stream_cases,
)

CODEC = codec("openai-responses")
SENT = CODEC.render_request(
    CompletionRequest(model="x", messages=(user("hi"),)), Target(provider="openai", model="m-1"), stream=True
)
STREAMS = [case for case in stream_cases() if case.dialect == CODEC.dialect]
COSTS = [case for case in cost_cases() if case.dialect == CODEC.dialect]
ERRORS = [case for case in error_cases() if case.dialect == CODEC.dialect]


def assembled(body: bytes, size: int) -> Completion:
    """The answer of a stream that comes in pieces of that size."""
    parser, whole = CODEC.parse_stream(SENT), CompletionAssembler()
    for start in range(0, len(body), size):
        for chunk in parser.feed(body[start : start + size]):
            whole.feed(chunk)
    for chunk in parser.finish():
        whole.feed(chunk)
    return whole.completion()


def test_there_are_cases() -> None:
    """An empty table would judge nothing."""
    assert len(STREAMS) >= 10
    assert len(ERRORS) >= 10


@pytest.mark.promise("P3")
@pytest.mark.parametrize("case", [c for c in STREAMS if not c.errors], ids=lambda case: case.id)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_a_recorded_stream_adds_up(case: StreamCase, size: int) -> None:
    """Texts, reasoning, calls, usage and how it ended, at every cut."""
    answer = assembled(case.body, size)
    parts = answer.message.content
    assert "".join(part.text for part in parts if isinstance(part, Text)) == "".join(case.texts)
    assert "".join(part.text for part in parts if isinstance(part, Reasoning)) == case.reasoning
    sealed = tuple(part.encrypted for part in parts if isinstance(part, Reasoning) and part.encrypted)
    assert sealed == case.encrypted
    assert "".join(part.text for part in parts if isinstance(part, Refusal)) == case.refusal
    calls = [(call.id, call.name, call.arguments) for call in answer.message.tool_calls]
    assert calls == [(call.id, call.name, call.arguments) for call in case.tool_calls]
    assert str(answer.finish) in case.finishes
    assert case.native_finish in (None, answer.native_finish)
    cited = sum(len(part.citations) for part in parts if isinstance(part, Text))
    assert cited == case.citations
    assert len(as_array(as_object(answer.logprobs).get("content"))) == case.logprobs
    assert case.service_tier in (None, answer.service_tier)
    if case.usages:
        assert answer.usage is not None
        found = {name: getattr(answer.usage, name) for name in case.usages[0]}
        assert found in [dict(usage) for usage in case.usages]


@pytest.mark.promise("P4")
@pytest.mark.parametrize("case", [c for c in STREAMS if c.errors], ids=lambda case: case.id)
def test_a_recorded_stream_that_fails_gives_its_typed_error(case: StreamCase) -> None:
    """By code, not by words, and never as an answer."""
    with pytest.raises(InterlockError) as caught:
        assembled(case.body, 1 << 20)
    assert type(caught.value).__name__ in case.errors


@pytest.mark.promise("P4")
@pytest.mark.parametrize("case", ERRORS, ids=lambda case: case.id)
def test_a_recorded_error_is_typed(case: ErrorCase) -> None:
    """By who must act, with the vendor's own code and without its secrets."""
    error = caught_error(case)
    assert type(error).__name__ in case.classes
    assert error.retryable is case.retryable
    assert case.wait_fits(error.retry_after)
    assert not case.vendor_codes or error.vendor_code in case.vendor_codes
    assert error.request_id == case.request_id
    assert not case.fields or error.field in case.fields
    for secret in case.secrets:
        assert secret not in f"{error}{error!r}{error.as_json()}"


def caught_error(case: ErrorCase) -> InterlockError:
    """What the codec makes of a recorded error."""
    now = case.now.timestamp()
    if case.where == "status" and not 200 <= case.status < 300:
        return CODEC.parse_error(
            VendorReply(status=case.status, headers=case.headers, body=case.body, provider="openai", now=now)
        )
    with pytest.raises(InterlockError) as caught:
        read(case)
    return caught.value


def read(case: ErrorCase) -> None:
    """Read an error that came as an answer."""
    if case.where == "stream":
        parser = CODEC.parse_stream(SENT, now=case.now.timestamp())
        list(parser.feed(case.body))
        list(parser.finish())
    else:
        CODEC.parse_response(case.body, SENT, case.headers)


@pytest.mark.promise("P5")
@pytest.mark.parametrize("case", COSTS, ids=lambda case: case.id)
def test_recorded_usage_is_counted_exactly(case: CostCase) -> None:
    """Cached, written, reasoning and long-lived tokens, each in its place."""
    body: JsonObject = {"id": "resp_1", "status": "completed", "output": [], "usage": case.usage}
    usage = CODEC.parse_response(dump_json(body).encode(), SENT).usage
    if not case.expected:
        assert usage is None
        return
    assert usage is not None
    names = {name for row in case.expected for name in row}
    found = {name: getattr(usage, name) for name in names}
    assert found in [{name: row.get(name, 0) for name in names} for row in case.expected]
