"""The gateway's log: one line an entry on stderr, without secrets, forged lines or control characters."""

import logging
import re
import time
from collections.abc import Callable

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class LogFormatter(logging.Formatter):
    """Time in UTC, level, logger and message; further lines, such as those of a traceback, are indented.

    Attributes:
        hide: Takes known secrets out of a text.
    """

    converter = time.gmtime

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
        self.hide: Callable[[str], str] = str

    def format(self, record: logging.LogRecord) -> str:
        """The entry as text."""
        text = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", self.hide(super().format(record)))
        return text.replace("\n", "\n    ")


def log_to_stderr() -> LogFormatter:
    """Write the log of this process to stderr, unless whoever embeds the gateway set up one already."""
    formatter = LogFormatter()
    logger = logging.getLogger("interlock")
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(formatter)
        logger.addHandler(handler)
    return formatter
