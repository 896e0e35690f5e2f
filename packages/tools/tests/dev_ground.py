"""A working folder with a program in it, and calls of the tools for developers through the registry."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from interlock_core import Provider, ToolCall, ToolResult
from interlock_core.jsontypes import Json, JsonObject, as_object
from interlock_core.schema import validator
from interlock_core.testing import make_call
from interlock_tools import ToolExecutor, ToolRegistry
from interlock_tools.devtools import DevTools, document_tools
from interlock_tools.sandbox import NamespaceSandbox

SEARCH = '''\
"""Finds words."""

import os


def fold( text ):
    return text.lower()


def find(word, lines):
    """Lines that hold a word."""
    return [line for line in lines if fold(word) in fold(line)]
'''
TESTS = """\
from notes.search import find, fold


def test_finds():
    assert find("A", ["abc", "x"]) == ["abc"]


def test_folds():
    assert fold("X") == "x"
"""
PROJECT: Mapping[str, str] = {
    "pyproject.toml": '[project]\nname = "notes"\nversion = "1"\n',
    "src/notes/__init__.py": "",
    "src/notes/search.py": SEARCH,
    "tests/test_search.py": TESTS,
    "README.md": "# Notes\n",
    ".env": "TOKEN=hunter2\n",
    ".git/config": "[remote]\nurl = https://user:hunter2@example.com\n",
}
RESPONSES = {str(tool.spec.operation_id): tool for tool in document_tools()}


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files into a folder; those with a shebang can be run."""
    for path, text in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")
        if text.startswith("#!"):
            place.chmod(0o755)
    return folder


def texts(folder: Path) -> dict[str, str]:
    """Every file of a folder."""
    return {
        str(place.relative_to(folder)): place.read_text("utf-8")
        for place in sorted(folder.rglob("*"))
        if place.is_file() and not place.is_symlink()
    }


@dataclass
class Ground:
    """A working folder and the tools on it.

    Attributes:
        folder: The folder.
        provider: Answers where a model is needed.
        registry: The tools.
        executor: Makes calls.
        tools: The tools for developers.
    """

    folder: Path
    provider: Provider | None = None
    sandbox: NamespaceSandbox = field(default_factory=NamespaceSandbox)
    registry: ToolRegistry = field(default_factory=ToolRegistry)

    def __post_init__(self) -> None:
        self.executor = ToolExecutor(self.registry)
        self.tools = DevTools(
            self.folder,
            catalog=lambda: self.registry,
            executor=lambda: self.executor,
            provider=lambda: self.provider,
            sandbox=self.sandbox,
        )
        self.tools.register(self.registry)

    async def result(self, operation: str, arguments: JsonObject) -> ToolResult:
        """What a call gives."""
        call = ToolCall(id="call_1", name=f"dev.{operation}", arguments=json.dumps(arguments))
        return await self.executor.execute(call, make_call(f"dev.{operation}"))

    async def call(self, operation: str, **arguments: Json) -> JsonObject:
        """The answer of a call that succeeds; it fits what the document says of it."""
        result = await self.result(operation, arguments)
        assert not result.is_error, result.text
        answer = as_object(result.structured)
        assert described(operation, answer) == ()
        assert "hunter2" not in result.text
        return answer

    async def refused(self, operation: str, **arguments: Json) -> str:
        """What a call says that does not succeed."""
        result = await self.result(operation, arguments)
        assert result.is_error, result.text
        return result.text

    async def aclose(self) -> None:
        """Close connections and previews."""
        await self.tools.aclose()
        await self.executor.aclose()


def described(operation: str, answer: JsonObject) -> tuple[str, ...]:
    """Where an answer differs from what the document says."""
    tool = RESPONSES[operation]
    schema = tool.responses.schema(tool.plan.operation, 200)
    assert schema is not None
    return validator(schema).problems(answer)


def programs(folder: Path, **texts: str) -> str:
    """A `PATH` with programs of our own before the system's."""
    write(folder / "bin", {name.replace("_", "-"): text for name, text in texts.items()})
    return f"{folder / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin"
