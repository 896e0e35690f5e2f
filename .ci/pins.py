"""Keeps the pins: the constraints in the root pyproject.toml, and requirements.lock with hashes.

`pins.py write` resolves every member, group and extra, and writes both. Pins that still fit are kept;
`--upgrade` takes the newest release of everything. `pins.py check` resolves afresh and exits 1, naming each
difference, when either file says something else. Both work in a copy: .venv and uv.lock are never touched.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".ci" / "uv"
BEGIN = "# pins: begin (written by `make lock`)\n"
END = "# pins: end\n"
REMEDY = "Run `make lock` (or `make lock UPGRADE=1` to take newer releases) and commit what it writes."


class LockError(Exception):
    """A resolution failed, or gave what may not be committed; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Pins:
    """Exact versions: of all that is installed, and of what builds the members."""

    runtime: tuple[str, ...]
    build: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One entry of requirements.lock: the pin with its marker, and the hashes of its files."""

    pin: str
    hashes: frozenset[str]


def parse_requirements(text: str) -> dict[str, Requirement]:
    """Reads the text of a requirements.lock, keyed by distribution.

    Raises:
        LockError: An entry is no exact pin, or carries no hash.
    """
    found: dict[str, Requirement] = {}
    for entry in text.replace("\\\n", " ").splitlines():
        line = entry.strip()
        if not line or line.startswith("#"):
            continue
        pin, *hashes = re.split(r"\s+--hash=", line)
        if "==" not in pin or not hashes:
            raise LockError(f"requirements.lock: {pin!r} is not an exact pin with hashes. {REMEDY}")
        found[pin.replace(" ", "")] = Requirement(pin, frozenset(hashes))
    return found


def pins_of_lock(lock: str) -> tuple[str, ...]:
    """The exact pins of every package from a registry that a uv.lock holds, sorted."""
    packages = cast("list[dict[str, object]]", tomllib.loads(lock).get("package", []))
    pins: list[str] = []
    for package in packages:
        if "registry" not in cast("dict[str, object]", package["source"]):
            continue
        pin = f"{package['name']}=={package['version']}"
        if markers := cast("list[str]", package.get("resolution-markers", [])):
            pin += " ; " + " or ".join(f"({marker})" for marker in markers)
        pins.append(pin)
    return tuple(sorted(pins))


def render(pins: Pins) -> str:
    """The lines that stand between the two marks in the root pyproject.toml."""

    def table(name: str, rows: tuple[str, ...]) -> str:
        return f"{name} = [\n" + "".join(f'    "{row}",\n' for row in rows) + "]\n"

    return table("constraint-dependencies", pins.runtime) + table("build-constraint-dependencies", pins.build)


def with_pins(manifest: str, body: str) -> str:
    """The manifest with `body` between its marks.

    Raises:
        LockError: The manifest does not hold each mark exactly once.
    """
    if manifest.count(BEGIN) != 1 or manifest.count(END) != 1:
        raise LockError("pyproject.toml: the lines '# pins: begin' and '# pins: end' must each stand once.")
    head, rest = manifest.split(BEGIN)
    return head + BEGIN + body + END + rest.split(END)[1]


def committed_pins(manifest: str) -> Pins:
    """The pins that a root pyproject.toml declares."""
    settings = cast("dict[str, dict[str, dict[str, list[str]]]]", tomllib.loads(manifest))["tool"]["uv"]
    return Pins(
        runtime=tuple(settings.get("constraint-dependencies", [])),
        build=tuple(settings.get("build-constraint-dependencies", [])),
    )


def differences(committed: Pins, fresh: Pins) -> list[str]:
    """What a fresh resolution has and the committed pins have not, and the other way round."""
    found: list[str] = []
    for name, ours, theirs in (
        ("constraint-dependencies", committed.runtime, fresh.runtime),
        ("build-constraint-dependencies", committed.build, fresh.build),
    ):
        found += [f"{name}: {pin} is resolved and not pinned" for pin in sorted(set(theirs) - set(ours))]
        found += [f"{name}: {pin} is pinned and not resolved" for pin in sorted(set(ours) - set(theirs))]
    return found


def lock_differences(committed: str, fresh: str) -> list[str]:
    """How two requirements.lock texts differ; a file that was added to a pinned release is no difference."""
    ours, theirs = parse_requirements(committed), parse_requirements(fresh)
    found = [
        f"requirements.lock: {theirs[key].pin} is missing" for key in sorted(theirs.keys() - ours.keys())
    ]
    found += [
        f"requirements.lock: {ours[key].pin} is not resolved" for key in sorted(ours.keys() - theirs.keys())
    ]
    found += [
        f"requirements.lock: {ours[key].pin} has a hash that the registry does not offer"
        for key in sorted(ours.keys() & theirs.keys())
        if not ours[key].hashes <= theirs[key].hashes
    ]
    return found


def refuse_addresses(text: str) -> str:
    """Passes `text` on when it names no address and no path of this machine.

    Raises:
        LockError: It does; a lock with one would work on one machine only.
    """
    if found := re.search(r"(?:[a-z+]+://|^\s*(?:-|/)(?!-hash)).*", text, re.MULTILINE):
        raise LockError(
            f"requirements.lock would hold {found[0].strip()!r}: unset uv's index and find-links settings."
        )
    return text


def uv(folder: Path, *arguments: str, stdin: str | None = None) -> str:
    """Runs uv in `folder` and returns what it prints.

    Raises:
        LockError: uv ended with an error; its last lines are in the message.
    """
    done = subprocess.run(
        [str(UV), *arguments, "--quiet"], cwd=folder, input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise LockError(f"uv {arguments[0]} failed:\n{done.stderr.strip()[-3000:]}\n{REMEDY}")
    return done.stdout


@contextmanager
def manifests_only(root: Path) -> Iterator[Path]:
    """A temporary copy of a workspace, its manifests alone: a resolution reads nothing else."""
    with tempfile.TemporaryDirectory(prefix="interlock-lock-") as name:
        copy = Path(name)
        for manifest in (
            root / "pyproject.toml",
            *root.glob("packages/*/pyproject.toml"),
            *root.glob("apps/*/pyproject.toml"),
        ):
            target = copy / manifest.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(manifest, target)
        yield copy


def resolve(copy: Path) -> Pins:
    """Resolves a workspace, obeying the constraints that its manifest holds.

    Raises:
        LockError: There is no solution.
    """
    uv(copy, "lock")
    requires: set[str] = set()
    for manifest in copy.glob("*/*/pyproject.toml"):
        build = cast("dict[str, dict[str, list[str]]]", tomllib.loads(manifest.read_text())).get(
            "build-system", {}
        )
        requires.update(build.get("requires", []))
    known = "".join(f"{pin}\n" for pin in committed_pins((copy / "pyproject.toml").read_text()).build)
    (copy / "build-constraints.txt").write_text(known)
    options = (
        "--universal",
        "--no-header",
        "--no-annotate",
        "--python-version",
        "3.11",
        "-c",
        "build-constraints.txt",
    )
    compiled = uv(copy, "pip", "compile", *options, "-", stdin="\n".join(sorted(requires)))
    return Pins(
        runtime=pins_of_lock((copy / "uv.lock").read_text()),
        build=tuple(sorted(line.strip() for line in compiled.splitlines() if "==" in line)),
    )


def export(copy: Path) -> str:
    """The text of requirements.lock for the resolution in `copy`.

    Raises:
        LockError: It would hold an address.
    """
    options = (
        "--all-packages",
        "--all-extras",
        "--all-groups",
        "--no-emit-workspace",
        "--no-annotate",
        "--no-header",
    )
    return refuse_addresses(uv(copy, "export", "--format", "requirements.txt", *options))


def write(root: Path, *, upgrade: bool) -> Pins:
    """Writes both files of the workspace at `root` and returns the pins.

    Raises:
        LockError: Nothing resolves; nothing is written then.
    """
    with manifests_only(root) as copy:
        manifest = copy / "pyproject.toml"
        if upgrade:
            manifest.write_text(with_pins(manifest.read_text(), render(Pins((), ()))))
        pins = resolve(copy)
        manifest.write_text(with_pins(manifest.read_text(), render(pins)))
        uv(copy, "lock")
        exported = export(copy)
        (root / "requirements.lock").write_text(exported)
        shutil.copyfile(manifest, root / "pyproject.toml")
    return pins


def check(root: Path) -> list[str]:
    """What differs between the committed files and a fresh resolution; empty when nothing does.

    Raises:
        LockError: Nothing resolves.
    """
    with manifests_only(root) as copy:
        fresh = resolve(copy)
        found = differences(committed_pins((copy / "pyproject.toml").read_text()), fresh)
        return found + lock_differences((root / "requirements.lock").read_text(), export(copy))


def main() -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description="Write or check the pins of the workspace.")
    parser.add_argument("action", choices=["write", "check"])
    parser.add_argument("--upgrade", action="store_true", help="take the newest release of everything")
    options = parser.parse_args()
    try:
        if options.action == "write":
            print(f"Pinned {len(write(ROOT, upgrade=options.upgrade).runtime)} distributions.")
            return 0
        found = check(ROOT)
    except LockError as error:
        print(error, file=sys.stderr)
        return 1
    for line in found:
        print(line, file=sys.stderr)
    print(REMEDY if found else "A fresh resolution equals the committed pins.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
