"""Copies of folders and commands on them: what is copied, what comes back, what is bounded, what is told."""

import os
import socket
import sys
from pathlib import Path

import pytest

import interlock_core
import interlock_tools
from interlock_core.errors import InvalidRequestError, NotFoundError, UnsupportedError
from interlock_core.protocols import Sandbox
from interlock_tools.sandbox import CopiedFile, FolderLimits, NamespaceSandbox, SandboxLimits, copy_folder

from .dev_ground import texts, write

pytestmark = pytest.mark.promise("O12")

SHELL = ("/bin/sh", "-c")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with everything that a folder may hold."""
    place = write(
        tmp_path / "work",
        {
            "a.txt": "a",
            "sub/deep/b.txt": "b",
            ".env": "TOKEN=1",
            ".env.example": "TOKEN=",
            "certs/server.PEM": "key",
            ".git/config": "url",
            "pkg/__pycache__/x.pyc": "x",
            "node_modules/thing/index.js": "1",
            "run.sh": "#!/bin/sh\necho ran\n",
        },
    )
    (place / "inner").symlink_to("sub/deep/b.txt")
    (place / "outer").symlink_to("../secret.txt")
    (place / "absolute").symlink_to("/etc/passwd")
    (place / "folder-link").symlink_to("sub")
    (tmp_path / "secret.txt").write_text("hunter2", "utf-8")
    os.mkfifo(place / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place / "socket"))
    (place / "data").mkdir()
    write(place / "data", {"interlock.db": "keys"})
    return place


def test_a_copy_holds_the_code_and_no_secret(folder: Path) -> None:
    """Secrets, history, caches, special files and links that lead out are left out, and said to be."""
    copy = copy_folder(folder, hidden=(folder / "data",))
    assert sorted(copy.files) == [".env.example", "a.txt", "run.sh", "sub/deep/b.txt"]
    assert copy.links == {"inner": "sub/deep/b.txt", "folder-link": "sub"}
    assert copy.shared == ("node_modules",)
    assert set(copy.left_out) == {
        *(
            ".env",
            ".git",
            "absolute",
            "certs/server.PEM",
            "data",
            "outer",
            "pipe",
            "pkg/__pycache__",
            "socket",
        ),
    }
    assert copy.files["run.sh"].mode == 0o755
    assert (copy.text("a.txt"), copy.text("none")) == ("a", None)


def test_a_copy_changes_without_the_folder(folder: Path) -> None:
    """New files bring their folders; one that is gone is gone; the first copy stays as it was."""
    copy = copy_folder(folder)
    new = copy.changed({"x/y/z.txt": b"z", "a.txt": None, "run.sh": b"\xff"})
    assert {"x", "x/y"} <= set(new.folders)
    assert ("a.txt" in new.files, "a.txt" in copy.files) == (False, True)
    assert new.files["run.sh"] == CopiedFile(content=b"\xff", mode=0o755)
    assert new.text("run.sh") is None
    assert "b'" not in repr(new.files["x/y/z.txt"])


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (FolderLimits(files=2), "more than 2 files"),
        (FolderLimits(bytes=4), "more than 0 MiB"),
        (FolderLimits(depth=1), "more than 1 folders below each other"),
    ],
)
def test_a_folder_that_holds_too_much_is_refused(folder: Path, limits: FolderLimits, why: str) -> None:
    """With the bound that it breaks."""
    with pytest.raises(InvalidRequestError, match=why):
        copy_folder(folder, limits=limits)


@pytest.mark.parametrize("place", ["/", "/etc", "/usr/lib", "/tmp", "/proc/self", "~"])
def test_a_folder_of_the_system_is_no_working_folder(place: str) -> None:
    """Nor is a home, which holds everything."""
    with pytest.raises(InvalidRequestError, match="no working folder"):
        copy_folder(Path(place).expanduser())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A file is none either."""
    with pytest.raises(NotFoundError, match="nowhere"):
        copy_folder(tmp_path / "nowhere")
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(NotFoundError, match="file"):
        copy_folder(tmp_path / "file")


async def test_a_command_works_on_a_copy_at_the_folders_own_path(folder: Path) -> None:
    """It sees the files and the links, the folder keeps what it has, and the protocol is met."""
    sandbox: Sandbox = NamespaceSandbox()
    before = texts(folder)
    result = await sandbox.run(
        [*SHELL, "pwd; cat inner; ls node_modules; echo $NAME; ./run.sh; echo x > a.txt; rm -r sub; exit 7"],
        folder=folder,
        timeout_s=20,
        environment={"NAME": "value"},
    )
    assert result.stdout == f"{folder}\nbthing\nvalue\nran\n"
    assert (result.exit_code, result.stderr, result.timed_out) == (7, "", False)
    assert texts(folder) == before


async def test_what_a_command_changed_comes_back(folder: Path) -> None:
    """New, different and gone; links and special files are no change; dependencies are read-only."""
    sandbox = NamespaceSandbox()
    copy = await sandbox.copy(folder)
    script = (
        "echo new > new.txt; printf c > a.txt; rm sub/deep/b.txt; ln -s /etc/passwd evil; mkfifo p; "
        "mkdir -p d/e; printf e > d/e/f; echo no > node_modules/x 2>/dev/null || echo refused"
    )
    run = await sandbox.run_on(copy, [*SHELL, script], timeout_s=20, environment={})
    assert run.result.stdout == "refused\n"
    assert run.changes == {"new.txt": b"new\n", "a.txt": b"c", "sub/deep/b.txt": None, "d/e/f": b"e"}


async def test_the_environment_is_the_one_that_is_given(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of ours is in it."""
    monkeypatch.setenv("OURS", "hunter2")
    sandbox = NamespaceSandbox()
    result = await sandbox.run(["env"], folder=folder, timeout_s=20, environment={"A": "b"})
    names = {line.partition("=")[0] for line in result.stdout.splitlines()}
    assert names == {"A", "PATH", "HOME", "TMPDIR", "LANG"}


async def test_outputs_and_changes_are_cut_at_their_limits(folder: Path) -> None:
    """And it is said that they are."""
    limits = SandboxLimits(output_bytes=10, returned_bytes=1000)
    sandbox = NamespaceSandbox(limits=limits)
    script = "yes | head -c 100000; head -c 5000 /dev/zero > big; printf s > small"
    run = await sandbox.run_on(await sandbox.copy(folder), [*SHELL, script], timeout_s=20, environment={})
    assert (len(run.result.stdout), run.output_cut, run.changes_cut) == (10, True, True)
    assert run.changes == {"small": b"s"}


async def test_a_program_that_is_not_there_is_said_to_be_missing(folder: Path) -> None:
    """By the exit codes of every shell."""
    sandbox = NamespaceSandbox()
    missing = await sandbox.run(["no-such-program"], folder=folder, timeout_s=20, environment={})
    assert (missing.exit_code, missing.stderr) == (127, "no-such-program is not in the sandbox\n")
    refused = await sandbox.run(["./a.txt"], folder=folder, timeout_s=20, environment={})
    assert refused.exit_code == 126


async def test_a_signal_that_ends_a_command_is_its_exit_code(folder: Path) -> None:
    """Negative, as everywhere in Python."""
    result = await NamespaceSandbox().run(
        [*SHELL, "kill -TERM $$"], folder=folder, timeout_s=20, environment={}
    )
    assert result.exit_code == -15


async def test_memory_that_is_exceeded_is_told(folder: Path) -> None:
    """Together: no single process takes too much."""
    limits = SandboxLimits(memory_bytes=96 << 20)
    sandbox = NamespaceSandbox(limits=limits, readable=(Path(sys.prefix), Path(sys.base_prefix)))
    program = (
        "import os\nfor _ in range(6):\n    if os.fork() == 0:\n        x = bytearray(40 << 20)\n"
        "        while True: pass\nos.wait()\n"
    )
    run = await sandbox.run_on(
        await sandbox.copy(folder), [sys.executable, "-c", program], timeout_s=30, environment={}
    )
    assert (run.memory_exceeded, run.result.timed_out) == (True, False)


async def test_tests_may_talk_to_themselves_on_loopback(folder: Path) -> None:
    """The loopback inside is up, and is not the host's."""
    program = (
        "import socket\nserver = socket.create_server(('127.0.0.1', 0))\n"
        "client = socket.create_connection(server.getsockname())\nprint('met')\n"
    )
    sandbox = NamespaceSandbox(readable=(Path(sys.prefix), Path(sys.base_prefix)))
    result = await sandbox.run([sys.executable, "-c", program], folder=folder, timeout_s=20, environment={})
    assert result.stdout == "met\n"


@pytest.mark.parametrize(
    ("command", "environment"), [([], {}), (["a\0b"], {}), (["env"], {"A": "x\0y"}), (["env"], {"A\0": "x"})]
)
async def test_a_command_that_is_none_is_refused(
    folder: Path, command: list[str], environment: dict[str, str]
) -> None:
    """Before anything is started."""
    with pytest.raises(InvalidRequestError, match="no command"):
        await NamespaceSandbox().run(command, folder=folder, timeout_s=20, environment=environment)


async def test_files_that_cannot_be_read_are_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of others, for instance; and what became a special file between two looks."""
    opened = os.open

    def refuse(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == "a.txt":
            raise PermissionError(13, "Permission denied")
        return opened("pipe" if path == "run.sh" else path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refuse)
    copy = copy_folder(folder)
    assert {"a.txt", "run.sh"} <= set(copy.left_out)


@pytest.mark.parametrize("interpreter", ["/bin/false", "/nowhere/python"])
async def test_a_sandbox_that_cannot_start_is_told(folder: Path, interpreter: str) -> None:
    """No interpreter, no walls, no run."""
    sandbox = NamespaceSandbox(interpreter=interpreter)
    with pytest.raises(UnsupportedError, match=r"ended without a word|cannot be started"):
        await sandbox.run(["env"], folder=folder, timeout_s=20, environment={})


async def test_a_locked_down_system_is_refused_with_a_remedy(folder: Path) -> None:
    """A sandbox inside a sandbox: namespaces cannot be made there, so nothing is run."""
    program = (
        "import asyncio\nfrom pathlib import Path\nfrom interlock_tools.sandbox import NamespaceSandbox\n"
        "run = NamespaceSandbox().run(['env'], folder=Path.cwd(), timeout_s=9, environment={})\n"
        "try:\n    asyncio.run(run)\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    shown = [Path(module.__file__ or "").parents[1] for module in (interlock_core, interlock_tools)]
    sandbox = NamespaceSandbox(readable=(Path(sys.prefix), Path(sys.base_prefix), *shown))
    result = await sandbox.run(
        [sys.executable, "-c", program],
        folder=folder,
        timeout_s=60,
        environment={"PYTHONPATH": ":".join(map(str, shown))},
    )
    assert result.stdout.startswith(UnsupportedError.__name__), result.stderr
    assert "kernel.apparmor_restrict_unprivileged_userns=0" in result.stdout
    assert "Nothing runs without a sandbox." in result.stdout


async def test_a_path_of_the_system_inside_the_folder_is_shown_and_is_no_change(folder: Path) -> None:
    """As an environment that stands in the project: read-only, while everything around it can be written."""
    write(folder, {"sub/env/lib/x.py": "x", "sub/env/.cache/y": "y"})
    sandbox = NamespaceSandbox(readable=(folder / "sub" / "env",))
    copy = await sandbox.copy(folder)
    script = "cat sub/env/.cache/y; touch sub/new deeper; touch sub/env/z 2>/dev/null || echo refused"
    run = await sandbox.run_on(copy, [*SHELL, script], timeout_s=20, environment={})
    assert (run.result.stdout, run.result.stderr) == ("yrefused\n", "")
    assert run.changes == {"sub/new": b"", "deeper": b""}
