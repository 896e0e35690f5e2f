"""What dialects whose conversations are messages with roles share when they read them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from interlock_core import Json, Message
from interlock_providers.codecs._fields import Fields, wrong
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs._notes import refuse_reserved


@dataclass(slots=True)
class Heard:
    """What is known of a vendor whose words are read, and whether they had to be put right.

    Attributes:
        provider: Name of the configured provider.
        names: How tools are called on its wire.
        mended: Something was mapped or put right, so the bytes are not what was understood.
    """

    provider: str
    names: ToolNames
    mended: bool = False


def read_conversation(
    items: Sequence[Json] | None, path: str, read: Callable[[Fields, Mapping[str, str]], Message]
) -> tuple[Message, ...]:
    """The conversation of a client's request.

    Args:
        items: Its messages.
        path: Where they stand, for errors.
        read: Reads one message; it is given the names of the tools that were called so far, by the ids of
            the calls.

    Raises:
        InvalidRequestError: A message is wrong; `field` names the place.
    """
    if not items:
        raise wrong(path, "an array with at least one message")
    called: dict[str, str] = {}
    messages: list[Message] = []
    for index, item in enumerate(items):
        fields = Fields(item, f"{path}[{index}]")
        refuse_reserved(fields.rest(), f"{path}[{index}].")
        message = read(fields, called)
        called.update((call.id, call.name) for call in message.tool_calls)
        messages.append(message)
    return tuple(messages)
