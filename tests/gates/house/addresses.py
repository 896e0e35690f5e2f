"""No file names a package registry, nor a path of the machine that it was written on."""

import re
from collections.abc import Iterator
from pathlib import Path

from house.tree import ROOT, Finding

# Written in pieces, so that this file does not name them either.
_REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("unpkg", "com"),
        ("jsdelivr", "net"),
        ("cdnjs", "cloudflare", "com"),
        ("deb", "debian", "org"),
        ("proxy", "golang", "org"),
        ("crates", "io"),
        ("conda", "anaconda", "org"),
        ("rubygems", "org"),
    )
)
_FOLDERS = ("work", "tmp", "root", "opt/pypi", "var/tmp", r"home/[a-z_][\w-]*", r"Users/[A-Za-z][\w.-]*")
_REGISTRY = re.compile(r"(?<![\w-])(?:[\w-]+\.)*(?:" + "|".join(map(re.escape, _REGISTRIES)) + r")(?![\w-])")
_MACHINE_PATH = re.compile(r"(?<![\w./~$}>*\])-])/(?:" + "|".join(_FOLDERS) + r")/[\w.]")


def machine_paths() -> re.Pattern[str]:
    """What a path of this very machine looks like: the checkout and the home folder, wherever they are."""
    here = {str(path) for path in (ROOT, Path.home()) if len(path.parts) > 1}
    return re.compile(
        rf"{_MACHINE_PATH.pattern}|" + "|".join(rf"{re.escape(path)}(?=/)" for path in sorted(here))
    )


def registry_hosts(path: str, text: str) -> Iterator[Finding]:
    """Each line that names the host of a package registry or of a delivery network."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := _REGISTRY.search(line):
            yield Finding(
                path, number, f"{found[0]} is the host of a registry: pins must work against any mirror"
            )


def absolute_paths(path: str, text: str) -> Iterator[Finding]:
    """Each line that holds an absolute path which exists on one machine only."""
    pattern = machine_paths()
    for number, line in enumerate(text.splitlines(), 1):
        if found := pattern.search(line):
            yield Finding(
                path, number, f"{found[0]!r} is a path of one machine: use a relative or a temporary one"
            )
