"""The table of what each cell should be."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

from .matrix_columns import COLUMNS

HERE = Path(__file__).parent
VERDICTS = ("native", "emulated", "refused", "absent")
_Table: TypeAlias = dict[str, dict[str, str | list[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the matrix.

    Attributes:
        name: Its name in the table.
        section: The table of the page that it stands in.
        title: Its name for readers.
        source: What the expectation rests on.
        whole: What each column should be.
        streamed: The same for streams.
    """

    name: str
    section: str
    title: str
    source: str
    whole: Mapping[str, str]
    streamed: Mapping[str, str]


def _row(name: str, table: Mapping[str, str | list[str]]) -> Row:
    texts = {key: value for key, value in table.items() if isinstance(value, str)}
    placed = [(column, verdict) for verdict in VERDICTS for column in table.get(verdict, ())]
    whole = dict(placed)
    assert sorted(column for column, _ in placed) == sorted(column.name for column in COLUMNS), name
    assert texts.keys() <= {"section", "title", "source", "streamed"}, name
    streamed = dict.fromkeys(whole, texts["streamed"]) if "streamed" in texts else whole
    return Row(
        name=name,
        section=texts["section"],
        title=texts["title"],
        source=texts["source"],
        whole=whole,
        streamed=streamed,
    )


_TABLES = cast("_Table", tomllib.loads((HERE / "expectations.toml").read_text(encoding="utf-8")))
EXPECTED: Mapping[str, Row] = {name: _row(name, table) for name, table in _TABLES.items()}
"""The rows by name, in the order of the page; each names every column once."""
