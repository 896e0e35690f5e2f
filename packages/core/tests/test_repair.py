"""Arguments that are almost JSON: read where they mean one thing, and nowhere else."""

import json
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import JsonObject
from interlock_core.repair import repaired

OBJECTS = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=12),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@pytest.mark.promise("P3")
@pytest.mark.parametrize(
    ("text", "arguments", "how"),
    [
        ('```json\n{"a": 1}\n```', {"a": 1}, "code fence"),
        ('{"a": 1}{"a": 1}', {"a": 1}, "twice"),
        (json.dumps('{"a": "b"}'), {"a": "b"}, "wrapped"),
        ('{"a": "one\ntwo"}', {"a": "one\ntwo"}, "line breaks"),
        ('{"a": [1, 2,], "b": ",]",}', {"a": [1, 2], "b": ",]"}, "comma"),
        ("{'a': True, 'b': None, 'c': 'it\\'s'}", {"a": True, "b": None, "c": "it's"}, "Python"),
        ('```\n{"a": [1,],}\n```', {"a": [1]}, "comma"),
    ],
)
def test_what_has_one_meaning_is_read(text: str, arguments: JsonObject, how: str) -> None:
    """And said what was wrong with it."""
    found = repaired(text)
    assert found is not None
    assert found.arguments == arguments
    assert how in found.how


@pytest.mark.promise("P3")
@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1',
        '{"a": "one',
        '{"a": 1}{"a": 2}',
        "{a: 1}",
        '{"a": 1} and more',
        "[1, 2]",
        "seven",
        '"seven"',
        "{'a': True, \"b\": true}",
        "{'a': float('nan')}",
        '{"a": NaN}',
        "{'a': 1e999}",
        "{1: 2}",
        "__import__('os').system('true')",
        "{" * 100_000,
        "",
    ],
)
def test_what_has_several_meanings_or_none_is_not(text: str) -> None:
    """Half a value is not the value."""
    assert repaired(text) is None


@pytest.mark.promise("P3")
@given(OBJECTS)
def test_json_is_read_as_it_is_however_it_is_dressed(value: dict[str, object]) -> None:
    """In a fence, said twice, or in a string."""
    plain = json.dumps(value)
    for text in (plain, f"```json\n{plain}\n```", plain * 2, json.dumps(plain)):
        found = repaired(text)
        assert found is not None
        assert found.arguments == cast("JsonObject", value)


@given(OBJECTS, st.data())
def test_a_cut_text_is_never_completed(value: dict[str, object], data: st.DataObject) -> None:
    """Wherever it is cut."""
    plain = json.dumps(value)
    cut = data.draw(st.integers(min_value=0, max_value=len(plain) - 1))
    assert repaired(plain[:cut]) is None


@given(st.text(max_size=60))
def test_any_text_is_answered(text: str) -> None:
    """With an object or with nothing."""
    found = repaired(text)
    assert found is None or isinstance(found.arguments, dict)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "' + '\\"' * 490_000 + ", }",
        '{"a": "' + '\\"' * 490_000 + ", }\\",
        "```" + "\n" * 990_000 + "x",
        "```" + " " * 990_000 + "x",
        "[" + "1," * 490_000 + "]",
        "[" * 990_000,
        "{" + ", " * 490_000 + "x}",
    ],
    ids=[
        "open-text",
        "open-text-and-backslash",
        "fence-of-lines",
        "fence-of-blanks",
        "list",
        "nested",
        "commas",
    ],
)
def test_a_text_made_to_be_slow_is_given_up_at_once(text: str) -> None:
    """Nothing is looked at again from each of its places: that would take hours for these."""
    assert repaired(text) is None
