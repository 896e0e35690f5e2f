"""Reads the tables beside it: errors, streams and costs as the vendors write them, and what must come out.

The tables are data, written from the vendors' documents, SDKs and public threads, and each row names
its source. What a field means stands in the head of each table.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from interlock_core.jsontypes import (
    Json,
    JsonObject,
    as_array,
    as_int,
    as_number,
    as_object,
    as_text,
    parse_json,
)

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class ErrorCase:
    """One answer of a vendor that must become one error; the fields are told in the head of each table."""

    id: str
    title: str
    source: str
    table: str
    dialect: str
    where: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    classes: tuple[str, ...]
    retryable: bool
    retry_after: float | None
    retry_after_max: float | None
    vendor_codes: tuple[str, ...]
    request_id: str | None
    fields: tuple[str, ...]
    secrets: tuple[str, ...]
    key: str
    now: datetime

    def wait_fits(self, seconds: float | None) -> bool:
        """Whether this is a wait that the vendor's answer allows."""
        if self.retry_after is not None:
            return seconds is not None and abs(seconds - self.retry_after) < 0.001
        if self.retry_after_max is not None:
            return seconds is None or 0 <= seconds <= self.retry_after_max
        return seconds is None


def text_of(row: JsonObject, name: str) -> str:
    """A text that must be there.

    Raises:
        ValueError: It is not.
    """
    value = as_text(row.get(name))
    if value is None:
        raise ValueError(f"{row.get('id')}: {name} is not a text")
    return value


def number_of(row: JsonObject, name: str) -> int:
    """A whole number that must be there.

    Raises:
        ValueError: It is not.
    """
    value = as_int(row.get(name))
    if value is None:
        raise ValueError(f"{row.get('id')}: {name} is not a whole number")
    return value


def texts_of(value: Json) -> tuple[str, ...]:
    """The texts of an array."""
    return tuple(text for text in map(as_text, as_array(value)) if text is not None)


def rows(path: Path, name: str) -> tuple[JsonObject, tuple[JsonObject, ...]]:
    """A whole table and its rows of that name."""
    table: JsonObject = tomllib.loads(path.read_bytes().decode("utf-8"))
    return table, tuple(as_object(row) for row in as_array(table.get(name)))


def _body(row: JsonObject) -> bytes:
    if hexadecimal := as_text(row.get("body_hex")):
        return bytes.fromhex(hexadecimal)
    if filled := as_object(row.get("body_filled")):
        middle = text_of(filled, "fill") * number_of(filled, "count")
        return (text_of(filled, "prefix") + middle + text_of(filled, "suffix")).encode("utf-8")
    return text_of(row, "body").encode("utf-8")


def _error(row: JsonObject, table: JsonObject) -> ErrorCase:
    code = as_text(row.get("vendor_code"))
    field = as_text(row.get("field"))
    return ErrorCase(
        id=text_of(row, "id"),
        title=text_of(row, "title"),
        source=text_of(row, "source"),
        table=text_of(table, "name"),
        dialect=text_of(row, "dialect"),
        where=text_of(row, "where"),
        status=number_of(row, "status"),
        headers=tuple(
            (pair[0], pair[1]) for pair in map(texts_of, as_array(row.get("headers"))) if len(pair) == 2
        ),
        body=_body(row),
        classes=(text_of(row, "class"), *texts_of(row.get("also"))),
        retryable=row.get("retryable") is True,
        retry_after=as_number(row.get("retry_after")),
        retry_after_max=as_number(row.get("retry_after_max")),
        vendor_codes=() if code is None else (code, *texts_of(row.get("vendor_code_or"))),
        request_id=as_text(row.get("request_id")),
        fields=() if field is None else (field, *texts_of(row.get("field_or"))),
        secrets=texts_of(row.get("secret")),
        key=text_of(table, "key"),
        now=datetime.fromisoformat(text_of(table, "now")),
    )


def error_cases() -> tuple[ErrorCase, ...]:
    """Every error case of every table, in the order of the files."""
    return tuple(_error_rows())


def _error_rows() -> Iterator[ErrorCase]:
    for path in sorted((HERE / "errors").glob("*.toml")):
        table, found = rows(path, "case")
        for row in found:
            yield _error(row, table)


@dataclass(frozen=True, kw_only=True)
class ExpectedCall:
    """A tool call that must come out; the id `any` allows every id that is not empty."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, kw_only=True)
class StreamCase:
    """One recorded stream and what it must add up to; the fields are told in the head of each index."""

    id: str
    title: str
    source: str
    dialect: str
    body: bytes
    texts: tuple[str, ...]
    reasoning: str
    signatures: tuple[str, ...]
    encrypted: tuple[str, ...]
    refusal: str
    tool_calls: tuple[ExpectedCall, ...]
    plan: str
    finishes: tuple[str, ...]
    native_finish: str | None
    usages: tuple[Mapping[str, int], ...]
    citations: int
    logprobs: int
    service_tier: str | None
    errors: tuple[str, ...]


def counts(value: Json) -> dict[str, int]:
    """The whole numbers of an object, by name."""
    found = {name: as_int(number) for name, number in as_object(value).items()}
    return {name: number for name, number in found.items() if number is not None}


def _call(row: JsonObject) -> ExpectedCall:
    return ExpectedCall(id=text_of(row, "id"), name=text_of(row, "name"), arguments=text_of(row, "arguments"))


def _stream(row: JsonObject, dialect: str) -> StreamCase:
    error = as_text(row.get("error"))
    finish = as_text(row.get("finish"))
    usages = [row["usage"], *as_array(row.get("usage_or"))] if "usage" in row else []
    return StreamCase(
        id=text_of(row, "id"),
        title=text_of(row, "title"),
        source=text_of(row, "source"),
        dialect=dialect,
        body=(HERE / "streams" / dialect / text_of(row, "file")).read_bytes(),
        texts=texts_of(row.get("texts")) or (as_text(row.get("text")) or "",),
        reasoning=as_text(row.get("reasoning")) or "",
        signatures=texts_of(row.get("signatures")),
        encrypted=texts_of(row.get("encrypted")),
        refusal=as_text(row.get("refusal")) or "",
        tool_calls=tuple(_call(as_object(call)) for call in as_array(row.get("tool_calls"))),
        plan=as_text(row.get("plan")) or "",
        finishes=() if finish is None else (finish, *texts_of(row.get("finish_or"))),
        native_finish=as_text(row.get("native_finish")),
        usages=tuple(counts(usage) for usage in usages),
        citations=as_int(row.get("citations")) or 0,
        logprobs=as_int(row.get("logprobs")) or 0,
        service_tier=as_text(row.get("service_tier")),
        errors=() if error is None else (error, *texts_of(row.get("error_also"))),
    )


def stream_cases() -> tuple[StreamCase, ...]:
    """Every stream of every index, in the order of the files."""
    return tuple(
        _stream(row, path.stem)
        for path in sorted((HERE / "streams").glob("*.toml"))
        for row in rows(path, "stream")[1]
    )


@dataclass(frozen=True, kw_only=True)
class PriceRow:
    """US dollars for a million tokens; a name that is not there is not known.

    Attributes:
        tokens: By kind: input, output, cache_read, cache_write, cache_write_1h, audio_input, audio_output.
        requests: For a thousand requests, by the vendor's name.
        over_tokens: Input above which `over` holds for the whole request.
        over: The row for larger requests.
    """

    tokens: Mapping[str, Decimal]
    requests: Mapping[str, Decimal]
    over_tokens: int | None = None
    over: "PriceRow | None" = None


@dataclass(frozen=True, kw_only=True)
class CostCase:
    """One usage object of a vendor and what it costs, None where that is not known.

    The fields are told in the head of the table.
    """

    id: str
    title: str
    source: str
    dialect: str
    usage: Json
    tier: str | None
    price: PriceRow
    tiers: Mapping[str, PriceRow]
    expected: tuple[Mapping[str, int], ...]
    requests: Mapping[str, int]
    cost_micro_usd: int | None
    by_hand: str


def _price(value: Json) -> PriceRow:
    row = as_object(value)
    over = as_object(row.get("over"))
    numbers = {name: as_text(number) for name, number in row.items()}
    thousands = {name: as_text(number) for name, number in as_object(row.get("requests")).items()}
    return PriceRow(
        tokens={name: Decimal(number) for name, number in numbers.items() if number is not None},
        requests={name: Decimal(number) for name, number in thousands.items() if number is not None},
        over_tokens=as_int(over.get("tokens")) if over else None,
        over=_price(over) if over else None,
    )


def _cost(row: JsonObject) -> CostCase:
    expected = [row["expected"], *as_array(row.get("expected_or"))] if "expected" in row else []
    return CostCase(
        id=text_of(row, "id"),
        title=text_of(row, "title"),
        source=text_of(row, "source"),
        dialect=text_of(row, "dialect"),
        usage=parse_json(text_of(row, "usage")),
        tier=as_text(row.get("tier")),
        price=_price(row.get("price")),
        tiers={name: _price(tier) for name, tier in as_object(row.get("tiers")).items()},
        expected=tuple(counts(usage) for usage in expected),
        requests=counts(row.get("requests")),
        cost_micro_usd=None if row.get("cost_micro_usd") == "unknown" else number_of(row, "cost_micro_usd"),
        by_hand=as_text(row.get("by_hand")) or "",
    )


def cost_cases() -> tuple[CostCase, ...]:
    """Every cost case, in order."""
    return tuple(_cost(row) for row in rows(HERE / "costs.toml", "case")[1])
