"""Headers, payloads and what they are read back as."""

import json
from hashlib import sha256
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core.jsontypes import Json
from interlock_core.store import Row
from interlock_security.audit._record import (
    HEADER_FIELDS,
    HEADER_VERSION,
    AuditRecord,
    Facts,
    canonical,
    digest_of,
    header,
    leaf_of,
    plain,
)

Values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


Texts = st.text().map(plain)
Names = st.builds(Facts, Texts, Texts, Texts, Texts, Texts, Texts, Texts)


def row(facts: Facts, *, index: int, at: int, outcome: str, payload: str) -> Row:
    """A row as the log writes it."""
    digest = digest_of(b"s" * 16, payload)
    user, agent, key, name, run, trace, team = facts
    fields: Row = (index, b"\xab" * 16, "rec_1", at, "outcome", "rec_0", user, agent, key, name, outcome)
    fields = (*fields, run, trace, team)
    return (*fields, digest, b"s" * 16, payload, leaf_of(header(fields, digest)))


@given(Names, st.integers(min_value=0), Texts, st.dictionaries(st.text(), Values, max_size=6))
def test_a_header_is_one_line_a_field_and_reads_back(
    facts: Facts, index: int, outcome: str, data: dict[str, Json]
) -> None:
    """Whatever the texts hold, nothing of one field can be taken for another."""
    made = row(facts, index=index, at=1_800_000_000_000_000, outcome=outcome, payload=canonical(data))
    read = AuditRecord.of(made)
    version, *lines = read.header.split("\n")
    assert version == HEADER_VERSION
    said = dict(zip(HEADER_FIELDS, lines, strict=True))
    assert said == {
        "index": str(index),
        "prev": "ab" * 16,
        "id": "rec_1",
        "at": "1800000000000000",
        "kind": "outcome",
        "ref": "rec_0",
        **facts._asdict(),
        "outcome": outcome,
        "digest": sha256(b"s" * 16 + read.payload.encode()).hexdigest(),
    }
    assert sha256(b"\x00" + read.header.encode()).digest() == read.leaf
    assert (read.facts, read.outcome, read.erased) == (facts, outcome, False)
    assert cast("object", read.data) == json.loads(json.dumps(data))


@given(st.text())
def test_a_text_in_a_header_is_short_and_printable(text: str) -> None:
    """It can be stored in every database, and holds no line end."""
    made = plain(text)
    assert len(made) <= 256
    assert made.isprintable()
    assert made.encode().decode() == made
    if text.isprintable():
        assert text.startswith(made)


def test_a_header_with_a_line_too_many_fits_no_leaf() -> None:
    """Else the end of one field could be moved into the next."""
    made = AuditRecord.of(row(Facts(user="a"), index=1, at=2, outcome="", payload="{}"))
    assert leaf_of(made.header) == made.leaf
    assert leaf_of(made.header + "\n") == b""


@pytest.mark.parametrize("payload", ["", "[]", "{", "null", "[" * 100_000, b"x", 5, None])
def test_a_damaged_record_reads_as_empty(payload: str | bytes | int | None) -> None:
    """A log that was changed can still be listed."""
    broken: Row = ("?", 5, None, "x", None, None, *[b"x"] * 8, 5, None, payload, "")
    read = AuditRecord.of(broken)
    assert (read.index, read.at, read.facts, read.data) == (-1, 0.0, Facts(), {})
    assert read.erased == (payload is None)


def test_a_number_that_json_has_not_is_refused() -> None:
    """Two readers would not agree on it."""
    with pytest.raises(ValueError, match="JSON"):
        canonical(float("nan"))
