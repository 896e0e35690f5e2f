"""Several processes that accept from one socket, and the parent that keeps them alive.

The parent forks while it has neither a thread nor a loop, so a worker begins clean. It serves nothing itself:
it starts another worker where one died, passes on the wish to stop, and waits for all of them. A worker that
finds its parent gone stops too.
"""

import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from interlock_core.errors import UnsupportedError

_logger = logging.getLogger("interlock.api")

_YOUNG_S = 5.0
_MOST_YOUNG_DEATHS = 3
_MOST_FILES = 65_536
_RESERVED_FILES = 64
_SIGNALS = (signal.SIGTERM, signal.SIGINT)

AT_ONCE = getattr(signal, "SIGUSR2", signal.SIGTERM)
"""Tells a worker to stop at once: a second SIGTERM could be lost in the first."""


class Workers:
    """Keeps that many worker processes alive until it is told to stop.

    Make it first: threads that the process begins between that and `run` must end by themselves.

    Args:
        count: How many.
        work: What a worker does, given the pipe that ends with the parent; says whether all went well.

    Raises:
        UnsupportedError: This platform cannot fork, or this process has threads, which a fork would break.
    """

    def __init__(self, count: int, work: Callable[[int], bool]) -> None:
        if not hasattr(os, "fork"):
            raise UnsupportedError(
                "Several workers need a system that forks processes.",
                field="--workers",
                remedy="Leave --workers away, and start one process for each port.",
            )
        if threading.active_count() > 1:
            raise _threads()
        self._count = count
        self._work = work
        self._born: dict[int, float] = {}
        self._young_deaths = 0
        self._asked = 0
        self._well = True

    def run(self) -> bool:
        """Start the workers, and wait for their end; whether it was a good one.

        Raises:
            UnsupportedError: Threads of this process do not end.
        """
        _join_threads()
        read, write = os.pipe()
        before = {number: signal.signal(number, self._stop) for number in _SIGNALS}
        set_aside()
        try:
            for _ in range(self._count):
                self._start(read, write)
            while self._born:
                pid, status = os.wait()
                self._ended(pid, status, read, write)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(read)
            os.close(write)
        return self._well

    def _start(self, read: int, write: int) -> None:
        # A signal between fork and the child's own handlers would have the child act as the parent.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        if not self._asked:
            pid = os.fork()
            if pid == 0:
                os.close(write)
                self._become_worker(read)
            self._born[pid] = time.monotonic()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def _become_worker(self, parent: int) -> None:
        """Work, and end the process; never returns."""
        code = 1
        try:
            # A terminal sends SIGINT to the whole group; the parent alone passes it on.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            code = 0 if self._work(parent) else 1
        except BaseException:
            _logger.exception("a worker failed")
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _ended(self, pid: int, status: int, read: int, write: int) -> None:
        born = self._born.pop(pid, None)
        if born is None:
            return
        if self._asked:
            # A worker that was only just begun knows no grace, and had nothing to finish.
            unready = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGTERM
            self._well = self._well and (status == 0 or unready)
            return
        _logger.error("the worker %d ended with %d", pid, os.waitstatus_to_exitcode(status))
        self._young_deaths = self._young_deaths + 1 if time.monotonic() - born < _YOUNG_S else 0
        if self._young_deaths > _MOST_YOUNG_DEATHS:
            _logger.error("workers end as soon as they begin, so no more are started")
            self._well = False
            self._stop(signal.SIGTERM, None)
        else:
            self._start(read, write)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Pass the wish on; asked again, the workers are told to stop at once."""
        del number, frame
        self._asked += 1
        for pid in list(self._born):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM if self._asked == 1 else AT_ONCE)


def _join_threads() -> None:
    """Wait for threads that are about to end: a fork would copy one of them and the locks of all."""
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(_YOUNG_S)
    if threading.active_count() > 1:
        raise _threads()


def _threads() -> UnsupportedError:
    return UnsupportedError(
        "Several workers cannot be started from a process that has threads.",
        field="--workers",
        remedy="Start them with `interlock serve --workers`.",
    )


def set_aside() -> None:
    """Have the collector pass over everything that is there now, which is there to stay."""
    gc.collect()
    gc.freeze()


def raise_file_limit() -> None:
    """Allow this process as many open files as it may have: a stream needs two."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def most_connections() -> int:
    """How many clients the limit on open files has room for, with an upstream connection each."""
    if sys.platform == "win32":
        return 10_000
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(1, (soft - _RESERVED_FILES) // 2) if soft != resource.RLIM_INFINITY else _MOST_FILES
