"""The tables of cases are whole: what judges other code must itself be right."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from decimal import Decimal

import pytest

from interlock_core import FinishReason, errors
from interlock_core.completion import Usage
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import parse_json

from .provider_cases import HERE, CostCase, PriceRow, StreamCase, cost_cases, error_cases, stream_cases

DIALECTS = {"openai-chat", "openai-responses", "anthropic-messages", "mistral", "cohere-v2"}
LEAST_ERRORS = {"openai": 30, "anthropic": 30, "mistral": 30, "cohere": 30, "compatible": 12}
CLASSES_OF_EACH_VENDOR = {
    "CredentialError",
    "BillingError",
    "NotFoundError",
    "InvalidRequestError",
    "ContextLengthError",
    "ContentPolicyError",
    "UpstreamRateLimitError",
    "OverloadedError",
    "UpstreamTimeoutError",
    "UpstreamConnectionError",
    "ProtocolError",
    "UpstreamError",
}


def error_class(name: str) -> type[InterlockError]:
    """The class of core's tree with that name."""
    found: object = getattr(errors, name)
    assert isinstance(found, type), name
    assert issubclass(found, InterlockError), name
    return found


def test_the_error_cases_have_ids_of_their_own_and_name_their_sources() -> None:
    """An id names one case; a case without a source is an invention."""
    cases = error_cases()
    assert [name for name, times in Counter(case.id for case in cases).items() if times > 1] == []
    assert [case.id for case in cases if not case.source.strip() or not case.title.strip()] == []
    assert {case.dialect for case in cases} == DIALECTS
    assert {case.where for case in cases} == {"status", "stream"}


def test_each_vendor_has_its_share_of_error_cases() -> None:
    """Thirty for each vendor with a dialect of its own, a dozen for the compatible servers."""
    found = Counter(case.table for case in error_cases())
    assert {name: found[name] >= least for name, least in LEAST_ERRORS.items()} == dict.fromkeys(
        LEAST_ERRORS, True
    )


@pytest.mark.parametrize("table", sorted(LEAST_ERRORS.keys() - {"compatible"}))
def test_each_vendor_shows_every_class_of_error(table: str) -> None:
    """Authentication, money, limits, content, capacity, time, connection and form."""
    assert {case.classes[0] for case in error_cases() if case.table == table} >= CLASSES_OF_EACH_VENDOR


def test_whether_to_try_again_is_what_the_class_says() -> None:
    """The decision in the table and the class in core never differ."""
    wrong = [
        case.id
        for case in error_cases()
        if any(error_class(name).retryable is not case.retryable for name in case.classes)
    ]
    assert wrong == []


def test_a_secret_of_an_error_case_is_in_what_the_vendor_sent() -> None:
    """Otherwise the case could not fail."""
    wrong = [
        case.id
        for case in error_cases()
        for secret in case.secrets
        if secret.encode() not in case.body and not any(secret in value for _, value in case.headers)
    ]
    assert wrong == []
    assert {case.table for case in error_cases() if case.key in case.secrets} >= {"openai", "anthropic"}


def test_the_waits_of_the_error_cases_can_be_judged() -> None:
    """Exact, bounded, or none; never two of them."""
    cases = error_cases()
    assert [case.id for case in cases if None not in (case.retry_after, case.retry_after_max)] == []
    exact = next(case for case in cases if case.retry_after == 20.0)
    assert exact.wait_fits(20.0)
    assert not exact.wait_fits(None)
    assert not exact.wait_fits(21.0)
    bounded = next(case for case in cases if case.retry_after_max == 86400.0)
    assert bounded.wait_fits(None)
    assert bounded.wait_fits(86400.0)
    assert not bounded.wait_fits(86401.0)
    silent = next(case for case in cases if case.retry_after is None and case.retry_after_max is None)
    assert silent.wait_fits(None)
    assert not silent.wait_fits(1.0)


def test_streamed_errors_come_on_a_good_status_as_events() -> None:
    """A stream has begun with 200 before it fails."""
    streamed = [case for case in error_cases() if case.where == "stream"]
    assert {case.status for case in streamed} == {200}
    assert [case.id for case in streamed if b"data: " not in case.body] == []


def test_the_bodies_of_error_cases_hold_what_their_titles_promise() -> None:
    """Empty, huge and undecodable bodies are there."""
    bodies = [case.body for case in error_cases()]
    assert b"" in bodies
    assert max(map(len, bodies)) > 1_000_000
    assert any(body.decode("utf-8", "replace").encode("utf-8") != body for body in bodies)


def data_of(case: StreamCase) -> list[str]:
    """What the data lines of a stream hold, but for the end mark."""
    lines = case.body.decode("utf-8").replace("\r\n", "\n").split("\n")
    found = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
    return [data for data in found if data != "[DONE]"]


def test_the_streams_have_ids_of_their_own_and_name_their_sources() -> None:
    """Each file is in its index, and each id names one stream."""
    cases = stream_cases()
    assert [name for name, times in Counter(case.id for case in cases).items() if times > 1] == []
    assert [case.id for case in cases if not case.source.strip() or not case.title.strip()] == []
    assert len(cases) == len(list((HERE / "streams").glob("*/*.sse")))


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_each_dialect_has_its_share_of_streams(dialect: str) -> None:
    """Ten at least, with calls, an error, a cut, line ends of both kinds and characters of several bytes."""
    cases = [case for case in stream_cases() if case.dialect == dialect]
    assert len(cases) >= 10
    assert max(len(case.tool_calls) for case in cases) >= 2
    assert sum(1 for case in cases if case.errors) >= 2
    assert any(b"\r\n" in case.body for case in cases)
    assert any(not text.isascii() for case in cases for text in case.texts)
    assert any(case.reasoning and case.texts[0] for case in cases)


def test_the_data_of_each_stream_is_json() -> None:
    """Only where the connection ends inside an event the last one is not."""
    broken: list[str] = []
    for case in stream_cases():
        for data in data_of(case):
            try:
                parse_json(data)
            except ValueError:
                broken.append(case.id)
    assert broken == ["openai-chat-cut-in-event"]


def test_a_stream_ends_well_or_with_an_error() -> None:
    """Never both, and in words that core knows."""
    known = {reason.value for reason in FinishReason}
    assert [case.id for case in stream_cases() if bool(case.finishes) is bool(case.errors)] == []
    assert {finish for case in stream_cases() for finish in case.finishes} <= known
    assert {error_class(name).__name__ for case in stream_cases() for name in case.errors} >= {
        "OverloadedError",
        "UpstreamConnectionError",
    }


def test_what_streams_add_up_to_is_in_their_bytes() -> None:
    """Names, signatures and payloads stand in the stream as they must come out."""
    missing = [
        (case.id, word)
        for case in stream_cases()
        for word in (
            *case.signatures,
            *case.encrypted,
            *(call.name for call in case.tool_calls),
            *(call.id for call in case.tool_calls if call.id != "any"),
        )
        if word not in case.body.decode("utf-8")
    ]
    assert missing == []


def test_the_usage_of_streams_has_the_names_of_core() -> None:
    """And its parts are contained in their totals."""
    names = {field.name for field in fields(Usage)} - {"requests", "exact"}
    usages = [usage for case in stream_cases() for usage in case.usages]
    assert {name for usage in usages for name in usage} <= names
    assert [
        usage
        for usage in usages
        if usage.get("cache_read_tokens", 0) + usage.get("cache_write_tokens", 0) > usage["input_tokens"]
        or usage.get("reasoning_tokens", 0) > usage["output_tokens"]
    ] == []


KINDS = {"input", "output", "cache_read", "cache_write", "cache_write_1h", "audio_input", "audio_output"}
COUNTED = {"web_search_requests", "web_fetch_requests", "search_units", "classifications"}


def price_rows(case: CostCase) -> Iterator[PriceRow]:
    """Every price row of a cost case."""
    for row in (case.price, *case.tiers.values()):
        yield row
        if row.over is not None:
            yield row.over


def hand_sum(words: str) -> Decimal:
    """The sum of products that stands before the equals sign."""
    products = words.partition(" = ")[0].split(" + ")
    pairs = [product.split(" * ") for product in products]
    return sum((Decimal(tokens) * Decimal(price) for tokens, price in pairs), Decimal(0))


def test_there_are_two_hundred_cost_cases_with_ids_and_sources() -> None:
    """A quarter of them can be checked by hand, and every dialect has some."""
    cases = cost_cases()
    assert len({case.id for case in cases}) == len(cases) == 200
    assert [case.id for case in cases if not case.source.strip() or not case.title.strip()] == []
    assert sum(1 for case in cases if case.by_hand) >= 50
    assert {case.dialect for case in cases} == DIALECTS | {
        "openai-embeddings",
        "mistral-embeddings",
        "cohere-embeddings",
        "cohere-rerank",
    }


def test_the_sums_by_hand_are_the_costs() -> None:
    """Exact products, summed, and rounded half up once."""
    wrong = [
        case.id
        for case in cost_cases()
        if case.by_hand and int(hand_sum(case.by_hand) + Decimal("0.5")) != case.cost_micro_usd
    ]
    assert wrong == []


def test_cost_cases_without_usage_are_unknown() -> None:
    """And never zero; but a usage of nothing costs nothing."""
    without = [case for case in cost_cases() if case.usage is None]
    assert {case.cost_micro_usd for case in without} == {None}
    assert [case.id for case in without if case.expected] == []
    assert any(case.cost_micro_usd == 0 and case.expected for case in cost_cases())
    assert sum(1 for case in cost_cases() if case.cost_micro_usd is None and case.expected) >= 10


def test_the_expected_usage_of_cost_cases_has_the_names_of_core() -> None:
    """Parts are contained in their totals, and requests have names that the vendors use."""
    names = {field.name for field in fields(Usage)} - {"requests", "exact"}
    assert {name for case in cost_cases() for usage in case.expected for name in usage} <= names
    assert {name for case in cost_cases() for name in case.requests} <= COUNTED
    wrong = [
        case.id
        for case in cost_cases()
        for usage in case.expected
        if usage.get("cache_read_tokens", 0) + usage.get("cache_write_tokens", 0) > usage["input_tokens"]
        or usage.get("cache_write_1h_tokens", 0) > usage.get("cache_write_tokens", 0)
        or usage.get("reasoning_tokens", 0) > usage["output_tokens"]
    ]
    assert wrong == []


def test_the_price_rows_of_cost_cases_are_whole() -> None:
    """Known names, no negative price, and a step that is dearer than what stands below it."""
    rows = [row for case in cost_cases() for row in price_rows(case)]
    assert {name for row in rows for name in row.tokens} == KINDS
    assert {name for row in rows for name in row.requests} <= COUNTED
    assert min(price for row in rows for price in (*row.tokens.values(), *row.requests.values())) == 0
    steps = [row for row in rows if row.over is not None]
    assert {row.over_tokens for row in steps} >= {100_000, 200_000, 272_000}
    assert [
        row
        for row in steps
        if row.over is not None and any(row.over.tokens[name] < price for name, price in row.tokens.items())
    ] == []
