"""Calls that run text, open objects from bytes, or put values into statements."""

import ast
import re
from collections.abc import Iterator

from house.tree import Finding

_RUNS_TEXT = {"eval", "exec", "compile", "__import__"}
_MODULES = {"pickle", "cPickle", "dill", "shelve", "marshal", "jsonpickle"}
_UNSAFE_YAML = {"load", "load_all", "full_load", "full_load_all", "unsafe_load", "unsafe_load_all"}
_STATEMENT = re.compile(
    r"\b(SELECT\s.+\bFROM|INSERT INTO|UPDATE\s+\w*.*\bSET|DELETE FROM|DROP TABLE)\b", re.DOTALL
)
_SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}


def dangers(path: str, source: str) -> Iterator[Finding]:
    """Each expression that an attacker would look for."""
    tree = ast.parse(source)
    fixed = _constants(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = (
                {alias.name for alias in node.names} if isinstance(node, ast.Import) else {node.module or ""}
            )
            for name in sorted(names & _MODULES):
                yield Finding(path, node.lineno, f"{name} makes objects from bytes: use JSON")
        elif isinstance(node, ast.Call) and (text := _called(node)) is not None:
            yield Finding(path, node.lineno, text)
        elif isinstance(node, ast.expr) and _is_statement(node, fixed):
            yield Finding(
                path, node.lineno, "a value becomes part of a statement: write it with placeholders"
            )


def _called(call: ast.Call) -> str | None:
    name = ast.unparse(call.func)
    if name in _RUNS_TEXT:
        return f"{name} runs text"
    if name in _SHELLS or any(word.arg == "shell" and not _is_false(word.value) for word in call.keywords):
        return "a shell reads its text: start programs by a list of arguments"
    if name.startswith("yaml.") and name.partition(".")[2] in _UNSAFE_YAML and not _safe_loader(call):
        return "this YAML loader makes any object: use the safe one"
    return None


def _safe_loader(call: ast.Call) -> bool:
    loaders = [word.value for word in call.keywords if word.arg == "Loader"] + call.args[1:]
    return any("Safe" in ast.unparse(loader) or "_Loader" in ast.unparse(loader) for loader in loaders)


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _is_statement(node: ast.expr, fixed: set[str]) -> bool:
    """Whether it is a statement of SQL into which something comes that the source does not say."""
    parts = _parts(node)
    said = "".join(
        part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )
    return bool(_STATEMENT.search(said)) and not all(_is_fixed(part, fixed) for part in parts)


def _parts(node: ast.expr) -> list[ast.expr]:
    """What a text is put together from; nothing when it is not put together."""
    if isinstance(node, ast.JoinedStr):
        return [part.value if isinstance(part, ast.FormattedValue) else part for part in node.values]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return [piece for side in (node.left, node.right) for piece in _parts(side) or [side]]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return [node.func.value, *node.args, *(word.value for word in node.keywords)]
    return []


def _constants(tree: ast.Module) -> set[str]:
    """Names that the module binds to a text that is fixed."""
    found: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and _is_fixed(statement.value, found):
            found |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
    return found


def _is_fixed(node: ast.expr, fixed: set[str]) -> bool:
    """Whether an expression can hold nothing but what the source says, or a row of placeholders."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Name):
        return node.id in fixed
    parts = _parts(node)
    if parts:
        return all(_is_fixed(part, fixed) for part in parts)
    if isinstance(node, ast.IfExp):
        return _is_fixed(node.body, fixed) and _is_fixed(node.orelse, fixed)
    return False
