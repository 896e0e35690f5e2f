"""Branches, files, commits and pull requests of the stand-in, as records.

A branch is a list of commits and the files after the last of them. There is no git behind it: a merge takes
over the files of the head, and a diff says only which files differ.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from interlock_core.jsontypes import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeCommit:
    """One commit.

    Attributes:
        sha: Its name.
        message: What it says.
        date: When it was made.
        paths: The files that it touched.
    """

    sha: str
    message: str
    date: datetime
    paths: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class CodeBranch:
    """One branch: its commits, the newest last, and its files."""

    commits: list[CodeCommit]
    files: dict[str, bytes]


@dataclass(slots=True, kw_only=True)
class CodePull:
    """One pull request."""

    number: int
    title: str
    body: str | None
    head: str
    base: str
    draft: bool
    created_at: datetime
    state: str = "open"
    merged_at: datetime | None = None
    merge_sha: str | None = None
    reviews: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


class CodeStore:
    """The code of one repository.

    Args:
        now: The clock.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.branches: dict[str, CodeBranch] = {"main": CodeBranch(commits=[], files={})}
        self.pulls: dict[int, CodePull] = {}
        self.runs: list[JsonObject] = []
        self.commit("main", {"README.md": b"# Notes\n", "docs/guide.md": b"Read this.\n"}, "Begin")

    def commit(self, branch: str, files: dict[str, bytes], message: str) -> CodeCommit:
        """Write files to a branch in one commit."""
        at = self.branches[branch]
        told = f"{branch}\n{len(at.commits)}\n{message}\n{sorted(files)}".encode()
        made = CodeCommit(
            sha=hashlib.sha1(told, usedforsecurity=False).hexdigest(),
            message=message,
            date=self._now(),
            paths=tuple(sorted(files)),
        )
        at.commits.append(made)
        at.files.update(files)
        return made
