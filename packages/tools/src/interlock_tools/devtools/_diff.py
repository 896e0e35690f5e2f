"""Unified diffs of what a program changed."""

import difflib
from collections.abc import Mapping

from interlock_tools.sandbox import FolderCopy

MOST_CHARACTERS = 100_000
_MOST_LINES = 20_000
_UNWANTED = ("__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".hypothesis", ".eslintcache")


def wanted_changes(copy: FolderCopy, changes: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """The changes without the caches that tools leave behind, sorted by path."""
    return {
        path: content
        for path, content in sorted(changes.items())
        if not any(part in _UNWANTED or part.endswith((".pyc", ".egg-info")) for part in path.split("/"))
        and (content is not None or path in copy.files)
    }


def unified_diff(copy: FolderCopy, changes: Mapping[str, bytes | None]) -> tuple[str, bool]:
    """The diff of some changes to a copy, and whether some of it was left out."""
    parts: list[str] = []
    left = MOST_CHARACTERS
    for path, content in sorted(changes.items()):
        known = copy.files.get(path)
        part = _of_file(path, known.content if known is not None else None, content)
        if len(part) > left:
            return "".join([*parts, part[:left].rpartition("\n")[0], "\n"]), True
        parts.append(part)
        left -= len(part)
    return "".join(parts), False


def _of_file(path: str, old: bytes | None, new: bytes | None) -> str:
    before, after = _lines(old), _lines(new)
    if before is None or after is None:
        return f"Binary files a/{path} and b/{path} differ\n"
    if len(before) + len(after) > _MOST_LINES:
        return f"Files a/{path} and b/{path} differ ({len(before)} and {len(after)} lines)\n"
    source = "/dev/null" if old is None else f"a/{path}"
    target = "/dev/null" if new is None else f"b/{path}"
    lines: list[str] = []
    for line in difflib.unified_diff(before, after, source, target):
        lines.append(line)
        if not line.endswith("\n"):
            lines.append("\n\\ No newline at end of file\n")
    return "".join(lines)


def _lines(content: bytes | None) -> list[str] | None:
    if content is None:
        return []
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        return None
    parts = text.split("\n")
    lines = [f"{part}\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines
