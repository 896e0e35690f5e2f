"""Changes to the working folder: whole or not at all, never through a symlink, never over somebody's work."""

import os
from pathlib import Path

import pytest

from interlock_core.errors import ConflictError, InvalidRequestError
from interlock_tools.devtools._diff import unified_diff, wanted_changes
from interlock_tools.devtools._workspace import Workspace, inside
from interlock_tools.sandbox import FolderCopy, NamespaceSandbox

from .dev_ground import texts, write

pytestmark = pytest.mark.promise("O12")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two files."""
    return write(tmp_path / "work", {"a.txt": "a\n", "sub/run.sh": "#!/bin/sh\n"})


@pytest.fixture
def workspace(folder: Path) -> Workspace:
    """The folder as a workspace."""
    return Workspace(folder, NamespaceSandbox())


async def test_changes_are_written_with_their_modes(folder: Path, workspace: Workspace) -> None:
    """New folders are made, removed files go, a program stays one, nothing else is left behind."""
    copy = await workspace.copy()
    workspace.apply(copy, {"a.txt": None, "sub/run.sh": b"#!/bin/sh\nexit\n", "new/deep/b.txt": b"b"})
    assert texts(folder) == {"new/deep/b.txt": "b", "sub/run.sh": "#!/bin/sh\nexit\n"}
    assert (folder / "sub" / "run.sh").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("change", ["edited", "gone", "appeared", "symlink", "folder"])
async def test_what_changed_meanwhile_is_not_written_over(
    folder: Path, workspace: Workspace, tmp_path: Path, change: str
) -> None:
    """Any difference from the copy refuses the whole; the other file is not touched either."""
    copy = await workspace.copy()
    target = folder / "a.txt"
    changes: dict[str, bytes | None] = {"sub/run.sh": b"new", "a.txt": b"new"}
    outside = tmp_path / "outside.txt"
    outside.write_text("a\n", "utf-8")
    if change == "edited":
        target.write_text("mine", "utf-8")
    elif change == "appeared":
        write(folder, {"b.txt": "mine"})
        changes = {"sub/run.sh": b"new", "b.txt": b"new"}
    else:
        target.unlink()
    if change == "symlink":
        target.symlink_to(outside)
    if change == "folder":
        target.mkdir()
    with pytest.raises(ConflictError, match="other than when it was read"):
        workspace.apply(copy, changes)
    assert (folder / "sub" / "run.sh").read_text("utf-8") == "#!/bin/sh\n"
    assert outside.read_text("utf-8") == "a\n"


async def test_a_folder_that_became_a_symlink_leads_nowhere(
    folder: Path, workspace: Workspace, tmp_path: Path
) -> None:
    """Each step of a path is opened without following one."""
    copy = await workspace.copy()
    (folder / "sub").rename(tmp_path / "elsewhere")
    (folder / "sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConflictError):
        workspace.apply(copy, {"sub/run.sh": b"evil"})
    assert (tmp_path / "elsewhere" / "run.sh").read_text("utf-8") == "#!/bin/sh\n"


@pytest.mark.parametrize(
    "path",
    [
        *(
            ".git/hooks/pre-commit",
            "sub/.git/config",
            ".venv/pyvenv.cfg",
            "node_modules/x.js",
            "../x",
            "/etc/x",
        ),
        *("a/../b", "./a.txt", "a\\b", "a\0b"),
    ],
)
async def test_history_dependencies_and_the_world_outside_are_not_written(
    folder: Path, workspace: Workspace, path: str
) -> None:
    """A hook would run later, outside of every wall."""
    copy = await workspace.copy()
    with pytest.raises(InvalidRequestError):
        workspace.apply(copy, {path: b"evil"})
    assert texts(folder) == {"a.txt": "a\n", "sub/run.sh": "#!/bin/sh\n"}


async def test_a_write_that_fails_halfway_is_taken_back(
    folder: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first file is as it was when the second cannot be written."""
    copy = await workspace.copy()
    replaced = os.replace
    calls: list[str] = []

    def failing(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        calls.append(target)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        replaced(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(ConflictError, match="No space left on device"):
        workspace.apply(copy, {"a.txt": b"new", "sub/run.sh": b"new"})
    assert texts(folder) == {"a.txt": "a\n", "sub/run.sh": "#!/bin/sh\n"}


async def test_what_is_taken_back_keeps_its_rights_and_leaves_no_folder(
    folder: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program stays one, and folders that were made for new files go again."""
    (folder / "a.txt").chmod(0o664)
    copy = await workspace.copy()
    fail_at(monkeypatch, 4)
    changes = {"a.txt": b"new", "sub/run.sh": b"new", "n/e/w.py": b"1", "n/o/w.py": b"2"}
    with pytest.raises(ConflictError, match="Nothing was changed"):
        workspace.apply(copy, changes)
    assert texts(folder) == {"a.txt": "a\n", "sub/run.sh": "#!/bin/sh\n"}
    modes = [(folder / path).stat().st_mode & 0o777 for path in ("sub/run.sh", "a.txt")]
    assert modes == [0o755, 0o664]
    assert {*texts(folder), *os.walk(folder).__next__()[1]} == {"a.txt", "sub/run.sh", "sub"}


@pytest.mark.parametrize("change", [b"new", None])
async def test_an_edit_at_the_last_moment_is_not_written_over(
    folder: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, change: bytes | None
) -> None:
    """Somebody saves a file while another one is on its way to the disk: theirs stays, ours is taken back."""
    copy = await workspace.copy()
    synced = os.fsync

    def editing(handle: int) -> None:
        synced(handle)
        (folder / "a.txt").write_text("mine\n", "utf-8")

    monkeypatch.setattr(os, "fsync", editing)
    with pytest.raises(ConflictError, match="other than when it was read"):
        workspace.apply(copy, {"sub/run.sh": b"new", "a.txt": change})
    assert texts(folder) == {"a.txt": "mine\n", "sub/run.sh": "#!/bin/sh\n"}


async def test_what_cannot_be_taken_back_is_named(
    folder: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told that nothing was changed when something was."""
    copy = await workspace.copy()
    fail_at(monkeypatch, 2, 3)
    with pytest.raises(ConflictError, match=r"No space left.*a\.txt") as refused:
        workspace.apply(copy, {"a.txt": b"new", "sub/run.sh": b"new"})
    assert "Nothing was changed" not in str(refused.value)
    assert texts(folder) == {"a.txt": "new", "sub/run.sh": "#!/bin/sh\n"}


def fail_at(monkeypatch: pytest.MonkeyPatch, *calls: int) -> None:
    """Let the disk be full when files are put into their places for the given times."""
    replaced = os.replace
    made: list[str] = []

    def failing(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        made.append(target)
        if len(made) in calls:
            raise OSError(28, "No space left on device")
        replaced(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "replace", failing)


def test_paths_are_brought_into_one_form() -> None:
    """Dots go, what leads out is refused."""
    assert [inside(path) for path in (".", "./", "a/./b", "a//b", "a/")] == [".", ".", "a/b", "a/b", "a"]
    for path in ("..", "a/..", "/a", "a\\b", "a\0"):
        with pytest.raises(InvalidRequestError, match="leads out"):
            inside(path)


def copied(**files: bytes) -> FolderCopy:
    """A copy with these files."""
    return FolderCopy(folder=Path("/x"), files={}).changed(files)


def test_diffs_are_those_that_programs_can_apply() -> None:
    """New and gone files, missing line ends, binary and very long ones, and a limit."""
    copy = copied(a=b"1\n2\n", gone=b"x", binary=b"\0", long=b"1\n" * 20_001)
    diff, cut = unified_diff(
        copy, {"a": b"1\n3", "new": b"n\n", "gone": None, "binary": b"\xff", "long": b"2\n"}
    )
    assert not cut
    assert diff == (
        "--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@\n 1\n-2\n+3\n\\ No newline at end of file\n"
        "Binary files a/binary and b/binary differ\n"
        "--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\\ No newline at end of file\n"
        "Files a/long and b/long differ (20001 and 1 lines)\n"
        "--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+n\n"
    )
    short, cut = unified_diff(copied(), {"a": b"line\n" * 15_000, "b": b"line\n" * 15_000})
    assert cut
    assert len(short) <= 100_000
    assert unified_diff(copied(a=b"x\0y"), {"a": b"z"})[0].startswith("Binary files")


def test_what_tools_leave_behind_is_no_change() -> None:
    """Caches, and files that came and went."""
    changes = {
        "a.py": b"1",
        "__pycache__/a.pyc": b"2",
        ".ruff_cache/x": b"3",
        "b.egg-info/x": b"4",
        "c": None,
    }
    assert wanted_changes(copied(), changes) == {"a.py": b"1"}
