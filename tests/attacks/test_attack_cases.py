"""The attack cases are sound data: each has what its surface needs, and its words are explained."""

import re
import tomllib
from pathlib import Path
from typing import cast

import pytest

FILE = Path(__file__).parent / "cases.toml"
PAGE = Path(__file__).parents[1] / "integration" / "cases" / "attacks.md"

Case = dict[str, object]

CASES = cast("list[Case]", tomllib.loads(FILE.read_text(encoding="utf-8"))["case"])
EXPLAINED = PAGE.read_text(encoding="utf-8")
INPUTS = {
    "parameter": {"value"},
    "server": {"url", "urls"},
    "redirect": {"location"},
    "document": {"make"},
    "secret": {"planted"},
    "injection": {"text", "call"},
    "audit": {"mutation"},
    "key": {"key", "headers", "repeat"},
    "wire": {"bytes", "make", "bodies"},
    "local": {"title"},
}


def test_there_are_many_and_no_id_stands_twice() -> None:
    """Ids are a letter and two digits, unique; titles are unique too within a surface."""
    ids = [str(case["id"]) for case in CASES]
    assert len(ids) >= 30
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Z]\d\d", name) for name in ids)
    assert len({(case["surface"], case["title"]) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[str(case["id"]) for case in CASES])
def test_a_case_says_what_is_sent_and_what_must_hold(case: Case) -> None:
    """Its surface is explained, its input is there, and what must hold is not empty."""
    surface = str(case["surface"])
    assert f"\n## {surface}\n" in EXPLAINED
    assert INPUTS[surface] & set(case)
    holds = cast("list[str]", case["holds"])
    assert holds
    assert len(set(holds)) == len(holds)


def test_every_surface_is_attacked() -> None:
    """No section of the page is without a case."""
    assert {str(case["surface"]) for case in CASES} == set(INPUTS)
