"""What is said: messages and the parts that they are made of.

A message's parts keep the order in which they were said, because vendors need it so (signed
reasoning stands before the tool call that it led to).
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Literal, TypeAlias

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, parse_json
from interlock_core.record import record

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
"""Who speaks. A vendor's own `developer` role is `system` here."""


@record(frozen=True, slots=True, kw_only=True)
class CacheHint:
    """Asks the vendor to cache the prompt up to and including this part.

    Attributes:
        ttl: The vendor's word for how long, such as `5m` or `1h`; None leaves it to the vendor.
    """

    ttl: str | None = None


@record(frozen=True, slots=True)
class Text:
    """Plain text.

    Attributes:
        text: The text.
        cache: Where to cut the prompt cache, if here.
        citations: The vendor's citations of this text, as it sent them.
    """

    text: str
    cache: CacheHint | None = None
    citations: tuple[Json, ...] = ()


@record(frozen=True, slots=True, kw_only=True)
class Image:
    """An image by URL or by bytes; exactly one of `url`, `data`, `file_id` is set.

    Attributes:
        url: Where the vendor can fetch it.
        data: The bytes themselves.
        file_id: The vendor's id of an uploaded file.
        media_type: Such as `image/png`; needed with `data`.
        detail: The vendor's word for resolution, such as `low` or `high`.
        cache: Where to cut the prompt cache, if here.
    """

    url: str | None = None
    data: bytes | None = field(default=None, repr=False)
    file_id: str | None = None
    media_type: str | None = None
    detail: str | None = None
    cache: CacheHint | None = None


@record(frozen=True, slots=True, kw_only=True)
class File:
    """A document (such as a PDF) by URL, bytes or the vendor's file id.

    Attributes:
        url: Where the vendor can fetch it.
        data: The bytes themselves.
        file_id: The vendor's id of an uploaded file.
        media_type: Such as `application/pdf`.
        name: File name shown to the model.
        cache: Where to cut the prompt cache, if here.
    """

    url: str | None = None
    data: bytes | None = field(default=None, repr=False)
    file_id: str | None = None
    media_type: str | None = None
    name: str | None = None
    cache: CacheHint | None = None


@record(frozen=True, slots=True, kw_only=True)
class Audio:
    """Recorded sound.

    Attributes:
        data: The bytes.
        format: Such as `wav` or `mp3`.
    """

    data: bytes = field(repr=False)
    format: str


@record(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """What a model thought before it answered, with what its vendor needs to get it back.

    Attributes:
        text: The readable part; may be empty where the vendor hides it.
        signature: The vendor's signature over the text, carried back unchanged.
        encrypted: The vendor's opaque payload, carried back unchanged.
        id: The vendor's id of the item.
        vendor: The provider that made it: another vendor must not be sent it.
    """

    text: str = ""
    signature: str | None = None
    encrypted: str | None = None
    id: str | None = None
    vendor: str | None = None


@record(frozen=True, slots=True)
class Refusal:
    """The model's own words for why it will not answer."""

    text: str


@record(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that a model wants made.

    Attributes:
        id: The model's id of the call, which its result must repeat.
        name: Name of the tool as the model was told it.
        arguments: The arguments as the model wrote them: JSON text, byte for byte.
    """

    id: str
    name: str
    arguments: str = "{}"

    def parsed(self) -> JsonObject:
        """The arguments as a JSON object.

        Raises:
            InvalidRequestError: They are no JSON object; the message says where and is fit for a model.
        """
        try:
            value = parse_json(self.arguments or "{}")
        except (ValueError, RecursionError) as exc:
            raise InvalidRequestError(
                f"The arguments of {self.name} are not JSON: {exc}.",
                field="arguments",
                remedy="Send one JSON object.",
            ) from exc
        if not isinstance(value, dict):
            raise InvalidRequestError(
                f"The arguments of {self.name} are not a JSON object.",
                field="arguments",
                remedy="Send one JSON object.",
            )
        return value


@record(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool answered; a failure is an answer too, which the model can read.

    Attributes:
        call_id: Id of the call that this answers.
        name: Name of the tool.
        content: What the model is shown.
        is_error: The tool failed; the content says how and what to change.
        structured: The whole JSON answer for programs; never trimmed.
        error_code: The code of the error's class when `is_error`.
        status: HTTP status of the API's answer, when there was one.
        untrusted: The content came from outside and may carry instructions that are not the user's.
    """

    call_id: str
    name: str
    content: tuple[Text | Image | File, ...] = ()
    is_error: bool = False
    structured: Json = None
    error_code: str | None = None
    status: int | None = None
    untrusted: bool = True

    @property
    def text(self) -> str:
        """The text of all text parts."""
        return "".join(part.text for part in self.content if isinstance(part, Text))


Content: TypeAlias = Text | Image | File | Audio | Reasoning | Refusal | ToolCall | ToolResult
"""One part of a message."""


@record(frozen=True, slots=True)
class Message:
    """One message of a conversation.

    Attributes:
        role: Who speaks; a message of role `tool` holds `ToolResult` parts only.
        content: The parts in the order in which they were said.
        name: Name of the speaker, where several share a role.
        extra: Fields that the dialect has and this class has not, kept for the same dialect.
    """

    role: Role
    content: tuple[Content, ...]
    name: str | None = None
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json], hash=False)

    @property
    def text(self) -> str:
        """The text of all text parts."""
        return "".join(part.text for part in self.content if isinstance(part, Text))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls that this message asks for, in order."""
        return tuple(part for part in self.content if isinstance(part, ToolCall))

    @property
    def tool_results(self) -> tuple[ToolResult, ...]:
        """The results that this message carries, in order."""
        return tuple(part for part in self.content if isinstance(part, ToolResult))


def system(text: str) -> Message:
    """A system message of plain text."""
    return Message("system", (Text(text),))


def user(*parts: str | Content) -> Message:
    """A user message; strings become text parts."""
    return Message("user", tuple(Text(part) if isinstance(part, str) else part for part in parts))


def assistant(*parts: str | Content) -> Message:
    """An assistant message; strings become text parts."""
    return Message("assistant", tuple(Text(part) if isinstance(part, str) else part for part in parts))


def tool_results(results: Sequence[ToolResult]) -> Message:
    """The message that carries results back to the model."""
    return Message("tool", tuple(results))
