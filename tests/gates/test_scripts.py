"""The scripts of the yard find what they need, and say what is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from house.tree import ROOT

SCRIPTS = [path for path in sorted((ROOT / ".ci").iterdir()) if path.is_file() and not path.suffix]


def run(script: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Runs a script of `.ci` with exactly these variables."""
    command = [str(ROOT / ".ci" / script), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def program(folder: Path, name: str, text: str) -> None:
    """Puts an executable of our own into a folder."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_executable_and_its_shell_can_read_it(path: Path) -> None:
    """Whatever its first line names."""
    shell = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("#!").split()[-1]
    assert path.stat().st_mode & 0o111
    assert subprocess.run([shell, "-n", str(path)], check=False).returncode == 0


def test_a_python_that_is_named_is_the_one_taken() -> None:
    """`make demo PYTHON=…` decides, where it names one that is new enough."""
    done = run("python", PATH="/usr/bin:/bin", HOME="/", PYTHON=sys.executable)
    assert done.stdout.strip() == sys.executable


def test_a_python_that_is_too_old_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """Named by the user, or the only one there is."""
    program(tmp_path, "python3", '#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.1 && exit 0\nexit 1\n')
    named = run("python", PATH=str(tmp_path), HOME=str(tmp_path), PYTHON=str(tmp_path / "python3"))
    assert named.returncode == 1
    assert "not Python 3.11 or newer" in named.stderr
    alone = run("python", PATH=str(tmp_path), HOME=str(tmp_path))
    assert alone.returncode == 1
    assert "needs Python 3.11 or newer; here: Python 3.9.1" in alone.stderr
    assert "make demo PYTHON=" in alone.stderr


def test_a_uv_that_is_new_enough_is_used_as_it_is(tmp_path: Path) -> None:
    """Nothing is brought where nothing is missing."""
    program(
        tmp_path, "uv", '#!/bin/sh\n[ "$1" = --version ] && echo "uv 1.0.0 (x)" && exit 0\necho "ran $*"\n'
    )
    assert run("uv", "lock", PATH=f"{tmp_path}:/usr/bin:/bin", HOME=str(tmp_path)).stdout == "ran lock\n"


def test_an_unknown_set_or_section_is_a_usage_error() -> None:
    """Both say what there is."""
    assert "usage: .ci/install demo|dev|docs" in run("install", "everything", PATH="/usr/bin:/bin").stderr
    wrong = run("run", "everything", PATH="/usr/bin:/bin", HOME="/")
    assert wrong.returncode == 2
    assert "there are: install lint types pins gates docs wheels alone pythons demo test" in wrong.stderr
