"""The splitter: structure decides, every line is where it belongs, and no text brings it down."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from interlock_core.errors import InvalidRequestError, NotFoundError
from interlock_pipeline.specification import Requirement, Specification, read_specification, split


def found(text: str) -> list[tuple[tuple[int, int], str]]:
    """Lines and words of each requirement."""
    return [(entry.lines, entry.text) for entry in split(text).requirements]


def texts(text: str) -> list[str]:
    """Words of each requirement."""
    return [entry.text for entry in split(text).requirements]


def words(text: str) -> list[str]:
    """What texts are compared by."""
    return re.findall(r"\w+", text.casefold())


@pytest.mark.promise("T6")
def test_each_requirement_knows_its_lines_its_words_and_where_it_stands() -> None:
    """The title of the document is not part of the way to it."""
    text = (
        "# Notes\n\n## Search\n\nThese filters exist:\n\n- [ ] by *author*\n- [x] by date\n  and time\n\n"
        "### Speed\n\nFast.\n"
    )
    specification = split(text, name="notes.md")
    assert specification == Specification(
        name="notes.md",
        title="Notes",
        requirements=(
            Requirement(
                id="R1",
                lines=(7, 7),
                text="by *author*",
                source="- [ ] by *author*",
                path=("Search", "These filters exist:"),
            ),
            Requirement(
                id="R2",
                lines=(8, 9),
                text="by date and time",
                source="- [x] by date\n  and time",
                path=("Search", "These filters exist:"),
                done=True,
            ),
            Requirement(id="R3", lines=(13, 13), text="Fast.", source="Fast.", path=("Search", "Speed")),
        ),
        lines=tuple(text.split("\n")),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# T\n\nIntro.\n\n## A\n\nOne.\n\nTwo.", ["One.", "Two."]),
        ("# T\n\nIt must count.\n\n## A\n\n- a", ["It must count.", "a"]),
        (
            "# T\n\n## Overview\n\nWords.\n\n### Deep\n\nMore.\n\n- an item\n\n## B\n\nOne.",
            ["an item", "One."],
        ),
        ("# T\n\n## Glossary\n\n- must not count\n\n### Deep\n\nMust.\n\n## B\n\nOne.", ["One."]),
        ("# T\n\n## Empty\n\n## B\n\nOne.", ["Empty", "One."]),
        ("# T\n\n##\n\n## B\n\nOne.", ["One."]),
        ("Plain.\n\nOnly paragraphs.", ["Plain.", "Only paragraphs."]),
        ("A title\n\n- one\n- two", ["one", "two"]),
        ("> quoted\n\n- one", ["one"]),
        ("> It shall be quoted.\n\n- one", ["It shall be quoted.", "one"]),
        ("# T\n\n## A\n\n- group:\n  - one\n  - two", ["one", "two"]),
        ("# T\n\n## A\n\n- group\n  - one\n  - two", ["group one two"]),
        ("# T\n\n## A\n\n| a | b |\n|---|---|\n| 1 | 2 |\n|   |   |\n| 3 | 4 |", ["1 2", "3 4"]),
        ("1.1 First\n1.2 Second\n  goes on\n\n1.2.1 Deep", ["First", "Deep"]),
        ("1.1 First\n1.2 Second must\n\n1.2.1 Deep", ["First", "Second must", "Deep"]),
        ("2.1 These exist:\n\n- one", ["one"]),
        ("# T\n\n- [here](#there)\n- [there](https://example.org)", ["[there](https://example.org)"]),
        ("# T\n\n## A\n\n![a picture](a.png)\n\nOne.", ["One."]),
        ("---\nkey: it must not count\n---\n\nOne.\n\nTwo.", ["One.", "Two."]),
        ("+++\nnever closed\n\n- one", ["one"]),
        ("• one\n• two", ["one", "two"]),
        ("A title\nof two lines\n===\n\nOne.", ["A title of two lines", "One."]),
        ("", []),
        ("\n \n\t\n", []),
    ],
)
def test_structure_decides_what_is_a_requirement(text: str, expected: list[str]) -> None:
    """Introductions, asides, lead-ins, leaves, tables, clauses, quotations."""
    assert texts(text) == expected


def test_code_belongs_to_what_stands_right_before_it() -> None:
    """Its words are not the requirement's, its lines are."""
    assert found("# T\n\n## A\n\nSend this:\n\n```\n- no item\n```\n\nTwo.") == [
        ((5, 9), "Send this:"),
        ((11, 11), "Two."),
    ]
    assert found("# T\n\n- one\n\n  ```\n  x\n  ```\n- two\n\n```\nx\n```\n") == [
        ((3, 7), "one"),
        ((8, 8), "two"),
    ]


def test_an_item_that_is_only_code_is_a_requirement_without_words() -> None:
    """Nothing is dropped; its lines say what it is."""
    assert found("# T\n\n- ```\n  run me\n  ```\n-\n- two") == [((3, 5), ""), ((7, 7), "two")]


@pytest.mark.promise("T7")
def test_words_behind_nested_items_are_not_lost() -> None:
    """Of a lead-in they are a requirement, of another item its last words; code goes to what is before it."""
    rest = "\n  - one\n  - two\n\n    ```\n    x\n    ```\n\n  And signed."
    assert found(f"# T\n\n- All of:{rest}") == [
        ((4, 4), "one"),
        ((5, 9), "two"),
        ((11, 11), "And signed."),
    ]
    assert found(f"# T\n\n- All of{rest}") == [((3, 11), "All of one two And signed.")]
    assert found("# T\n\n- a:\n  - b\n\n  ```\n  x\n  ```\n") == [((4, 8), "b")]


@pytest.mark.promise("T7")
def test_words_in_html_are_not_lost() -> None:
    """Tags, comments, scripts and headings are context; what is said between them is said."""
    assert texts(
        "# T\n\n## A\n\n<details>\n<summary>More</summary>\n<p>It is <b>fast</b>.</p>\n</details>"
    ) == ["It is fast ."]
    assert texts("# T\n\n## A\n\n<!-- must -->\n\n<script>\nmust()\n</script>\n\n<hr>\n\nOne.") == ["One."]
    assert texts("# T\n\n- <div>one</div>\n- two") == ["one", "two"]


def test_deep_nesting_keeps_every_word() -> None:
    """Forty levels of items, a hundred of quotations; what is nested deeper still has its lines."""
    items = "\n".join(f"{'  ' * level}- word{level}" for level in range(40))
    assert texts(f"# T\n\n{items}") == [" ".join(f"word{level}" for level in range(40))]
    assert texts("> " * 100 + "must hold") == ["must hold"]
    assert texts("> " * 5_000 + "must hold") == ["must hold"]
    assert texts("> ```\n> must hold\n> ```\n\n- one") == ["one"]
    deep = "\n".join(f"{'  ' * level}- word{level}" for level in range(300))
    assert split(deep).requirements[0].lines == (1, 300)


def test_a_page_break_is_no_part_of_a_requirement() -> None:
    """A form feed on a line of its own, as in texts that were once printed."""
    assert found("\x0c\nOne.\n\x0c\n\nTwo\n\x0c\nlines.") == [((2, 2), "One."), ((5, 7), "Two \x0c lines.")]


def test_the_name_stands_in_for_a_title() -> None:
    """Where the document has none of its own."""
    assert split("## A\n\n- one\n\n## B\n\n- two", name="plan.md").title == "plan.md"


_LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *("", "# T", "## Overview", "## Glossary", "### Deep", "- item", "- lead:", "  - nested"),
                *("* [x] done", "1. one", "| a | b |", "|---|---|", "| 1 | 2 |", "> it must", "```", "~~~"),
                *("    code", "1.2 clause", "1.2.3 clause must", "words:", "words", "---", "===", "<div>"),
                *(
                    "<!-- c",
                    "-->",
                    "[a]: /x",
                    "![p](q)",
                    "• dot",
                    "+++",
                    "\u2028x",
                    "a\u0085b",
                    "\x0c",
                    "\t- tab",
                ),
            ]
        ),
        st.text(st.characters(exclude_characters="\r\n", exclude_categories=()), max_size=12),
    ),
    max_size=25,
)


@pytest.mark.promise("T7")
@given(lines=_LINES, end=st.sampled_from(["\n", "\r\n", "\r"]))
@example(lines=["- a", "\u2028- b"], end="\n")
@example(lines=["\ud800 must"], end="\n")
@example(lines=["\0 must", "- \0"], end="\r")
@settings(max_examples=300)
def test_every_requirement_is_whole_lines_of_its_own(lines: list[str], end: str) -> None:
    """In order, within the document, none shared, whatever the text and however its lines end."""
    text = end.join(lines)
    specification = split(text)
    assert list(specification.lines) == re.split(r"\r\n|\r|\n", text)
    last = 0
    for number, entry in enumerate(specification.requirements, start=1):
        first, final = entry.lines
        assert entry.id == f"R{number}"
        assert last < first <= final <= len(specification.lines)
        assert entry.source == "\n".join(specification.lines[first - 1 : final])
        assert specification.lines[first - 1].strip()
        assert specification.lines[final - 1].strip()
        source = iter(words(entry.source))
        assert all(word in source for word in words(entry.text))
        last = final
    assert split(text) == specification


@given(lines=_LINES)
def test_the_way_lines_end_changes_nothing_else(lines: list[str]) -> None:
    """A specification from another system is the same specification."""
    one, two, three = (split(end.join(lines)) for end in ("\n", "\r\n", "\r"))
    assert one == two == three


@pytest.mark.promise("T6")
def test_a_file_is_read_as_text(tmp_path: Path) -> None:
    """With or without a byte order mark."""
    path = tmp_path / "spec.md"
    path.write_bytes(b"\xef\xbb\xbf- \xc3\xbc\r\n")
    assert read_specification(path) == "- ü\r\n"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n\t", "is empty"),
        (b"\x89PNG\0\0", "is binary"),
        (b"a\xff", "is not UTF-8 (byte 2)"),
        (b"- a\n" * 1_100_000, "has more than 4,194,304 bytes"),
    ],
)
def test_a_file_that_is_no_specification_is_refused_with_its_reason(
    tmp_path: Path, data: bytes, problem: str
) -> None:
    """The option is named, and what to do."""
    path = tmp_path / "spec.md"
    path.write_bytes(data)
    with pytest.raises(InvalidRequestError, match=re.escape(problem)) as caught:
        read_specification(path)
    assert caught.value.field == "spec"
    assert caught.value.remedy


def test_a_path_that_is_no_file_is_refused_with_its_reason(tmp_path: Path) -> None:
    """Missing, a folder, or a name that the system does not take."""
    with pytest.raises(NotFoundError, match="There is no file"):
        read_specification(tmp_path / "nowhere.md")
    with pytest.raises(InvalidRequestError, match="is a folder"):
        read_specification(tmp_path)
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        read_specification(tmp_path / ("x" * 300))
