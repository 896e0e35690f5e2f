"""The README tells the truth."""

import re
import subprocess
import sys
from pathlib import Path


def test_the_example_runs_as_it_stands() -> None:
    """From an empty file, with warnings as errors."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example], check=True, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["200 application/json", "egress_refused", "[(250000,)]"]
