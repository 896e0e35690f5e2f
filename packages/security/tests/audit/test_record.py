"""Canonical records."""

import json
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core.jsontypes import Json
from interlock_security.audit._record import AuditRecord, Draft, canonical, prev, render

Values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), Values, max_size=6), st.integers(min_value=0), st.booleans())
def test_a_record_is_the_sorted_json_of_its_facts(data: dict[str, Json], index: int, outcome: bool) -> None:
    """Byte for byte what any JSON library makes of the same object; and it reads back."""
    ref = "rec_intent" if outcome else None
    draft = Draft(id="rec_1", kind="outcome", at=1_800_000_000_000_000, data=canonical(data), ref=ref)
    text = render(draft, index=index, previous=b"\xab" * 32)
    facts = {
        "at": 1_800_000_000_000_000,
        "data": data,
        "id": "rec_1",
        "index": index,
        "kind": "outcome",
        "prev": "ab" * 16,
        "ref": ref,
        "v": 1,
    }
    assert text == json.dumps(facts, sort_keys=True, separators=(",", ":"))
    assert text.isascii()
    read = AuditRecord.parse(text)
    assert (read.index, read.id, read.ref, read.at, read.kind) == (index, "rec_1", ref, 1.8e9, "outcome")
    assert cast("object", read.data) == json.loads(json.dumps(data))


def test_the_first_record_names_none_before_it() -> None:
    """There is no hash to name."""
    assert prev(b"") == ""


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"at":"x","index":"y","ref":5,"data":[]}', "null", "[" * 100_000]
)
def test_a_damaged_record_reads_as_empty(text: str) -> None:
    """A log that was changed can still be listed."""
    read = AuditRecord.parse(text)
    assert (read.index, read.at, read.ref, read.data) == (-1, 0.0, None, {})


def test_a_number_that_json_has_not_is_refused() -> None:
    """Two readers would not agree on it."""
    with pytest.raises(ValueError, match="JSON"):
        canonical(float("nan"))
