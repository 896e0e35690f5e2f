"""Where documents come from, how much they may be, and how their addresses are written."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urldefrag, urljoin, urlsplit

from interlock_core.errors import InvalidRequestError

Source: TypeAlias = str | Path
"""A path or an `http(s)` URL. What follows a `#` names a document inside an archive."""

SUFFIXES = frozenset({".json", ".yaml", ".yml"})
"""How the names of documents end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadLimits:
    """How much a document may be.

    Attributes:
        max_bytes: Largest JSON file or packed archive, in bytes.
        max_yaml_bytes: Largest YAML file, in bytes; YAML is slower to read.
        max_total_bytes: Most bytes of all files that one document is spread over, and of all members of an
            archive once unpacked.
        max_ratio: Most bytes that one byte of an archive may stand for.
        max_members: Most members of an archive.
        max_nodes: Most values in one YAML file, with every alias counted as what it stands for.
        max_depth: Most levels of nesting.
        max_files: Most files that one document may be spread over.
        timeout_s: Most seconds for each file that comes from a URL.
        within: Folder that references may not leave; that of the document itself by default.
    """

    max_bytes: int = 80 * 1024 * 1024
    max_yaml_bytes: int = 24 * 1024 * 1024
    max_total_bytes: int = 160 * 1024 * 1024
    max_ratio: int = 200
    max_members: int = 10_000
    max_nodes: int = 4_000_000
    max_depth: int = 5_000
    max_files: int = 256
    timeout_s: float = 30.0
    within: Path | None = None


def is_url(source: Source) -> bool:
    """Whether a source is an `http` or `https` URL."""
    return isinstance(source, str) and source.startswith(("http://", "https://"))


def absolute(reference: str, base: str) -> str:
    """Address of the file that a reference names, seen from the file at `base`; empty when there is none."""
    try:
        return urldefrag(urljoin(base, reference)).url
    except ValueError:
        return ""


def shown_address(url: str) -> str:
    """An address for messages: a URL without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def refused(source: str, why: str, remedy: str) -> InvalidRequestError:
    """The error for a source that is not read."""
    return InvalidRequestError(f"{source} {why}", field=source, remedy=remedy)
