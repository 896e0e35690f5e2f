"""Mechanical refactorings of Python. A program of its own in the sandbox; it stands alone beside libcst.

Each changes the form of the code and not what it does, or is refused. Comments and layout are kept.
"""

import ast
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import libcst as cst
from libcst.codemod import CodemodContext
from libcst.codemod.commands.convert_format_to_fstring import ConvertFormatStringCommand
from libcst.codemod.visitors import AddImportsVisitor, RemoveImportsVisitor
from libcst.helpers import get_full_name_for_node
from libcst.metadata import MetadataWrapper

from interlock_tools.devtools._renaming import RefusedChange, renamed

REQUEST, ANSWER = ".interlock-request.json", ".interlock-answer.json"


class Request(TypedDict):
    """What the program is asked: kind, arguments, files, those that define the name, roots of imports."""

    kind: str
    wanted: dict[str, str]
    files: list[str]
    within: list[str]
    roots: list[str]


Wanted = Mapping[str, str]
"""The arguments of a kind: `name`, `newName`, `value`, `module`, where it takes them."""


def refactored(
    kind: str,
    wanted: Wanted,
    sources: Mapping[str, str],
    *,
    roots: Sequence[str] = (),
    within: Sequence[str] = (),
) -> dict[str, str]:
    """The files that change, with their new text.

    Args:
        kind: What is to be done.
        wanted: Its arguments.
        sources: Every file that may change, by path.
        roots: Folders that imports may begin at, beside the top.
        within: Files in which what is renamed must be defined; any of them unless given.

    Raises:
        RefusedChange: It cannot be done, or not without changing what the code does.
    """
    modules: dict[str, cst.Module] = {}
    if kind == "rename":
        sources = {path: source for path, source in sources.items() if wanted["name"] in source}
    for path, source in sources.items():
        try:
            modules[path] = cst.parse_module(source)
        except (cst.ParserSyntaxError, RecursionError) as exc:
            raise RefusedChange(f"{path} cannot be parsed: {str(exc)[:300]}") from exc
    if kind == "rename":
        new = renamed(
            modules, (wanted["name"], wanted["newName"]), roots=roots, within=within or list(modules)
        )
    else:
        change = _KINDS[kind]
        new = {path: change(module, wanted) for path, module in modules.items()}
    return {path: module.code for path, module in new.items() if module.code != sources[path]}


def _extract_constant(module: cst.Module, wanted: Wanted) -> cst.Module:
    try:
        value: object = ast.literal_eval(wanted["value"])
    except (ValueError, SyntaxError, RecursionError, MemoryError) as exc:
        raise RefusedChange("value is neither a number nor a text, as it would stand in the code") from exc
    if isinstance(value, bool) or not isinstance(value, int | float | str | bytes):
        raise RefusedChange("value is neither a number nor a text, as it would stand in the code")
    _refuse_used(module, wanted["newName"])
    naming = _Constant(value, wanted["newName"])
    changed = module.visit(naming)
    if not naming.count:
        raise RefusedChange(f"{wanted['value']} does not occur where a name could stand")
    line = cst.parse_statement(f"{wanted['newName']} = {wanted['value']}\n")
    body = list(changed.body)
    body.insert(_after_imports(body), line)
    return changed.with_changes(body=body)


class _Constant(cst.CSTTransformer):
    """Puts a name where a literal stands, but where a name would mean something else or nothing."""

    def __init__(self, value: object, name: str) -> None:
        super().__init__()
        self._value = value
        self._name = name
        self.count = 0

    def visit_Annotation(self, node: cst.Annotation) -> bool:
        return False

    def visit_FormattedString(self, node: cst.FormattedString) -> bool:
        return False

    def visit_ConcatenatedString(self, node: cst.ConcatenatedString) -> bool:
        return False

    def visit_MatchCase_pattern(self, node: cst.MatchCase) -> None:
        raise RefusedChange("a pattern of a match statement cannot be looked through")

    def visit_Expr(self, node: cst.Expr) -> bool:
        return not isinstance(node.value, cst.SimpleString | cst.ConcatenatedString)  # a docstring

    def visit_Subscript(self, node: cst.Subscript) -> bool:
        return get_full_name_for_node(node.value) not in {"Literal", "typing.Literal", "Annotated"}

    def leave_Integer(self, original_node: cst.Integer, updated_node: cst.Integer) -> cst.BaseExpression:
        return self._named(updated_node, updated_node.value)

    def leave_Float(self, original_node: cst.Float, updated_node: cst.Float) -> cst.BaseExpression:
        return self._named(updated_node, updated_node.value)

    def leave_SimpleString(
        self, original_node: cst.SimpleString, updated_node: cst.SimpleString
    ) -> cst.BaseExpression:
        return self._named(updated_node, updated_node.value)

    def _named(self, node: cst.BaseExpression, text: str) -> cst.BaseExpression:
        found: object = ast.literal_eval(text)
        if type(found) is not type(self._value) or found != self._value:
            return node
        self.count += 1
        return cst.Name(self._name)


def _after_imports(body: Sequence[cst.CSTNode]) -> int:
    """The place behind the docstring and the imports at the top of a module."""
    place = 0
    for index, node in enumerate(body):
        if not isinstance(node, cst.SimpleStatementLine):
            break
        first = node.body[0]
        text = isinstance(first, cst.Expr) and isinstance(first.value, cst.SimpleString)
        if not (isinstance(first, cst.Import | cst.ImportFrom) or (text and index == 0)):
            break
        place = index + 1
    return place


def _refuse_used(module: cst.Module, name: str) -> None:
    class Names(cst.CSTVisitor):
        def visit_Name(self, node: cst.Name) -> None:
            if node.value == name:
                raise RefusedChange(f"{name} is a name in there already")

    module.visit(Names())


def _add_import(module: cst.Module, wanted: Wanted) -> cst.Module:
    context = CodemodContext()
    AddImportsVisitor.add_needed_import(context, wanted["module"], wanted.get("name"))
    return AddImportsVisitor(context).transform_module(module)


def _remove_import(module: cst.Module, wanted: Wanted) -> cst.Module:
    wrapper = MetadataWrapper(module)
    context = CodemodContext(wrapper=wrapper)
    RemoveImportsVisitor.remove_unused_import(context, wanted["module"], wanted.get("name"))
    changed = RemoveImportsVisitor(context).transform_module(wrapper.module)
    if changed.code == module.code:
        raise RefusedChange(f"the import of {wanted['module']} is not there, or what it brings is used")
    return changed


def _use_f_strings(module: cst.Module, wanted: Wanted) -> cst.Module:
    del wanted
    return ConvertFormatStringCommand(CodemodContext()).transform_module(module)


def _annotate(module: cst.Module, wanted: Wanted) -> cst.Module:
    del wanted
    return module.visit(_ReturnsNone())


class _ReturnsNone(cst.CSTTransformer):
    """Writes `-> None` where a function gives nothing back, and is none that others are to fill in."""

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef:
        if original_node.returns is not None or original_node.decorators or _gives_something(original_node):
            return updated_node
        return updated_node.with_changes(returns=cst.Annotation(cst.Name("None")))


def _gives_something(function: cst.FunctionDef) -> bool:
    """Whether a function returns a value, is a generator, or only raises or stands empty."""
    looking = _Giving()
    function.body.visit(looking)
    body = function.body.body
    last = body[-1] if body else None
    only = last.body[0] if isinstance(last, cst.SimpleStatementLine) and last.body else last
    empty = isinstance(only, cst.Raise) or (
        isinstance(only, cst.Expr) and isinstance(only.value, cst.Ellipsis)
    )
    return looking.found or empty


class _Giving(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def visit_Return(self, node: cst.Return) -> None:
        self.found = self.found or node.value is not None

    def visit_Yield(self, node: cst.Yield) -> None:
        self.found = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return False

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        return False


_KINDS: dict[str, Callable[[cst.Module, Wanted], cst.Module]] = {
    "extractConstant": _extract_constant,
    "addImport": _add_import,
    "removeImport": _remove_import,
    "useFStrings": _use_f_strings,
    "annotateReturnNone": _annotate,
}


def main() -> None:
    """Do what the request says, and write the answer: the new texts, or why not."""
    request: Request = json.loads(Path(REQUEST).read_text("utf-8"))
    answer: dict[str, object]
    try:
        sources = {path: Path(path).read_text("utf-8") for path in request["files"]}
        changed = refactored(
            request["kind"], request["wanted"], sources, roots=request["roots"], within=request["within"]
        )
        answer = {"changed": changed}
    except (RefusedChange, UnicodeDecodeError) as exc:
        answer = {"refused": str(exc)}
    Path(ANSWER).write_text(json.dumps(answer), "utf-8")


if __name__ == "__main__":
    main()
