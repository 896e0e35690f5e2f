"""The one JSON document that a command prints for a program."""

import sys

from interlock_core.jsontypes import Json, dump_json


class Document:
    """Standard output of a run with `--json`: one document, never two.

    Attributes:
        printed: Whether it was printed already.
    """

    __slots__ = ("printed",)

    def __init__(self) -> None:
        self.printed = False

    def write(self, value: Json) -> None:
        """Print the document; once it is printed, nothing more."""
        if self.printed:
            return
        self.printed = True
        sys.stdout.write(dump_json(value) + "\n")
        sys.stdout.flush()
