"""Files and functions stay small."""

from house.sizes import FILE_HARD, FUNCTION_HARD, long_file, long_functions
from house.tree import ROOT, Finding, assert_none, python_files, relative, root_manifest, table

EXCEPTIONS_AT_MOST = 0


def excepted() -> set[str]:
    """Paths that the list of exceptions names."""
    return set(table(root_manifest(), "tool", "interlock", "gates", "exceptions"))


def oversized(*, files: int, functions: int) -> list[Finding]:
    """What is longer than the limits anywhere in the repository."""
    found: list[Finding] = []
    for path in python_files():
        source = path.read_text(encoding="utf-8")
        found += long_file(relative(path), source, limit=files)
        found += long_functions(relative(path), source, limit=functions)
    return found


def test_no_file_or_function_passes_its_soft_limit_without_a_named_exception() -> None:
    """500 lines a file and 50 a function, everywhere."""
    found = [finding for finding in oversized(files=500, functions=50) if finding.path not in excepted()]
    assert_none(found)


def test_no_exception_is_heard_beyond_the_hard_limits() -> None:
    """600 lines a file and 80 a function, whatever the list says."""
    assert_none(oversized(files=FILE_HARD, functions=FUNCTION_HARD))


def test_the_list_of_exceptions_never_grows() -> None:
    """The list holds no more lines than it was ever cut down to, and each still excepts something."""
    assert len(excepted()) <= EXCEPTIONS_AT_MOST
    assert excepted() <= {finding.path for finding in oversized(files=500, functions=50)}


def test_a_file_one_line_too_long_is_caught() -> None:
    """501 lines are one too many; 500 are not."""
    assert list(long_file("long.py", "x = 1\n" * 501))
    assert not list(long_file("fits.py", "x = 1\n" * 500))


def test_a_method_one_line_too_long_is_caught() -> None:
    """A method counts from its `def` to its last line."""
    head = "class A:\n    async def grows(self) -> None:\n"
    (finding,) = long_functions("long.py", head + "        x = 1\n" * 50)
    assert finding == Finding("long.py", 2, "function grows of 51 lines, at most 50")
    assert not list(long_functions("fits.py", head + "        x = 1\n" * 49))


def test_the_gates_look_at_every_folder_with_code() -> None:
    """A folder that nobody reads cannot break a rule; these are read."""
    seen = {path.relative_to(ROOT).parts[0] for path in python_files()}
    assert {"packages", "apps", "tests", ".ci"} <= seen
