"""`except Exception`, wider and bare handlers: only with a log or a raise in them."""

import ast
from collections.abc import Iterator

from house.tree import Finding

_WIDE = {"Exception", "BaseException"}
_LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def _is_wide(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    if isinstance(caught, ast.Tuple):
        return any(_is_wide(item) for item in caught.elts)
    return isinstance(caught, ast.Name) and caught.id in _WIDE


def _logs(node: ast.AST) -> bool:
    """Whether the node logs (`_log.warning(…)`, `self._log.exception(…)`) or reports (`report(error)`)."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id == "report"
    if not (isinstance(node.func, ast.Attribute) and node.func.attr in _LOG_METHODS):
        return False
    target = node.func.value
    name = (
        target.attr
        if isinstance(target, ast.Attribute)
        else target.id
        if isinstance(target, ast.Name)
        else ""
    )
    return "log" in name.lower()


def _suppresses_all(node: ast.Call) -> bool:
    return ast.unparse(node.func).endswith("suppress") and any(_is_wide(argument) for argument in node.args)


def silent_handlers(path: str, source: str) -> Iterator[Finding]:
    """Each wide handler that neither logs nor raises, and each `suppress(Exception)`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler) and _is_wide(node.type):
            inside = [found for statement in node.body for found in ast.walk(statement)]
            if not any(isinstance(found, ast.Raise) or _logs(found) for found in inside):
                yield Finding(
                    path,
                    node.lineno,
                    "a wide `except` without a log or a raise hides faults: narrow it, or log",
                )
        elif isinstance(node, ast.Call) and _suppresses_all(node):
            yield Finding(path, node.lineno, "`suppress(Exception)` hides faults: name the error expected")
