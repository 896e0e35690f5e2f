"""Mechanical refactorings of Python: what each changes, what it keeps, what it leaves alone for a reason."""

import json
from pathlib import Path

import pytest

from interlock_core.jsontypes import as_object, parse_json
from interlock_tools.devtools import _facts, _refactoring
from interlock_tools.devtools._facts import python_facts
from interlock_tools.devtools._refactoring import refactored
from interlock_tools.devtools._renaming import RefusedChange

pytestmark = pytest.mark.promise("O12")

PACKAGE = {
    "pkg/__init__.py": 'from pkg.search import fold\n\n__all__ = ["fold"]\n',
    "pkg/search.py": (
        'def fold(text: str) -> str:  # kept\n    """Fold."""\n    return text.lower()\n\n\n'
        "class Box:\n    fold = 1\n\n    def show(self):\n        return self.fold, fold('x')\n\n\n"
        "def shadow(fold):\n    return fold\n"
    ),
    "pkg/attribute.py": "from . import search\nimport pkg.search\n\nprint(search.fold, pkg.search.fold)\n",
    "pkg/alias.py": "from .search import fold as f\n\nprint(f)\n",
    "other.py": "from pkg import fold\n\nprint(fold('a'), other.fold)\n",
    "apart.py": "def unrelated():\n    fold = 1\n    return fold\n",
}


def rename(
    sources: dict[str, str], name: str = "fold", new: str = "fold_case", **given: list[str]
) -> dict[str, str]:
    """The files that a rename changes."""
    return refactored("rename", {"name": name, "newName": new}, sources, **given)


def test_a_rename_follows_imports_attributes_aliases_and_lists() -> None:
    """Every use of that one thing, and nothing that only has the same name."""
    new = rename(PACKAGE, within=["pkg/search.py"])
    assert new["pkg/__init__.py"] == 'from pkg.search import fold_case\n\n__all__ = ["fold_case"]\n'
    assert "def fold_case(text: str) -> str:  # kept\n" in new["pkg/search.py"]
    assert "    fold = 1\n" in new["pkg/search.py"]
    assert "return self.fold, fold_case('x')" in new["pkg/search.py"]
    assert "def shadow(fold):\n    return fold\n" in new["pkg/search.py"]
    assert "print(search.fold_case, pkg.search.fold_case)" in new["pkg/attribute.py"]
    assert new["pkg/alias.py"] == "from .search import fold_case as f\n\nprint(f)\n"
    assert new["other.py"] == "from pkg import fold_case\n\nprint(fold_case('a'), other.fold)\n"
    assert "apart.py" not in new


def test_a_rename_keeps_to_the_roots_of_imports() -> None:
    """A package in `src` is imported without `src`, by relative imports too."""
    sources = {f"src/{path}" if path.startswith("pkg") else path: text for path, text in PACKAGE.items()}
    new = rename(sources, within=["src/pkg/search.py"], roots=["src"])
    assert new.keys() == {
        *("src/pkg/__init__.py", "src/pkg/search.py", "src/pkg/attribute.py", "src/pkg/alias.py", "other.py"),
    }


def test_classes_variables_and_annotations_in_quotes_are_renamed() -> None:
    """Whatever stands at the top of a module."""
    source = "class Node:\n    next: 'Node | None' = None\n\n\nroot: 'Node' = Node()\n"
    assert rename({"a.py": source}, "Node", "Link")["a.py"] == source.replace("Node", "Link")
    assert rename({"a.py": "limit = 1\nprint(limit)\n"}, "limit", "most")["a.py"] == "most = 1\nprint(most)\n"


@pytest.mark.parametrize(
    ("sources", "name", "new", "why"),
    [
        ({"a.py": "x = 1\n", "b.py": "x = 2\n"}, "x", "y", "more than one module"),
        ({"a.py": "import x\n"}, "x", "y", "no module"),
        ({"a.py": "x = 1\ny = 2\n"}, "x", "y", "a name in a.py already"),
        ({"a.py": "x = 1\n", "b.py": "from a import *\n# x\n"}, "x", "y", "by a star"),
        ({"a.py": "x = (\n"}, "x", "y", "cannot be parsed"),
    ],
)
def test_a_rename_that_is_not_safe_is_refused(sources: dict[str, str], name: str, new: str, why: str) -> None:
    """The reason says what stands in the way."""
    with pytest.raises(RefusedChange, match=why):
        rename(sources, name, new)


def one(kind: str, source: str, **wanted: str) -> str:
    """What a refactoring makes of one file."""
    return refactored(kind, wanted, {"a.py": source}).get("a.py", source)


def test_a_constant_gets_a_name_wherever_its_value_stands() -> None:
    """Written differently it is the same number; another type, an annotation or a docstring is left alone."""
    source = (
        '"""A day has 86400 seconds."""\n\nimport os\n\n\ndef f(x=86400) -> "Literal[86400]":\n'
        "    return x % 86_400, 86400.0, f'{86400}'\n"
    )
    made = one("extractConstant", source, value="86400", newName="DAY_S")
    assert made.startswith('"""A day has 86400 seconds."""\n\nimport os\nDAY_S = 86400\n')
    assert "def f(x=DAY_S)" in made
    assert "x % DAY_S, 86400.0, f'{86400}'" in made
    text = one(
        "extractConstant", "a = 'x' 'y'\nb = 'x'\nc: Literal['x'] = d['x']\n", value="'x'", newName="X"
    )
    assert text == "X = 'x'\na = 'x' 'y'\nb = X\nc: Literal['x'] = d[X]\n"
    assert one("extractConstant", "a = 1.5\n", value="1.5", newName="H") == "H = 1.5\na = H\n"


@pytest.mark.parametrize(
    ("source", "value", "why"),
    [
        ("a = 1\n", "2", "does not occur"),
        ("a = 1\n", "f()", "neither a number nor a text"),
        ("a = True\n", "True", "neither a number nor a text"),
        ("a = 1\nX = 2\n", "1", "a name in there already"),
        ("match a:\n    case 1:\n        pass\n", "1", "match statement"),
    ],
)
def test_a_constant_that_cannot_be_named_is_refused(source: str, value: str, why: str) -> None:
    """A name in a pattern would catch everything, for instance."""
    with pytest.raises(RefusedChange, match=why):
        one("extractConstant", source, value=value, newName="X")


def test_imports_are_added_once_and_removed_when_nothing_uses_them() -> None:
    """Where imports belong, below the docstring."""
    added = one("addImport", '"""Doc."""\n\nx = 1\n', module="os")
    assert added.startswith('"""Doc."""\nimport os\n')
    assert one("addImport", added, module="os") == added
    assert one("addImport", "x = 1\n", module="os", name="path").startswith("from os import path\n")
    assert (
        one("removeImport", "import os\nimport sys\n\nprint(sys)\n", module="os")
        == "import sys\n\nprint(sys)\n"
    )
    with pytest.raises(RefusedChange, match="is used"):
        one("removeImport", "import os\n\nprint(os)\n", module="os")


def test_format_calls_become_f_strings() -> None:
    """Only where the meaning is the same: a percent sign may meet a tuple, and stays."""
    source = "a = '{} {name}'.format(x, name=y)\nb = '%s' % x\n"
    assert one("useFStrings", source) == "a = f'{x} {y}'\nb = '%s' % x\n"


def test_functions_that_give_nothing_back_say_so() -> None:
    """A generator, a value, a decorator or an empty body keeps a function as it is."""
    source = (
        "def a(x):\n    print(x)\n\n\ndef b():\n    return 1\n\n\ndef c():\n    yield\n\n\ndef d(): ...\n\n\n"
        "def e():\n    raise NotImplementedError\n\n\n@property\ndef f(self):\n    pass\n\n\n"
        "def g():\n    def inner():\n        return 1\n    print(inner, lambda: 1)\n"
        "\n\ndef h() -> int:\n    pass\n"
        "\n\ndef i():\n    return\n"
    )
    made = one("annotateReturnNone", source)
    assert [line for line in made.splitlines() if "-> None" in line] == [
        *("def a(x) -> None:", "def g() -> None:", "def i() -> None:"),
    ]


def test_the_program_answers_by_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the sandbox runs reads a request beside the code and leaves an answer there."""
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_text("x = 1\n", "utf-8")
    request = {"kind": "rename", "wanted": {"name": "x", "newName": "y"}, "files": ["a.py"]}
    Path(_refactoring.REQUEST).write_text(json.dumps({**request, "roots": [], "within": ["a.py"]}), "utf-8")
    _refactoring.main()
    answer = as_object(parse_json(Path(_refactoring.ANSWER).read_bytes()))
    assert answer == {"changed": {"a.py": "y = 1\n"}}
    Path(_refactoring.REQUEST).write_text(
        json.dumps({**request, "wanted": {"name": "z", "newName": "y"}, "roots": [], "within": []}), "utf-8"
    )
    _refactoring.main()
    assert "refused" in as_object(parse_json(Path(_refactoring.ANSWER).read_bytes()))


def test_facts_are_read_without_running_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ways through a function, nested ones apart; a file that is none says why."""
    source = (
        "import os\nfrom . import x\nfrom a.b import c  # why\n\n\nclass K:\n"
        "    async def m(self, a, *b, c=1, **d):\n"
        "        if a and b or c:\n            return [i for i in b if i]\n"
        "        match d:\n            case {}:\n                pass\n"
        "            case _:\n                pass\n"
        "        def inner():\n            while True: pass\n"
    )
    facts = python_facts(source)
    assert [(f["name"], f["complexity"], f["parameters"]) for f in facts.get("functions", [])] == [
        ("K.m", 7, 5),
        ("K.m.inner", 2, 0),
    ]
    assert facts.get("imports") == [".", "a.b", "os"]
    assert (facts.get("classes"), facts.get("comments")) == (["K"], 1)
    assert "SyntaxError" in str(python_facts("def (:\n").get("error"))
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_bytes(b"\xff\xfe\x00")
    Path(_facts.REQUEST).write_text('["a.py", "b.py"]', "utf-8")
    _facts.main()
    answer = as_object(parse_json(Path(_facts.ANSWER).read_bytes()))
    assert answer == {"a.py": {"error": "UnicodeDecodeError"}, "b.py": {"error": "FileNotFoundError"}}
