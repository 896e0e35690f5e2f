"""YAML is read as JSON: nothing is run, nothing grows, words stay words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import Json
from interlock_core.errors import InvalidRequestError
from interlock_tools.openapi import LoadLimits, load_text
from interlock_tools.openapi._text import parse

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def read(text: str, *, max_depth: int = 5_000) -> Json:
    """The value of a YAML text."""
    return parse(text.encode(), source="text", limits=LoadLimits(max_depth=max_depth))[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("2020-01-31", "2020-01-31"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1e999", "1e999"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("0o17", 15),
        ("0xff", 255),
        ("007", 7),
        ("-3.5e2", -350.0),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
    ],
)
def test_plain_scalars_mean_what_yaml_1_2_says(text: str, value: Json) -> None:
    """The core schema: no dates, no sexagesimals, no `on` that is true."""
    assert read(f"x: {text}") == {"x": value}


def test_keys_are_taken_as_they_are_written() -> None:
    """Status codes and the word `on` are texts as keys."""
    assert read("200: a\non: b\ntrue: c\n? 1.50\n: d") == {"200": "a", "on": "b", "true": "c", "1.50": "d"}


def test_merge_keys_are_honoured_and_own_keys_win() -> None:
    """`<<` takes one mapping or several; a quoted one is a key like any other."""
    text = "base: &b {x: 1, y: 1}\nmore: &m {z: 3}\none:\n  <<: *b\n  y: 2\ntwo:\n  <<: [*b, *m]\n'<<': 5\n"
    value = read(text)
    assert isinstance(value, dict)
    assert value["one"] == {"x": 1, "y": 2}
    assert value["two"] == {"x": 1, "y": 1, "z": 3}
    assert value["<<"] == 5


def test_a_merge_key_without_a_mapping_is_a_key() -> None:
    """Nothing is merged from a text."""
    assert read("<<: text") == {"<<": "text"}


def test_aliases_as_keys_and_values_stand_for_their_texts() -> None:
    """An alias is the value that its anchor names."""
    assert read("a: &k name\n*k : &v [1]\nb: *v") == {"a": "name", "name": [1], "b": [1]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: *nowhere", "names nothing"),
        ("a: &x [*x]", "stands inside"),
        ("? [1]\n: 2", "a key must be a text"),
        ("a: &x [1]\n*x : 2", "a key must be a text"),
        ("a: [1", "line"),
        ("a: b: c", "line"),
        ("\t- x", "line"),
    ],
)
def test_what_is_no_json_is_refused_with_its_line(text: str, said: str) -> None:
    """The message names what is wrong and the remedy says what to do."""
    with pytest.raises(InvalidRequestError, match=said) as caught:
        read(text)
    assert caught.value.remedy


def test_aliases_that_multiply_are_refused_before_they_do() -> None:
    """Nine levels of nine would be 387 million values; the text is refused in the time of its own length."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    with pytest.raises(InvalidRequestError, match="once every alias is written out"):
        read("\n".join(lines))


def test_nesting_is_bounded() -> None:
    """Deeper than the limit is refused, as deep as the limit is read."""
    assert read("[" * 5 + "]" * 5, max_depth=5) == [[[[[]]]]]
    with pytest.raises(InvalidRequestError, match="nested deeper than 4"):
        read("- - - - - x", max_depth=4)


def test_a_tag_makes_no_object() -> None:
    """A tag for a Python call is refused with its line, and nothing is called."""
    with pytest.raises(InvalidRequestError, match=r"line 1: the tag !!python/object/apply:os.system"):
        load_text("openapi: !!python/object/apply:os.system ['touch owned']\n")


def test_a_second_document_is_refused_and_an_empty_one_noted() -> None:
    """Nobody says which of two documents is meant; a marker at the end is no second one."""
    with pytest.raises(InvalidRequestError, match="line 2: a second YAML document begins"):
        parse(b"a: 1\n---\nb: 2\n", source="text", limits=LoadLimits())
    value, problems = parse(b"a: 1\n---\n", source="text", limits=LoadLimits())
    assert value == {"a": 1}
    assert "empty YAML document" in problems[0].message


def test_a_tag_that_is_not_yamls_own_is_refused() -> None:
    """What it would mean is known only to another program; YAML's own and the plain mark are read."""
    with pytest.raises(InvalidRequestError, match=r"line 1: the tag !include is none"):
        load_text("openapi: !include /etc/passwd\n")
    value, _ = parse(b"b: !!str 2\n", source="text", limits=LoadLimits())
    assert value == {"b": "2"}


def test_repeated_keys_are_noted_in_yaml_and_json() -> None:
    """The last one counts, and the author is told."""
    value, problems = parse(b"a: 1\na: 2\n", source="text", limits=LoadLimits())
    assert value == {"a": 2}
    assert "written twice" in problems[0].message
    value, problems = parse(b'{"a": 1, "a": 2}', source="text", limits=LoadLimits())
    assert value == {"a": 2}
    assert "written twice" in problems[0].message


@given(JSON_VALUES)
def test_every_json_text_is_read_as_what_it_says(value: Json) -> None:
    """Any JSON value survives its text."""
    wrapped: Json = {"value": value}
    assert parse(json.dumps(wrapped).encode(), source="text", limits=LoadLimits())[0] == wrapped


@given(st.text(max_size=200))
def test_no_text_brings_the_reader_down(text: str) -> None:
    """Any text is read or refused."""
    try:
        value = read(text)
    except InvalidRequestError:
        return
    assert json.dumps(value)
