"""What the tests of the gateway share: a simulated vendor, and gateways that ask it over real sockets."""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest
from openai import AsyncOpenAI

from interlock_api import running
from interlock_api.testing import GatewayProcess, RawAnswer, talk
from interlock_core.jsontypes import JsonObject
from interlock_providers.testing import OpenAIChatServer
from interlock_runtime import Runtime, Settings
from interlock_runtime.settings import ProviderSettings, ServerSettings

VENDOR_KEY = "sk-upstream-9c41b7d20e"


@dataclass(frozen=True)
class Gate:
    """A gateway in this process, on a real socket.

    Attributes:
        address: Where it listens.
        key: Its admin key.
        runtime: What it serves.
    """

    address: str
    key: str
    runtime: Runtime

    @property
    def port(self) -> int:
        """Its port."""
        return int(self.address.rpartition(":")[2])

    def client(self, key: str | None = None, *, retries: int = 0) -> AsyncOpenAI:
        """The official client, pointed at it."""
        return AsyncOpenAI(
            base_url=f"{self.address}/v1", api_key=key or self.key, max_retries=retries, timeout=60
        )

    async def recorded(self) -> JsonObject:
        """The one row of the record."""
        (row,) = (await self.runtime.records.stats()).rows
        return row.as_json()

    async def ask(
        self, method: str, path: str, *, body: bytes = b"", key: str | None = "", **headers: str
    ) -> RawAnswer:
        """One request on a connection of its own; an underscore in a header's name stands for a hyphen.

        Args:
            method: Such as `POST`.
            path: As it stands on the wire.
            body: Sent with its length when there is one.
            key: The key; the admin key when empty, none when None.
            headers: Further headers.
        """
        lines = [f"{method} {path} HTTP/1.1", "host: localhost", "connection: close"]
        if key is not None:
            lines.append(f"authorization: Bearer {key or self.key}")
        if body:
            lines.append(f"content-length: {len(body)}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        found = await talk(self.port, head + body)
        assert len(found) == 1
        return found[0]


MakeGate: TypeAlias = Callable[..., AbstractAsyncContextManager[Gate]]
"""Makes a gateway: keywords are settings of `[server]`; `providers` replaces the simulated vendor."""


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose database and admin key are made, to copy."""
    home = tmp_path_factory.mktemp("made") / "home"

    async def make() -> None:
        async with Runtime.open(Settings(home=home), environment={}) as runtime:
            await runtime.access.ensure_admin_key()

    asyncio.run(make())
    return home


@pytest.fixture
async def vendor() -> AsyncGenerator[OpenAIChatServer, None]:
    """A simulated vendor that wants a key."""
    async with OpenAIChatServer(models=("sim-1", "sim-2"), key=VENDOR_KEY) as server:
        yield server


@pytest.fixture
def make_gate(made_home: Path, tmp_path: Path, vendor: OpenAIChatServer) -> MakeGate:
    """Gateways in front of the simulated vendor, with settings of the test's choice."""

    @asynccontextmanager
    async def make(
        *, providers: dict[str, ProviderSettings] | None = None, **server: object
    ) -> AsyncGenerator[Gate, None]:
        home = tmp_path / "home"
        if not home.exists():
            shutil.copytree(made_home, home)
        settings = Settings(
            home=home,
            server=ServerSettings(**server),  # pyright: ignore[reportArgumentType] - the test names the fields
            providers=providers
            or {
                "acme": ProviderSettings(
                    kind="openai-compatible",
                    base_url=vendor.url,
                    api_key="env:ACME_KEY",
                    models=("sim-1", "sim-2"),
                ),
                "local": ProviderSettings(kind="local", enabled=False),
            },
        )
        async with Runtime.open(settings, environment={"ACME_KEY": VENDOR_KEY}, open_paths=False) as runtime:
            secret = runtime.access.admin_key()
            assert secret is not None
            async with running(runtime) as address:
                yield Gate(address, secret.reveal(), runtime)

    return make


@pytest.fixture
async def gate(make_gate: MakeGate) -> AsyncGenerator[Gate, None]:
    """A gateway in front of the simulated vendor."""
    async with make_gate() as made:
        yield made


@pytest.fixture(scope="session")
def local_gateway(made_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway in a process of its own, with the embedded model and nothing else."""
    home = tmp_path_factory.mktemp("local") / "home"
    shutil.copytree(made_home, home)
    with GatewayProcess(home) as process:
        yield process


@pytest.fixture(scope="session")
def local_port(local_gateway: GatewayProcess) -> int:
    """The port of the gateway in a process of its own."""
    return local_gateway.port
