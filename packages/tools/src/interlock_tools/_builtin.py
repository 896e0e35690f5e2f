"""Documents that ship with this package, each with the one address that its API has."""

from pathlib import Path

from interlock_core.errors import NotFoundError
from interlock_core.nearest import suggestion

_SPECS = Path(__file__).parent / "specs"
_KNOWN = {
    "github": ("github.yaml", "https://api.github.com"),
    "sam_gov": ("sam-gov.yaml", "https://api.sam.gov"),
}


_REDIRECTS = {
    "github": (
        "https://codeload.github.com",
        "https://objects.githubusercontent.com",
        "https://*.actions.githubusercontent.com",
        "https://*.blob.core.windows.net",
    )
}


def builtin_redirects(name: str) -> tuple[str, ...]:
    """Patterns of the origins that an API of a shipped document redirects to for archives and logs."""
    return _REDIRECTS.get(name, ())


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
