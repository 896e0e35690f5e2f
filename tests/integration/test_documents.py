"""What the documents show is true: examples run, commands exist, links lead somewhere."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from house.documents import SHELLS, Block, blocks, broken_links, commands, documents
from house.tree import ROOT, assert_none, members, relative

VENDOR_KEYS = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "MISTRAL_API_KEY",
    "CO_API_KEY",
    "GITHUB_TOKEN",
    "SAM_API_KEY",
)


def every_block() -> list[Block]:
    """The fenced blocks of every document."""
    return [
        block for path in documents() for block in blocks(relative(path), path.read_text(encoding="utf-8"))
    ]


def outside_the_site() -> list[Path]:
    """The documents that mkdocs does not read, and whose links it does not check."""
    return [path for path in documents() if not path.is_relative_to(ROOT / "docs")]


def parse(command: click.Command, arguments: list[str]) -> None:
    """Reads a command line as `interlock` would, without running it or looking at files.

    Raises:
        click.UsageError: It names no command, or an option that the command does not have.
    """
    context = click.Context(command)
    _, rest, _ = command.make_parser(context).parse_args(list(arguments))
    if isinstance(command, click.Group) and rest:
        name, found, rest = command.resolve_command(context, rest)
        if found is None:
            raise click.UsageError(f"no command {name}")
        parse(found, rest)
    elif rest:
        raise click.UsageError(f"{command.name} takes no {rest}")


@pytest.mark.parametrize("block", [block for block in every_block() if block.language == "python"], ids=str)
def test_every_python_example_runs(block: Block, tmp_path: Path) -> None:
    """In a process and a folder of its own, with warnings as errors, without a key."""
    environment = {name: value for name, value in os.environ.items() if name not in VENDOR_KEYS}
    environment |= {"INTERLOCK_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-W", "error", "-c", block.text]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", [block for block in every_block() if block.language in SHELLS], ids=str)
def test_every_command_line_is_one_that_interlock_and_make_understand(block: Block) -> None:
    """Commands and options of `interlock`, targets of `make`."""
    group: click.Group = import_module("interlock_cli._app").interlock
    extract = import_module("interlock_cli._globals").extract
    for arguments in commands(block, "interlock"):
        _, rest = extract(arguments)
        parse(group, rest)
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    for arguments in commands(block, "make"):
        for target in [word for word in arguments if "=" not in word and not word.startswith("-")]:
            assert f"\n{target}:" in targets, target


@pytest.mark.parametrize("path", outside_the_site(), ids=relative)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    """Within the repository; the links of the site are checked when it is built."""
    assert_none(broken_links(path, path.read_text(encoding="utf-8")))


def test_the_readme_shows_an_import_of_every_package() -> None:
    """One runnable example each, the command line aside."""
    readme = ROOT / "README.md"
    shown = "\n".join(
        block.text
        for block in blocks("README.md", readme.read_text(encoding="utf-8"))
        if block.language == "python"
    )
    assert [member.package for member in members() if f"{member.package} import" not in shown] == []


def test_a_command_that_does_not_exist_is_caught() -> None:
    """A wrong command, a wrong option, an argument too many."""
    group: click.Group = import_module("interlock_cli._app").interlock
    for wrong in (["frobnicate"], ["audit", "frobnicate"], ["ask", "--frobnicate", "x"], ["ask", "x", "y"]):
        with pytest.raises(click.UsageError):
            parse(group, wrong)
    parse(group, ["ask", "x", "-m", "auto"])


def test_commands_are_read_from_blocks_as_a_shell_would_read_them() -> None:
    """Prompts, variables, comments, continuations, pipes and redirections."""
    text = "$ A=1 interlock ask 'a b' \\\n -m auto < notes.txt # why\nx/interlock stats | head\nmake demo"
    block = Block("a.md", 1, "sh", text)
    assert list(commands(block, "interlock")) == [["ask", "a b", "-m", "auto"], ["stats"]]
    assert list(commands(block, "make")) == [["demo"]]


def test_a_link_that_leads_nowhere_is_caught() -> None:
    """But for addresses, anchors, and what only stands in a code block."""
    text = "[a](nowhere.md) [b](https://example.org) [c](#here)\n\n```text\n[d](nowhere.md)\n```\n"
    assert [finding.line for finding in broken_links(ROOT / "README.md", text)] == [1]
