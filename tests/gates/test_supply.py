"""The bill of materials is whole, and wheels hold nothing that runs by itself."""

import json
import zipfile
from pathlib import Path

import pytest

import supply
from house.tree import ROOT


def test_the_bill_names_every_pin_with_its_hashes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As requirements.lock has them, and the same bytes each time; no address stands in it."""
    first, second = tmp_path / "one.json", tmp_path / "sub" / "two.json"
    assert supply.main(["sbom", str(first)]) == supply.main(["sbom", str(second)]) == 0
    assert first.read_bytes() == second.read_bytes()
    assert "each with its hashes" in capsys.readouterr().out
    made = json.loads(first.read_bytes())
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    named = {(entry["name"], entry["version"]) for entry in made["components"]}
    assert named == {(name, version) for name, version, _ in supply.pinned(lock)}
    assert len({entry["bom-ref"] for entry in made["components"]}) == len(made["components"])
    assert all(entry["properties"] for entry in made["components"])
    assert {entry["name"] for entry in made["metadata"]["component"]["components"]} == set(supply.members())
    assert "://" not in first.read_text(encoding="utf-8").replace("pkg:pypi", "")


def test_a_pin_without_a_hash_is_refused() -> None:
    """What is installed must be what was looked at."""
    with pytest.raises(ValueError, match="b is pinned without a hash"):
        supply.pinned(f"a==1 \\\n    --hash=sha256:{'0' * 64}\nb==2\n")


def wheel(folder: Path, *names: str) -> Path:
    """A wheel of `interlock_x` that holds these files beside its own."""
    path = folder / "interlock_x-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("interlock_x/__init__.py", "interlock_x-1.dist-info/RECORD", *names):
            archive.writestr(name, "")
    return path


def test_a_wheel_with_its_own_package_passes(tmp_path: Path) -> None:
    """And a folder of such wheels."""
    assert supply.strange(wheel(tmp_path, "interlock_x/py.typed")) == []
    assert supply.main(["wheels", str(tmp_path)]) == 0


@pytest.mark.parametrize(
    "name",
    [
        "interlock_x.pth",
        "interlock_x/hidden.pth",
        "sitecustomize.py",
        "interlock_x/usercustomize.py",
        "interlock_x/fast.so",
        "interlock_x-1.data/scripts/run",
        "other/__init__.py",
        "setup.py",
    ],
)
def test_a_wheel_with_more_is_refused(tmp_path: Path, name: str) -> None:
    """What runs by itself, what is compiled, what belongs to others."""
    assert supply.strange(wheel(tmp_path, name))
    assert supply.main(["wheels", str(tmp_path)]) == 1


def test_a_folder_without_wheels_is_no_proof(tmp_path: Path) -> None:
    """Nothing was looked at."""
    assert supply.main(["wheels", str(tmp_path)]) == 1
    assert supply.main([]) == 2
