"""What the attacks share: a data folder, and the command line on one."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

Command: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data folder that is not there yet."""
    return tmp_path / "home"


@pytest.fixture
def command() -> Command:
    """Runs the command line on a data folder, to its end."""

    def run(home: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """The command line on a data folder, to its end."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
        own = {"INTERLOCK_HOME": str(home), "XDG_CONFIG_HOME": str(home.parent / "config")}
        return subprocess.run(
            [sys.executable, "-m", "interlock_cli", *words],
            env=kept | own | variables,
            cwd=home.parent,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )

    return run
