"""What a simulated vendor is told to answer, in no vendor's words: each server writes it in its own."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from interlock_core import Json

if TYPE_CHECKING:
    import asyncio

Meaning: TypeAlias = Literal[
    "bad_key",
    "content_policy",
    "invalid",
    "model_not_found",
    "no_money",
    "not_found",
    "overloaded",
    "permission",
    "rate_limit",
    "server_error",
    "timeout",
    "too_large",
    "too_long",
]
"""What an error is about; every vendor has its own status, code and words for it."""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call that the simulated model makes.

    Attributes:
        name: The tool's name on the wire.
        arguments: The arguments, byte for byte; they need not be JSON.
        id: Id of the call; made up when empty.
        pieces: How the arguments are cut on a stream; every four characters unless given.
    """

    name: str
    arguments: str = "{}"
    id: str = ""
    pieces: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Thought:
    """A part of the reasoning.

    Attributes:
        text: What was thought; empty where the vendor does not tell.
        sealed: The opaque payload that a client has to give back: a signature, encrypted reasoning, or the
            data of a redacted part. Made up unless given.
        redacted: Nothing is told but the payload.
        raw: Told as the model thought it rather than as a summary, where the vendor tells the two apart.
        pieces: How the text is cut on a stream; one piece unless given.
    """

    text: str = ""
    _: KW_ONLY
    sealed: str | None = None
    redacted: bool = False
    raw: bool = False
    pieces: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A passage of the answer and what it stands on.

    Attributes:
        start: Where the passage begins in the text of its block.
        end: Where it ends, exclusive.
        text: The words that are cited.
        url: Address of a source on the web; None for a document of the request.
        title: Title of the source.
        source: Id of the document.
        index: Number of the document in the request.
    """

    start: int = 0
    end: int = 0
    text: str = ""
    url: str | None = None
    title: str | None = None
    source: str = "doc_0"
    index: int = 0


@dataclass(frozen=True, slots=True)
class Spoken:
    """A part of the answer that is text.

    Attributes:
        text: What is said.
        citations: What it stands on; a mapping goes out as it is, in the vendor's own shape.
        pieces: How the text is cut on a stream; at spaces unless given.
    """

    text: str
    _: KW_ONLY
    citations: tuple[Citation | Mapping[str, Json], ...] = ()
    pieces: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Declined:
    """A part of the answer that is a refusal.

    Attributes:
        text: Why the model will not answer.
    """

    text: str


@dataclass(frozen=True, slots=True)
class RawBlock:
    """A part of the answer in the vendor's own shape, such as what its own tools did.

    Attributes:
        block: The block or item, as it is. Vendors whose answers have no parts leave it out.
    """

    block: Mapping[str, Json]


Block: TypeAlias = Thought | Spoken | Declined | ToolUse | RawBlock
"""A part of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error that the simulated vendor answers with.

    What is given goes out as it is. The classes of error (`Failure.rate_limit()` and so on) leave status,
    code and words to the vendor; they carry those of OpenAI's dialect for vendors that have none.

    Attributes:
        status: HTTP status.
        code: The vendor's code.
        kind: The vendor's type; follows from the status unless given.
        message: The vendor's words.
        param: The field that is wrong.
        headers: Further headers, such as `retry-after`.
        means: What it is about, when the vendor is to choose the rest.
        detail: What differs from one error of that kind to the next, such as the limit.
    """

    status: int
    code: str | None = None
    kind: str | None = None
    message: str = "simulated"
    param: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    means: Meaning | None = None
    detail: str = ""

    @classmethod
    def rate_limit(cls, retry_after: float | None = None) -> Self:
        """Too many requests just now."""
        headers = () if retry_after is None else (("retry-after", f"{retry_after:g}"),)
        words = "Rate limit reached for requests."
        return cls(
            status=429,
            code="rate_limit_exceeded",
            kind="requests",
            message=words,
            headers=headers,
            means="rate_limit",
        )

    @classmethod
    def no_money(cls) -> Self:
        """The account has no money left."""
        words = "You exceeded your current quota, please check your plan and billing details."
        return cls(
            status=429, code="insufficient_quota", kind="insufficient_quota", message=words, means="no_money"
        )

    @classmethod
    def bad_key(cls, shown: str = "sk-****abcd") -> Self:
        """The key is wrong; some vendors repeat it."""
        words = f"Incorrect API key provided: {shown}."
        return cls(status=401, code="invalid_api_key", message=words, means="bad_key", detail=shown)

    @classmethod
    def permission(cls) -> Self:
        """The key is right, but it may not do this."""
        words = "You have insufficient permissions for this operation."
        return cls(status=403, code="permission_denied", message=words, means="permission")

    @classmethod
    def overloaded(cls) -> Self:
        """The vendor has no capacity."""
        words = "The engine is currently overloaded, please try again later."
        return cls(
            status=503, code="engine_overloaded", kind="server_error", message=words, means="overloaded"
        )

    @classmethod
    def server_error(cls) -> Self:
        """Something broke at the vendor."""
        words = "The server had an error while processing your request. Sorry about that!"
        return cls(status=500, kind="server_error", message=words, means="server_error")

    @classmethod
    def timeout(cls) -> Self:
        """It took the vendor too long."""
        return cls(status=504, kind="server_error", message="The request timed out.", means="timeout")

    @classmethod
    def too_long(cls, limit: int = 8192) -> Self:
        """The input does not fit the model."""
        words = f"This model's maximum context length is {limit} tokens."
        return cls(
            status=400,
            code="context_length_exceeded",
            message=words,
            param="messages",
            means="too_long",
            detail=str(limit),
        )

    @classmethod
    def too_large(cls) -> Self:
        """The body has too many bytes."""
        return cls(status=413, message="Request body is too large.", means="too_large")

    @classmethod
    def content_policy(cls) -> Self:
        """The vendor will not have this asked or answered."""
        words = "Your request was rejected by the content policy."
        return cls(status=400, code="content_policy_violation", message=words, means="content_policy")

    @classmethod
    def model_not_found(cls, model: str) -> Self:
        """The vendor has no such model."""
        words = f"The model `{model}` does not exist or you do not have access to it."
        return cls(
            status=404,
            code="model_not_found",
            message=words,
            param="model",
            means="model_not_found",
            detail=model,
        )

    @classmethod
    def not_found(cls, what: str = "/v1/unknown") -> Self:
        """There is nothing at that address."""
        return cls(status=404, message=f"Invalid URL ({what})", means="not_found", detail=what)

    @classmethod
    def invalid(cls, message: str = "The request is not valid.", param: str | None = None) -> Self:
        """The request is wrong; the words are the same for every vendor."""
        return cls(status=400, message=message, param=param, means="invalid", detail=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawReply:
    """Anything at all, such as HTML, half a JSON text or another dialect.

    Attributes:
        body: The body's bytes.
        status: HTTP status.
        content_type: What the server calls it.
        headers: Further headers.
    """

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Say:
    """An answer of the simulated model; it goes out whole or streamed, as the client asks.

    Attributes:
        text: What it says; None for nothing but calls or a refusal.
        calls: The tool calls that it makes.
        refusal: Why it will not answer.
        reasoning: What it thought.
        citations: What the text stands on; a mapping goes out as it is, in the vendor's own shape.
        parts: The parts of the answer in their order, in place of text, calls, refusal, reasoning and
            citations, so that thoughts can come between calls, and text in several blocks.
        others: What the further choices say where several are asked for; the same unless given.
        finish: Why it stopped, in the vendor's own word; follows from the rest unless given.
        finish_details: Details of the finish in the vendor's own shape, where it has any.
        stop_sequence: The stop sequence that ended it, where the vendor tells.
        usage: `right`, `missing`, or the object to send instead.
        service_tier: The tier that it says it served; the vendor's ordinary one unless given.
        pieces: How the text is cut on a stream; at spaces unless given.
        gates: On a stream, what to wait for before each piece, so that a test sets the pace.
        pings: On a stream, something that means nothing before each piece.
        endless: On a stream, go on with the last piece until the client leaves.
        hold: On a stream, say nothing more after the pieces until the client leaves.
        cut_after: On a stream, close the connection after this many bytes of events.
        clean_cut: Such a cut ends the HTTP message as if that were all.
        end_mark: On a stream, say what ends it.
        fail: On a stream, an error event in place of the finish.
        fail_after: Such an error comes after this many pieces rather than after all.
        logprobs: Log probabilities of the answer, as they are.
        headers: Further headers.
    """

    text: str | None = None
    _: KW_ONLY
    calls: tuple[ToolUse, ...] = ()
    refusal: str | None = None
    reasoning: str | tuple[Thought, ...] | None = None
    citations: tuple[Citation | Mapping[str, Json], ...] = ()
    parts: tuple[Block, ...] | None = None
    others: "tuple[Say, ...]" = ()
    finish: str | None = None
    finish_details: Mapping[str, Json] | None = None
    stop_sequence: str | None = None
    usage: Literal["right", "missing"] | Mapping[str, Json] = "right"
    service_tier: str | None = None
    pieces: tuple[str, ...] | None = None
    gates: "Sequence[asyncio.Event]" = ()
    pings: bool = False
    endless: bool = False
    hold: bool = False
    cut_after: int | None = None
    clean_cut: bool = False
    end_mark: bool = True
    fail: Failure | None = None
    fail_after: int | None = None
    logprobs: Json = None
    headers: tuple[tuple[str, str], ...] = ()

    def blocks(self) -> tuple[Block, ...]:
        """The parts of the answer in the order in which models say them: thoughts, text, refusal, calls."""
        if self.parts is not None:
            return self.parts
        thoughts = (Thought(self.reasoning),) if isinstance(self.reasoning, str) else self.reasoning or ()
        spoken = Spoken(self.text or "", citations=self.citations, pieces=self.pieces)
        texts = (spoken,) if self.text is not None or self.pieces is not None else ()
        declined = () if self.refusal is None else (Declined(self.refusal),)
        return (*thoughts, *texts, *declined, *self.calls)

    def choice(self, index: int) -> "Say":
        """What the choice of that number says."""
        return self if index == 0 or not self.others else self.others[(index - 1) % len(self.others)]


Scripted: TypeAlias = Say | Failure | RawReply
"""One answer of a script."""
