"""Codecs: how a dialect is read and written, on the vendor's side and on the client's.

One module a dialect. Each offers the same functions: parse and render a request, parse and render an
answer, whole and streamed, and errors both ways. A codec knows no socket, no key and no clock but the
one it is handed; a carrier takes what it rendered.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from interlock_core import (
    Chunk,
    Completion,
    CompletionRequest,
    Embeddings,
    Json,
    JsonObject,
    ToolCall,
    ToolSpec,
)

if TYPE_CHECKING:
    from types import ModuleType

    from interlock_core.errors import InterlockError
    from interlock_providers.codecs._names import ToolNames

Headers: TypeAlias = tuple[tuple[str, str], ...]
"""Header names and values in the order of the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a server takes of its dialect; a row of the registry sets them.

    Attributes:
        max_tokens: The field for the most output tokens when the request does not say which it used.
        stream_usage: It understands that usage is asked for on a stream.
        reasoning: It takes earlier reasoning back in an assistant's message.
        tool_images: It takes images in tool results.
        top_k: It takes `top_k`, which servers added to dialects that began without it.
    """

    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    stream_usage: bool = True
    reasoning: bool = True
    tool_images: bool = True
    top_k: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom a request is rendered for.

    Attributes:
        provider: Name of the configured provider.
        model: The vendor's own name of the model.
        facts: What its server takes.
    """

    provider: str
    model: str
    facts: Facts = field(default_factory=Facts)

    @property
    def id(self) -> str:
        """`provider/model`."""
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRequest:
    """What a client asked.

    Attributes:
        request: The request; its `original` holds the client's bytes.
        stream: The client wants the answer piece by piece.
    """

    request: CompletionRequest
    stream: bool = False


class ArgumentForms(Protocol):
    """How arguments of the tools of one request are written toward a vendor that enforces schemas."""

    def changes(self, name: str) -> bool:
        """Whether the arguments of a tool are written in a form of their own."""
        ...

    def encode(self, call: ToolCall) -> ToolCall:
        """A call as the vendor's model would have written it."""
        ...

    def decode(self, name: str, arguments: str) -> str:
        """The arguments as JSON text of the tool's own schema."""
        ...

    def restored(self, completion: Completion) -> Completion:
        """An answer with the arguments of its calls as the tools' own schemas say them."""
        ...

    def restoring(self, parser: "StreamParser") -> "StreamParser":
        """A reader of a stream that gives the arguments as the tools' own schemas say them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A request as it goes to the vendor, without origin and key.

    Attributes:
        path: Path below the base URL, such as `/chat/completions`.
        headers: Headers of the dialect.
        body: The bytes.
        target: Whom it is for.
        names: How tools are called on this wire.
        forms: How arguments are written on this wire, where that is not as their schemas say them.
        adapted: What the vendor cannot do as it was asked and is done in another way, a sentence each,
            such as `seed is left to chance: acme has none`. Nothing that was asked is dropped without
            a sentence here; what cannot be done at all is refused.
        note: What the codec wants to know again when it reads the answer.
    """

    path: str
    headers: Headers
    body: bytes = field(repr=False)
    target: Target
    names: "ToolNames"
    forms: ArgumentForms | None = field(default=None, repr=False)
    adapted: tuple[str, ...] = ()
    note: JsonObject = field(default_factory=dict[str, Json], repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorReply:
    """What a vendor answered, for `parse_error`.

    Attributes:
        status: HTTP status; 200 for an error that came within a stream or a successful answer.
        headers: Its headers.
        body: Its body, whole or cut.
        provider: Name of the configured provider.
        now: Seconds since 1970, UTC, to read dates in headers against.
    """

    status: int
    headers: Headers
    body: bytes = field(repr=False)
    provider: str
    now: float

    def header(self, name: str) -> str | None:
        """The first value of a header, its name compared without case."""
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReply:
    """An error as a client of the dialect expects it.

    Attributes:
        status: HTTP status.
        headers: Headers that go with it.
        body: The bytes.
    """

    status: int
    headers: Headers
    body: bytes


class StreamParser(Protocol):
    """Reads one vendor's stream, whatever pieces its bytes come in."""

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """Take the next bytes and yield the chunks that they complete.

        Raises:
            InterlockError: The vendor reported an error, or broke its own format.
        """
        ...

    def finish(self) -> Iterator[Chunk]:
        """The vendor closed the stream: yield what is left.

        Raises:
            ProtocolError: It closed before the answer was complete.
        """
        ...

    @property
    def done(self) -> bool:
        """The vendor said that nothing more comes."""
        ...


class StreamRenderer(Protocol):
    """Writes one stream toward a client."""

    def chunk(self, chunk: Chunk) -> bytes:
        """The bytes for a chunk; empty when the client is to see nothing of it."""
        ...

    def end(self, interlock: JsonObject | None = None) -> bytes:
        """The bytes that end a stream well: usage where the client asked for it, then the end mark.

        Args:
            interlock: What else is known only at the end (run, cost, attempts), told beside the usage.
        """
        ...

    def error(self, error: "InterlockError") -> bytes:
        """The bytes that end a stream with an error."""
        ...


class Codec(Protocol):
    """One dialect, both sides."""

    @property
    def dialect(self) -> str:
        """Its name, such as `openai-chat`."""
        ...

    def parse_request(self, body: bytes, headers: Headers = ()) -> ClientRequest:
        """Read a client's request.

        Raises:
            InvalidRequestError: It is none; `field` names the place, such as `messages[2].content`.
            UnsupportedError: It asks for something that this gateway does not do.
        """
        ...

    def render_request(self, request: CompletionRequest, target: Target, *, stream: bool) -> Rendered:
        """Write a request for a vendor; the client's own bytes where nothing needs rewriting.

        Raises:
            UnsupportedError: The dialect cannot say what the request asks.
        """
        ...

    def parse_response(self, body: bytes, sent: Rendered, headers: Headers = ()) -> Completion:
        """Read a vendor's whole answer to what was sent.

        Raises:
            ProtocolError: It breaks the dialect's format.
            InterlockError: The body is an error in spite of its status.
        """
        ...

    def render_response(self, completion: Completion, interlock: JsonObject | None = None) -> bytes:
        """Write a whole answer for a client; the vendor's own bytes where nothing needs rewriting.

        Args:
            completion: The answer.
            interlock: Facts about the call, told under the key `interlock` when given.
        """
        ...

    def render_tools(self, tools: Sequence[ToolSpec], *, strict: bool | None = None) -> list[Json]:
        """Tools as this dialect defines them, one definition a tool, as they stand in a request.

        Args:
            tools: The tools.
            strict: Ask for the dialect's strict mode, or not; None leaves it to each tool.
        """
        ...

    def strictness(self, tools: Sequence[ToolSpec]) -> "tuple[Strictness, ...]":
        """What strict mode means for each of some tools, each as if it were the only one of a request."""
        ...

    def parse_stream(self, sent: Rendered, *, attempts: int = 1, now: float = 0.0) -> StreamParser:
        """A reader for the stream that answers what was sent."""
        ...

    def render_stream(self, request: CompletionRequest, *, created: int | None = None) -> StreamRenderer:
        """A writer for the stream toward the client who asked.

        Args:
            request: What the client asked.
            created: Seconds since 1970, told in every event; now unless given.
        """
        ...

    @property
    def models_path(self) -> str:
        """Path below the base URL where a vendor lists its models, the query included."""
        ...

    @property
    def models_headers(self) -> Headers:
        """Headers that go with it."""
        ...

    def parse_models(self, body: bytes, provider: str) -> tuple[str, ...]:
        """Names of the models that a vendor lists.

        Raises:
            ProtocolError: It is no such list.
        """
        ...

    def render_models(self, models: Sequence[tuple[str, str]], *, created: int = 0) -> bytes:
        """A list of models for a client.

        Args:
            models: Each model's id and who owns it.
            created: Seconds since 1970, told of each.
        """
        ...

    def render_model(self, model: str, owner: str, *, created: int = 0) -> bytes:
        """One model for a client.

        Args:
            model: Its id.
            owner: Who owns it.
            created: Seconds since 1970.
        """
        ...

    def parse_error(self, reply: VendorReply) -> "InterlockError":
        """The typed error that a vendor's error is: by status and code, then by words."""
        ...

    def render_error(self, error: "InterlockError") -> ErrorReply:
        """An error as clients of this dialect expect it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingsRequest:
    """What a client wants vectors of.

    Attributes:
        model: `provider/model` or a bare name.
        texts: The texts.
        base64: Vectors go back as base64 of little-endian 32-bit floats.
    """

    model: str
    texts: tuple[str, ...]
    base64: bool = False


class EmbeddingsCodec(Protocol):
    """A dialect of embeddings, both sides."""

    @property
    def most_texts(self) -> int | None:
        """How many texts a vendor takes in one request; None when no bound is known."""
        ...

    def parse_request(self, body: bytes) -> EmbeddingsRequest:
        """Read a client's request.

        Raises:
            InvalidRequestError: It is none; `field` names the place.
        """
        ...

    def render_request(self, texts: Sequence[str], target: Target) -> Rendered:
        """Write a request for a vendor."""
        ...

    def parse_response(self, body: bytes, sent: Rendered, count: int) -> Embeddings:
        """Read a vendor's answer, which must have that many vectors.

        Raises:
            ProtocolError: It breaks the dialect's format.
        """
        ...

    def render_response(self, embeddings: Embeddings, *, base64: bool = False) -> bytes:
        """Write the answer for a client."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Strictness:
    """What strict mode means for one tool in one dialect, when it is the only one of a request.

    Attributes:
        name: The tool's name.
        grade: `strict-lossless`: every object of arguments that the tool accepts can be written, and what
            the vendor lets through may break nothing but what is listed as unenforced, which is checked
            before the call. `strict-approximate`: the same, but at the places listed as lost not even the
            shape is enforced. `not-strict`: the tool is sent without strictness, for the reason given.
        unenforced: Constraints that the vendor does not hold a model to, as `maxLength at /title`.
        lost: Shapes that it does not hold a model to, in the same form.
        reason: Why the tool is not strict.
    """

    name: str
    grade: Literal["strict-lossless", "strict-approximate", "not-strict"]
    unenforced: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    reason: str = ""

    def as_json(self) -> JsonObject:
        """It as JSON; lists and a reason only where there are any."""
        made: JsonObject = {"name": self.name, "class": self.grade}
        if self.unenforced:
            made["unenforced"] = [*self.unenforced]
        if self.lost:
            made["lost"] = [*self.lost]
        return {**made, "reason": self.reason} if self.reason else made


def strictness(dialect: str, tools: Sequence[ToolSpec]) -> tuple[Strictness, ...]:
    """What strict mode means for each of some tools in a dialect.

    Raises:
        ConfigurationError: There is no dialect of that name.
    """
    return codec(dialect).strictness(tools)


def codec(dialect: str) -> Codec:
    """The codec of a dialect, imported on first use.

    Raises:
        ConfigurationError: There is none of that name; the remedy names those that there are.
    """
    loaded: Codec = _module(dialect).CODEC
    return loaded


def embeddings_codec(dialect: str) -> EmbeddingsCodec:
    """The codec of a dialect's embeddings, imported on first use.

    Raises:
        ConfigurationError: There is none of that name; the remedy names those that there are.
        UnsupportedError: The dialect has no embeddings.
    """
    loaded: EmbeddingsCodec | None = getattr(_module(dialect), "EMBEDDINGS", None)
    if loaded is None:
        from interlock_core.errors import UnsupportedError

        raise UnsupportedError(
            f"No vectors can be had in the dialect {dialect}.",
            field="model",
            remedy="Choose a model that makes vectors: `interlock models list` names them.",
        )
    return loaded


def _module(dialect: str) -> "ModuleType":
    from importlib import import_module

    if dialect not in _CODECS:
        from interlock_core.errors import ConfigurationError
        from interlock_core.nearest import suggestion

        raise ConfigurationError(
            f"There is no dialect named {dialect!r}.", field="dialect", remedy=suggestion(dialect, _CODECS)
        )
    return import_module(_CODECS[dialect])


def dialects() -> tuple[str, ...]:
    """Names of the dialects that can be spoken, sorted."""
    return tuple(sorted(_CODECS))


_CODECS: Mapping[str, str] = {
    "anthropic-messages": "interlock_providers.codecs.anthropic_messages",
    "cohere-chat": "interlock_providers.codecs.cohere_chat",
    "mistral-chat": "interlock_providers.codecs.mistral_chat",
    "openai-chat": "interlock_providers.codecs.openai_chat",
    "openai-responses": "interlock_providers.codecs.openai_responses",
}

__all__ = [
    "ArgumentForms",
    "ClientRequest",
    "Codec",
    "EmbeddingsCodec",
    "EmbeddingsRequest",
    "ErrorReply",
    "Facts",
    "Headers",
    "Rendered",
    "StreamParser",
    "StreamRenderer",
    "Strictness",
    "Target",
    "VendorReply",
    "codec",
    "dialects",
    "embeddings_codec",
    "strictness",
]
