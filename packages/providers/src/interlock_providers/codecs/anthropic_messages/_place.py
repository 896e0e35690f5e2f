"""Where a stream of content blocks stands, and the bytes that lead from one place to the next."""

from dataclasses import dataclass, field
from typing import NamedTuple

from interlock_core import JsonObject
from interlock_providers.codecs._original import EventBytes


class Place(NamedTuple):
    """Where a stream stands between two events.

    Attributes:
        following: Index that the next block gets.
        kind: Kind of the block that is open, always the last that began; empty when none is.
        call: Which tool call it is, when it is one.
    """

    following: int = 0
    kind: str = ""
    call: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockBytes(EventBytes):
    """The bytes of one event, with those of the events before it that say nothing on their own.

    Attributes:
        before: Where a stream must stand for them to be forwarded.
        after: Where it stands then.
        told: What the event says, where it is written anew: the start and the end of the message.
        lead: How many of the bytes stand before such an event; they alone are forwarded.
    """

    before: Place = field(default=Place(), compare=False)
    after: Place = field(default=Place(), compare=False)
    told: JsonObject | None = field(default=None, repr=False, compare=False)
    lead: int = field(default=0, repr=False, compare=False)

    @property
    def forwarded(self) -> bytes:
        """The bytes that a client is sent as they are."""
        return self.body if self.told is None else self.body[: self.lead]
