"""What the documents show: their code blocks, their links, the commands that they tell a reader to type."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from house.tree import ROOT, Finding, members, relative

SHELLS = {"sh", "bash", "shell", "console"}

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+)(?P<language>[\w+-]*)[^\n]*\n(?P<body>.*?)^ *(?P=fence)\s*$", re.M | re.S
)
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_END_OF_COMMAND = {"|", "||", "&&", ";", ">", ">>", "<", "&", "2>"}


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a document."""

    path: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


def documents() -> list[Path]:
    """Every document of the project: at the root, beside the members, and of the site."""
    beside = [member.folder / "README.md" for member in members()]
    return [*sorted(ROOT.glob("*.md")), *beside, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(path: str, text: str) -> Iterator[Block]:
    """The fenced blocks of a document, without their indent."""
    for found in _FENCE.finditer(text):
        indent = len(found["indent"])
        body = "\n".join(line[indent:] for line in found["body"].splitlines())
        yield Block(path, text.count("\n", 0, found.start()) + 1, found["language"].lower(), body)


def commands(block: Block, program: str) -> Iterator[list[str]]:
    """The argument lists with which a shell block calls a program, up to a pipe or a redirection."""
    text = block.text.replace("\\\n", " ")
    for line in text.splitlines():
        words = shlex.split(line.strip().removeprefix("$ "), comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if words and words[0].rpartition("/")[2] == program:
            end = next((at for at, word in enumerate(words) if word in _END_OF_COMMAND), len(words))
            yield words[1:end]


def broken_links(path: Path, text: str) -> Iterator[Finding]:
    """Relative links of a document that lead nowhere; addresses and anchors are not followed."""
    prose = _FENCE.sub(lambda found: "\n" * found[0].count("\n"), text)
    for found in _LINK.finditer(prose):
        target = found["target"].partition("#")[0]
        if target and ":" not in target and not (path.parent / target).exists():
            yield Finding(relative(path), prose.count("\n", 0, found.start()) + 1, f"{target} does not exist")
