"""Analysis, linting, formatting, refactoring and tests of a real folder, by real tools, in the sandbox."""

from pathlib import Path

import pytest

from interlock_core.jsontypes import as_array, as_object
from interlock_tools.sandbox import FolderLimits, NamespaceSandbox, SandboxLimits

from .dev_ground import PROJECT, SEARCH, Ground, texts, write

pytestmark = pytest.mark.promise("O12")


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """A folder with a program."""
    return Ground(write(tmp_path / "notes", PROJECT))


async def test_linting_names_each_fault_and_shows_the_repair(ground: Ground) -> None:
    """Findings with file, line and rule, and a diff; the folder stays as it is."""
    answer = await ground.call("lintCode", path="src", select=["F"])
    finding = as_object(as_array(answer["findings"])[0])
    assert (finding["path"], finding["line"], finding["code"]) == ("src/notes/search.py", 3, "F401")
    assert (answer["total"], answer["counts"], answer["cut"]) == (1, {"F401": 1}, False)
    assert "-import os" in str(answer["diff"])
    assert texts(ground.folder) == dict(sorted(PROJECT.items()))


async def test_linting_uses_the_projects_own_rules(ground: Ground) -> None:
    """What `pyproject.toml` says counts, and the list is cut where the caller says."""
    write(ground.folder, {"ruff.toml": '[lint]\nselect = ["ANN"]\n'})
    answer = await ground.call("lintCode", path="src/notes/search.py", maxFindings=1)
    assert {code[:3] for code in as_object(answer["counts"])} == {"ANN"}
    assert (len(as_array(answer["findings"])), answer["cut"]) == (1, True)


async def test_linting_clean_code_finds_nothing(ground: Ground) -> None:
    """No findings, no diff."""
    answer = await ground.call("lintCode", path="tests", language="python", select=["F"])
    assert (answer["total"], answer["diff"], answer["findings"]) == (0, "", [])


async def test_wrong_settings_are_said_and_not_hidden(ground: Ground) -> None:
    """A linter that cannot work is an error with its own words."""
    write(ground.folder, {"ruff.toml": "[lint]\nselect = 7\n"})
    assert "ruff.toml" in await ground.refused("lintCode", path="src")


async def test_formatting_shows_a_diff_and_changes_nothing(ground: Ground) -> None:
    """The default only looks."""
    answer = await ground.call("formatCode", path=".")
    assert (answer["changed"], answer["applied"]) == (["src/notes/search.py"], False)
    assert "-def fold( text ):\n+def fold(text):\n" in str(answer["diff"])
    assert texts(ground.folder) == dict(sorted(PROJECT.items()))


async def test_formatting_changes_the_files_when_it_is_told_to(ground: Ground) -> None:
    """`apply` writes exactly what the diff shows, and a second call has nothing to do."""
    answer = await ground.call("formatCode", path="src", apply=True)
    assert answer["applied"] is True
    assert texts(ground.folder)["src/notes/search.py"] == SEARCH.replace("fold( text )", "fold(text)")
    again = await ground.call("formatCode", path="src", apply=True)
    assert (again["changed"], again["applied"], again["diff"]) == ([], False, "")


async def test_code_that_cannot_be_parsed_is_named(ground: Ground) -> None:
    """The formatter's words come back as an error."""
    write(ground.folder, {"src/notes/broken.py": "def (:\n"})
    assert "broken.py" in await ground.refused("formatCode", path="src")
    analysis = await ground.call("analyzeCode", path="src")
    broken = next(
        file for file in map(as_object, as_array(analysis["files"])) if file["path"] == "src/notes/broken.py"
    )
    assert "SyntaxError" in str(broken["error"])


async def test_analysis_measures_functions_files_and_likely_bugs(ground: Ground) -> None:
    """Complexity, length and documentation of each function; findings of the linter's stricter rules."""
    write(ground.folder, {"web/app.js": "// one\n\nlet a = 1;\n"})
    answer = await ground.call("analyzeCode", path=".", maxFindings=2)
    assert as_object(answer["totals"])["files"] == 4
    files = {str(file["path"]): file for file in map(as_object, as_array(answer["files"]))}
    functions = [as_object(one) for one in as_array(files["src/notes/search.py"]["functions"])]
    assert [(one["name"], one["complexity"], one["documented"]) for one in functions] == [
        ("find", 2, True),
        ("fold", 1, False),
    ]
    assert (files["web/app.js"]["comments"], files["web/app.js"]["blank"]) == (1, 1)
    assert (len(as_array(answer["findings"])), answer["cut"]) == (2, True)


async def test_tests_are_run_and_their_results_read(ground: Ground) -> None:
    """Counts, and for a failure the message and the trace; all of it inside the sandbox."""
    write(ground.folder, {"tests/test_more.py": "def test_no():\n    open('made', 'w')\n    assert 1 == 2\n"})
    run = await ground.call("runTests", path=".")
    assert (run["passed"], run["failed"], run["ok"], run["runner"]) == (2, 1, False, "pytest")
    failure = as_object(as_array(run["failures"])[0])
    assert failure["test"] == "tests.test_more::test_no"
    assert "assert 1 == 2" in str(failure["trace"])
    assert not (ground.folder / "made").exists()


async def test_some_tests_are_run_by_a_part_of_their_name(ground: Ground) -> None:
    """The filter leaves the others out."""
    run = await ground.call("runTests", path="tests", filter="folds", language="python")
    assert (run["passed"], run["ok"]) == (1, True)


async def test_tests_that_cannot_be_collected_say_why(ground: Ground) -> None:
    """An import that fails is an error of the run, told with its words."""
    write(ground.folder, {"tests/test_bad.py": "import nothing_of_that_name\n"})
    run = await ground.call("runTests", path="tests/test_bad.py")
    assert (run["errors"], run["ok"]) == (1, False)
    assert "nothing_of_that_name" in str(run["failures"])


async def test_tests_that_never_end_are_ended(ground: Ground) -> None:
    """The time-out is told, and nothing is left of the run."""
    write(ground.folder, {"tests/test_slow.py": "def test_slow():\n    while True: pass\n"})
    run = await ground.call("runTests", path="tests/test_slow.py", timeoutSeconds=3)
    assert (run["timedOut"], run["ok"]) == (True, False)


async def test_tests_see_no_secret_and_no_network(ground: Ground) -> None:
    """A test is foreign code: it finds neither the folder's secrets nor the world."""
    spying = (
        "import os, socket, pytest\n\n\ndef test_spy():\n"
        "    assert not os.path.exists('.env') and not os.path.exists('.git')\n"
        "    with pytest.raises(OSError):\n        socket.create_connection(('1.1.1.1', 53), timeout=2)\n"
    )
    write(ground.folder, {"tests/test_spy.py": spying})
    assert (await ground.call("runTests", path="tests/test_spy.py"))["ok"] is True


async def test_a_report_that_tests_forged_is_not_believed(ground: Ground) -> None:
    """Entities in it are not expanded: such a report counts as none."""
    forging = (
        "import atexit\n\n\ndef forge():\n    with open('.interlock-test-report.xml', 'w') as file:\n"
        "        file.write('<!DOCTYPE a [<!ENTITY b \"bomb\">]>')\n"
        "        file.write('<testsuite><testcase name=\"&b;\"/></testsuite>')\n"
        "\n\natexit.register(forge)\n\n\ndef test_one():\n    pass\n"
    )
    write(ground.folder, {"tests/test_forge.py": forging})
    run = await ground.call("runTests", path="tests/test_forge.py")
    assert (run["passed"], run["ok"]) == (0, False)


async def test_a_folder_without_tests_says_so(ground: Ground) -> None:
    """There is nothing to be run."""
    assert "no tests at src" in await ground.refused("runTests", path="src")


async def test_renaming_reaches_every_use_and_the_tests_still_pass(ground: Ground) -> None:
    """The change is tried on a copy with the tests, then written."""
    answer = await ground.call(
        "refactorCode", path=".", kind="rename", name="fold", newName="fold_case", apply=True
    )
    assert answer["changed"] == ["src/notes/search.py", "tests/test_search.py"]
    assert (as_object(answer["tests"])["ok"], answer["broken"], answer["applied"]) == (True, [], True)
    assert "fold(" not in texts(ground.folder)["src/notes/search.py"]


async def test_a_rename_that_reaches_beyond_the_path_is_not_made(ground: Ground) -> None:
    """The tests use the name as well, so the path must hold them."""
    said = await ground.refused("refactorCode", path="src", kind="rename", name="fold", newName="folded")
    assert "tests/test_search.py" in said


async def test_a_refactoring_that_breaks_a_test_is_shown_and_not_applied(ground: Ground) -> None:
    """The one test that passed before and fails now is named."""
    write(
        ground.folder,
        {
            "tests/test_text.py": "from pathlib import Path\n\n\ndef test_text():\n"
            "    assert 'fold( text )' in Path('src/notes/search.py').read_text()\n"
        },
    )
    answer = await ground.call("refactorCode", path=".", kind="rename", name="fold", newName="g", apply=True)
    assert (answer["broken"], answer["applied"]) == (["tests.test_text::test_text"], False)
    assert texts(ground.folder)["src/notes/search.py"] == SEARCH


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"kind": "rename", "name": "absent", "newName": "x"}, "no module there"),
        ({"kind": "rename", "name": "fold"}, "needs newName"),
        ({"kind": "describe"}, "needs instruction"),
        ({"kind": "extractConstant", "value": "7", "newName": "SEVEN", "path": "src"}, "one file"),
        ({"kind": "addImport", "module": "os", "path": "README.md"}, "no Python"),
        ({"kind": "removeImport", "module": "re", "path": "src/notes/search.py"}, "is not there"),
    ],
)
async def test_a_refactoring_that_cannot_be_made_says_why(
    ground: Ground, arguments: dict[str, str], said: str
) -> None:
    """Nothing is changed, and the reason is told."""
    assert said in await ground.refused("refactorCode", **{"path": ".", **arguments})


async def test_a_refactoring_without_effect_runs_no_tests(ground: Ground) -> None:
    """There is nothing to be tried."""
    answer = await ground.call("refactorCode", path="tests", kind="useFStrings")
    assert (answer["changed"], "tests" in answer) == ([], False)


async def test_a_folder_without_tests_is_refactored_without_them(ground: Ground) -> None:
    """The answer says nothing of tests."""
    (ground.folder / "tests" / "test_search.py").unlink()
    answer = await ground.call(
        "refactorCode", path="src/notes/search.py", kind="removeImport", module="os", apply=True
    )
    assert (answer["applied"], "tests" in answer) == (True, False)
    assert "import os" not in texts(ground.folder)["src/notes/search.py"]


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "src/../../x", "a\\b"])
@pytest.mark.parametrize("operation", ["lintCode", "formatCode", "analyzeCode", "runTests", "deployPreview"])
async def test_a_path_out_of_the_folder_is_refused(ground: Ground, operation: str, path: str) -> None:
    """Whatever names it, and before anything is run."""
    result = await ground.result(operation, {"path": path})
    assert result.is_error
    assert "working folder" in result.text or result.error_code == "schema_invalid"


async def test_a_path_that_is_not_there_names_the_nearest(ground: Ground) -> None:
    """A remedy that a model can act on."""
    assert "src/notes/search.py" in await ground.refused("lintCode", path="src/notes/serach.py")


async def test_a_folder_without_known_code_says_which_languages_are_known(ground: Ground) -> None:
    """For linting and for analysis."""
    for operation in ("lintCode", "analyzeCode"):
        assert "python, javascript" in await ground.refused(operation, path="README.md")


async def test_a_folder_that_holds_too_much_is_refused(tmp_path: Path) -> None:
    """The limit is told, not exceeded."""
    limits = SandboxLimits(folder=FolderLimits(files=3))
    ground = Ground(write(tmp_path / "notes", PROJECT), sandbox=NamespaceSandbox(limits=limits))
    assert "more than 3 files" in await ground.refused("lintCode", path=".")


async def test_code_that_keeps_a_parser_busy_costs_its_own_call_alone(tmp_path: Path) -> None:
    """A bomb for the parser ends in the sandbox's memory, not in ours."""
    bomb = "x = " + "(" * 90 + "1" + ")" * 90 + "\n" + "y = [" + "-" * 200_000 + "1]\n"
    ground = Ground(write(tmp_path / "notes", {"a.py": bomb}))
    result = await ground.result("analyzeCode", {"path": "."})
    assert result.is_error or "error" in result.text


async def test_a_tool_that_takes_too_much_memory_is_said_to(tmp_path: Path) -> None:
    """The limit of the sandbox is an error with a remedy."""
    limits = SandboxLimits(memory_bytes=1 << 20)
    ground = Ground(write(tmp_path / "notes", PROJECT), sandbox=NamespaceSandbox(limits=limits))
    result = await ground.result("lintCode", {"path": "src"})
    assert result.is_error
