"""Environments that stand in a folder: a genuine one runs its tests, a made-up one shows nothing."""

import sys
from pathlib import Path

import pytest

from interlock_tools.devtools._languages import language
from interlock_tools.sandbox import NamespaceSandbox

from .dev_ground import Ground, write

pytestmark = pytest.mark.promise("O12")

OWN = {
    ".venv/lib/python3.11/site-packages/pytest/__init__.py": "",
    ".env": "TOKEN=hunter2\n",
    "test_a.py": "def test_a():\n    pass\n",
}
INSTALLATION = {"bin/python3": "#!/bin/sh\n", "lib/python3.11/os.py": "", "secret": "hunter2\n"}
LEAK = """
import os

def test_nothing_is_seen():
    for path in {paths}:
        assert not os.path.isfile(path), path
    assert not os.path.exists("/var/lib")
"""


@pytest.mark.parametrize(
    "named",
    [
        *("/", "/bin/../..", "{folder}/bin", "{folder}/../notes/bin", "{folder}/all/bin", "bin"),
        *("{folder}/sub/bin", "{folder}/up/bin", "{folder}/.venv/bin", "{home}/bin", "{above}/bin"),
        *(
            "/proc/self/cwd/bin",
            "/proc/thread-self/cwd/bin",
            "{home}/fake/bin",
            "{home}/far/bin",
            "{home}/link/bin",
        ),
    ],
)
async def test_a_made_up_environment_shows_no_file_of_the_user(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a committed `pyvenv.cfg` names is shown only when it is a Python, neither folder nor home."""
    user = tmp_path / "above" / "home"
    folder = tmp_path / "notes"
    for place in (user, user.parent, folder, folder / "sub"):
        write(place, INSTALLATION)
    for name, far in (("fake", "bin/python3"), ("far", "lib/python3.11/os.py")):
        write(user / name, INSTALLATION)
        (user / name / far).unlink()
        (user / name / far).symlink_to(user / far)
    (user / "link").symlink_to("/")
    write(folder, {**OWN, ".venv/bin/python": "#!/bin/sh\nexit 3\n"})
    (folder / "all").symlink_to("/")
    (folder / "up").symlink_to("../above/home/fake")
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.chdir(folder)
    home = named.format(folder=folder, home=user, above=user.parent)
    unseen = (folder / ".env", user / "secret", user / "fake" / "secret", user / "far" / "secret")
    leak = LEAK.format(paths=[*map(str, unseen)])
    write(folder, {".venv/pyvenv.cfg": f"home = {home}\n", "test_leak.py": leak})
    program = language("python").runner.find(await NamespaceSandbox().copy(folder))
    assert program is not None
    assert program.readable == (Path(sys.prefix), Path(sys.base_prefix))
    assert (await Ground(folder).call("runTests", path="."))["passed"] == 2


async def test_an_environment_on_the_systems_python_shows_nothing_more(tmp_path: Path) -> None:
    """`/bin` is another name of `/usr/bin` there, and not the whole system."""
    folder = write(tmp_path / "notes", {**OWN, ".venv/pyvenv.cfg": "home = /bin\n"})
    program = language("python").runner.find(await NamespaceSandbox().copy(folder))
    assert program is not None
    assert Path("/") not in program.readable


@pytest.mark.parametrize("release", ["cpython-3.11.7", "cpython-3.11"])
async def test_a_python_in_the_users_home_runs_its_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str
) -> None:
    """As pyenv and uv install it; uv names a release through a link that stands beside it."""
    pythons = tmp_path / "home" / ".local" / "share" / "uv" / "python"
    stub = "#!/bin/sh\necho real installation >&2\nexit 3\n"
    files = {"cpython-3.11.7/bin/python3.11": stub, "cpython-3.11.7/lib/python3.11/os.py": ""}
    write(pythons, files)
    (pythons / "cpython-3.11.7" / "bin" / "python3").symlink_to("python3.11")
    (pythons / "cpython-3.11").symlink_to("cpython-3.11.7")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    home = pythons / release / "bin"
    folder = write(tmp_path / "notes", {**OWN, ".venv/pyvenv.cfg": f"home = {home}\n"})
    (folder / ".venv" / "bin").mkdir()
    (folder / ".venv" / "bin" / "python").symlink_to(home / "python3")
    assert "real installation" in str((await Ground(folder).call("runTests", path="."))["output"])
