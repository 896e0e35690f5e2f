"""What a request to a vendor is written with: whom it is for, and what is said about it on the way."""

from dataclasses import dataclass, field

from interlock_core import Json
from interlock_core.errors import UnsupportedError
from interlock_providers.codecs import Target
from interlock_providers.codecs._names import ToolNames


@dataclass(slots=True)
class Outgoing:
    """Gathers what the rendering of one request finds out.

    Attributes:
        target: Whom it is for.
        names: How its tools are called there.
        inline: Files of text stand in the message, because the request asks for what the vendor does not
            give together with documents.
        documents: Files that go beside the messages.
        adapted: What is done in another way, a sentence each.
    """

    target: Target
    names: ToolNames
    inline: bool = False
    documents: list[Json] = field(default_factory=list[Json])
    adapted: list[str] = field(default_factory=list[str])

    def say(self, what: str, why: str) -> None:
        """Say once that something is done in another way; `why` goes on after the provider's name."""
        sentence = f"{what}: {self.target.provider} {why}"
        if sentence not in self.adapted:
            self.adapted.append(sentence)

    def cannot(self, field: str, what: str, remedy: str) -> UnsupportedError:
        """The error for something that cannot be done at all; `what` goes on after the provider's name."""
        return UnsupportedError(f"{field}: {self.target.provider} {what}.", field=field, remedy=remedy)
