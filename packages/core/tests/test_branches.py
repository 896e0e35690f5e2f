"""Schemas that are small and would be tried for ever."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import Json, JsonObject
from interlock_core.errors import InvalidRequestError
from interlock_core.schema import validator

WORDS = st.sampled_from(["anyOf", "items", "properties", "$ref", "not"])


def bomb(levels: int, word: str = "anyOf") -> JsonObject:
    """Definitions that each choose twice between the next one."""
    steps: dict[str, Json] = {
        f"d{n}": {word: [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(levels)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**steps, f"d{levels}": {"type": "string"}}}


def nested(levels: int) -> JsonObject:
    """The same, one level of the value for each choice."""
    schema: JsonObject = {"type": "string"}
    steps: dict[str, Json] = {"d0": schema}
    for n in range(levels):
        inner: JsonObject = {"properties": {"a": {"$ref": f"#/$defs/d{n}"}}, "required": ["a"]}
        steps[f"d{n + 1}"] = {"anyOf": [inner, {**inner, "title": "again"}]}
    return {"$ref": f"#/$defs/d{levels}", "$defs": steps}


@pytest.mark.promise("P3")
@pytest.mark.parametrize("schema", [bomb(30), bomb(200), bomb(40, "oneOf"), bomb(40, "allOf"), nested(40)])
def test_a_bomb_is_refused_before_anything_is_tried(schema: JsonObject) -> None:
    """Two kilobytes would otherwise be a billion tries; the remedy says what to change."""
    with pytest.raises(InvalidRequestError, match="branches too much") as caught:
        validator(schema)
    assert caught.value.remedy


def test_what_branches_a_little_validates() -> None:
    """Including a wrong value, whose every branch is reported on."""
    assert validator(bomb(8)).problems(5)
    assert validator(nested(3)).problems({"a": {"a": {"a": 5}}})


def test_what_branches_much_is_judged_without_a_list_of_failures() -> None:
    """Thirty thousand tries are made; what is wrong with each of them is not written down."""
    many = validator(bomb(14))
    assert many.problems("fits") == ()
    (problem,) = many.problems(5)
    assert "many forms" in problem


def test_recursion_is_no_bomb() -> None:
    """A tree whose nodes are of several kinds."""
    node: JsonObject = {
        "anyOf": [
            {"type": "null"},
            {"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}},
        ]
    }
    assert validator(node).problems({"left": {"right": None}}) == ()


def test_large_unions_are_allowed() -> None:
    """Two hundred kinds of things, each with twenty kinds of parts."""
    part: JsonObject = {"oneOf": [{"const": n} for n in range(20)]}
    kinds: list[Json] = [
        {"type": "object", "properties": {"kind": {"const": n}, "part": part}} for n in range(200)
    ]
    assert validator({"anyOf": kinds}).problems({"kind": 3, "part": 4}) == ()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just({"$ref": "#"}),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["anyOf", "items", "properties", "$ref", "not"]), inner, max_size=3
            )
        ),
        max_leaves=10,
    )
)
def test_any_json_as_a_schema_is_taken_or_refused(value: Json) -> None:
    """Never another failure."""
    with suppress(InvalidRequestError):
        assert isinstance(validator({"anyOf": [value]}).problems(1), tuple)
