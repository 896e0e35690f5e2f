"""What a command in the sandbox may be shown of the system, and what never."""

import sys
from collections.abc import Iterable
from pathlib import Path

from interlock_core.errors import InvalidRequestError
from interlock_tools.sandbox._folder import FolderCopy

_SHOWN = Path("/usr")
_MAGIC = frozenset({"/", "proc", "sys", "dev", "run"})
"""All of the system, and parts where what a path leads to depends on who looks."""


def refuse_too_much(paths: Iterable[Path], copy: FolderCopy, hidden: Iterable[Path]) -> None:
    """Refuse paths that must not be shown beside the copy of a folder.

    Raises:
        InvalidRequestError: One of them shows too much.
    """
    for path in paths:
        if shows_too_much(path, copy, hidden) or is_of_folder(path, copy, hidden):
            raise refused(path)


def refused(path: Path) -> InvalidRequestError:
    """What is said of a path that shows too much."""
    return InvalidRequestError(
        f"{str(path)[:200]} is not shown in the sandbox: too much could be read there.",
        field="readable",
        remedy="Install the tool outside of the working folder, into a folder of its own.",
    )


def shows_too_much(path: Path, copy: FolderCopy, hidden: Iterable[Path]) -> bool:
    """Whether a path leads to, or holds, the folder itself, a home, or what is hidden; whoever names it.

    What counts is where it leads. One that is not written plainly is refused, too.
    """
    if not path.is_absolute() or ".." in path.parts or _MAGIC.issuperset(path.parts[1:2] or "/"):
        return True
    try:
        real = path.resolve()
    except (OSError, RuntimeError):
        return True  # a link to itself, or one that may not be read
    if _MAGIC.issuperset(real.parts[1:2] or "/"):
        return True
    if real.is_relative_to(_SHOWN):
        return False  # shown to everybody
    closed = (copy.folder, Path.home().resolve(), *(place.resolve() for place in hidden))
    return any(place.is_relative_to(real) for place in closed)


def is_of_folder(path: Path, copy: FolderCopy, hidden: Iterable[Path]) -> bool:
    """Whether a path lies in the folder or in what is hidden, where it is written or where it leads.

    Dependencies that are shown as they are, and the environment of this Python, may lie there.
    """
    real = path.resolve()
    if path in _environments(copy.folder):
        return False
    shared = [copy.folder / inner for inner in copy.shared]
    open_to_all = [*shared, *(place.resolve() for place in _environments(copy.folder))]
    if path == real and any(real.is_relative_to(place) for place in open_to_all):
        return False
    closed = [copy.folder, *(place.resolve() for place in hidden)]
    return any(way.is_relative_to(place) for way in (path, real) for place in closed)


def _environments(folder: Path) -> list[Path]:
    """The environment and the installation of this Python, unless they are the folder or hold it."""
    own = (Path(sys.prefix), Path(sys.base_prefix))
    return [place for place in own if not folder.is_relative_to(place.resolve())]
