"""The log of one command, for who asks with `--verbose`: without secrets, and plain text alone."""

import logging
import sys
from collections.abc import Callable

from interlock_cli._screen import plain


class _Words(logging.Formatter):
    """Entries as plain text.

    Args:
        hide: Takes known secrets out of a text.
    """

    def __init__(self, hide: Callable[[str], str]) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        """The entry as text."""
        return plain(self._hide(super().format(record)))


def log_everything(hide: Callable[[str], str]) -> None:
    """Write everything that Interlock logs to standard error.

    Args:
        hide: Takes known secrets out of a text.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Words(hide))
    logger = logging.getLogger("interlock")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG)
