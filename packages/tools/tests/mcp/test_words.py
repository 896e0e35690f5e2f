"""What mounted servers say of their tools, against the table of cases."""

import tomllib
from pathlib import Path
from typing import TypedDict, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_tools.mcp._words import LONGEST_DESCRIPTION, fit_to_show, is_seen

OTHERS = ("github", "files", "mail", "notes")


class Case(TypedDict):
    """One line of the table."""

    name: str
    given: str
    shown: str
    problems: list[str]


CASES = cast(
    "list[Case]", tomllib.loads(Path(__file__).with_name("descriptions.toml").read_text("utf-8"))["case"]
)


@pytest.mark.promise("O16")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_a_server_says_is_shown_as_the_table_says(case: Case) -> None:
    """What is hidden goes, what is said stays, what is suspicious is told."""
    said = fit_to_show(case["given"], own="notes", others=OTHERS)
    assert said.text == case["shown"]
    assert sorted(said.problems) == sorted(case["problems"])


def test_a_long_description_is_cut_and_told() -> None:
    """A model pays for every word of it."""
    said = fit_to_show("x" * (LONGEST_DESCRIPTION + 1))
    assert len(said.text) == LONGEST_DESCRIPTION
    assert said.text.endswith("…")
    assert said.problems == ("long",)


@given(st.text())
def test_what_is_shown_has_nothing_that_nobody_sees(text: str) -> None:
    """Whatever comes in; and showing it again changes nothing."""
    said = fit_to_show(text, own="notes", others=OTHERS)
    assert all(map(is_seen, said.text))
    assert fit_to_show(said.text, own="notes", others=OTHERS).text == said.text
