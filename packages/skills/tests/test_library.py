"""Skills are loaded from folders, and what breaks the format is said in full."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import interlock_skills
from interlock_core.errors import InvalidRequestError, NotFoundError
from interlock_skills import SkillLibrary, examine, load

GOOD = "---\nname: {name}\ndescription: Does one thing well.\n---\nDo the thing.\n"


def write(parent: Path, name: str, text: str | bytes) -> Path:
    """Write one skill folder."""
    folder = parent / name
    folder.mkdir(parents=True)
    data = text if isinstance(text, bytes) else text.encode()
    (folder / "SKILL.md").write_bytes(data)
    return folder


def test_a_valid_skill_is_loaded_with_every_field(tmp_path: Path) -> None:
    """All fields of the format arrive."""
    folder = write(
        tmp_path,
        "notes",
        "---\nname: notes\ndescription: Writes notes.\nlicense: MIT\ncompatibility: Needs git.\n"
        "allowed-tools: github.* code.lint\nmetadata:\n  version: '1.0'\n---\n\nWrite.\n",
    )
    (folder / "scripts").mkdir()
    (folder / "scripts" / "run.py").write_text("print()\n")
    skill = load(folder)
    assert (skill.name, skill.description, skill.license, skill.compatibility) == (
        "notes",
        "Writes notes.",
        "MIT",
        "Needs git.",
    )
    assert skill.allowed_tools == ("github.*", "code.lint")
    assert skill.metadata == {"version": "1.0"}
    assert skill.instructions == "Write.\n"
    assert skill.files == ("scripts/run.py",)


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    """A file saved by another system is the same skill."""
    text = "\ufeff" + GOOD.format(name="notes").replace("\n", "\r\n")
    assert load(write(tmp_path, "notes", text)).instructions.strip() == "Do the thing."


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("No front matter at all.", "SKILL.md"),
        ("---\nname: [\n---\nx", "SKILL.md"),
        ("---\n- a\n---\nx", "SKILL.md"),
        (b"\xff\xfe---", "SKILL.md"),
        (b"x" * (1024 * 1024 + 1), "SKILL.md"),
        ("---\nname: notes\ndescription: d\n---\n", "SKILL.md"),
        ("---\ndescription: d\n---\nx", "name"),
        ("---\nname: Notes\ndescription: d\n---\nx", "name"),
        ("---\nname: no--tes\ndescription: d\n---\nx", "name"),
        ("---\nname: other\ndescription: d\n---\nx", "name"),
        (f"---\nname: {'n' * 65}\ndescription: d\n---\nx", "name"),
        ("---\nname: notes\n---\nx", "description"),
        (f"---\nname: notes\ndescription: {'d' * 1025}\n---\nx", "description"),
        (f"---\nname: notes\ndescription: d\ncompatibility: {'c' * 501}\n---\nx", "compatibility"),
        ("---\nname: notes\ndescription: d\nlicense: 3\n---\nx", "license"),
        ("---\nname: notes\ndescription: d\nallowed-tools: [a]\n---\nx", "allowed-tools"),
        ("---\nname: notes\ndescription: d\nmetadata: 3\n---\nx", "metadata"),
        ("---\nname: notes\ndescription: d\nmetadata: {a: 1}\n---\nx", "metadata"),
        ("---\nname: notes\ndescription: d\nalowed-tools: a\n---\nx", "alowed-tools"),
    ],
)
def test_what_breaks_the_format_is_named_by_field(tmp_path: Path, text: str | bytes, field: str) -> None:
    """Each rule of the format is checked, and the error names the field."""
    folder = write(tmp_path, "notes", text)
    _, problems = examine(folder)
    assert field in {problem.field for problem in problems}
    with pytest.raises(InvalidRequestError, match=r"not valid"):
        load(folder)


def test_an_unknown_field_comes_with_the_nearest_known_one(tmp_path: Path) -> None:
    """A slip of the pen is answered with what was meant."""
    folder = write(tmp_path, "notes", "---\nname: notes\ndescription: d\nalowed-tools: a\n---\nx")
    with pytest.raises(InvalidRequestError, match="Did you mean allowed-tools"):
        load(folder)


def test_a_missing_folder_is_not_found_and_a_folder_without_a_file_is_no_skill(tmp_path: Path) -> None:
    """Both are said apart."""
    with pytest.raises(NotFoundError, match="There is no folder"):
        load(tmp_path / "nothing")
    with pytest.raises(InvalidRequestError, match=r"SKILL\.md"):
        load(tmp_path)


def test_a_library_lists_valid_skills_and_names_the_broken_ones(tmp_path: Path) -> None:
    """One broken skill takes no other down."""
    write(tmp_path, "beta", GOOD.format(name="beta"))
    write(tmp_path, "alpha", GOOD.format(name="alpha"))
    write(tmp_path, "broken", "nothing")
    (tmp_path / "empty").mkdir()
    library = SkillLibrary([tmp_path, tmp_path / "not-there"])
    assert [skill.name for skill in library.list()] == ["alpha", "beta"]
    assert list(library.problems()) == ["broken"]


def test_the_first_folder_that_holds_a_name_wins(tmp_path: Path) -> None:
    """A user's own skill shadows a shipped one."""
    write(tmp_path / "own", "notes", GOOD.format(name="notes").replace("Do the", "Do my"))
    write(tmp_path / "shipped", "notes", GOOD.format(name="notes"))
    library = SkillLibrary([tmp_path / "own", tmp_path / "shipped"])
    assert library.get("notes").instructions == "Do my thing.\n"
    assert [skill.folder.parent.name for skill in library.list()] == ["own"]


@pytest.mark.parametrize("name", ["note", "../notes", "a/b", ""])
def test_a_name_that_is_none_finds_nothing_and_never_leaves_the_folders(tmp_path: Path, name: str) -> None:
    """A name is a name, not a path."""
    write(tmp_path / "skills", "notes", GOOD.format(name="notes"))
    write(tmp_path, "notes", GOOD.format(name="notes"))
    with pytest.raises(NotFoundError):
        SkillLibrary([tmp_path / "skills"]).get(name)


@given(st.binary(max_size=400))
def test_any_bytes_are_either_a_skill_or_a_list_of_problems(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """No content of a file makes the library fail."""
    parent = tmp_path_factory.mktemp("skills")
    write(parent, "notes", b"---\n" + data)
    library = SkillLibrary([parent])
    assert len(library.list()) + len(library.problems()) == 1


def test_the_public_names_are_those_that_the_package_states() -> None:
    """`__all__` is sorted and real."""
    assert sorted(interlock_skills.__all__) == interlock_skills.__all__
    assert all(hasattr(interlock_skills, name) for name in interlock_skills.__all__)
