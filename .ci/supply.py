"""What is delivered, and what it is made of.

    supply.py sbom FILE     write the bill of materials (CycloneDX 1.6) of what requirements.lock pins
    supply.py wheels DIR    refuse wheels that hold more than their own package

The bill names every pinned distribution with its version, its hashes and its licence where it is installed
here; the members of the workspace are what it is the bill of. It holds no address and no time, so that the
same pins make the same bytes.
"""

import hashlib
import json
import re
import sys
import tomllib
import uuid
import zipfile
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"

_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def pinned(lock: str) -> list[tuple[str, str, list[str]]]:
    """Every pin of a lock with its hashes, in its order.

    Raises:
        ValueError: A pin has no hash.
    """
    found: list[tuple[str, str, list[str]]] = []
    starts = [*_PINNED.finditer(lock)]
    for here, following in zip(starts, [*starts[1:], None], strict=True):
        end = len(lock) if following is None else following.start()
        hashes = _HASH.findall(lock[here.end() : end])
        if not hashes:
            raise ValueError(f"{here['name']} is pinned without a hash")
        found.append((here["name"].lower(), here["version"], hashes))
    return found


def bill(lock: str, members: dict[str, str]) -> dict[str, object]:
    """The bill of materials of a lock, for members by name and version."""
    digest = hashlib.sha256(lock.encode()).digest()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "interlock",
                "name": "interlock",
                "version": members["interlock-core"],
                "components": [
                    {"type": "library", "bom-ref": name, "name": name, "version": version}
                    for name, version in sorted(members.items())
                ],
            }
        },
        "components": [_component(*pin) for pin in pinned(lock)],
    }


def _component(name: str, version: str, hashes: list[str]) -> dict[str, object]:
    licence = _licence(name)
    where = f"pkg:pypi/{name}@{version}"
    component: dict[str, object] = {
        "type": "library",
        "bom-ref": where,
        "name": name,
        "version": version,
        "purl": where,
        "properties": [{"name": "interlock:sha256", "value": value} for value in sorted(hashes)],
    }
    return component if licence is None else component | {"licenses": [{"license": {"name": licence}}]}


def _licence(name: str) -> str | None:
    """The licence of a distribution as its own metadata tell it; None where it is not installed."""
    try:
        told = metadata(name)
    except PackageNotFoundError:
        return None
    for field in ("License-Expression", "License"):
        text = str(told[field]).strip() if field in told else ""
        if text and "\n" not in text and len(text) <= 100:
            return text
    classified = [str(value) for value in told.get_all("Classifier") or () if value.startswith("License ::")]
    return classified[0].rpartition(" :: ")[2] if classified else None


def members() -> dict[str, str]:
    """Name and version of every member."""
    found: dict[str, str] = {}
    for manifest in sorted([*ROOT.glob("packages/*/pyproject.toml"), *ROOT.glob("apps/*/pyproject.toml")]):
        project = tomllib.loads(manifest.read_text(encoding="utf-8"))["project"]
        found[str(project["name"])] = str(project["version"])
    return found


def strange(wheel: Path) -> list[str]:
    """What a wheel holds beside its own package and its own metadata.

    A `.pth` file runs at every start of Python, whoever imports what; a script runs by its name.
    """
    package = wheel.name.partition("-")[0]
    with zipfile.ZipFile(wheel) as archive:
        names = [PurePosixPath(name) for name in archive.namelist() if not name.endswith("/")]
    own = {package} | {name.parts[0] for name in names if name.parts[0].endswith(".dist-info")}
    found = [f"{wheel.name}: {name} is outside {package}" for name in names if name.parts[0] not in own]
    found += [
        f"{wheel.name}: {name} runs or loads by itself"
        for name in names
        if name.suffix in {".pth", ".so", ".pyd", ".dll", ".dylib", ".pyc"}
        or name.name in {"sitecustomize.py", "usercustomize.py"}
    ]
    if sum(name.parts[0].endswith(".dist-info") for name in names if name.name == "RECORD") != 1:
        found.append(f"{wheel.name}: it has no list of its own files")
    return found


def main(words: list[str]) -> int:
    """Runs the command; returns 1 when something was found, 2 when it is used wrongly."""
    match words:
        case ["sbom", file]:
            made = bill(LOCK.read_text(encoding="utf-8"), members())
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            Path(file).write_text(json.dumps(made, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            print(
                f"{file}: {len(pinned(LOCK.read_text(encoding='utf-8')))} distributions, each with its hashes"
            )
            return 0
        case ["wheels", folder]:
            wheels = sorted(Path(folder).glob("*.whl"))
            found = [fault for wheel in wheels for fault in strange(wheel)]
            print("\n".join(found) or f"{len(wheels)} wheels hold their own packages and nothing else.")
            return 1 if found or not wheels else 0
        case _:
            print(__doc__)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
