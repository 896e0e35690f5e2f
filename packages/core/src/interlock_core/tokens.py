"""Token counts where no exact tokeniser is at hand: an estimate, and a bound that is never below the truth.

A byte-level tokeniser makes at most one token of each byte, so the number of UTF-8 bytes plus what a
chat template adds is an upper bound for every text. Images are bounded by their vendors' rules; where
none is known there is no bound, and saying so is the caller's duty.
"""

from interlock_core.completion import CompletionRequest
from interlock_core.jsontypes import dump_json
from interlock_core.messages import (
    Audio,
    File,
    Image,
    Message,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from interlock_core.protocols import TokenCount

_BYTES_PER_TOKEN = 3.6
_PER_MESSAGE = 8
_PER_REQUEST = 16
_PER_TOOL = 24
_PER_IMAGE = 2_048
_BYTES_PER_MEDIA_TOKEN = 4


class EstimatingCounter:
    """Counts tokens of a request by its bytes."""

    __slots__ = ()

    def count(self, request: CompletionRequest) -> TokenCount:
        """Tokens of the request's input, tools included; `upper_bound` holds for texts."""
        size = sum(_message_bytes(message) for message in request.messages)
        size += sum(
            len(tool.name) + len(tool.description.encode()) + len(dump_json(tool.parameters).encode())
            for tool in request.tools
        )
        if request.response_format is not None and request.response_format.schema is not None:
            size += len(dump_json(request.response_format.schema).encode())
        images = sum(isinstance(part, Image) for message in request.messages for part in message.content)
        overhead = _PER_REQUEST + _PER_MESSAGE * len(request.messages) + _PER_TOOL * len(request.tools)
        overhead += images * _PER_IMAGE
        return TokenCount(tokens=round(size / _BYTES_PER_TOKEN) + overhead, upper_bound=size + overhead)


def _message_bytes(message: Message) -> int:
    return sum(_part_bytes(part) for part in message.content)


def _part_bytes(part: object) -> int:
    match part:
        case Text() | Refusal():
            return len(part.text.encode())
        case Reasoning():
            return len(part.text.encode()) + len(part.encrypted or "")
        case ToolCall():
            return len(part.name) + len(part.arguments.encode())
        case ToolResult():
            return sum(_part_bytes(inner) for inner in part.content)
        case File() | Audio():
            return len(part.data or b"") // _BYTES_PER_MEDIA_TOKEN
        case _:
            return 0
