"""What is delivered: the pins, the workflows, the wheels as they are built here, and what an import does."""

import asyncio
import hashlib
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path, PurePosixPath

import yaml

from interlock_core import Json
from interlock_core.jsontypes import as_array, as_object

from .cases import Case
from .seen import Seen

ROOT = Path(__file__).resolve().parents[3]
UV = ROOT / ".ci" / "uv"
LOCK = ROOT / "requirements.lock"
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_PIPED = re.compile(
    r"\b(?:curl|wget)\b[^\n|;&]*(?:\\\n[^\n|;&]*)*\|\s*(?:sudo\s+)?(?:env\s+)?(?:ba|z|da)?sh\b"
)
_FETCHED = re.compile(r"\b(?:ba|z|da)?sh\s+(?:-c\s+[\"']?)?(?:<\(|\$\()\s*(?:curl|wget)\b")
_PINNED_ACTION = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
_WATCHED = """
import importlib, json, pkgutil, sys
found = {"connections": [], "processes": [], "modules": 0, "missing": []}
CONNECTING = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.bind"}
STARTING = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty.spawn"}
def hook(event, arguments):
    if event in CONNECTING:
        found["connections"].append(f"{event} {arguments!r}"[:300])
    elif event in STARTING:
        found["processes"].append(f"{event} {arguments!r}"[:300])
sys.addaudithook(hook)
def load(name):
    try:
        module = importlib.import_module(name)
    except Exception as error:
        found["missing"].append(f"{name}: {error!r}")
        return None
    found["modules"] += 1
    return module
for name in sys.argv[1:]:
    package = load(name)
    for entry in pkgutil.walk_packages(getattr(package, "__path__", []), f"{name}.", onerror=load):
        if not entry.name.endswith(".__main__") and "._environment" not in entry.name:
            load(entry.name)
print(json.dumps(found))
"""


@dataclass(slots=True)
class Delivered:
    """What a commit delivers.

    Attributes:
        folder: For what a case leaves.
        wheels: Those of the first build.
        again: Those of the second.
        connections: What was dialled while they were built.
        imported: What the import of every module did.
    """

    folder: Path
    wheels: list[Path]
    again: list[Path]
    connections: int
    imported: dict[str, Json] = field(default_factory=dict[str, Json])


def members() -> list[Path]:
    """The folders of all members."""
    return sorted(
        path.parent for path in [*ROOT.glob("packages/*/pyproject.toml"), *ROOT.glob("apps/*/pyproject.toml")]
    )


def backend_of(member: Path) -> tuple[str, tuple[str, ...], bool]:
    """What builds a member: its back end, what that needs, and whether a script of its own takes part."""
    content = as_object(tomllib.loads((member / "pyproject.toml").read_text("utf-8")))
    system = as_object(content["build-system"])
    needs = tuple(str(name) for name in as_array(system["requires"]))
    own = "backend-path" in system or (member / "setup.py").exists() or (member / "setup.cfg").exists()
    return str(system["build-backend"]), needs, own


def delivered(folder: Path) -> Delivered:
    """Build everything twice from copies of what the repository holds, and import it once."""
    with _listening() as (port, dialled):
        wheels, again = _built(folder / "one", port), _built(folder / "two", port)
    names = [
        f"interlock_{path.name.removesuffix('-tools') if path.parent.name == 'apps' else path.name}"
        for path in members()
    ]
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED, *names],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        timeout=300,
    )
    imported = as_object(json.loads(done.stdout.splitlines()[-1]))
    return Delivered(folder, wheels, again, len(dialled), dict(imported))


def _built(folder: Path, port: int) -> list[Path]:
    """The wheels of a copy; whatever the build dials ends at a port that counts."""
    out = folder / "dist"
    out.mkdir(parents=True)
    there = f"http://127.0.0.1:{port}"
    variables = {
        "ALL_PROXY": there,
        "HTTPS_PROXY": there,
        "HTTP_PROXY": there,
        "UV_DEFAULT_INDEX": f"{there}/simple",
    }
    for member in members():
        copy = folder / member.name
        for path in _kept(member):
            target = copy / path.relative_to(member)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        subprocess.run(
            [str(UV), "build-backend", "build-wheel", str(out)],
            cwd=copy,
            env={
                "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
                "HOME": str(folder),
                **variables,
            },
            check=True,
            capture_output=True,
            timeout=120,
        )
    return sorted(out.glob("*.whl"))


def _kept(member: Path) -> list[Path]:
    """The files of a member that the repository holds."""
    told = subprocess.run(["git", "ls-files", "-z", "."], cwd=member, capture_output=True, check=True).stdout
    return [path for name in told.decode().split("\0") if name and (path := member / name).is_file()]


@contextmanager
def _listening() -> Generator[tuple[int, list[object]], None, None]:
    """A port that notes who dials it."""
    dialled: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, address = server.accept()
                    connection.close()
                    dialled.append(address)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1], dialled
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def written_twice() -> dict[str, list[str]]:
    """The files of this environment that two distributions bring, each with their names."""
    found: dict[str, set[str]] = {}
    for entry in distributions():
        for file in entry.files or ():
            if file.suffix in {".py", ".so", ".pth"} and ".." not in file.parts:
                found.setdefault(str(file), set()).add(_normal(entry.name))
    return {name: sorted(owners) for name, owners in found.items() if len(owners) > 1}


# ---- what is looked for, each as what was found of it


def _names(wheels: Iterable[Path]) -> list[PurePosixPath]:
    found: list[PurePosixPath] = []
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            found += [PurePosixPath(name) for name in archive.namelist()]
    return found


def _requirements() -> list[str]:
    """The entries of the lock, each on one line."""
    lines = LOCK.read_text("utf-8").replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _locked() -> set[str]:
    """What may be installed: the names of the lock, and of the members."""
    named = {found[0] for line in _requirements() if (found := _NAME.match(line))}
    named |= {
        str(
            as_object(as_object(tomllib.loads((path / "pyproject.toml").read_text("utf-8")))["project"])[
                "name"
            ]
        )
        for path in members()
    }
    return {_normal(name) for name in named}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _strange_path_files() -> list[str]:
    """Path files of this environment that no pinned distribution lists."""
    listed = {
        Path(str(file.locate())).resolve()
        for entry in distributions()
        if _normal(entry.name) in _locked()
        for file in entry.files or ()
        if file.suffix == ".pth"
    }
    folders = {Path(entry) for entry in sys.path if entry.endswith("site-packages")}
    return [str(path) for folder in folders for path in folder.glob("*.pth") if path.resolve() not in listed]


def _workflows() -> list[Path]:
    found = [*(ROOT / ".github" / "workflows").glob("*.y*ml")]
    assert found
    return found


def _loose_actions() -> list[str]:
    used: list[str] = []
    for path in _workflows():
        used += re.findall(r"^\s*(?:-\s+)?uses:\s*(\S+)", path.read_text("utf-8"), re.MULTILINE)
    assert used
    return [name for name in used if not _PINNED_ACTION.fullmatch(name)]


def _wide_permissions() -> list[str]:
    """Workflows that grant something by default, and jobs that may write."""
    found: list[str] = []
    for path in _workflows():
        content = as_object(yaml.safe_load(path.read_text("utf-8")))
        if content.get("permissions") != {}:
            found.append(path.name)
        for name, job in as_object(content["jobs"]).items():
            granted = as_object(job).get("permissions", {})
            wide = not isinstance(granted, dict) or set(map(str, granted.values())) - {"read", "none"}
            found += [f"{path.name}: {name}"] if wide else []
    return found


def _piped() -> list[str]:
    places = [ROOT / "Makefile", *(ROOT / ".ci").iterdir(), *(ROOT / ".github").rglob("*")]
    texts = {path: path.read_text("utf-8") for path in places if path.is_file()}
    return [str(path) for path, text in texts.items() if _PIPED.search(text) or _FETCHED.search(text)]


def _differing(first: Iterable[Path], second: Iterable[Path]) -> list[str]:
    pairs = [({path.name: path.read_bytes() for path in wheels}) for wheels in (first, second)]
    return sorted(name for name in {*pairs[0], *pairs[1]} if pairs[0].get(name) != pairs[1].get(name))


def _outside(wheels: Iterable[Path]) -> list[str]:
    """Paths of wheels that lead out of them, or are tests."""
    return [
        str(name)
        for name in _names(wheels)
        if name.is_absolute()
        or ".." in name.parts
        or "\\" in str(name)
        or {"tests", "test"} & {*name.parts}
        or name.name.startswith("test_")
    ]


def _loaded_by_itself(place: Delivered) -> list[object]:
    return [name for name in _names(place.wheels) if name.name in {"sitecustomize.py", "usercustomize.py"}]


FOUND: Mapping[str, Callable[[Delivered], list[object]]] = {
    "F15-01": lambda place: [name for name in _names(place.wheels) if name.suffix == ".pth"],
    "F15-02": lambda _: [*_strange_path_files()],
    "F15-03": _loaded_by_itself,
    "F15-04": lambda _: [
        line for line in _requirements() if not re.search(r" --hash=sha256:[0-9a-f]{64}(?: |$)", line)
    ],
    "F15-05": lambda _: [
        line
        for line in _requirements()
        if not re.match(r"[A-Za-z0-9._-]+(?:\[[^]]*\])?==[^\s=*]+(?: |$)", line)
    ],
    "F15-06": lambda _: [line for line in _requirements() if _normal(line).startswith("litellm")],
    "F15-07": lambda _: [*_loose_actions()],
    "F15-08": lambda _: [*_wide_permissions()],
    "F15-09": lambda _: [*_piped()],
    "F15-14": lambda place: [*_differing(place.wheels, place.again)],
    "F15-15": lambda place: [*_outside(place.wheels)],
}
"""What must not be found, by the case."""


async def looked(case: Case, place: Delivered) -> Seen:
    """Carry out one case."""
    seen = Seen()
    if case.id in FOUND:
        found = FOUND[case.id](place)
        seen.figures["found"] = len(found)
        seen.texts["found"] = str(found)[:1_000]
    elif case.id == "F15-10":
        seen.figures["connections"] = place.connections
    elif case.id in {"F15-11", "F15-12"}:
        word = "connections" if case.id == "F15-11" else "processes"
        seen.figures[word] = len(as_array(place.imported[word]))
        seen.texts["found"] = str(place.imported[word])[:1_000]
    elif case.id == "F15-13":
        whole = await installed(place, changed=False)
        seen.refused = await installed(place, changed=True) != 0 and whole == 0
    return seen


async def installed(place: Delivered, *, changed: bool) -> int:
    """Install a wheel by its hash, as it is or with one byte changed; the exit status."""
    folder = place.folder / ("changed" if changed else "whole")
    folder.mkdir()
    before = next(path for path in place.wheels if path.name.startswith("interlock_core-"))
    wheel = folder / before.name
    content = bytearray(before.read_bytes())
    digest = hashlib.sha256(content).hexdigest()
    content[len(content) // 2] ^= changed
    wheel.write_bytes(content)
    name, version = before.name.split("-")[:2]
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{name}=={version} --hash=sha256:{digest}\n", "utf-8")
    process = await asyncio.create_subprocess_exec(
        *(
            str(UV),
            "pip",
            "install",
            "--quiet",
            "--python",
            sys.executable,
            "--target",
            str(folder / "target"),
        ),
        *(
            "--no-index",
            "--no-deps",
            "--no-cache",
            "--no-config",
            "--require-hashes",
            "--find-links",
            str(folder),
        ),
        *("-r", str(requirements)),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    await process.communicate()
    return process.returncode or 0
