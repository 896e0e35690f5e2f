"""One event of the dialect's streams, kept with what a writer must know to go on behind it."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from interlock_providers.codecs._original import EventBytes

BlockKind: TypeAlias = Literal["text", "thinking", "tool"]
"""What a stretch of a stream is made of."""


class Block(NamedTuple):
    """A stretch of a stream that has begun and has not ended.

    Attributes:
        kind: What it is made of.
        number: Its number; tool calls are counted apart from the rest.
    """

    kind: BlockKind
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CohereEvent(EventBytes):
    """The untouched bytes of an event, with those before it that say nothing (where a part begins or ends).

    Attributes:
        block: What is open behind these bytes.
        spans: How many parts of the content have begun up to here.
        before: How many of the bytes stand before the event itself.
        cited: How many citations have begun up to here.
        plan: Its reasoning is the plan for tool calls.
    """

    block: Block | None = field(default=None, repr=False, compare=False)
    spans: int = field(default=0, repr=False, compare=False)
    before: int = field(default=0, repr=False, compare=False)
    cited: int = field(default=0, repr=False, compare=False)
    plan: bool = field(default=False, repr=False, compare=False)
