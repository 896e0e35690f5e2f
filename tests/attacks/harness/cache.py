"""A real Valkey with a user for the gateway, what it was sent, and one that lies of its version."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast
from urllib.parse import urlsplit

from interlock_core.testing import valkey_url
from interlock_security.limits import CACHE_USER_RULES

USER, PASSWORD = "interlock-attacked", "a-password-of-tests"


class Client(Protocol):
    """What is used of redis-py."""

    def execute_command(self, *words: str) -> Awaitable[object]:
        """Run a command."""
        ...

    def monitor(self) -> "Monitor":
        """Watch every command."""
        ...

    def aclose(self) -> Awaitable[None]:
        """Close it."""
        ...


class Monitor(Protocol):
    """Every command that the server runs."""

    async def __aenter__(self) -> "Monitor": ...

    async def __aexit__(self, *error: object) -> None: ...

    async def next_command(self) -> Mapping[str, object]:
        """The next one."""
        ...


def client(url: str) -> Client:
    """A client of an address."""
    return cast("Client", import_module("redis.asyncio").Redis.from_url(url))


@dataclass(slots=True)
class Cache:
    """A server, seen by who may do everything there.

    Attributes:
        admin: Who may do everything.
        url: The address for the gateway's own user.
        watching: Sees every command.
    """

    admin: Client
    url: str
    watching: Monitor

    async def commands(self) -> list[str]:
        """What the server ran since this was asked last."""
        await self.admin.execute_command("ECHO", "until-here")
        found: list[str] = []
        while (one := str((await self.watching.next_command())["command"])) != "ECHO until-here":
            found.append(one)
        return found


@asynccontextmanager
async def cache() -> AsyncGenerator[Cache, None]:
    """A server with a user that may do what the documents give the gateway's user."""
    async with valkey_url() as url:
        admin = client(url)
        rules = ["reset", "on", f">{PASSWORD}", *CACHE_USER_RULES.split()]
        await admin.execute_command("ACL", "SETUSER", USER, *rules)
        try:
            async with admin.monitor() as watching:
                yield Cache(admin, of_user(url), watching)
        finally:
            await admin.execute_command("ACL", "DELUSER", USER)
            await admin.aclose()


def of_user(url: str) -> str:
    """An address with the gateway's user in it."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"unix://{USER}@{parts.path}?password={PASSWORD}"
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{USER}:{PASSWORD}@{place}").geturl()


@asynccontextmanager
async def lying(url: str, version: str, folder: Path) -> AsyncGenerator[str, None]:
    """The address of a server that passes everything on, but says that it is Redis of another version."""
    here = folder / "between.sock"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await _connected(url)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            answers = asyncio.create_task(_passed_on(there_reader, writer))
            while words := await _command(reader):
                if words[0].upper() == b"INFO":
                    text = f"# Server\r\nredis_version:{version}\r\n".encode()
                    writer.write(b"$%d\r\n%s\r\n" % (len(text), text))
                    continue
                there_writer.write(b"*%d\r\n" % len(words))
                there_writer.writelines(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
            answers.cancel()
        there_writer.close()
        writer.close()

    async with await asyncio.start_unix_server(serve, here):
        query = urlsplit(url).query
        user = "" if "@" not in url else f"{USER}@"
        yield f"unix://{user}{here}?{query}" if query else f"unix://{user}{here}"


async def _connected(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return await asyncio.open_unix_connection(parts.path)
    return await asyncio.open_connection(parts.hostname, parts.port or 6379)


async def _passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)


async def _command(reader: asyncio.StreamReader) -> list[bytes]:
    """The words of one command; none at the end."""
    head = await reader.readline()
    found: list[bytes] = []
    for _ in range(int(head[1:]) if head else 0):
        size = int((await reader.readline())[1:])
        found.append((await reader.readexactly(size + 2))[:-2])
    return found


def argv(text: str) -> list[str]:
    """The words of a command as a person writes it; quotation marks hold a word together."""
    return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', text)]
