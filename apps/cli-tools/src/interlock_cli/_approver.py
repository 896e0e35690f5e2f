"""Asks the person at the terminal whether a call may be made."""

import asyncio
import sys
from contextlib import suppress

from interlock_cli._screen import plain
from interlock_core import Approval, Call, Prepared
from interlock_core.jsontypes import dump_json


class Terminal:
    """An approver at the terminal; without one, or without an answer, it says no.

    Args:
        ask: Whether questions may be asked at all.
    """

    __slots__ = ("_ask", "_lock")

    def __init__(self, *, ask: bool = True) -> None:
        self._ask = ask
        self._lock = asyncio.Lock()

    async def approve(self, call: Call, prepared: Prepared) -> Approval:
        """Show exactly what would be sent, and ask; what was typed before the question does not count."""
        if not self._ask or not sys.stdin.isatty() or not sys.stderr.isatty():
            return Approval(granted=False, reason="nobody is at a terminal to approve it")
        async with self._lock:
            _forget_typed()
            sys.stderr.write(f"\n{plain(_shown(call, prepared))}\nApprove this call? [y/N] ")
            sys.stderr.flush()
            answer = await _line()
        granted = answer.strip().casefold() in {"y", "yes"}
        return Approval(granted=granted, by=call.principal.user, reason="" if granted else "the user said no")


def _forget_typed() -> None:
    with suppress(ImportError, OSError):
        import termios

        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


async def _line() -> str:
    """The next line that is typed; waiting for it can be cancelled where the system can wait for a file."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(sys.stdin.fileno(), ready.set)
    except NotImplementedError:  # pragma: no cover - only Windows cannot wait for a file so
        return await asyncio.to_thread(sys.stdin.readline)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    return sys.stdin.readline()


def _shown(call: Call, prepared: Prepared) -> str:
    request = prepared.request
    if request is None:
        return f"{call.name} {dump_json(prepared.arguments, indent=2)}"
    return f"{call.name} ({call.effect})\n{request.readable()}"
