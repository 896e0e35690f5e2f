"""The notes of this dialect; see `interlock_providers.codecs._notes`."""

from interlock_providers.codecs._notes import PREFIX, Notes, refuse_reserved

DIALECT = "openai-responses"
NOTES = Notes(DIALECT)

__all__ = ["DIALECT", "NOTES", "PREFIX", "refuse_reserved"]
