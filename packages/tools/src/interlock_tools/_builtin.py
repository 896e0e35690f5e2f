"""Documents that ship with this package, each with the one address that its API has."""

from pathlib import Path

from interlock_core.errors import NotFoundError
from interlock_core.nearest import suggestion

_SPECS = Path(__file__).parent / "specs"
_KNOWN = {"github": ("github-issues.yaml", "https://api.github.com")}


def builtin_document(name: str) -> tuple[Path, str]:
    """The file of a shipped document, and the origin that its credentials may be sent to.

    Raises:
        NotFoundError: There is none of that name.
    """
    known = _KNOWN.get(name)
    if known is None:
        raise NotFoundError(
            f"There is no built-in document {name[:60]}.", field="source", remedy=suggestion(name, _KNOWN)
        )
    return _SPECS / known[0], known[1]
