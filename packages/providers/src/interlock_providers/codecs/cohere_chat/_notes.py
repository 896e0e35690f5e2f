"""What this dialect keeps beside the vocabulary; see `interlock_providers.codecs._notes`."""

from interlock_core import Json, JsonObject, Reasoning
from interlock_providers.codecs._fields import Fields
from interlock_providers.codecs._notes import Notes

DIALECT = "cohere-chat"
NOTES = Notes(DIALECT)

PLAN = "tool_plan"
"""Id of the reasoning that the vendor tells apart from thinking: its plan for the tool calls.

It stands in `Reasoning.id`, so that a plan goes back as a plan after a stream too, whose assembled message
has no notes.
"""


def is_plan(part: Reasoning) -> bool:
    """Whether a part of the reasoning is a plan for tool calls."""
    return part.id == PLAN


def keep_empty(fields: Fields, note: JsonObject, *names: str) -> None:
    """Note which of these fields are there and say nothing, so that they can be written again."""
    empty: JsonObject = {}
    for name in names:
        value = fields.peek(name)
        if value in ("", []):
            empty[name] = fields.take(name)
    note["empty"] = empty


def with_empty(made: JsonObject, note: JsonObject) -> JsonObject:
    """The object with the fields that were there and said nothing."""
    empty: Json = note.get("empty")
    return {**empty, **made} if isinstance(empty, dict) else made
