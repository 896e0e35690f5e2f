"""What is wrong with a document, said so that its author can find and mend it."""

from dataclasses import dataclass

from interlock_core.errors import InvalidRequestError


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault of a document.

    Attributes:
        source: The file, URL or name of the document.
        pointer: JSON pointer of the place inside it; empty for the whole document.
        message: What is wrong there.
        remedy: What to change.
    """

    source: str
    pointer: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.source}#{self.pointer}: {self.message}"
        return f"{text} {self.remedy}" if self.remedy else text

    @classmethod
    def of(cls, error: InvalidRequestError, *, source: str) -> "Problem":
        """The problem that an error tells of; `source` is named where the error names no place."""
        place, _, pointer = (error.field or source).partition("#")
        return cls(source=place, pointer=pointer, message=error.message, remedy=error.remedy or "")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands.

    Attributes:
        source: The file or URL.
        pointer: JSON pointer inside it.
    """

    source: str
    pointer: str

    def at(self, *keys: str | int) -> "Place":
        """A place further in."""
        return Place(self.source, self.pointer + "".join(f"/{escape(str(key))}" for key in keys))

    def fault(self, message: str, *, remedy: str) -> InvalidRequestError:
        """An error that names this place."""
        return InvalidRequestError(message, field=f"{self.source}#{self.pointer}", remedy=remedy)


def escape(token: str) -> str:
    """One token of a JSON pointer."""
    return token.replace("~", "~0").replace("/", "~1")
