"""The README tells the truth."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path


def test_the_example_runs_as_it_stands(made_home: Path, tmp_path: Path) -> None:
    """On the embedded model, with warnings as errors."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    shutil.copytree(made_home, tmp_path / "home")
    # `environment={}` is what is looked up; the data folder would be the platform's own.
    variables = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        check=True,
        capture_output=True,
        text=True,
        env=variables,
    )
    assert done.stdout.startswith("local/smollm2-135m ")
