"""What the tests of the runtime share: a simulated vendor, a stand-in for GitHub, settings on both."""

import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest
import pytest_asyncio

from interlock_providers.testing import OpenAIChatServer
from interlock_runtime import Settings
from interlock_runtime.settings import ProviderSettings, ToolSettings
from interlock_tools.testing.github import GitHubStandIn

# Sandboxes are of Linux; that other systems refuse is a test of the tools.
collect_ignore_glob = [] if sys.platform == "linux" else ["test_devtools.py"]

VENDOR_KEY = "sk-vendor-4f9d2c71aa"

MakeSettings: TypeAlias = Callable[..., Settings]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data folder that is not there yet."""
    return tmp_path / "home"


@pytest_asyncio.fixture
async def vendor() -> AsyncGenerator[OpenAIChatServer, None]:
    """A simulated vendor that wants a key."""
    async with OpenAIChatServer(models=("small", "large"), key=VENDOR_KEY) as server:
        yield server


@pytest.fixture
def github() -> Iterator[GitHubStandIn]:
    """A stand-in for GitHub's issues."""
    with GitHubStandIn(owner="acme", repo="notes") as server:
        yield server


@pytest.fixture
def acme(vendor: OpenAIChatServer) -> ProviderSettings:
    """The vendor as a provider of the settings."""
    return ProviderSettings(kind="openai-compatible", base_url=vendor.url, api_key=VENDOR_KEY)


@pytest.fixture
def on_github(github: GitHubStandIn) -> ToolSettings:
    """The stand-in as a document of the settings."""
    return ToolSettings(source="builtin:github", base_url=github.url, credential=github.token)


@pytest.fixture
def make(home: Path, acme: ProviderSettings) -> MakeSettings:
    """Makes settings with the vendor in them; further tables as given."""

    def made(**tables: object) -> Settings:
        return replace(Settings(home=home, providers={"acme": acme}), **tables)

    return made
