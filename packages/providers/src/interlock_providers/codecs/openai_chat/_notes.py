"""The notes of this dialect; see `interlock_providers.codecs._notes`."""

from interlock_providers.codecs._notes import PREFIX, Notes, refuse_reserved

DIALECT = "openai-chat"
NOTES = Notes(DIALECT)
NOTE = NOTES.key

note_of = NOTES.of
with_note = NOTES.kept
own_fields = NOTES.own
shown_fields = NOTES.shown

__all__ = [
    "DIALECT",
    "NOTE",
    "PREFIX",
    "note_of",
    "own_fields",
    "refuse_reserved",
    "shown_fields",
    "with_note",
]
