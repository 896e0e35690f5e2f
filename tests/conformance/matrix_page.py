"""Writes the page of the matrix out of what was found."""

from collections.abc import Iterator, Mapping, Sequence

from .matrix_cells import Cell, Form
from .matrix_columns import COLUMNS, Column
from .matrix_expected import EXPECTED, Row

Found = Mapping[tuple[str, str, Form], Cell]
"""Cells by row, column and form."""

_HEAD = """\
# Conformance

What each vendor takes of a request and gives in an answer, as found by asking: every cell was filled by \
running the request through the provider against a simulated vendor that refuses what the vendor refuses, \
whole and streamed, over Interlock's own HTTP client and over the vendor's official SDK. The embedded model \
was run as it is.

| word | what it says |
| --- | --- |
| native | the vendor's own field held it in the request, or its own part of the answer came back |
| emulated | it is done in another way, or left out where it is a mere preference; `adapted` says so |
| refused | an error says why, before anybody is asked |
| absent | a part of answers that the vendor does not have: it cannot be asked for, and nothing is made up |

Nothing is dropped in silence: a cell that would have no such word fails the tests. Where the two forms \
differ, the cell says *whole* / *streamed*."""

_FOOT = """\
## How this page is made

`tests/conformance/expectations.toml` holds what each cell should be, with its source in the vendors' \
documents and the types of their SDKs. `tests/conformance/test_matrix.py` asks, compares, and fails when \
this page is not what it found. To write the page anew:

```sh
INTERLOCK_WRITE_CONFORMANCE=1 .venv/bin/python -m pytest tests/conformance/test_matrix.py
```"""


def page(found: Found) -> str:
    """The page, as Markdown."""
    parts = [_HEAD, _asked(), *_tables(found), "## What is adapted and refused", *_notes(found), _FOOT]
    return "\n\n".join(parts) + "\n"


def _asked() -> str:
    models = ", ".join(f"`{column.id}`" for column in COLUMNS)
    return f"Asked were, in the order of the columns: {models}. Other models of a vendor may take less."


def _tables(found: Found) -> Iterator[str]:
    sections = dict.fromkeys(row.section for row in EXPECTED.values())
    head = f"| | {' | '.join(column.title for column in COLUMNS)} |"
    line = f"| --- |{' --- |' * len(COLUMNS)}"
    for section in sections:
        rows = [_line(row, found) for row in EXPECTED.values() if row.section == section]
        yield f"## {section}"
        yield "\n".join([head, line, *rows])


def _line(row: Row, found: Found) -> str:
    return f"| {row.title} | {' | '.join(_word(row, column, found) for column in COLUMNS)} |"


def _word(row: Row, column: Column, found: Found) -> str:
    whole, streamed = (_cell(found, row, column, form).verdict for form in ("whole", "streamed"))
    return whole if whole == streamed else f"{whole} / {streamed}"


def _cell(found: Found, row: Row, column: Column, form: Form) -> Cell:
    return found[row.name, column.name, form]


def _notes(found: Found) -> Iterator[str]:
    for row in EXPECTED.values():
        lines = [line for column in COLUMNS if (line := _note(row, column, found))]
        if lines:
            yield f"### {row.title}"
            yield "\n".join(lines)


def _note(row: Row, column: Column, found: Found) -> str:
    cells = [_cell(found, row, column, form) for form in ("whole", "streamed")]
    told = dict.fromkeys((cell.verdict, cell.sentences) for cell in cells if cell.sentences)
    return "\n".join(f"- {column.title}, {verdict}: {_quoted(said)}" for verdict, said in told)


def _quoted(sentences: Sequence[str]) -> str:
    return "; ".join(f"“{_plain(sentence)}”" for sentence in sentences)


def _plain(text: str) -> str:
    return text.replace("[", "\\[").replace("_", "\\_").replace("*", "\\*").replace("<", "\\<")
