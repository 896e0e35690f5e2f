"""What each vendor takes and gives, found by asking, and held against what its documents promise."""

import os
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from interlock_providers.rows import CarrierName

from .matrix_cells import ROWS, Cell, Form, find
from .matrix_columns import COLUMNS, Column, bench
from .matrix_expected import EXPECTED
from .matrix_local import EFFECTS, PARTS, find_local
from .matrix_page import page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "conformance.md"
FORMS: tuple[Form, ...] = ("whole", "streamed")
BY_NAME: Mapping[str, Column] = {column.name: column for column in COLUMNS}
Matrix = dict[tuple[str, str, Form], Cell]


async def _asked(column: Column, carrier: CarrierName) -> Matrix:
    look = find_local if column.server is None else find
    async with bench(column, carrier) as ready:
        return {(row, column.name, form): await look(row, ready, form) for row in EXPECTED for form in FORMS}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fast() -> AsyncGenerator[Matrix, None]:
    """Every cell of the matrix, asked over Interlock's own HTTP client; the embedded model as it is."""
    matrix: Matrix = {}
    for column in COLUMNS:
        matrix |= await _asked(column, "fast")
    yield matrix


@pytest.mark.promise("P1", "P2", "P3", "P4", "P5")
@pytest.mark.parametrize("column", BY_NAME)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.asyncio(loop_scope="module")
async def test_every_cell_is_what_the_vendors_documents_promise(
    fast: Matrix, column: str, form: Form
) -> None:
    """Native, emulated and said, refused before anybody was asked, or absent; never dropped in silence."""
    wanted = {row.name: row.whole if form == "whole" else row.streamed for row in EXPECTED.values()}
    wrong = {
        row: (wanted[row][column], cell.verdict, cell.sentences, cell.bodies[-1:])
        for row in EXPECTED
        if (cell := fast[row, column, form]).verdict != wanted[row][column]
    }
    assert wrong == {}


@pytest.mark.promise("P2")
@pytest.mark.parametrize("column", [column.name for column in COLUMNS if column.server is not None])
@pytest.mark.asyncio(loop_scope="module")
async def test_the_official_sdk_brings_the_same_bytes_and_the_same_answer(fast: Matrix, column: str) -> None:
    """Verdict, sentences and the body of every request are those of the other carrier."""
    over_sdk = await _asked(BY_NAME[column], "sdk")
    assert over_sdk == {key: cell for key, cell in fast.items() if key[1] == column}


def test_every_row_is_asked_and_every_way_of_asking_has_its_row() -> None:
    """A row without a request, or an effect that no row looks at, would say nothing."""
    special = {"reasoning_back", "rate_limit", "cancellation", "embeddings"}
    assert EXPECTED.keys() == ROWS.keys() | special
    assert EFFECTS.keys() | PARTS.keys() <= EXPECTED.keys()
    native = {row.name for row in EXPECTED.values() if row.whole["local"] == "native"}
    assert native <= EFFECTS.keys() | PARTS.keys()


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_adapted_or_refused_is_said_in_a_sentence(fast: Matrix) -> None:
    """In whole words, and never with the key."""
    told = [cell for cell in fast.values() if cell.verdict in {"emulated", "refused"}]
    assert told
    assert all(cell.sentences and all(len(text.split()) > 3 for text in cell.sentences) for cell in told)
    assert "sk-conformance" not in str(told)


@pytest.mark.promise("D2")
@pytest.mark.asyncio(loop_scope="module")
async def test_the_page_is_what_was_found(fast: Matrix) -> None:
    """The committed page; `INTERLOCK_WRITE_CONFORMANCE=1` writes it first."""
    written = page(fast)
    if os.environ.get("INTERLOCK_WRITE_CONFORMANCE"):
        PAGE.write_text(written, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == written, "run with INTERLOCK_WRITE_CONFORMANCE=1 and commit"
