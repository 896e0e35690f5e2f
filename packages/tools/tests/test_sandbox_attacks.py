"""Attacks from inside the sandbox, made for real: none gets out, none stays behind, none takes too much."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

import interlock_core
import interlock_tools
from interlock_core import JsonObject
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import LoopbackServer
from interlock_tools.sandbox import NamespaceSandbox, SandboxLimits

pytestmark = pytest.mark.promise("O12")

TABLE = cast(
    "JsonObject", tomllib.loads((Path(__file__).parent / "data" / "sandbox_attacks.toml").read_text("utf-8"))
)
ATTACKS = {str(entry["name"]): entry for entry in map(as_object, as_array(TABLE["attack"]))}
LIMITS = SandboxLimits(memory_bytes=512 << 20, disk_bytes=64 << 20, temporary_bytes=32 << 20)
NOBODY = 65534
PYTHONS = ("/usr/bin/python3", "/usr/local/bin/python3", os.path.realpath(sys.executable))


@dataclass(frozen=True)
class Ground:
    """Where an attack is made.

    Attributes:
        folder: The working folder.
        outside: A folder beside it.
        secret: A file in there.
        port: A server on the host's loopback.
    """

    folder: Path
    outside: Path
    secret: Path
    port: int

    def program(self, name: str) -> str:
        """An attack's program with its placeholders filled."""
        values = {
            "secret": str(self.secret),
            "outside": str(self.outside),
            "port": str(self.port),
            "parent": str(os.getpid()),
            "folder": str(self.folder),
        }
        text = str(ATTACKS[name]["program"])
        for key, value in values.items():
            text = text.replace(f"{{{key}}}", value)
        return f"# {self.folder}\n{text}"

    def assert_untouched(self) -> None:
        """Nothing outside the sandbox is other than before."""
        assert (self.folder / "kept.txt").read_text("utf-8") == "kept"
        assert sorted(path.name for path in self.folder.iterdir()) == ["kept.txt", "removed.txt"]
        assert sorted(path.name for path in self.outside.iterdir()) == ["secret.txt", "socket"]

    def assert_nobody_left(self) -> None:
        """No process of the sandbox is alive: its program holds the folder's path."""
        mine = str(self.folder).encode()
        for place in Path("/proc").glob("[0-9]*"):
            try:
                assert mine not in (place / "cmdline").read_bytes(), place
            except OSError:
                continue  # it has ended


@pytest.fixture
def ground() -> Iterator[Ground]:
    """A folder that all may read, a secret beside it, a Unix socket and an abstract one that answer."""
    with tempfile.TemporaryDirectory(prefix="sandbox-") as place:
        Path(place).chmod(0o755)
        yield from made_ground(Path(place) / "folder", Path(place) / "outside")


def made_ground(folder: Path, outside: Path) -> Iterator[Ground]:
    """The ground in two new folders."""
    for place in (folder, outside):
        place.mkdir()
        place.chmod(0o755)
    (folder / "kept.txt").write_text("kept", "utf-8")
    (folder / "removed.txt").write_text("not removed", "utf-8")
    (outside / "secret.txt").write_text("hunter2", "utf-8")
    with (
        socket.socket(socket.AF_UNIX) as named,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        named.bind(str(outside / "socket"))
        named.listen()
        abstract.bind(f"\0{outside}")
        abstract.listen()
        yield Ground(folder, outside, outside / "secret.txt", server.getsockname()[1])


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_does_not_get_out(name: str, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does its worst inside, changes nothing outside, and nothing of it is left."""
    monkeypatch.setenv("SANDBOX_TEST_SECRET", "hunter2")
    readable = (Path(sys.prefix), Path(sys.base_prefix))
    sandbox = NamespaceSandbox(limits=LIMITS, readable=readable)
    ends = ATTACKS[name].get("ends")
    run = await sandbox.run_on(
        await sandbox.copy(ground.folder),
        [sys.executable, "-c", ground.program(name)],
        timeout_s=2.0 if ends else 30.0,
        environment={},
    )
    assert "ESCAPED" not in run.result.stdout
    assert run.result.timed_out == (ends == "time") or ends == "any"
    if not ends:
        assert run.result.stdout.endswith("TRIED\n"), run.result.stderr
    assert len(run.result.stdout) <= LIMITS.output_bytes
    ground.assert_untouched()
    ground.assert_nobody_left()


@pytest.mark.parametrize(
    "name",
    [
        "read a secret outside the folder",
        "connect to a server on the host's loopback",
        "reach a unix socket of the host",
        "change the folder itself",
    ],
)
def test_the_attacks_are_real(name: str, ground: Ground) -> None:
    """Outside the sandbox the same programs get what they want."""
    done = subprocess.run(
        [sys.executable, "-c", ground.program(name)], capture_output=True, text=True, check=True
    )
    changed = (ground.folder / "kept.txt").read_text("utf-8") == "changed"
    assert "ESCAPED" in done.stdout or changed


@pytest.mark.parametrize(
    "name", [name for name, entry in ATTACKS.items() if entry["class"] != "resources"] + ["breed without end"]
)
def test_an_attack_does_not_get_out_for_an_ordinary_user(name: str, ground: Ground) -> None:
    """The walls that an ordinary user can build hold as those of root do."""
    run = ordinary(ground, ground.program(name))
    assert "ESCAPED" not in str(run["stdout"])
    if ATTACKS[name]["class"] != "resources":
        assert str(run["stdout"]).endswith("TRIED\n"), run
    ground.assert_untouched()
    ground.assert_nobody_left()


ORDINARY = """
import asyncio, json, sys, types
from pathlib import Path
core, tools, folder, python, program = sys.argv[1:]
sys.path.insert(0, core)
made = types.ModuleType("interlock_tools")
made.__path__ = [tools]
sys.modules["interlock_tools"] = made
from interlock_tools.sandbox import NamespaceSandbox
sandbox = NamespaceSandbox(readable=[Path(sys.base_prefix)])
run = sandbox.run([python, "-c", program], folder=Path(folder), timeout_s=30.0, environment={})
result = asyncio.run(run)
print(json.dumps({"stdout": result.stdout, "stderr": result.stderr, "exit": result.exit_code}))
"""


def ordinary(ground: Ground, program: str) -> JsonObject:
    """What a program says in a sandbox that an ordinary user opened, without the package around it."""
    python = sys.executable
    user: int | None = None
    if os.geteuid() == 0:
        user = NOBODY
        python = next(path for path in PYTHONS if shutil.which(path) and usable_by_all(path))
    paths = [
        Path(interlock_core.__file__).parent.parent,
        Path(interlock_tools.__file__).parent,
        ground.folder,
    ]
    done = subprocess.run(
        [python, "-I", "-c", ORDINARY, *map(str, paths), python, program],
        capture_output=True,
        text=True,
        check=False,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    assert done.returncode == 0, done.stderr
    return cast("JsonObject", json.loads(done.stdout))


def usable_by_all(path: str) -> bool:
    """Whether every user can start a program."""
    places = [Path(path).resolve(), *Path(path).resolve().parents]
    return all(place.stat().st_mode & 0o001 for place in places)


OPENER = """
import asyncio, sys
from pathlib import Path
from interlock_tools.sandbox import NamespaceSandbox
box = NamespaceSandbox(readable=[Path(sys.prefix), Path(sys.base_prefix)])
print("READY", flush=True)
command = [sys.executable, "-c", sys.argv[2]]
asyncio.run(box.run(command, folder=Path(sys.argv[1]), timeout_s=60, environment={}))
"""


async def test_the_sandbox_dies_with_the_one_that_opened_it(ground: Ground) -> None:
    """Killing the process that runs the sandbox ends the command as well."""
    program = "import time\nopen('alive', 'w').close()\nprint('RUNNING', flush=True)\nwhile True: pass"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", OPENER, str(ground.folder), f"# {ground.folder}\n{program}"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"READY\n"
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(commands_of, ground.folder, besides=process.pid):
            continue
        process.kill()
        await process.wait()
        while await asyncio.to_thread(commands_of, ground.folder, besides=process.pid):
            continue


def commands_of(folder: Path, *, besides: int) -> list[str]:
    """Processes whose command line names the folder."""
    found: list[str] = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (place / "cmdline").read_bytes() and place.name != str(besides):
                found.append(place.name)
        except OSError:
            continue
    return found


async def test_a_server_of_the_host_is_not_asked(server: LoopbackServer, ground: Ground) -> None:
    """Not only does the connection fail: nothing arrives."""
    program = f"import urllib.request\nurllib.request.urlopen({server.url!r}, timeout=2)"
    sandbox = NamespaceSandbox(readable=(Path(sys.prefix), Path(sys.base_prefix)))
    result = await sandbox.run(
        [sys.executable, "-c", program], folder=ground.folder, timeout_s=20, environment={}
    )
    assert result.exit_code == 1
    assert server.requests == []
