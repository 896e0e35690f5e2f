"""What a Python file imports: by statement or by name, and whether importing the file already runs it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

_BY_NAME = {"import_module": False, "files": False, "find_spec": True}


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module.

    `eager` is false inside a function and under `if TYPE_CHECKING`; `by_name` is true where the module stands
    in a string (`import_module("x")`), which the import graph does not see; `probe` is true where it is only
    looked for (`find_spec("x")`), which works without it.
    """

    module: str
    line: int
    eager: bool
    by_name: bool = False
    probe: bool = False

    @property
    def top(self) -> str:
        """The package at the top of the imported module."""
        return self.module.partition(".")[0]


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module that a `from` statement names, seen from a module inside `package`."""
    if node.level == 0:
        return node.module or ""
    parts = package.split(".")
    base = ".".join(parts[: len(parts) - node.level + 1])
    return f"{base}.{node.module}" if node.module else base


def _type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def _by_name(node: ast.AST) -> Iterator[Import]:
    """The module that a call such as `import_module("x")` names, when it stands there as a string."""
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in _BY_NAME and isinstance(node.args[0].value, str):
            probe = _BY_NAME[called]
            yield Import(node.args[0].value, node.lineno, eager=False, by_name=not probe, probe=probe)


def _statement(node: ast.AST, package: str) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, node.lineno, eager=True)
    elif isinstance(node, ast.ImportFrom):
        module = _absolute(node, package)
        yield Import(module, node.lineno, eager=True)
        # `from package import module` runs the module as well; a name that is no module is looked up in vain.
        for alias in node.names:
            yield Import(f"{module}.{alias.name}", node.lineno, eager=True)


def _walk(node: ast.AST, package: str, *, eager: bool) -> Iterator[Import]:
    for found in _statement(node, package):
        yield replace(found, eager=eager)
    yield from _by_name(node)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        eager = False
    if isinstance(node, ast.If) and _type_checking(node):
        for child in node.body:
            yield from _walk(child, package, eager=False)
        for child in node.orelse:
            yield from _walk(child, package, eager=eager)
        return
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, package, eager=eager)


def imports_of(source: str, package: str = "") -> list[Import]:
    """Every import of a module whose package is `package` (for relative imports)."""
    return list(_walk(ast.parse(source), package, eager=True))
