"""A program that is an MCP server, spoken to over its pipes: one line a message, each within bounds.

The SDK's own transport reads lines of any length, ends on bytes that are no UTF-8, and hands the program's
error output to ours. Here every line, every silence and every word is bounded, and the whole process group
goes when the connection does.
"""

import asyncio
import logging
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeAlias, cast

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter

from interlock_core.errors import ConfigurationError
from interlock_tools.mcp._options import MountLimits
from interlock_tools.mcp._words import fit_to_show

_logger = logging.getLogger("interlock.mcp")
_SHOWN = 200

Heard: TypeAlias = "MemoryObjectReceiveStream[SessionMessage | Exception]"
"""Messages of a server."""

Said: TypeAlias = MemoryObjectSendStream[SessionMessage]
"""Messages to a server."""


class Pipes:
    """The connection to one program, for as long as `opened` is entered.

    Args:
        name: What the program is called in messages.
        command: The program and its arguments.
        env: Its variables, all of them.
        cwd: Its working folder.
        limits: Bounds.

    Attributes:
        over: Set when nothing comes from the program any more.
        fault: What it did wrong, if it was cut off.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None,
        limits: MountLimits,
    ) -> None:
        self.over = asyncio.Event()
        self.fault = ""
        self._name = name
        self._command = tuple(command)
        self._env = dict(env)
        self._cwd = cwd
        self._limits = limits
        self._unasked = 0
        self._words = bytearray()
        self._code: int | None = None

    @property
    def ending(self) -> str:
        """How the program ended, for a person: what it did wrong, its exit status, its last words."""
        if self.fault:
            return self.fault
        code = "" if self._code is None else f" with status {self._code}"
        lines = [line for line in self._words.decode("utf-8", "replace").splitlines() if line.strip()]
        last = fit_to_show(lines[-1]).text[:_SHOWN] if lines else ""
        return f"it ended{code}" + (f" after saying: {last}" if last else "")

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[tuple[Heard, Said], None]:
        """Start the program, and give the streams of messages from it and to it.

        Raises:
            ConfigurationError: There is no such program, or it cannot be run.
        """
        process = await self._started()
        heard, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        write, said = anyio.create_memory_object_stream[SessionMessage](0)
        tasks = [
            asyncio.create_task(self._hear(process, heard)),
            asyncio.create_task(self._say(process, said)),
            asyncio.create_task(self._listen_to_words(process)),
        ]
        try:
            yield read, write
        finally:
            await asyncio.shield(self._end(process, tasks))
            for stream in (heard, read, write, said):
                stream.close()

    async def _started(self) -> Process:
        try:
            return await asyncio.create_subprocess_exec(
                *self._command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env=self._env,
                cwd=self._cwd,
                limit=self._limits.message_bytes,
                start_new_session=True,
            )
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
            raise ConfigurationError(
                f"The program of the MCP server {self._name} cannot be started: {reason}.",
                field=f"mcp.{self._name}.command",
                remedy="Check that it is installed, its path and its working folder.",
            ) from exc

    async def _hear(
        self, process: Process, heard: MemoryObjectSendStream[SessionMessage | Exception]
    ) -> None:
        """Pass on what comes, until the program ends or breaks a bound."""
        assert process.stdout is not None
        noise = 0
        try:
            while line := await process.stdout.readline():
                self._unasked += len(line)
                if self._unasked > self._limits.unasked_bytes:
                    self.fault = f"it sent more than {self._limits.unasked_bytes:,} bytes unasked"
                    break
                try:
                    message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                except (ValueError, RecursionError):
                    noise += 1
                    _logger.debug("%s wrote a line that is no message: %.200r", self._name, line)
                    if noise > self._limits.noise_lines:
                        self.fault = (
                            f"it wrote more than {self._limits.noise_lines:,} lines that are no messages"
                        )
                        break
                    continue
                await heard.send(SessionMessage(message))
        except ValueError:
            self.fault = f"it sent a message of more than {self._limits.message_bytes:,} bytes"
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, ConnectionError):
            _logger.debug("nobody listens to %s any more", self._name)
        finally:
            if not self.fault:
                with suppress(TimeoutError):
                    self._code = await asyncio.wait_for(process.wait(), self._limits.leave_s)
            heard.close()
            self.over.set()

    async def _say(self, process: Process, said: MemoryObjectReceiveStream[SessionMessage]) -> None:
        assert process.stdin is not None
        with suppress(ConnectionError, OSError, RuntimeError):
            async for message in said:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                self._unasked = 0
                process.stdin.write(text.encode() + b"\n")
                await process.stdin.drain()

    async def _listen_to_words(self, process: Process) -> None:
        """Keep the last of what it writes to its error output, and log it at debug."""
        assert process.stderr is not None
        most = self._limits.words_bytes
        while piece := await process.stderr.read(most):
            _logger.debug("%s: %s", self._name, fit_to_show(piece.decode("utf-8", "replace")).text)
            self._words += piece
            del self._words[:-most]

    async def _end(self, process: Process, tasks: "Sequence[asyncio.Task[None]]") -> None:
        """Let the program end by itself, else make it and everything that it started."""
        if process.stdin is not None:
            process.stdin.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                await asyncio.wait_for(process.wait(), self._limits.leave_s)
                break
            except TimeoutError:
                _signal_group(process.pid, number)
        await process.wait()
        _signal_group(process.pid, signal.SIGKILL)  # what it started and left behind
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # What nobody read keeps the pipes open, and asyncio has no other way to close them.
        transport = cast("asyncio.SubprocessTransport | None", getattr(process, "_transport", None))
        if transport is not None:
            transport.close()


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
