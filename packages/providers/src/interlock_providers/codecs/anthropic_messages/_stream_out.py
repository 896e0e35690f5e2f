"""A stream, written toward a client.

Blocks come one after the other, as clients of the dialect expect: words end a block when another kind
begins. Pieces of tool calls that take turns are put in order: what belongs to another block waits until
the call that is being told has its whole arguments.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from interlock_core import (
    Chunk,
    CompletionRequest,
    FinishReason,
    Json,
    JsonObject,
    Reasoning,
    ToolCallDelta,
    Usage,
    new_id,
)
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import as_object, parse_json
from interlock_providers.codecs._fields import to_bytes
from interlock_providers.codecs.anthropic_messages._answer_out import (
    client_citations,
    stop_details,
    write_reasoning,
)
from interlock_providers.codecs.anthropic_messages._blocks_out import call_block
from interlock_providers.codecs.anthropic_messages._errors import error_body
from interlock_providers.codecs.anthropic_messages._notes import DIALECT
from interlock_providers.codecs.anthropic_messages._place import BlockBytes, Place
from interlock_providers.codecs.anthropic_messages._response import stop_reason
from interlock_providers.codecs.anthropic_messages._usage import NO_USAGE, write_usage


@dataclass(frozen=True, slots=True)
class _Piece:
    """One thing that is said, to be put into a block.

    Attributes:
        kind: Kind of the block.
        delta: The delta that says it.
        call: Which tool call it belongs to.
        begin: The block as it begins, where only a block of its own can say it.
        last: The block ends with it.
    """

    kind: str
    delta: JsonObject | None = None
    call: int | None = None
    begin: JsonObject | None = None
    last: bool = False


class _Queue:
    """Pieces that wait in the order in which they came, found by their call without a search."""

    __slots__ = ("_by_call", "_count", "_pieces")

    def __init__(self) -> None:
        self._count = 0
        self._pieces: OrderedDict[int, _Piece] = OrderedDict()
        self._by_call: dict[int | None, OrderedDict[int, None]] = {}

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def extend(self, pieces: Iterable[_Piece]) -> None:
        """Have more pieces wait."""
        for piece in pieces:
            self._count += 1
            self._pieces[self._count] = piece
            self._by_call.setdefault(piece.call, OrderedDict())[self._count] = None

    def first(self, *call: int | None) -> int | None:
        """Number of the first piece, or of the first one of a call."""
        return next(iter(self._by_call.get(call[0], ()) if call else self._pieces), None)

    def pop(self, number: int | None = None) -> _Piece:
        """Take a piece by its number; the first unless given."""
        taken = next(iter(self._pieces)) if number is None else number
        piece = self._pieces.pop(taken)
        of_call = self._by_call[piece.call]
        del of_call[taken]
        if not of_call:
            del self._by_call[piece.call]
        return piece


class MessagesStreamRenderer:
    """Writes one stream toward a client; see `StreamRenderer`.

    Args:
        request: What the client asked.
    """

    def __init__(self, request: CompletionRequest) -> None:
        self._model = request.model
        self._id = ""
        self._started = False
        self._place = Place()
        self._queue = _Queue()
        self._arguments: list[str] = []
        self._whole: bool | None = None
        self._begun: dict[int, tuple[str, str]] = {}
        self._told_calls: set[int] = set()
        self._unsigned = False
        self._vendor: str | None = None
        self._usage: Usage | None = None
        self._tier: str | None = None
        self._finish: FinishReason | None = None
        self._native: str | None = None
        self._refusal = ""
        self._end: JsonObject | None = None

    def chunk(self, chunk: Chunk) -> bytes:
        """The bytes for a chunk; empty when it only holds what is told at the end."""
        if chunk.choice:
            # Nobody can ask for several answers in this dialect.
            return b""
        raw = chunk.raw if isinstance(chunk.raw, BlockBytes) and chunk.raw.fits(chunk) else None
        begun = self._begin(chunk, raw)
        if raw is not None and not self._queue and raw.before == self._place:
            self._note_calls(chunk)
            self._place, self._unsigned = raw.after, False
            body = raw.forwarded
        else:
            body = self._written(chunk)
        if chunk.finish is not None:
            self._finish, self._native = chunk.finish, chunk.native_finish
            body += self._settle()
        if raw is not None and raw.told is not None and raw.told.get("type") == "message_delta":
            self._end = raw.told
        elif chunk.finish is not None or chunk.usage is not None:
            self._end = None
        self._refusal += chunk.refusal
        self._usage = chunk.usage or self._usage
        self._tier = chunk.service_tier or self._tier
        return begun + body

    def end(self, interlock: JsonObject | None = None) -> bytes:
        """The bytes that end a stream well: the reason and the usage, our facts beside them."""
        begun = self._begin(Chunk(), None) + self._settle()
        reason = stop_reason(self._finish or FinishReason.UNKNOWN, self._native, self._refusal)
        delta: JsonObject = {"stop_reason": reason, "stop_sequence": None}
        if self._refusal:
            delta["stop_details"] = stop_details(self._refusal)
        usage = dict(NO_USAGE) if self._usage is None else write_usage(self._usage, self._tier)
        written: JsonObject = {"type": "message_delta", "delta": delta, "usage": usage}
        body = dict(self._end or written)
        if interlock is not None:
            body["interlock"] = interlock
        return begun + _event(body) + _event({"type": "message_stop"})

    def error(self, error: InterlockError) -> bytes:
        """The bytes that end a stream with an error."""
        return _event(error_body(error))

    def _begin(self, chunk: Chunk, raw: BlockBytes | None) -> bytes:
        """The event that begins the message, once."""
        if self._started:
            return b""
        self._started = True
        self._model = chunk.model or self._model
        self._vendor = self._model.partition("/")[0] if "/" in self._model else None
        self._id = chunk.id or new_id("msg")
        told = as_object(raw.told.get("message")) if raw is not None and raw.told is not None else {}
        usage = dict(NO_USAGE) if chunk.usage is None else write_usage(chunk.usage, chunk.service_tier)
        message: JsonObject = {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
            **told,
            "model": self._model,
        }
        return _event({"type": "message_start", "message": message})

    def _written(self, chunk: Chunk) -> bytes:
        self._queue.extend(self._pieces(chunk))
        return self._drain(force=False)

    def _pieces(self, chunk: Chunk) -> list[_Piece]:
        """What a chunk says, in the order in which a reader of chunks takes it."""
        pieces: list[_Piece] = []
        if chunk.reasoning:
            pieces.append(_Piece("thinking", {"type": "thinking_delta", "thinking": chunk.reasoning}))
        if chunk.signature is not None or chunk.encrypted is not None or chunk.reasoning_id is not None:
            pieces.append(self._signed(chunk))
        if chunk.text:
            pieces.append(_Piece("text", {"type": "text_delta", "text": chunk.text}))
        pieces.extend(
            _Piece("text", {"type": "citations_delta", "citation": cited})
            for cited in client_citations(chunk.citations, chunk.text)
        )
        for delta in chunk.tool_calls:
            pieces.extend(self._called(delta))
        return pieces

    def _signed(self, chunk: Chunk) -> _Piece:
        own = chunk.raw is not None and chunk.raw.dialect == DIALECT
        part = Reasoning(
            signature=chunk.signature,
            encrypted=chunk.encrypted,
            id=chunk.reasoning_id,
            vendor=self._vendor,
        )
        block = write_reasoning(part, own=own)
        if block["type"] == "redacted_thinking":
            return _Piece("redacted_thinking", begin=block, last=True)
        return _Piece("thinking", {"type": "signature_delta", "signature": block["signature"]}, last=True)

    def _called(self, delta: ToolCallDelta) -> list[_Piece]:
        """The pieces of a call; those that come before its name wait for it."""
        known_id, early = self._begun.get(delta.index, ("", ""))
        call_id = known_id or delta.id or ""
        arguments = delta.arguments
        pieces: list[_Piece] = []
        if delta.index not in self._told_calls:
            if not delta.name:
                self._begun[delta.index] = (call_id, early + arguments)
                return []
            self._told_calls.add(delta.index)
            begin = call_block(call_id or new_id("toolu"), delta.name)
            pieces.append(_Piece("tool_use", call=delta.index, begin=begin))
            arguments = early + arguments
        if arguments:
            said: JsonObject = {"type": "input_json_delta", "partial_json": arguments}
            pieces.append(_Piece("tool_use", said, call=delta.index))
        return pieces

    def _drain(self, *, force: bool) -> bytes:
        """Tell what waits, as far as it can be told.

        Args:
            force: Nothing more comes, so no call is waited for.
        """
        out: list[bytes] = []
        while self._queue:
            piece = self._next()
            if piece is not None:
                out.append(self._tell(piece))
            elif force:
                out.append(self._close())
            else:
                break
        return b"".join(out)

    def _settle(self) -> bytes:
        """Tell everything that waits, and end the block that is open."""
        return self._drain(force=True) + self._close()

    def _next(self) -> _Piece | None:
        """The next piece that may be told: while a call is not whole, only its own."""
        place = self._place
        if place.kind != "tool_use":
            return self._queue.pop()
        own = self._queue.first(place.call)
        if own is not None and (own == self._queue.first() or not self._has_arguments()):
            return self._queue.pop(own)
        return self._queue.pop() if self._has_arguments() else None

    def _has_arguments(self) -> bool:
        """Whether the call that is being told has its whole arguments; looked at anew when they grow."""
        if self._whole is None:
            newest = self._arguments[-1].rstrip() if self._arguments else ""
            try:
                # Most pieces of arguments end within them, which is seen without reading all of them.
                maybe = not newest or newest.endswith("}")
                self._whole = maybe and isinstance(parse_json("".join(self._arguments)), dict)
            except (ValueError, RecursionError):
                self._whole = False
        return self._whole

    def _tell(self, piece: _Piece) -> bytes:
        same = self._place.kind == piece.kind and self._place.call == piece.call and piece.begin is None
        out = b"" if same else self._close() + self._open(piece)
        if piece.delta is not None and self._place.kind == piece.kind:
            if piece.kind == "tool_use":
                self._arguments.append(str(piece.delta["partial_json"]))
                self._whole = None
            index = self._place.following - 1
            out += _event({"type": "content_block_delta", "index": index, "delta": piece.delta})
        if piece.last:
            self._unsigned = False
            out += self._close()
        return out

    def _open(self, piece: _Piece) -> bytes:
        empty: dict[str, JsonObject] = {
            "text": {"type": "text", "text": ""},
            "thinking": {"type": "thinking", "thinking": "", "signature": ""},
        }
        block = piece.begin or empty.get(piece.kind)
        if block is None:
            # More of a call that was told to its end: its arguments were whole, so this is white space.
            return b""
        index = self._place.following
        self._place = Place(index + 1, piece.kind, piece.call)
        self._arguments, self._whole = [], None
        self._unsigned = piece.kind == "thinking"
        return _event({"type": "content_block_start", "index": index, "content_block": block})

    def _close(self) -> bytes:
        place = self._place
        if not place.kind:
            return b""
        index = place.following - 1
        out = b""
        if self._unsigned and place.kind == "thinking":
            # Reasoning without a signature comes back as what it is, and whose it is.
            block = write_reasoning(Reasoning(vendor=self._vendor), own=False)
            delta: JsonObject = {"type": "signature_delta", "signature": block["signature"]}
            out = _event({"type": "content_block_delta", "index": index, "delta": delta})
        self._unsigned = False
        self._place = Place(place.following)
        return out + _event({"type": "content_block_stop", "index": index})

    def _note_calls(self, chunk: Chunk) -> None:
        """Remember the calls of a chunk that is forwarded, should the next one not be."""
        for delta in chunk.tool_calls:
            if delta.name is not None:
                self._told_calls.add(delta.index)
                self._arguments = []
            self._arguments.append(delta.arguments)
            self._whole = None


def _event(body: JsonObject) -> bytes:
    kind: Json = body["type"]
    return b"event: %s\ndata: %s\n\n" % (str(kind).encode(), to_bytes(body))
