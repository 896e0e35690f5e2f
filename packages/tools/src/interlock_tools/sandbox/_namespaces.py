"""A sandbox of Linux namespaces."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import as_object, parse_json
from interlock_core.protocols import SandboxResult
from interlock_tools.sandbox._folder import FolderCopy, FolderLimits, copy_folder
from interlock_tools.sandbox._order import HOME, TEMPORARY, Order, Report, pack, split
from interlock_tools.sandbox._readable import refuse_too_much, refused, shows_too_much

_OUTSIDE = 1_879_000_001
"""Who the user inside is outside, when root runs the sandbox: nobody that owns anything."""

_PATH = "/usr/local/bin:/usr/bin:/bin"
_GRACE_S = 10.0
_START = (
    "import sys, types\n"
    "for name, place in (('interlock_tools', sys.argv[1]), ('interlock_tools.sandbox', sys.argv[2])):\n"
    "    made = types.ModuleType(name)\n"
    "    made.__path__ = [place]\n"
    "    sys.modules[name] = made\n"
    "from interlock_tools.sandbox._inside import main\n"
    "main(int(sys.argv[3]), int(sys.argv[4]))\n"
)
"""Starts the inner side without the package around it, whose imports cost time and are not needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxLimits:
    """What a command in the sandbox may take.

    Attributes:
        memory_bytes: Memory of all processes together, looked at every 30 ms, and writable memory of each.
        address_bytes: Address space of each process.
        processes: Processes and threads at once.
        file_bytes: Bytes of one file.
        open_files: Files that each process holds open.
        disk_bytes: Bytes of the folder's copy with all that is written into it.
        temporary_bytes: Bytes of `/tmp`, and as many of shared memory.
        inodes: Files and folders in each of these.
        output_bytes: Bytes of each output that are kept; more is read and forgotten.
        returned_bytes: Bytes of changed files that are handed back.
        folder: How much the folder may hold.
    """

    memory_bytes: int = 2 << 30
    address_bytes: int = 16 << 30
    processes: int = 256
    file_bytes: int = 128 << 20
    open_files: int = 1024
    disk_bytes: int = 256 << 20
    temporary_bytes: int = 128 << 20
    inodes: int = 60_000
    output_bytes: int = 1 << 20
    returned_bytes: int = 32 << 20
    folder: FolderLimits = field(default_factory=FolderLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRun:
    """What a command did to a copy.

    Attributes:
        result: Exit code and output.
        changes: New and different files by path; None for one that is gone.
        memory_exceeded: It was ended for taking too much memory.
        output_cut: Some of its output was not kept.
        changes_cut: Some changed files were too much to be handed back.
    """

    result: SandboxResult
    changes: Mapping[str, bytes | None]
    memory_exceeded: bool = False
    output_cut: bool = False
    changes_cut: bool = False


class NamespaceSandbox:
    """A `Sandbox` of Linux namespaces, for root and for ordinary users alike.

    The command sees a copy of the folder at the folder's own path, the system's programs read-only, an empty
    home, and nothing else: no other file, process, network, terminal or variable. It has no capability and
    cannot get one; it cannot make namespaces; a filter refuses calls that tools for developers do not need.
    Time, memory, processes, files and output are bounded, and nothing that it started outlives it.

    What it does not bound: memory that the kernel holds for a process, such as filled pipes and socket
    buffers, is bounded by handles times processes only, because control groups are not everywhere to be had;
    memory above the limit is seen within 30 ms, not at once. It is no defence against a fault of the kernel
    itself, and processor caches are shared with the host.

    Args:
        limits: What a command may take.
        readable: Paths of the system that it may read beside the programs, such as a virtual environment.
        hidden: Paths under the folder that are not copied, such as a data folder.
        interpreter: The Python that builds the walls; this one unless given.
    """

    def __init__(
        self,
        *,
        limits: SandboxLimits | None = None,
        readable: Sequence[Path] = (),
        hidden: Sequence[Path] = (),
        interpreter: str = "",
    ) -> None:
        self._limits = limits or SandboxLimits()
        self._readable = tuple(readable)
        self._hidden = tuple(hidden)
        self._interpreter = interpreter or sys.executable

    async def run(
        self, command: Sequence[str], *, folder: Path, timeout_s: float, environment: Mapping[str, str]
    ) -> SandboxResult:
        """Run a command on a copy of a folder, without network, within limits; the copy is thrown away.

        Raises:
            UnsupportedError: The system has no means to do so; the remedy says how to get them.
            NotFoundError: There is no such folder.
            InvalidRequestError: The folder holds too much.
        """
        copy = await self.copy(folder)
        return (await self.run_on(copy, command, timeout_s=timeout_s, environment=environment)).result

    async def copy(self, folder: Path) -> FolderCopy:
        """Read a folder.

        Raises:
            NotFoundError: There is no such folder.
            InvalidRequestError: The folder holds too much.
        """
        return await asyncio.to_thread(copy_folder, folder, limits=self._limits.folder, hidden=self._hidden)

    async def run_on(
        self,
        copy: FolderCopy,
        command: Sequence[str],
        *,
        timeout_s: float,
        environment: Mapping[str, str],
        readable: Sequence[Path] = (),
    ) -> SandboxRun:
        """Run a command on a copy, and say what it changed. Neither the folder nor the copy changes.

        Args:
            copy: What it works on.
            command: Program and arguments; the program is looked for on the sandbox's `PATH`.
            timeout_s: Seconds of wall time; the whole tree of processes ends then.
            environment: Variables beside `PATH`, `HOME`, `TMPDIR` and `LANG`, which are given.
            readable: Further paths that it may read, outside of the folder and of what is hidden.

        Raises:
            UnsupportedError: The system has no means to do so; the remedy says how to get them.
            InvalidRequestError: The command is empty or holds a null character, or a readable path shows
                too much: the folder itself, a home, all of the system, or something hidden.
        """
        if not sys.platform.startswith("linux"):
            raise _unsupported(f"{sys.platform} has no Linux namespaces")
        if not command or any("\0" in word for word in (*command, *environment, *environment.values())):
            raise InvalidRequestError("The command is no command.", field="command", remedy="Name a program.")
        for path in self._readable:
            if shows_too_much(path, copy, self._hidden):
                raise refused(path)
        refuse_too_much(readable, copy, self._hidden)
        order = self._order(copy, command, environment=environment, timeout_s=timeout_s)
        order["readable"] = [str(path) for path in dict.fromkeys((*self._readable, *readable))]
        # Files without a name, so that no path leads to them.
        with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as answered:
            contents = [file.content for file in copy.files.values()]
            await asyncio.to_thread(pack, asked.fileno(), json.dumps(order).encode(), *contents)
            out, err = await self._spawned((asked.fileno(), answered.fileno()), timeout_s + _GRACE_S)
            return _read_run(answered.fileno(), out, err)

    def _order(
        self, copy: FolderCopy, command: Sequence[str], *, environment: Mapping[str, str], timeout_s: float
    ) -> Order:
        limits = self._limits
        given = {"PATH": _PATH, "HOME": HOME, "TMPDIR": TEMPORARY, "LANG": "C.UTF-8"}
        return Order(
            command=list(command),
            folder=str(copy.folder),
            environment=given | dict(environment),
            files=[(path, file.mode, len(file.content)) for path, file in copy.files.items()],
            folders=list(copy.folders),
            links=list(copy.links.items()),
            shared=list(copy.shared),
            readable=[],
            uid=_OUTSIDE,
            timeout_s=timeout_s,
            memory_bytes=limits.memory_bytes,
            address_bytes=limits.address_bytes,
            cpu_s=int(timeout_s) + 1,
            processes=limits.processes,
            file_bytes=limits.file_bytes,
            open_files=limits.open_files,
            disk_bytes=limits.disk_bytes,
            temporary_bytes=limits.temporary_bytes,
            inodes=limits.inodes,
            returned_bytes=limits.returned_bytes,
        )

    async def _spawned(self, handles: tuple[int, int], timeout_s: float) -> tuple["_Kept", "_Kept"]:
        here = Path(__file__).parent
        try:
            process = await asyncio.create_subprocess_exec(
                *(self._interpreter, "-I", "-S", "-c", _START, str(here.parent), str(here)),
                *(str(handle) for handle in handles),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=handles,
                env={"LANG": "C.UTF-8"},
                start_new_session=True,
            )
        except OSError as exc:
            raise _unsupported(f"{self._interpreter} cannot be started: {exc.strerror}") from exc
        assert process.stdout is not None
        assert process.stderr is not None
        kept = _Kept(self._limits.output_bytes), _Kept(self._limits.output_bytes)
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.gather(kept[0].read(process.stdout), kept[1].read(process.stderr))
                await process.wait()
        except TimeoutError:
            kept[0].late = True  # the inner side watches the time itself; this is for one that cannot
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        return kept


class _Kept:
    """The beginning of an output."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._parts: list[bytes] = []
        self.cut = False
        self.late = False

    async def read(self, stream: asyncio.StreamReader) -> None:
        """Read to the end, so that the writer never waits, and keep the beginning."""
        while part := await stream.read(1 << 16):
            self._parts.append(part[: self._left])
            self.cut = self.cut or len(part) > self._left
            self._left -= min(len(part), self._left)

    def text(self) -> str:
        """What was kept."""
        return b"".join(self._parts).decode("utf-8", "replace")


def _read_run(handle: int, out: _Kept, err: _Kept) -> SandboxRun:
    head, contents = split(handle)
    if not head and not out.late:
        raise _unsupported(f"its process ended without a word: {err.text().strip()[-200:] or 'killed'}")
    if not head:
        killed = SandboxResult(
            exit_code=-signal.SIGKILL, stdout=out.text(), stderr=err.text(), timed_out=True
        )
        return SandboxRun(result=killed, changes={}, output_cut=out.cut or err.cut)
    said = as_object(parse_json(head))
    if "refused" in said:
        raise _unsupported(str(said["refused"]))
    report = cast("Report", said)
    changes: dict[str, bytes | None] = dict.fromkeys(report["removed"])
    start = 0
    for path, length in report["changed"]:
        changes[path] = bytes(contents[start : start + length])
        start += length
    return SandboxRun(
        result=SandboxResult(
            exit_code=report["exit_code"],
            stdout=out.text(),
            stderr=err.text(),
            timed_out=report["timed_out"],
        ),
        changes=changes,
        memory_exceeded=report["memory_exceeded"],
        output_cut=out.cut or err.cut,
        changes_cut=report["cut"],
    )


_REMEDY = (
    "Use Linux 5.12 or newer with user namespaces: on Ubuntu set the sysctl "
    "kernel.apparmor_restrict_unprivileged_userns=0, on Debian kernel.unprivileged_userns_clone=1; start a "
    "container with --security-opt seccomp=unconfined --security-opt systempaths=unconfined; on macOS and "
    "Windows run Interlock in a Linux machine or WSL 2. Nothing runs without a sandbox."
)


def _unsupported(reason: str) -> UnsupportedError:
    return UnsupportedError(
        f"This system cannot run commands in a sandbox: {reason}.", field="sandbox", remedy=_REMEDY
    )
