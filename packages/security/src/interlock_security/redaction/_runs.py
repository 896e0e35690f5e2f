"""Runs of a text: the stretches between blanks, quotes, commas and brackets.

A text that holds another holds its runs, each as long or longer. So a text whose runs are all shorter than
the longest run of another does not hold that one, which is seen from classes of characters alone. Prose has
short runs; secrets have long ones.
"""

LONGEST = 64
"""Longer runs are told from shorter ones no more."""

_BETWEEN = b" \t\r\n\"'`,;()[]{}"
_CLASSES = bytes(ord(" ") if code in _BETWEEN else ord("a") for code in range(256))
_LONG = tuple(b"a" * length for length in range(LONGEST + 1))


class Runs:
    """The runs of one text.

    Args:
        text: The text.
    """

    __slots__ = ("_classes", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._classes = text.encode("utf-8", "surrogatepass").translate(_CLASSES)

    def reach(self, length: int) -> bool:
        """Whether one is so long; up to `LONGEST`."""
        return _LONG[length] in self._classes

    def long(self, length: int) -> str:
        """Those that are so long, a line each; all of the text when it is not ASCII."""
        # In bytes and in characters, places are the same only in ASCII.
        if len(self._classes) != len(self._text):
            return self._text
        found: list[str] = []
        start = self._classes.find(_LONG[length])
        while start >= 0:
            end = self._classes.find(b" ", start)
            end = len(self._classes) if end < 0 else end
            found.append(self._text[start:end])
            start = self._classes.find(_LONG[length], end)
        return "\n".join(found)


def longest_run(text: str) -> tuple[int, bool]:
    """How long a text's longest run is, up to `LONGEST`, and whether the text is one run."""
    parts = text.encode("utf-8", "surrogatepass").translate(_CLASSES).split(b" ")
    return min(max(map(len, parts)), LONGEST), len(parts) == 1
