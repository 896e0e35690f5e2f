"""The notes of this dialect, its versions, and the sentences on what is done in another way."""

from interlock_providers.codecs._notes import Notes, refuse_reserved

DIALECT = "anthropic-messages"
VERSION = "2026-10-21"
"""The version of the API that is spoken unless a request needs the older one."""
SAMPLING_VERSION = "2023-06-01"
"""The version that still takes sampling parameters, which the newer one refuses."""
NOTES = Notes(DIALECT)


class Adapted:
    """Collects what is done in another way than it was asked, each sentence once.

    Args:
        provider: Name of the configured provider, for the sentences.
    """

    __slots__ = ("_said", "provider")

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self._said: dict[str, None] = {}

    def say(self, sentence: str) -> None:
        """Add a sentence."""
        self._said[sentence] = None

    def without(self, what: str) -> None:
        """Say that something is left out because the vendor has nothing like it."""
        self.say(f"{what} is left out: {self.provider} has none")

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of them, in the order in which they were first said."""
        return tuple(self._said)


__all__ = ["DIALECT", "NOTES", "SAMPLING_VERSION", "VERSION", "Adapted", "refuse_reserved"]
