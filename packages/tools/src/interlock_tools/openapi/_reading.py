"""What the readers of one document share, and what differs between its dialects."""

from dataclasses import dataclass, field
from typing import Protocol

from interlock_core.jsontypes import JsonObject
from interlock_tools.openapi._ir import Body, Parameter, SecurityScheme, Server
from interlock_tools.openapi._problem import Place, Problem
from interlock_tools.openapi._references import References, Target


@dataclass(slots=True, kw_only=True)
class Reading:
    """What the readers of one document share.

    Attributes:
        references: Resolves references.
        root: The document's root.
        base: Address of the root's file.
        problems: What was tolerated so far.
    """

    references: References
    root: JsonObject
    base: str
    problems: list[Problem] = field(default_factory=list[Problem])

    def note(self, place: Place, message: str, *, remedy: str = "") -> None:
        """Remember something that was tolerated."""
        self.problems.append(
            Problem(source=place.source, pointer=place.pointer, message=message, remedy=remedy)
        )


class Dialect(Protocol):
    """What differs between Swagger 2.0 and OpenAPI 3."""

    def split(
        self, parameters: list[Target], operation: Target
    ) -> tuple[tuple[Parameter, ...], Body | None, tuple[str, ...]]:
        """The parameters, the body and the media types of answers of an operation."""
        ...

    def servers(self, value: JsonObject, base: str) -> tuple[Server, ...]:
        """The servers that an object (root, path or operation) names."""
        ...

    def schemes(self) -> tuple[SecurityScheme, ...]:
        """The security schemes of the document."""
        ...
