"""A bar for work whose length is known, shown once it takes over a second."""

from collections.abc import Callable
from time import monotonic

from interlock_cli._screen import Screen

_PATIENCE_S = 1.0
_PAUSE_S = 0.1
_WIDTH = 24


class Bar:
    """Follows one piece of work after another. Nothing is shown of what is done within a second.

    Args:
        screen: Where to write; only a terminal is told.
        unit: What is counted, in the plural.
        clock: Tells seconds.
    """

    def __init__(self, screen: Screen, unit: str, *, clock: Callable[[], float] = monotonic) -> None:
        self._screen = screen
        self._unit = unit
        self._clock = clock
        self._begun = clock()
        self._shown = self._begun

    def __call__(self, what: str, done: int, total: int) -> None:
        """So much of it is done.

        Args:
            what: What is worked on.
            done: How much of it is done.
            total: How much it is in all; 0 while that is not known.
        """
        now = self._clock()
        if now - self._begun < _PATIENCE_S or (now - self._shown < _PAUSE_S and done < total):
            return
        self._shown = now
        full = _WIDTH * done // total if total else 0
        counted = f"{done:,} of {total:,}" if total else f"{done:,}"
        # The last part of a path or URL: the folders before it would leave no room for it.
        name = what.rstrip("/\\").replace("\\", "/").rpartition("/")[2] or what
        self._screen.status(f"  [{'#' * full}{'.' * (_WIDTH - full)}] {counted} {self._unit}  {name}")
