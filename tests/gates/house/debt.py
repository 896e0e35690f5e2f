"""How much the type checker and the linter are told not to see: `Any`, and comments that silence."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from math import ceil

from house.tree import Finding

ANY_PER_THOUSAND = 10
IGNORES_PER_THOUSAND = 1

_SILENCER = re.compile(r"#\s*(type:\s*ignore|pyright:\s*ignore|noqa|pragma:\s*no cover|ruff:\s*noqa)")
_REASONED = re.compile(
    r"#\s*(?:(?:type|pyright):\s*ignore\[[^\]]+\]|noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|pragma:\s*no cover)"
    r"\s*(?:#|-|:|—|\()\s*\S.{7,}"
)


def allowed(lines: int, per_thousand: int) -> int:
    """How many `lines` lines of code may hold: the rate, rounded up so that a small member may hold one."""
    return ceil(lines * per_thousand / 1000)


def anys(source: str) -> int:
    """How often the source says `Any`, its import aside."""
    nodes = list(ast.walk(ast.parse(source)))
    names = sum(isinstance(node, ast.Name) and node.id == "Any" for node in nodes)
    return names + sum(isinstance(node, ast.Attribute) and node.attr == "Any" for node in nodes)


def silencers(source: str) -> Iterator[tuple[int, str]]:
    """Each comment that silences a checker: its line and its text."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and _SILENCER.search(token.string):
            yield token.start[0], token.string


def ignores(source: str) -> int:
    """How many comments tell the type checker or the linter to look away."""
    return sum("pragma" not in comment for _, comment in silencers(source))


def unreasoned(path: str, source: str) -> Iterator[Finding]:
    """Each silencing comment without a code and a reason (`# noqa: S608 - the names are constants`)."""
    for line, comment in silencers(source):
        if not _REASONED.search(comment):
            yield Finding(path, line, f"{comment!r} needs its code and a reason behind it")
