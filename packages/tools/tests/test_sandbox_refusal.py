"""Where there are no namespaces nothing is run, and the remedy says how to get them."""

import sys
from pathlib import Path

import pytest

from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_tools.sandbox import NamespaceSandbox


@pytest.mark.promise("O12")
@pytest.mark.parametrize("system", ["darwin", "win32"])
async def test_another_system_is_refused_with_a_remedy(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No command is ever run without its walls."""
    monkeypatch.setattr(sys, "platform", system)
    with pytest.raises(UnsupportedError, match=f"{system} has no Linux namespaces") as refused:
        await NamespaceSandbox().run(["env"], folder=tmp_path, timeout_s=9, environment={})
    assert "WSL 2" in str(refused.value)


@pytest.mark.promise("O12")
@pytest.mark.parametrize(
    "shown",
    [
        *("/", "/bin/..", "/proc/self/cwd", "/proc/1/cwd/usr", "relative", "{folder}", "{folder}/.."),
        *("{folder}/sub", "{folder}/all", "{folder}/out", "{folder}/.venv/out", "{above}", "{home}"),
        *("{home}/..", "{data}", "{data}/keys", "{link}", "{above}/work/../data"),
    ],
)
async def test_a_path_that_shows_too_much_is_refused(
    shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The root, a home, the folder itself, what is hidden, and whatever a link of the folder leads to."""
    folder, home, data = tmp_path / "work" / "notes", tmp_path / "home", tmp_path / "data"
    for place in (folder / "sub", folder / ".venv", home, data / "keys", tmp_path / "outside"):
        place.mkdir(parents=True)
    (folder / "all").symlink_to("/")
    for link in (folder / "out", folder / ".venv" / "out"):
        link.symlink_to(tmp_path / "outside")
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(folder)
    named = shown.format(folder=folder, above=tmp_path, home=home, data=data, link=tmp_path / "link")
    sandbox = NamespaceSandbox(hidden=(data,))
    copy = await sandbox.copy(folder)
    with pytest.raises(InvalidRequestError, match="is not shown in the sandbox"):
        await sandbox.run_on(copy, ["true"], timeout_s=20, environment={}, readable=[Path(named)])


@pytest.mark.promise("O12")
@pytest.mark.parametrize("shown", ["/", "{folder}", "{folder}/..", "{home}", "{data}"])
async def test_the_operator_cannot_show_too_much_either(
    shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that is given for every run is held against the same bounds, but may lie in the folder."""
    folder, home, data = tmp_path / "notes", tmp_path / "home", tmp_path / "data"
    for place in (folder, home, data):
        place.mkdir()
    monkeypatch.setenv("HOME", str(home))
    named = Path(shown.format(folder=folder, home=home, data=data))
    sandbox = NamespaceSandbox(hidden=(data,), readable=(named,))
    with pytest.raises(InvalidRequestError, match="is not shown in the sandbox"):
        await sandbox.run(["true"], folder=folder, timeout_s=20, environment={})
