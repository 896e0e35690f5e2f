"""Facts about Python files. A program of its own in the sandbox: a parser can be made to work for ever.

It stands alone: nothing but the standard library is found where it runs.
"""

import ast
import io
import json
import tokenize
from pathlib import Path
from typing import TypedDict

_BRANCHES = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.IfExp,
    ast.comprehension,
    ast.Assert,
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class FunctionFacts(TypedDict):
    """One function: where it is, how long, how many parameters and ways through it has."""

    name: str
    line: int
    length: int
    parameters: int
    complexity: int
    documented: bool


class PythonFacts(TypedDict, total=False):
    """One file; `error` stands alone when it cannot be parsed."""

    functions: list[FunctionFacts]
    classes: list[str]
    imports: list[str]
    comments: int
    error: str


def python_facts(source: str) -> PythonFacts:
    """What can be read of a file without running it."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        return PythonFacts(error=f"{type(exc).__name__}: {exc}"[:300])
    functions: list[FunctionFacts] = []
    classes: list[str] = []
    imports: set[str] = set()
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    while waiting:
        node, outer = waiting.pop()
        inner = outer
        if isinstance(node, _FUNCTIONS):
            inner = f"{outer}{node.name}."
            functions.append(_function(node, outer))
        elif isinstance(node, ast.ClassDef):
            inner = f"{outer}{node.name}."
            classes.append(f"{outer}{node.name}")
        elif isinstance(node, ast.Import):
            imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imports.add("." * node.level + (node.module or ""))
        waiting += [(child, inner) for child in ast.iter_child_nodes(node)]
    functions.sort(key=lambda one: (-one["complexity"], one["line"]))
    return PythonFacts(
        functions=functions, classes=sorted(classes), imports=sorted(imports), comments=_comments(source)
    )


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, outer: str) -> FunctionFacts:
    takes = node.args
    named = len(takes.posonlyargs) + len(takes.args) + len(takes.kwonlyargs)
    return FunctionFacts(
        name=f"{outer}{node.name}",
        line=node.lineno,
        length=(node.end_lineno or node.lineno) - node.lineno + 1,
        parameters=named + (takes.vararg is not None) + (takes.kwarg is not None),
        complexity=1 + _ways(node),
        documented=ast.get_docstring(node, clean=False) is not None,
    )


def _ways(function: ast.AST) -> int:
    """Branches of a function, without those of functions inside it."""
    count = 0
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        if isinstance(node, _FUNCTIONS):
            continue
        if isinstance(node, _BRANCHES):
            count += 1
        elif isinstance(node, ast.BoolOp):
            count += len(node.values) - 1
        elif isinstance(node, ast.match_case):
            count += 1
        waiting += ast.iter_child_nodes(node)
    return count


def _comments(source: str) -> int:
    try:
        return sum(
            token.type == tokenize.COMMENT for token in tokenize.generate_tokens(io.StringIO(source).readline)
        )
    except (tokenize.TokenError, SyntaxError):
        return 0


REQUEST, ANSWER = ".interlock-request.json", ".interlock-answer.json"
"""Files of the copy in which a program in the sandbox is told its arguments, and gives its answer."""


def main() -> None:
    """Write the facts of the files that the request lists, by path."""
    found: dict[str, PythonFacts] = {}
    for path in json.loads(Path(REQUEST).read_text("utf-8")):
        try:
            found[path] = python_facts(Path(path).read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as exc:
            found[path] = PythonFacts(error=type(exc).__name__)
    Path(ANSWER).write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main()
