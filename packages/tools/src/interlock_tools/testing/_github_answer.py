"""What an endpoint of the stand-in gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock_core.jsontypes import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status, a JSON value or a text, and the headers that belong to it."""

    value: Json
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    text: str | None = None
