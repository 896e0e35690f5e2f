"""Docstrings on what is public by its own name, in modules that start with `_` as well."""

import ast
from collections.abc import Iterator

_Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_EXEMPT_DECORATORS = ("overload", "override", ".setter", ".deleter")

PERCENT = 95


def _exempt(node: _Documented) -> bool:
    names = [ast.unparse(decorator) for decorator in node.decorator_list]
    return node.name.startswith("_") or any(name.endswith(_EXEMPT_DECORATORS) for name in names)


def _walk(body: list[ast.stmt]) -> Iterator[_Documented]:
    for node in body:
        if isinstance(node, ast.If | ast.Try):
            yield from _walk(node.body)
            yield from _walk(node.orelse)
        elif isinstance(node, _Documented) and not _exempt(node):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _walk(node.body)


def public_things(source: str) -> list[tuple[int, str, bool]]:
    """The module and each public class, function and method: line, name, and whether it has a docstring.

    Overloads, setters and methods marked `@override` speak through what they belong to and do not count.
    """
    module = ast.parse(source)
    found = [(1, "module", ast.get_docstring(module) is not None or not module.body)]
    found += [(node.lineno, node.name, ast.get_docstring(node) is not None) for node in _walk(module.body)]
    return found
