"""Renames what stands at the top of a Python module, wherever it is used. It stands alone beside libcst."""

import re
from collections.abc import Iterable, Mapping, Sequence

import libcst as cst
from libcst.helpers import get_full_name_for_node
from libcst.metadata import GlobalScope, ImportAssignment, MetadataWrapper, ScopeProvider


class RefusedChange(Exception):  # noqa: N818 - it is no fault: the change is not made, for a reason
    """A change that cannot be made, or not without changing what the code does."""


def renamed(
    modules: Mapping[str, cst.Module], names: tuple[str, str], *, roots: Sequence[str], within: Sequence[str]
) -> dict[str, cst.Module]:
    """The modules in which the name stands, with the new one.

    The one module that defines the name is found first; then everything that imports it from there.

    Raises:
        RefusedChange: No or more than one module defines it, or the new name is taken where it would go.
    """
    old, new = names
    wrapped = {path: MetadataWrapper(module, unsafe_skip_copy=False) for path, module in modules.items()}
    defining = [path for path in wrapped if path in set(within) and _defines(wrapped[path], old)]
    if len(defining) != 1:
        where = f"more than one module: {', '.join(sorted(defining)[:5])}" if defining else "no module there"
        raise RefusedChange(f"{old} is defined at the top of {where}")
    known = _exporting(wrapped, defining[0], old, roots)
    found: dict[str, cst.Module] = {}
    for path, wrapper in wrapped.items():
        imports = None if path == defining[0] else _Imports(path, known, old, roots)
        nodes = _nodes(wrapper, old, imports)
        if not nodes:
            continue
        if _mentions(wrapper.module, new):
            raise RefusedChange(f"{new} is a name in {path} already")
        found[path] = wrapper.module.visit(_Rename(nodes, old, new))
    return found


def _exporting(
    wrapped: Mapping[str, MetadataWrapper], defining: str, old: str, roots: Sequence[str]
) -> frozenset[str]:
    """The names of every module that the name can be imported from: it may be handed on."""
    known = _module_names(defining, roots)
    left = [path for path in wrapped if path != defining]
    grown = True
    while grown:
        grown = False
        for path in list(left):
            imports = _Imports(path, known, old, roots)
            wrapped[path].module.visit(imports)
            if imports.binds:
                known |= _module_names(path, roots)
                left.remove(path)
                grown = True
    return known


def _module_names(path: str, roots: Sequence[str]) -> frozenset[str]:
    """Every dotted name under which a file may be imported, by the folders that imports may begin at."""
    stem = path.removesuffix(".py").removesuffix("/__init__")
    parts = stem.split("/")
    names = {".".join(parts)}
    for root in roots:
        if root and stem.startswith(f"{root}/"):
            names.add(stem.removeprefix(f"{root}/").replace("/", "."))
    return frozenset(names)


def _scope(wrapper: MetadataWrapper) -> GlobalScope | None:
    scopes = wrapper.resolve(ScopeProvider).values()
    return next((scope for scope in scopes if isinstance(scope, GlobalScope)), None)


def _defines(wrapper: MetadataWrapper, name: str) -> bool:
    scope = _scope(wrapper)
    return scope is not None and any(
        not isinstance(one, ImportAssignment) and hasattr(one, "node") for one in scope[name]
    )


def _mentions(module: cst.Module, name: str) -> bool:
    found: list[str] = []

    class Names(cst.CSTVisitor):
        def visit_Name(self, node: cst.Name) -> None:
            if node.value == name:
                found.append(name)

    module.visit(Names())
    return bool(found)


def _nodes(wrapper: MetadataWrapper, old: str, imports: "_Imports | None") -> set[cst.CSTNode]:
    """The nodes that hold the name: of the definition itself, or of what was imported from it."""
    scope = _scope(wrapper)
    if scope is None:
        return set()
    if imports is None:
        nodes = {node for one in scope[old] for node in _of_assignment(one)}
        return nodes | _listed(wrapper.module, old)
    wrapper.module.visit(imports)
    nodes = imports.names
    if imports.binds:
        nodes |= {ref for one in scope[old] for ref in _references(one)} | _listed(wrapper.module, old)
    return nodes | imports.attributes(wrapper.module)


def _of_assignment(assignment: object) -> Iterable[cst.CSTNode]:
    node = getattr(assignment, "node", None)
    if isinstance(node, cst.FunctionDef | cst.ClassDef):
        yield node.name
    elif isinstance(node, cst.Name):
        yield node
    yield from _references(assignment)


def _references(assignment: object) -> set[cst.CSTNode]:
    return {access.node for access in getattr(assignment, "references", ())}


def _listed(module: cst.Module, name: str) -> set[cst.CSTNode]:
    """The texts of `__all__` that name it."""
    found: set[cst.CSTNode] = set()
    for line in module.body:
        if not isinstance(line, cst.SimpleStatementLine) or not isinstance(line.body[0], cst.Assign):
            continue
        assign = line.body[0]
        target = assign.targets[0].target
        if isinstance(target, cst.Name) and target.value == "__all__":
            value = assign.value
            elements = value.elements if isinstance(value, cst.List | cst.Tuple) else ()
            found |= {
                one.value
                for one in elements
                if isinstance(one.value, cst.SimpleString) and one.value.evaluated_value == name
            }
    return found


class _Imports(cst.CSTVisitor):
    """Finds how a module comes by the name: itself, or the module that it is an attribute of."""

    def __init__(self, path: str, known: frozenset[str], old: str, roots: Sequence[str]) -> None:
        super().__init__()
        root = next((root for root in roots if root and path.startswith(f"{root}/")), "")
        self._package = path.removesuffix(".py").removeprefix(f"{root}/" if root else "").split("/")[:-1]
        self._known = known
        self._old = old
        self.names: set[cst.CSTNode] = set()
        self.binds = False
        self.modules: list[str] = []

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:
        source = self._absolute(node)
        if isinstance(node.names, cst.ImportStar):
            if source in self._known:
                raise RefusedChange("a module imports everything from there by a star")
            return
        for alias in node.names:
            name = get_full_name_for_node(alias.name)
            if source in self._known and name == self._old:
                self.names.add(alias.name)
                self.binds = self.binds or alias.asname is None
            elif f"{source}.{name}".lstrip(".") in self._known:
                self.modules.append(alias.evaluated_alias or str(name))

    def visit_Import(self, node: cst.Import) -> None:
        for alias in node.names:
            if alias.evaluated_name in self._known:
                self.modules.append(alias.evaluated_alias or alias.evaluated_name)

    def _absolute(self, node: cst.ImportFrom) -> str:
        name = get_full_name_for_node(node.module) if node.module is not None else ""
        if not node.relative:
            return name or ""
        base = self._package[: len(self._package) - len(node.relative) + 1]
        return ".".join([*base, *([name] if name else [])])

    def attributes(self, module: cst.Module) -> set[cst.CSTNode]:
        """The attributes `module.name` of the modules that were imported."""
        wanted = {f"{name}.{self._old}" for name in self.modules}
        found: set[cst.CSTNode] = set()

        class Attributes(cst.CSTVisitor):
            def visit_Attribute(self, node: cst.Attribute) -> None:
                if get_full_name_for_node(node) in wanted:
                    found.add(node.attr)

        if wanted:
            module.visit(Attributes())
        return found


class _Rename(cst.CSTTransformer):
    def __init__(self, nodes: set[cst.CSTNode], old: str, new: str) -> None:
        super().__init__()
        self._nodes = nodes
        self._old = old
        self._new = new

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        if original_node not in self._nodes or original_node.value != self._old:
            return updated_node
        return updated_node.with_changes(value=self._new)

    def leave_SimpleString(
        self, original_node: cst.SimpleString, updated_node: cst.SimpleString
    ) -> cst.BaseExpression:
        if original_node not in self._nodes:
            return updated_node
        word = re.compile(rf"\b{re.escape(self._old)}\b")
        return updated_node.with_changes(value=word.sub(self._new, updated_node.value))
