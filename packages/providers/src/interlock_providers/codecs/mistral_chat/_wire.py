"""Whom a conversation is written for, and what came out otherwise than it was asked."""

from dataclasses import dataclass, field

from interlock_providers.codecs import Target
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs.mistral_chat._ids import CallIds


@dataclass(slots=True)
class Wire:
    """One request to a vendor, or one answer to a client, as it is written.

    Attributes:
        target: The vendor; None for a client, who is shown everything that the dialect can say.
        names: How tools are called there.
        ids: How tool calls are called there.
        path: Where what is being written stands, for errors.
        adapted: What is said in another way than it was asked, a sentence each.
    """

    target: Target | None = None
    names: ToolNames = field(default_factory=lambda: ToolNames(()))
    ids: CallIds = field(default_factory=lambda: CallIds(()))
    path: str = "message.content"
    adapted: dict[str, None] = field(default_factory=dict[str, None])

    def adapt(self, what: str, why: str) -> None:
        """Note that something is said in another way; each sentence once.

        Args:
            what: What becomes of what was asked.
            why: What the vendor has not, after its name.
        """
        if self.target is not None:
            self.adapted[f"{what}: {self.target.provider} {why}"] = None
