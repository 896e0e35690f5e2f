"""A full disk under the audit log. FULL=1 makes it full more often."""

import os
from pathlib import Path

import pytest

from .full import fill

TIMES = 60 if os.environ.get("FULL") == "1" else 6


@pytest.mark.promise("A3")
async def test_a_full_disk_refuses_calls_with_side_effects_and_they_go_on_afterwards(tmp_path: Path) -> None:
    """Nothing is made without an intent, nothing refused is made, and the log stays whole."""
    made, refused, wrong, problems = await fill(tmp_path, TIMES)
    assert (wrong, problems) == (0, [])
    assert made > 0
    assert refused > 0
