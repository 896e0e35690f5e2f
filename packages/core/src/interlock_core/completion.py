"""What is asked of a model and what comes back, whole or streamed."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Literal

from interlock_core.decision import RouteDecision
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.messages import Message
from interlock_core.money import Money
from interlock_core.record import record
from interlock_core.toolspec import ToolSpec


class FinishReason(StrEnum):
    """Why the model stopped."""

    STOP = "stop"
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    CONTEXT = "context"
    TOOL_CALLS = "tool_calls"
    FILTERED = "filtered"
    PAUSED = "paused"
    ERROR = "error"
    UNKNOWN = "unknown"


@record(frozen=True, slots=True, kw_only=True)
class WireBytes:
    """Bytes as they were on the wire, so that what needs no rewriting is forwarded, not rebuilt.

    Attributes:
        dialect: Name of the codec that can read them, such as `openai-chat`.
        body: The untouched bytes.
        headers: Headers that matter to the dialect, lower case.
    """

    dialect: str
    body: bytes = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@record(frozen=True, slots=True, kw_only=True)
class ToolChoice:
    """How the model may use its tools.

    Attributes:
        mode: `auto` leaves it free, `none` forbids, `required` demands a call.
        name: The one tool that must be called; goes with `required`.
        parallel: Whether several calls may come at once; None leaves it to the vendor.
    """

    mode: Literal["auto", "none", "required"] = "auto"
    name: str | None = None
    parallel: bool | None = None


@record(frozen=True, slots=True, kw_only=True)
class ResponseFormat:
    """The form that the answer must have.

    Attributes:
        kind: `json_object` for any JSON object, `json_schema` for one that fits `schema`.
        schema: JSON Schema of the answer.
        name: Name of the schema, shown to the model.
        strict: Whether the vendor must enforce it.
        description: What the answer is for, shown to the model.
    """

    kind: Literal["json_object", "json_schema"] = "json_schema"
    schema: JsonObject | None = None
    name: str = "answer"
    strict: bool | None = None
    description: str | None = None


@record(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """One request to a model, in words that no vendor owns.

    Attributes:
        model: `provider/model`, a bare name, an alias, `auto` or `auto/<policy>`.
        messages: The conversation.
        tools: What the model may call.
        tool_choice: How it may call; None leaves it to the vendor.
        response_format: The form that the answer must have.
        max_tokens: Most output tokens.
        temperature: Randomness, 0 to 2 in most dialects.
        top_p: Nucleus sampling, 0 to 1.
        top_k: Most likely tokens considered.
        stop: Texts that end the answer.
        seed: For repeatable sampling where the vendor has it.
        presence_penalty: -2 to 2.
        frequency_penalty: -2 to 2.
        logprobs: How many log probabilities a token, 0 for that of the token alone; None for none.
        n: How many answers.
        reasoning_effort: The vendor's word, such as `low` or `high`.
        reasoning_budget: Most tokens of reasoning, 0 for none; None leaves it to the vendor.
        service_tier: The vendor's word for its price and speed class.
        cache_key: The vendor's key for its prompt cache.
        user: Opaque id of the end user, for the vendor's abuse checks.
        stream_usage: The client itself asked for usage on a stream.
        metadata: Tags that the vendor stores.
        extra: Fields that the client's dialect has and this class has not, kept for the same dialect.
        original: The client's untouched bytes.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice | None = None
    response_format: ResponseFormat | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: int | None = None
    n: int | None = None
    reasoning_effort: str | None = None
    reasoning_budget: int | None = None
    service_tier: str | None = None
    cache_key: str | None = None
    user: str | None = None
    stream_usage: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])
    original: WireBytes | None = None


@record(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one request. Parts are contained in their totals.

    Attributes:
        input_tokens: All input, cached input included.
        output_tokens: All output, reasoning included.
        cache_read_tokens: Input read from the vendor's cache.
        cache_write_tokens: Input written to it.
        cache_write_1h_tokens: The part of those writes kept for an hour.
        reasoning_tokens: Output that was reasoning.
        audio_input_tokens: Input that was sound.
        audio_output_tokens: Output that was sound.
        image_input_tokens: Input that was images, where the vendor bills it apart.
        image_output_tokens: Output that was images.
        requests: Billed requests beside tokens, such as web searches, by the vendor's name.
        exact: As the vendor or the tokeniser counted; False when estimated.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    image_input_tokens: int = 0
    image_output_tokens: int = 0
    requests: Mapping[str, int] = field(default_factory=dict[str, int])
    exact: bool = True

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        names = self.requests.keys() | other.requests.keys()
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            cache_write_1h_tokens=self.cache_write_1h_tokens + other.cache_write_1h_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            audio_input_tokens=self.audio_input_tokens + other.audio_input_tokens,
            audio_output_tokens=self.audio_output_tokens + other.audio_output_tokens,
            image_input_tokens=self.image_input_tokens + other.image_input_tokens,
            image_output_tokens=self.image_output_tokens + other.image_output_tokens,
            requests={name: self.requests.get(name, 0) + other.requests.get(name, 0) for name in names},
            exact=self.exact and other.exact,
        )


@record(frozen=True, slots=True, kw_only=True)
class Completion:
    """A model's whole answer.

    Attributes:
        model: `provider/model` that answered.
        message: The assistant's message.
        finish: Why it stopped.
        native_finish: The vendor's own word for that.
        usage: Tokens, or None when the vendor said nothing.
        cost: Price of the request; None when the price is unknown, which is not zero.
        id: The vendor's id of the answer.
        created: When, in seconds since 1970.
        alternatives: Further answers when more than one was asked for.
        logprobs: The vendor's log probabilities as it sent them.
        service_tier: The vendor's word for the tier that served it.
        attempts: How many calls to vendors it took.
        adapted: What the vendor cannot do as it was asked and was done in another way, a sentence each.
        decision: Why this model, when the router chose it.
        raw: The vendor's untouched answer.
    """

    model: str
    message: Message
    finish: FinishReason
    native_finish: str | None = None
    usage: Usage | None = None
    cost: Money | None = None
    id: str = ""
    created: int = 0
    alternatives: tuple[Message, ...] = ()
    logprobs: Json = None
    service_tier: str | None = None
    attempts: int = 1
    adapted: tuple[str, ...] = ()
    decision: RouteDecision | None = None
    raw: WireBytes | None = None

    @property
    def text(self) -> str:
        """The answer's text."""
        return self.message.text


@record(frozen=True, slots=True, kw_only=True)
class ToolCallDelta:
    """A piece of a tool call on a stream.

    Attributes:
        index: Which call of the message, from 0.
        id: The call's id, on its first piece.
        name: The tool's name, on its first piece.
        arguments: The next characters of the JSON text.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@record(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One event of a streamed answer; every field may be empty.

    The last chunk of a stream that ended well has `finish`; `usage` and `cost` come with it or after it.

    Attributes:
        text: The next characters of the answer.
        reasoning: The next characters of the reasoning.
        signature: Signature of the reasoning that just ended.
        encrypted: Opaque reasoning payload that just ended.
        reasoning_id: The vendor's id of the reasoning that just ended.
        refusal: The next characters of a refusal.
        tool_calls: Pieces of tool calls.
        finish: Why the model stopped.
        native_finish: The vendor's own word for that.
        usage: Tokens of the whole request.
        cost: Price of the whole request; None when not known (yet).
        model: `provider/model` that answers; on the first chunk at least.
        id: The vendor's id of the answer.
        choice: Which answer, when several were asked for.
        citations: Citations of the text so far.
        logprobs: The vendor's log probabilities as it sent them.
        service_tier: The vendor's word for the tier that serves it.
        attempts: Calls to vendors so far.
        adapted: What was done in another way than it was asked, as in `Completion`; on the first chunk.
        decision: Why this model; on the first chunk when the router chose it.
        raw: The vendor's untouched event.
    """

    text: str = ""
    reasoning: str = ""
    signature: str | None = None
    encrypted: str | None = None
    reasoning_id: str | None = None
    refusal: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    finish: FinishReason | None = None
    native_finish: str | None = None
    usage: Usage | None = None
    cost: Money | None = None
    model: str = ""
    id: str = ""
    choice: int = 0
    citations: tuple[Json, ...] = ()
    logprobs: Json = None
    service_tier: str | None = None
    attempts: int = 1
    adapted: tuple[str, ...] = ()
    decision: RouteDecision | None = None
    raw: WireBytes | None = None


@record(frozen=True, slots=True, kw_only=True)
class Embeddings:
    """Vectors for texts.

    Attributes:
        model: `provider/model` that made them.
        vectors: One a text, in order.
        usage: Tokens, or None when the vendor said nothing.
        cost: Price; None when unknown.
    """

    model: str
    vectors: tuple[tuple[float, ...], ...]
    usage: Usage | None = None
    cost: Money | None = None
