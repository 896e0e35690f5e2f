"""The notes of this dialect; see `interlock_providers.codecs._notes`."""

from interlock_providers.codecs._notes import Notes

DIALECT = "mistral-chat"
NOTES = Notes(DIALECT)
