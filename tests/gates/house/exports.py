"""`__all__` of a package: complete and true."""

import ast
from collections.abc import Iterator

from house.tree import Finding


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    """The public names that a module binds: definitions, assignments, and imports from the workspace."""
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Assign():
                yield from (target.id for target in node.targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.ImportFrom():
                if node.level or (node.module or "").startswith("interlock_"):
                    yield from (alias.asname or alias.name for alias in node.names)
            case ast.If() | ast.Try():
                yield from _bound([*node.body, *node.orelse])
            case _:
                pass


def declared_names(source: str) -> list[str] | None:
    """The literal `__all__` of a module; None when it has none."""
    for node in ast.parse(source).body:
        target = (
            node.targets[0]
            if isinstance(node, ast.Assign)
            else node.target
            if isinstance(node, ast.AnnAssign)
            else None
        )
        if (
            isinstance(target, ast.Name)
            and target.id == "__all__"
            and isinstance(node, ast.Assign | ast.AnnAssign)
        ):
            return [str(name) for name in ast.literal_eval(node.value)] if node.value is not None else None
    return None


def wrong_exports(path: str, source: str) -> Iterator[Finding]:
    """How `__all__` differs from the public names that the module binds; its order is ruff's to judge."""
    names = declared_names(source)
    if names is None:
        yield Finding(path, 1, "has no literal `__all__`: a package says what it exports")
        return
    module = ast.parse(source)
    bound = {name for name in _bound(module.body) if not name.startswith("_")}
    bound |= {name for name in names if name == "__version__" and "__version__" in source}
    lazy = any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in module.body)
    for name in sorted(bound - set(names)):
        yield Finding(
            path, 1, f"{name} is public here and not in `__all__`: add it, or give it an underscore"
        )
    for name in sorted(set(names) - bound):
        if not lazy:
            yield Finding(path, 1, f"`__all__` names {name}, which the module does not bind")
