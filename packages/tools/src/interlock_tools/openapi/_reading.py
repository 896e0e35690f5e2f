"""What the readers of one document share, and what differs between its dialects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from interlock_core.jsontypes import JsonObject, as_array, as_object
from interlock_tools.openapi._ir import Body, Parameter, SecurityScheme, Server
from interlock_tools.openapi._problem import Place, Problem
from interlock_tools.openapi._references import References, Target


@dataclass(kw_only=True)
class Reading:
    """What the readers of one document share.

    Attributes:
        references: Resolves references.
        root: The document's root.
        base: Address of the root's file.
        problems: What was tolerated so far.
        scheme_names: Names of the security schemes.
    """

    references: References
    root: JsonObject
    base: str
    problems: list[Problem] = field(default_factory=list[Problem])
    scheme_names: frozenset[str] = frozenset()

    @cached_property
    def tag_parents(self) -> Mapping[str, str]:
        """The tag that each tag belongs to, where the document says one (3.2)."""
        described = [as_object(tag) for tag in as_array(self.root.get("tags"))]
        return {str(tag.get("name")): str(tag["parent"]) for tag in described if tag.get("parent")}

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
