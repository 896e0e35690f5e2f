"""What a simulated vendor is told to answer."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from interlock_core import Json, JsonObject

if TYPE_CHECKING:
    import asyncio


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call that the simulated model makes.

    Attributes:
        name: The tool's name on the wire.
        arguments: The arguments, byte for byte; they need not be JSON.
        id: Id of the call; made up when empty.
    """

    name: str
    arguments: str = "{}"
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error that the simulated vendor answers with.

    Attributes:
        status: HTTP status.
        code: The vendor's code.
        kind: The vendor's type.
        message: The vendor's words.
        param: The field that is wrong.
        headers: Further headers, such as `retry-after`.
    """

    status: int
    code: str | None = None
    kind: str = "invalid_request_error"
    message: str = "simulated"
    param: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def rate_limit(cls, retry_after: float | None = None) -> Self:
        """Too many requests just now."""
        headers = () if retry_after is None else (("retry-after", f"{retry_after:g}"),)
        words = "Rate limit reached for requests."
        return cls(status=429, code="rate_limit_exceeded", kind="requests", message=words, headers=headers)

    @classmethod
    def no_money(cls) -> Self:
        """The account has no money left."""
        words = "You exceeded your current quota, please check your plan and billing details."
        return cls(status=429, code="insufficient_quota", kind="insufficient_quota", message=words)

    @classmethod
    def bad_key(cls, shown: str = "sk-****abcd") -> Self:
        """The key is wrong; the vendor repeats it."""
        return cls(status=401, code="invalid_api_key", message=f"Incorrect API key provided: {shown}.")

    @classmethod
    def overloaded(cls) -> Self:
        """The vendor has no capacity."""
        words = "The engine is currently overloaded, please try again later."
        return cls(status=503, code="engine_overloaded", kind="server_error", message=words)

    @classmethod
    def too_long(cls, limit: int = 8192) -> Self:
        """The input does not fit the model."""
        words = f"This model's maximum context length is {limit} tokens."
        return cls(status=400, code="context_length_exceeded", message=words, param="messages")

    def body(self) -> JsonObject:
        """The error object as the vendor writes it."""
        error: JsonObject = {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }
        return {"error": error}


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
        reasoning: What it thought, told in `reasoning_content`.
        finish: Why it stopped; follows from the rest unless given.
        usage: `right`, `missing`, or the object to send instead.
        pieces: How the text is cut on a stream; at spaces unless given.
        gates: On a stream, what to wait for before each piece, so that a test sets the pace.
        endless: On a stream, go on with the last piece until the client leaves.
        hold: On a stream, say nothing more after the pieces until the client leaves.
        cut_after: On a stream, close the connection after this many bytes of events.
        clean_cut: Such a cut ends the HTTP message as if that were all.
        end_mark: On a stream, end with `[DONE]`.
        fail: On a stream, an error event in place of the finish.
        logprobs: Log probabilities of the answer, as they are.
        headers: Further headers.
    """

    text: str | None = None
    _: KW_ONLY
    calls: tuple[ToolUse, ...] = ()
    refusal: str | None = None
    reasoning: str | None = None
    finish: str | None = None
    usage: Literal["right", "missing"] | Mapping[str, Json] = "right"
    pieces: tuple[str, ...] | None = None
    gates: "Sequence[asyncio.Event]" = ()
    endless: bool = False
    hold: bool = False
    cut_after: int | None = None
    clean_cut: bool = False
    end_mark: bool = True
    fail: Failure | None = None
    logprobs: Json = None
    headers: tuple[tuple[str, str], ...] = ()


Scripted: TypeAlias = Say | Failure | RawReply
"""One answer of a script."""
