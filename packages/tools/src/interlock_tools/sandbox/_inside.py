"""The inner side of the sandbox: a process of its own that builds the walls, runs one command and reports.

Stands alone: it is started by an isolated interpreter that finds nothing but the standard library and this
folder. Four processes, each the parent of the next:

1. the outer one stays in the host's namespaces and writes the map of users;
2. the second leaves for new namespaces: user, mount, process, network, IPC, host name, cgroup;
3. the third is process 1 in there: builds the root, runs the command, watches time and memory, ends every
   process that is left, and hands back what changed;
4. the command itself: without capabilities, as another user, behind the filter.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from interlock_tools.sandbox._filter import filter_calls
from interlock_tools.sandbox._kernel import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    close_bounds,
    die_with_parent,
    drop_capabilities,
    unshare,
)
from interlock_tools.sandbox._order import USER, Order, Report, pack, unpack
from interlock_tools.sandbox._root import build_root, changes_in, write_copy

_NAMESPACES = (
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP
)
_TICK_S = 0.03
_PAGE = resource.getpagesize()
_NOT_FOUND, _NOT_ALLOWED = 127, 126


def main(order_handle: int, report_handle: int) -> NoReturn:
    """Run one order and write the report; the exit code says only whether there is one."""
    os.set_inheritable(order_handle, False)
    os.set_inheritable(report_handle, False)
    try:
        die_with_parent()
        order, contents = unpack(order_handle)
        _outer(order, contents, report_handle)
    except (OSError, KeyError, ValueError) as exc:
        pack(report_handle, json.dumps({"refused": str(exc)}).encode())
        os._exit(1)
    os._exit(0)


def _outer(order: Order, contents: memoryview, report_handle: int) -> None:
    told, tell = os.pipe()
    heard, answer = os.pipe()
    second = os.fork()
    if second == 0:
        _guarded(report_handle, lambda: _second(order, contents, report_handle, (tell, heard)))
    os.close(tell)
    os.close(heard)
    if os.read(told, 1):
        _write_maps(second, order["uid"])
        os.write(answer, b"m")
    os.waitpid(second, 0)


def _guarded(report_handle: int, work: Callable[[], None]) -> NoReturn:
    """Do the work of a child, which never returns: the parent would run twice. A failure is the report."""
    code = 1
    try:
        work()
        code = 0
    except (OSError, ValueError, LookupError, MemoryError) as exc:
        pack(report_handle, json.dumps({"refused": str(exc) or type(exc).__name__}).encode())
    finally:
        os._exit(code)


def _write_maps(process: int, outside: int) -> None:
    """Say who the users inside are outside. Root runs the command as a user that owns nothing."""
    place = Path(f"/proc/{process}")
    if os.geteuid() == 0:
        lines = f"0 0 1\n{USER} {outside} 1\n"
        (place / "uid_map").write_text(lines)
        (place / "gid_map").write_text(lines)
        return
    (place / "setgroups").write_text("deny")
    (place / "uid_map").write_text(f"{USER} {os.geteuid()} 1\n")
    (place / "gid_map").write_text(f"{USER} {os.getegid()} 1\n")


def _second(order: Order, contents: memoryview, report_handle: int, pipes: tuple[int, int]) -> None:
    tell, heard = pipes
    die_with_parent()
    unshare(_NAMESPACES)
    os.write(tell, b"u")
    if not os.read(heard, 1):
        raise OSError("the map of users could not be written")
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    first = os.fork()
    if first == 0:
        _guarded(report_handle, lambda: _first(order, contents, report_handle))
    os.waitpid(first, 0)


def _first(order: Order, contents: memoryview, report_handle: int) -> None:
    """Process 1 in there."""
    die_with_parent()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    build_root(order, lambda folder: _as_user(lambda: write_copy(order, contents, folder)))
    die_with_parent()  # changing the user forgets it
    command = os.fork()
    if command == 0:
        _command(order)
    report = _watched(command, order)
    _end_all()
    files, removed, cut = changes_in(order, contents)
    report["removed"], report["cut"] = removed, cut
    report["changed"] = [(path, len(content)) for path, content in files]
    pack(report_handle, json.dumps(report).encode(), *(content for _, content in files))


def _as_user(work: Callable[[], None]) -> None:
    """Do something with the rights of the user inside, so that the files are that user's."""
    if os.geteuid() != 0:
        work()
        return
    os.setegid(USER)
    os.seteuid(USER)
    try:
        work()
    finally:
        os.seteuid(0)
        os.setegid(0)


def _watched(command: int, order: Order) -> Report:
    """Wait for the command; end everything when it takes too long or too much memory."""
    deadline = time.monotonic() + order["timeout_s"]
    report = Report(exit_code=0, timed_out=False, memory_exceeded=False, changed=[], removed=[], cut=False)
    while True:
        signal.sigtimedwait({signal.SIGCHLD}, _TICK_S)
        status = _reaped(command)
        if status is not None:
            report["exit_code"] = os.waitstatus_to_exitcode(status)
            return report
        if time.monotonic() > deadline:
            report["timed_out"] = True
        elif _memory() > order["memory_bytes"]:
            report["memory_exceeded"] = True
        else:
            continue
        os.kill(-1, signal.SIGKILL)
        report["exit_code"] = -signal.SIGKILL
        return report


def _reaped(command: int) -> int | None:
    """Bury who has died; the status of the command when it is among them."""
    while True:
        process, status = os.waitpid(-1, os.WNOHANG)
        if process == command:
            return status
        if process == 0:
            return None


def _memory() -> int:
    """Bytes of memory that all processes in there hold; what they share is counted for each."""
    total = 0
    for place in Path("/proc").glob("[0-9]*"):
        if place.name != "1":
            with contextlib.suppress(OSError, IndexError):  # it may have ended meanwhile
                total += int((place / "statm").read_bytes().split()[1]) * _PAGE
    return total


def _end_all() -> None:
    """Kill and bury every other process, so that nothing changes while the result is read."""
    while True:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _command(order: Order) -> NoReturn:
    """Become the command."""
    name = order["command"][0]
    try:
        os.setsid()
        Path("/proc/self/oom_score_adj").write_text("1000")
        _limit(order)
        os.nice(5)
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        os.closerange(3, 256)
        os.umask(0o022)
        os.chdir(order["folder"])
        close_bounds()
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(USER, USER, USER)
            os.setresuid(USER, USER, USER)
        drop_capabilities()
        filter_calls()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execvpe(name, order["command"], order["environment"])  # noqa: S606 - what the sandbox is for
    except FileNotFoundError:
        os.write(2, f"{name} is not in the sandbox\n".encode())
        os._exit(_NOT_FOUND)
    except OSError as exc:
        os.write(2, f"{name} cannot be run: {exc.strerror}\n".encode())
        os._exit(_NOT_ALLOWED)


def _limit(order: Order) -> None:
    limits = {
        resource.RLIMIT_AS: order["address_bytes"],
        resource.RLIMIT_DATA: order["memory_bytes"],
        resource.RLIMIT_CPU: order["cpu_s"],
        resource.RLIMIT_NPROC: order["processes"],
        resource.RLIMIT_FSIZE: order["file_bytes"],
        resource.RLIMIT_NOFILE: order["open_files"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for kind, limit in limits.items():
        resource.setrlimit(kind, (limit, limit))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
