"""Every usage object of the tables, read out of an answer of its dialect and priced."""

from dataclasses import fields

import pytest

from interlock_core import Completion, Embeddings, Money, Usage
from interlock_core.assembly import CompletionAssembler
from interlock_core.testing import Answer, LoopbackServer, StaticPrices
from interlock_providers import ProviderOptions
from interlock_providers.codecs import Target, embeddings_codec
from interlock_providers.rows import CarrierName

from .cost_answers import price_for, streamed_answer, vectors_answer, whole_answer
from .provider_cases import CostCase, cost_cases
from .stream_judge import heard_over
from .table_vendors import KINDS, opened, request_for, sent_in

COSTS = cost_cases()
ANSWERS = [case for case in COSTS if not case.dialect.endswith("-embeddings")]
VECTORS = [case for case in COSTS if case.dialect.endswith("-embeddings")]
COUNTS = tuple(field.name for field in fields(Usage) if field.name not in {"requests", "exact"})
MODEL = "vendor/m-1"


def spoken_by(case: CostCase) -> str:
    """The dialect whose answer holds the usage."""
    return "cohere-v2" if case.dialect == "cohere-rerank" else case.dialect


def check(case: CostCase, usage: Usage | None, tier: str | None) -> None:
    """The usage is the expected one, and costs to the micro-dollar what the case says."""
    if not case.expected:
        assert usage is None
        assert case.cost_micro_usd is None
        return
    assert usage is not None
    assert usage.exact
    assert {name: getattr(usage, name) for name in COUNTS} in [
        {name: expected.get(name, 0) for name in COUNTS} for expected in case.expected
    ]
    assert dict(usage.requests) == dict(case.requests)
    price = price_for(case, usage)
    cost = None if price is None else price.charge(usage, tier)
    assert cost == (None if case.cost_micro_usd is None else Money(case.cost_micro_usd))


def check_tier(case: CostCase, told: str | None) -> str | None:
    """The tier of a case: the answer tells it, but for a batch of a vendor that does not say so."""
    assert told == case.tier or told is None or case.tier is None
    assert told is not None or case.tier in {None, "batch"}
    assert case.tier is not None or told in {None, "standard"}
    return case.tier


@pytest.mark.promise("P3")
@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: case.id)
def test_the_usage_of_a_whole_answer_is_read_and_priced(case: CostCase) -> None:
    """Every part of it, or its cost is not known."""
    spoken, sent = sent_in(spoken_by(case), stream=False)
    answer = spoken.parse_response(whole_answer(case), sent)
    assert answer.text == "Hi"
    check(case, answer.usage, check_tier(case, answer.service_tier))


@pytest.mark.promise("P3")
@pytest.mark.parametrize("case", ANSWERS[::3], ids=lambda case: case.id)
def test_the_usage_of_a_stream_is_read_and_priced(case: CostCase) -> None:
    """As that of the whole answer."""
    spoken, sent = sent_in(spoken_by(case), stream=True)
    parser, whole = spoken.parse_stream(sent), CompletionAssembler()
    for chunk in (*parser.feed(streamed_answer(case)), *parser.finish()):
        whole.feed(chunk)
    answer = whole.completion()
    assert answer.text == "Hi"
    check(case, answer.usage, check_tier(case, answer.service_tier))


@pytest.mark.promise("P3")
@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case.id)
def test_the_usage_of_vectors_is_read_and_priced(case: CostCase) -> None:
    """They cost input alone."""
    vendor = case.dialect.removesuffix("-embeddings")
    spoken = embeddings_codec({"openai": "openai-chat"}.get(vendor, f"{vendor}-chat"))
    sent = spoken.render_request(["x"], Target(provider="vendor", model="m-1"))
    made: Embeddings = spoken.parse_response(vectors_answer(case), sent, 1)
    check(case, made.usage, case.tier)


def first(dialect: str, tier: str | None, *, known: bool) -> CostCase:
    """The first case of a dialect and tier whose cost is known, or is not in spite of its usage."""
    return next(
        case
        for case in ANSWERS
        if case.dialect == dialect
        and case.tier == tier
        and case.expected
        and known is (case.cost_micro_usd is not None)
    )


TOLD = [
    first("openai-chat", "flex", known=True),
    first("openai-responses", "priority", known=True),
    first("anthropic-messages", "batch", known=True),
    first("mistral", "standard", known=True),
    first("cohere-v2", None, known=True),
    first("openai-chat", "scale", known=False),
    first("openai-responses", "ultrafast", known=False),
    first("anthropic-messages", "fast", known=False),
    first("mistral", "priority", known=False),
    first("cohere-v2", None, known=False),
]


async def asked(case: CostCase, carrier: CarrierName, *, stream: bool) -> Completion:
    """The answer of a provider that knows the price of the case."""
    price = price_for(case, Usage())
    prices = StaticPrices({} if price is None else {MODEL: price})
    body = streamed_answer(case) if stream else whole_answer(case)
    kind = "text/event-stream" if stream else "application/json"
    reply = Answer(headers=(("content-type", kind),), body=body)
    dialect = spoken_by(case)
    async with (
        LoopbackServer(lambda _: reply) as server,
        opened(
            KINDS[dialect], server.url, options=ProviderOptions(carrier=carrier, prices=prices)
        ) as provider,
    ):
        if not stream:
            return await provider.complete(request_for(dialect))
        found = await heard_over(provider, request_for(dialect))
        assert found.error is None
        return found.answer


@pytest.mark.promise("P3")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", TOLD, ids=lambda case: case.id)
async def test_a_provider_tells_what_its_vendor_bills(
    case: CostCase, stream: bool, carrier: CarrierName
) -> None:
    """From the price book, for the tier that the answer names; None when any part is not known."""
    answer = await asked(case, carrier, stream=stream)
    assert answer.cost == (None if case.cost_micro_usd is None else Money(case.cost_micro_usd))
