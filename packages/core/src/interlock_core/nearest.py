"""Names near to a wrong one, for errors that say what to do next."""

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], *, limit: int = 3) -> tuple[str, ...]:
    """The known names most like a wrong one, best first; empty when none is like it."""
    import difflib

    return tuple(difflib.get_close_matches(name, list(known), n=limit, cutoff=0.5))


def suggestion(name: str, known: Iterable[str]) -> str:
    """A remedy that names what was probably meant, or what there is.

    Returns:
        `Did you mean …?`, or `Known: …` with at most eight names, or that there are none.
    """
    names = sorted(set(known))
    close = nearest(name, names)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    if not names:
        return "There are none yet."
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"Known: {', '.join(names[:8])}{more}."
