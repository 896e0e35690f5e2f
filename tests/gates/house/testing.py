"""Tests that test: each asserts something, none is skipped for good, none sleeps, none fakes our own code."""

import ast
from collections.abc import Iterator

from house.imports import imports_of
from house.tree import Finding

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_EXPECTING = {"raises", "warns", "deprecated_call", "fail", "suppress"}
_NEVER = {"skip", "xfail"}


def _called(node: ast.AST) -> str:
    """The last name of the function that the node calls; empty when it calls none."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return (
        function.attr
        if isinstance(function, ast.Attribute)
        else function.id
        if isinstance(function, ast.Name)
        else ""
    )


def _asserting(functions: dict[str, _Function]) -> set[str]:
    """Names of the module's functions that assert, by themselves or through each other."""
    found: set[str] = set()
    while True:
        more = {name for name, node in functions.items() if name not in found and _asserts(node, found)}
        if not more:
            return found
        found |= more


def _asserts(function: _Function, known: set[str]) -> bool:
    for node in ast.walk(function):
        # A named error that is caught says that no other may come.
        if (
            isinstance(node, ast.Assert | ast.ExceptHandler)
            or _called(node) in _EXPECTING
            or _called(node) in known
        ):
            return True
        if _called(node).startswith(("assert_", "check_", "verify")):
            return True
    return False


def empty_tests(path: str, source: str) -> Iterator[Finding]:
    """Each test function that asserts nothing, neither itself nor through a function that it calls."""
    module = ast.parse(source)
    functions = {node.name: node for node in ast.walk(module) if isinstance(node, _Function)}
    asserting = _asserting(functions)
    for name, node in functions.items():
        if name.startswith("test_") and name not in asserting:
            yield Finding(path, node.lineno, f"{name} asserts nothing")


def skipped_tests(path: str, source: str) -> Iterator[Finding]:
    """Each mark that skips a test always or expects it to fail; a `skipif` states its condition."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Attribute)
            and node.attr in _NEVER
            and ast.unparse(node).startswith("pytest.mark.")
        ):
            yield Finding(path, node.lineno, f"{ast.unparse(node)} is a test that proves nothing")


def sleeping_tests(path: str, source: str) -> Iterator[Finding]:
    """Each call that waits for time to pass; `sleep(0)` only lets others run."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and _called(node) == "sleep" and ast.unparse(node.args[0]) != "0":
            yield Finding(path, node.lineno, f"{ast.unparse(node)}: wait for what happens, not for time")


def faking_tests(path: str, source: str) -> Iterator[Finding]:
    """Each import of a mocking library; doubles that keep a protocol ship in `interlock_x.testing`."""
    for found in imports_of(source):
        if found.module.startswith(("unittest.mock", "mock.", "pytest_mock")):
            yield Finding(path, found.line, f"{found.module}: use a double that keeps the protocol")
            return
