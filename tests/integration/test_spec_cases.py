"""Cases for the splitter: they account for every line of every specification, and the splitter agrees."""

import json
import re
from pathlib import Path
from typing import NotRequired, TypedDict, cast

import pytest

from interlock_pipeline.specification import read_specification, split

CASES = Path(__file__).parent / "cases" / "specs"
SPECIFICATIONS = Path(__file__).parents[2] / "examples" / "specs"
NAMES = sorted(path.name.removesuffix(".expected.json") for path in CASES.glob("*.expected.json"))


class Requirement(TypedDict):
    """Lines that state one thing to be built, in words without markers."""

    lines: list[int]
    text: str
    done: NotRequired[bool]


class Context(TypedDict):
    """Lines that state no requirement, and why."""

    lines: list[int]
    why: str


class Case(TypedDict):
    """One expected answer."""

    requirements: list[Requirement]
    not_requirements: list[Context]


def specification(name: str) -> Path:
    """The specification that the case is about, whatever its ending."""
    (path,) = SPECIFICATIONS.glob(f"{name}.*")
    return path


def lines_of(name: str) -> list[str]:
    """Lines that end at LF, CR LF or CR and at nothing else; `str.splitlines` knows too many ends."""
    text = specification(name).read_bytes().decode("utf-8-sig")
    return re.split(r"\r\n|\r|\n", text)


def case_of(name: str) -> Case:
    """The expected answer for one specification."""
    return cast("Case", json.loads((CASES / f"{name}.expected.json").read_text(encoding="utf-8")))


def words(text: str) -> list[str]:
    """The words that texts are compared by."""
    return re.findall(r"\w+", text.casefold())


def test_every_specification_has_a_case_and_every_case_a_specification() -> None:
    """Neither folder holds a file without its twin."""
    stems = {path.stem for path in SPECIFICATIONS.iterdir() if path.suffix in {".md", ".txt"}}
    assert stems == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_line_that_says_something_stands_in_exactly_one_entry(name: str) -> None:
    """No line is forgotten, none is claimed twice, and no entry begins or ends on a blank line."""
    lines = lines_of(name)
    case = case_of(name)
    claimed: list[int] = []
    for entry in [*case["requirements"], *case["not_requirements"]]:
        first, last = entry["lines"]
        assert 1 <= first <= last <= len(lines)
        assert lines[first - 1].strip()
        assert lines[last - 1].strip()
        claimed.extend(number for number in range(first, last + 1) if lines[number - 1].strip())
    assert sorted(claimed) == [number for number, line in enumerate(lines, 1) if line.strip()]


@pytest.mark.parametrize("name", NAMES)
def test_entries_are_in_the_order_of_the_document(name: str) -> None:
    """Both lists are sorted by line, so that a difference reads like a difference of documents."""
    case = case_of(name)
    for entries in (case["requirements"], case["not_requirements"]):
        firsts = [entry["lines"][0] for entry in entries]
        assert firsts == sorted(firsts)


@pytest.mark.parametrize("name", NAMES)
def test_the_text_of_a_requirement_is_taken_from_its_own_lines(name: str) -> None:
    """Each expected text is made of words of the lines that it names, in their order."""
    lines = lines_of(name)
    for entry in case_of(name)["requirements"]:
        first, last = entry["lines"]
        source = iter(words(" ".join(lines[first - 1 : last])))
        assert words(entry["text"])
        assert all(word in source for word in words(entry["text"])), entry


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_says_its_text_or_its_reason(name: str) -> None:
    """A requirement has a text, a context has a reason, and `done` is only ever true."""
    case = case_of(name)
    for entry in case["requirements"]:
        assert set(entry) <= {"lines", "text", "done"}
        assert entry.get("done", True) is True
    for entry in case["not_requirements"]:
        assert set(entry) == {"lines", "why"}
        assert entry["why"]


def test_the_main_specification_is_large_enough_for_the_demonstration() -> None:
    """The demonstration runs on at least fourteen requirements."""
    assert len(case_of("team-notes")["requirements"]) >= 14


@pytest.mark.parametrize("name", NAMES)
def test_the_splitter_lists_what_a_careful_reader_lists(name: str) -> None:
    """Same lines, same ticks, and no word lost."""
    found = split(read_specification(specification(name)), name=name).requirements
    expected = case_of(name)["requirements"]
    assert [(list(entry.lines), entry.done) for entry in found] == [
        (entry["lines"], entry.get("done", False)) for entry in expected
    ]
    for requirement, entry in zip(found, expected, strict=True):
        said = iter(words(requirement.text))
        assert all(word in said for word in words(entry["text"])), requirement
