"""Citations: this dialect's annotations, and those of other dialects beside them."""

from collections.abc import Sequence

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_int, as_object, as_text

_TEXTS = {
    "file_citation": ("file_id", "filename"),
    "url_citation": ("title", "url"),
    "container_file_citation": ("container_id", "file_id", "filename"),
    "file_path": ("file_id",),
}
_NUMBERS = {
    "file_citation": ("index",),
    "url_citation": ("start_index", "end_index"),
    "container_file_citation": ("start_index", "end_index"),
    "file_path": ("index",),
}


def annotation(citation: Json) -> JsonObject | None:
    """A citation as an annotation of this dialect; None where it cannot be said so."""
    said = as_object(citation)
    kind = as_text(said.get("type")) or ""
    inner = said.get(kind)
    if isinstance(inner, dict):
        # The chat dialect says the same, one object deeper.
        said = {"type": kind, **inner}
    if kind not in _TEXTS:
        return None
    whole = all(as_text(said.get(name)) is not None for name in _TEXTS[kind])
    placed = all(as_int(said.get(name)) is not None for name in _NUMBERS[kind])
    return said if whole and placed else None


def sort_citations(citations: Sequence[Json]) -> tuple[list[Json], list[Json]]:
    """The citations that are annotations of this dialect, and the others as they are."""
    said: list[Json] = []
    others: list[Json] = []
    for citation in citations:
        made = annotation(citation)
        if made is None:
            others.append(citation)
        else:
            said.append(made)
    return said, others
