"""Hides known secrets on the way to models and on the way back from providers and tools."""

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, TypeVar, cast

from interlock_core import (
    Audience,
    Call,
    Chunk,
    Completion,
    CompletionRequest,
    Embeddings,
    Json,
    ModelInfo,
    Prepared,
    Provider,
    Redactor,
    Text,
    ToolCall,
    ToolExecutor,
    ToolResult,
)
from interlock_core.errors import InterlockError

T = TypeVar("T")

_KEPT = frozenset({"model", "original", "mode", "role", "effect"})
"""Fields that hold no text of a client, or are looked at in their parsed form instead."""


def hidden_request(request: CompletionRequest, redactor: Redactor) -> CompletionRequest:
    """The request with every known secret hidden; the very same one where there is none.

    Everything that a client or a document can put text into is looked at: messages with their unknown
    fields, tools, schemas, metadata, unknown fields of the request. Where something was hidden, the client's
    own bytes are not forwarded.
    """
    together = "\0".join(texts_of(request))
    if redactor.text(together, toward=Audience.MODEL) == together:
        return request
    return replace(rewritten(request, redactor), original=None)


def texts_of(request: CompletionRequest) -> list[str]:
    """Every text of a request, wherever a client or a document can put one."""
    found: list[str] = []
    _texts(request, found)
    return found


def rewritten(request: CompletionRequest, redactor: Redactor) -> CompletionRequest:
    """The request with every such text as a redactor gives it back."""
    return _hidden(request, redactor)


def _texts(value: object, found: list[str]) -> None:
    """Collect every text in a value, keys and numbers too; the commonest kinds come first."""
    if value is None or isinstance(value, bool | bytes):
        return
    if isinstance(value, str):
        found.append(value)
    elif isinstance(value, list | tuple):
        for item in cast("Sequence[object]", value):
            _texts(item, found)
    elif names := _looked_at(type(value)):
        for name in names:
            _texts(getattr(value, name), found)
    elif isinstance(value, Mapping):
        for key, item in cast("Mapping[object, object]", value).items():
            found.append(str(key))
            _texts(item, found)
    elif isinstance(value, int | float):
        found.append(str(value))


@cache
def _looked_at(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass that may hold text; none for any other class."""
    if not is_dataclass(kind):
        return ()
    return tuple(entry.name for entry in fields(kind) if entry.name not in _KEPT)


def _hidden(value: T, redactor: Redactor) -> T:
    """A value of the same form with every known secret hidden."""
    made: Any = value
    if isinstance(value, str):
        made = redactor.text(value, toward=Audience.MODEL)
    elif isinstance(value, Mapping):
        made = redactor.json(dict(cast("Mapping[str, Json]", value)), toward=Audience.MODEL)
    elif isinstance(value, list):
        made = redactor.json(cast("list[Json]", value), toward=Audience.MODEL)
    elif isinstance(value, tuple):
        made = tuple(_hidden(item, redactor) for item in cast("tuple[object, ...]", value))
    elif is_dataclass(value) and not isinstance(value, type):
        changed = {
            entry.name: after
            for entry in fields(value)
            if entry.name not in _KEPT
            and (after := _hidden(before := getattr(value, entry.name), redactor)) != before
        }
        made = replace(value, **changed) if changed else value
    return made


@contextmanager
def hidden_errors(redactor: Redactor) -> Generator[None, None, None]:
    """The context in which an error's words, which may repeat what the other side said, lose every secret."""
    try:
        yield
    except InterlockError as error:
        error.message = redactor.text(error.message)
        error.args = (error.message,)
        error.remedy = error.remedy and redactor.text(error.remedy)
        raise


class RedactingProvider:
    """Wraps a provider: known secrets are hidden in what it is asked and in the errors that it raises.

    Args:
        inner: Answers the requests.
        redactor: Knows the secrets.
    """

    def __init__(self, inner: Provider, redactor: Redactor) -> None:
        self._inner = inner
        self._redactor = redactor

    @property
    def name(self) -> str:
        """What stands before the slash."""
        return self._inner.name

    async def complete(self, request: CompletionRequest, call: Call | None = None) -> Completion:
        """Answer a request whole."""
        with hidden_errors(self._redactor):
            return await self._inner.complete(hidden_request(request, self._redactor), call)

    async def stream(
        self, request: CompletionRequest, call: Call | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """Answer a request piece by piece."""
        with hidden_errors(self._redactor):
            asked = hidden_request(request, self._redactor)
            async with aclosing(self._inner.stream(asked, call)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def embed(self, model: str, texts: Sequence[str], call: Call | None = None) -> Embeddings:
        """Make one vector a text."""
        with hidden_errors(self._redactor):
            asked = [self._redactor.text(text, toward=Audience.MODEL) for text in texts]
            return await self._inner.embed(model, asked, call)

    async def models(self) -> Sequence[ModelInfo]:
        """Every model that can be asked."""
        with hidden_errors(self._redactor):
            return await self._inner.models()

    async def aclose(self) -> None:
        """Close the wrapped provider."""
        await self._inner.aclose()


class RedactingExecutor:
    """Wraps an executor: known secrets are hidden in whatever comes back, before a model or a guard sees it.

    Args:
        inner: Makes the calls.
        redactor: Knows the secrets.
    """

    def __init__(self, inner: ToolExecutor, redactor: Redactor) -> None:
        self._inner = inner
        self._redactor = redactor

    async def prepare(self, call: ToolCall, context: Call) -> Prepared:
        """Validate a call and build the exact request, without sending it."""
        return await self._inner.prepare(call, context)

    async def execute(self, call: ToolCall, context: Call) -> ToolResult:
        """Make a call and hide secrets in its result."""
        with hidden_errors(self._redactor):
            result = await self._inner.execute(call, context)
        content = tuple(
            replace(part, text=self._redactor.text(part.text, toward=Audience.MODEL))
            if isinstance(part, Text)
            else part
            for part in result.content
        )
        return replace(
            result, content=content, structured=self._redactor.json(result.structured, toward=Audience.MODEL)
        )
