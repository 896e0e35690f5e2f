"""Files of 500 lines and functions of 50 at most; beyond 600 and 80 no exception is heard."""

import ast
from collections.abc import Iterator

from house.tree import Finding

FILE_SOFT, FILE_HARD = 500, 600
FUNCTION_SOFT, FUNCTION_HARD = 50, 80


def long_file(path: str, source: str, *, limit: int = FILE_SOFT) -> Iterator[Finding]:
    """The file, when it has more lines than `limit`."""
    lines = len(source.splitlines())
    if lines > limit:
        yield Finding(path, lines, f"file of {lines} lines, at most {limit}: split it by what each half owns")


def long_functions(path: str, source: str, *, limit: int = FUNCTION_SOFT) -> Iterator[Finding]:
    """Each function, methods and nested ones included, whose text has more lines than `limit`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > limit:
                yield Finding(path, node.lineno, f"function {node.name} of {lines} lines, at most {limit}")
