"""One event of a stream, as its bytes and as what it says."""

import re
from dataclasses import dataclass, field

from interlock_core import Json, JsonObject
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs._original import EventBytes

_NO_NAME = re.compile(r"[^A-Za-z0-9_.\-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsesEvent(EventBytes):
    """The untouched bytes of an event, with what a writer must know to go on from there.

    Attributes:
        event: The event as it was read.
        place: How many events came before it.
        foreign: It tells of something that the vocabulary has no word for.
    """

    event: JsonObject = field(default_factory=dict[str, Json], repr=False, compare=False)
    place: int = 0
    foreign: bool = False


def event_bytes(event: JsonObject) -> bytes:
    """An event as it goes on the wire, under its own name, of which nothing is left that could end a line."""
    name = _NO_NAME.sub("", str(event.get("type")))
    return b"event: %s\ndata: %s\n\n" % (name.encode(), to_bytes(event))
