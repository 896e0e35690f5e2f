"""The package as its users see it."""

import subprocess
import sys
from pathlib import Path

import interlock_tools
from interlock_tools import openapi


def test_what_is_exported_is_what_is_there() -> None:
    """Sorted, and nothing is missing."""
    for module in (interlock_tools, openapi):
        assert module.__all__ == sorted(module.__all__)
        assert all(hasattr(module, name) for name in module.__all__)


def test_importing_it_loads_nothing_heavy() -> None:
    """Parsers, validators and sockets come when they are needed."""
    heavy = ("yaml", "jsonschema_rs", "ssl", "asyncio", "xml.sax", "email")
    code = f"import interlock_tools, sys; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_example_of_the_readme_runs() -> None:
    """As it stands there."""
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout
