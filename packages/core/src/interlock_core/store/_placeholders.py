"""Portable placeholders: `?` becomes `$1`, `$2` … where PostgreSQL wants numbers."""

import re
from functools import lru_cache
from itertools import count

_PARTS = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\?""", re.DOTALL)


@lru_cache(maxsize=1024)
def numbered(sql: str) -> str:
    """The statement with numbered placeholders; question marks in literals, names and comments stay."""
    numbers = count(1)

    def replace(match: re.Match[str]) -> str:
        return f"${next(numbers)}" if match[0] == "?" else match[0]

    return _PARTS.sub(replace, sql)
