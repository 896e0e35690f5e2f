"""Hostile documents: each is refused, or costs an operation, or loads; in bounded time and memory, always.

Every case of `cases/documents.json` runs in a child process of its own with a limit on memory and processor
time, so that a crash, a hang or a bomb is a result like any other.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from interlock_core import JsonObject
from interlock_core.jsontypes import as_array, as_object

HERE = Path(__file__).parent
CASES: list[JsonObject] = json.loads((HERE / "cases" / "documents.json").read_bytes())
MOST_SHOWN = 40_000
"""Characters of the largest tool that may reach a prompt, in any case."""


class Children:
    """The program that runs cases in children of its own."""

    def __init__(self, asked: IO[str], said: IO[str]) -> None:
        self._asked = asked
        self._said = said

    def judged(self, number: int) -> JsonObject:
        """What became of a case."""
        self._asked.write(f"{number}\n")
        self._asked.flush()
        found: JsonObject = json.loads(self._said.readline())
        return found


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    """One program for all cases of the module."""
    with subprocess.Popen(
        [sys.executable, "-m", f"{HERE.name}.hostile_child"],
        cwd=HERE.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        yield Children(program.stdin, program.stdout)
        program.stdin.close()


@pytest.mark.promise("O2")
@pytest.mark.parametrize("number", range(len(CASES)), ids=[str(case["id"]) for case in CASES])
def test_a_hostile_document_ends_as_it_must(children: Children, number: int) -> None:
    """Refused with a remedy, or loaded with a reason for what is missing, within the limits of the child."""
    case = CASES[number]
    found = children.judged(number)
    outcome = found["outcome"]
    allowed = case["must"] if isinstance(case["must"], list) else [case["must"]]
    assert outcome in allowed, found
    if outcome == "refuse":
        assert found["reason"]
        assert found["remedy"]
        return
    assert all(as_object(skipped)["reason"] for skipped in as_array(found["skipped"]))
    assert set(as_array(case.get("kept"))) <= set(as_array(found["kept"]))
    assert int(str(found["longest"])) <= MOST_SHOWN
