"""A gateway in a process of its own, and a client of raw bytes, for tests of whatever is on either side."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

_STARTED = "Interlock serves "
_PATIENCE_S = 60.0


class GatewayProcess:
    """A gateway process on a free port of loopback for the length of a `with`.

    Args:
        home: Its data folder; made when it is not there.
        config: Text of its configuration file.
        environment: Further variables; those of vendors' keys are never handed on.
        command: What is started; `python -m interlock_api` unless given.

    Attributes:
        home: Its data folder.
        log: What it wrote to stderr so far, line by line.
    """

    def __init__(
        self,
        home: Path,
        *,
        config: str = "",
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = (sys.executable, "-m", "interlock_api"),
    ) -> None:
        self.home = home
        self.log: list[str] = []
        self._config = config
        self._environment = dict(environment or {})
        self._command = tuple(command)
        self._process: subprocess.Popen[str] | None = None
        self._written = threading.Condition()
        self._started = threading.Event()
        self._ended = threading.Event()
        self._address = ""

    @property
    def address(self) -> str:
        """Such as `http://127.0.0.1:41234`."""
        return self._address

    @property
    def port(self) -> int:
        """The port."""
        return int(self._address.rpartition(":")[2])

    @property
    def key(self) -> str:
        """The admin key, read from its file."""
        return (self.home / "admin.key").read_text().strip()

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._running().pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running().poll() is None:
            self._running().kill()
        self.wait()
        if error is not None:
            error.add_note("\n".join(["The gateway wrote:", *self.log]))

    def start(self) -> None:
        """Start it, and wait until it listens.

        Raises:
            RuntimeError: It ended instead; the text is what it wrote.
        """
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self.home / "config.toml"
        file.write_text(self._config)
        kept = {
            name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_TOKEN"))
        }
        own = {
            "INTERLOCK_HOME": str(self.home),
            "INTERLOCK_CONFIG": str(file),
            "INTERLOCK_SERVER__PORT": "0",
        }
        self._process = subprocess.Popen(
            self._command,
            env=kept | own | self._environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        threading.Thread(target=self._read, args=(self._process.stderr,), daemon=True).start()
        if not self._started.wait(_PATIENCE_S) or not self._address:
            self._process.kill()
            self.wait()
            raise RuntimeError("\n".join(["The gateway did not start.", *self.log]))

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._running().send_signal(number)

    def wait_for(self, text: str) -> str:
        """The first line of its log that holds a text; waited for when it is not there yet.

        Raises:
            TimeoutError: It never came.
        """

        def found() -> str | None:
            return next((line for line in self.log if text in line), None)

        with self._written:
            line = self._written.wait_for(found, _PATIENCE_S)
        if line is None:
            raise TimeoutError("\n".join([f"The gateway never wrote {text!r}.", *self.log]))
        return line

    def wait(self) -> int:
        """Wait for its end, and for the last of what it wrote; its exit status, negative for a signal."""
        code = self._running().wait(_PATIENCE_S)
        self._ended.wait(_PATIENCE_S)
        return code

    def stop(self) -> int:
        """Have it stop with grace; its exit status."""
        self.send(signal.SIGTERM)
        return self.wait()

    def _running(self) -> "subprocess.Popen[str]":
        if self._process is None:
            raise RuntimeError("The gateway was not started.")
        return self._process

    def _read(self, stderr: IO[str]) -> None:
        with stderr:
            for line in stderr:
                with self._written:
                    self.log.append(line.rstrip("\n"))
                    self._written.notify_all()
                if line.startswith(_STARTED):
                    self._address = line.removeprefix(_STARTED).partition("/v1")[0]
                    self._started.set()
        self._started.set()
        self._ended.set()


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it was on the wire.

    Attributes:
        status: HTTP status.
        headers: In order, names in lower case.
        body: Without the framing.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header; its name is given in lower case."""
        return next((value for key, value in self.headers if key == name), None)


async def talk(port: int, *pieces: bytes, seconds: float = 30.0) -> list[RawAnswer]:
    """Send bytes as they are, and read what comes until the server closes or it stays still.

    Args:
        port: A port of loopback.
        pieces: What is sent, one after the other; then the client waits.
        seconds: How long is waited for the server to close.

    Raises:
        TimeoutError: The server did not close in time: send `connection: close` where it would not by itself.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = bytearray()
    try:
        async with asyncio.timeout(seconds):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            while data := await reader.read(65_536):
                received += data
    except (ConnectionResetError, BrokenPipeError):
        pass  # what was received before counts
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    return answers(bytes(received))


def answers(data: bytes) -> list[RawAnswer]:
    """Cut what a server sent into answers; interim ones are passed over.

    Raises:
        ValueError: It is no sequence of whole answers.
    """
    found: list[RawAnswer] = []
    while data:
        head, separator, data = data.partition(b"\r\n\r\n")
        if not separator or not head.startswith(b"HTTP/1.1 "):
            raise ValueError(f"no answer: {head[:200]!r}")
        line, *lines = head.decode("latin-1").split("\r\n")
        pairs = (entry.partition(":") for entry in lines)
        headers = tuple((name.lower(), value.strip()) for name, _, value in pairs)
        status = int(line.split(" ")[1])
        if status < 200:
            continue
        body, data = _body(dict(headers), data)
        found.append(RawAnswer(status, headers, body))
    return found


def _body(headers: Mapping[str, str], data: bytes) -> tuple[bytes, bytes]:
    """The body, and what comes after it."""
    if headers.get("transfer-encoding") != "chunked":
        length = int(headers.get("content-length", len(data)))
        return data[:length], data[length:]
    body = bytearray()
    while True:
        size, separator, data = data.partition(b"\r\n")
        if not separator:
            raise ValueError("the answer is cut off")
        if not int(size, 16):
            return bytes(body), data[2:]
        body += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]
