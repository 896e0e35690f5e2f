"""Input tokens, counted before a call: by the model's own tokeniser where that works offline, else by bytes.

Vendors publish few tokenisers, and fewer come in a package. What an estimate is worth was measured against
the tokenisers of OpenAI (`o200k_base`), Mistral (`tekken`) and DeepSeek: it takes 3.6 bytes for a token where
Python and JSON have 3.8 to 4.2, plain English about 5, dense Markdown 3, Chinese and Japanese 3 to 5.5, and
other scripts between 1.3 (emoji) and 12 (Hindi). So it is near the truth for code and JSON, half above it for
prose, and anything for what is written in few bytes or many. The bound in bytes holds for every text.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module

from interlock_core import (
    Audio,
    CompletionRequest,
    File,
    Image,
    JsonObject,
    Message,
    Reasoning,
    Refusal,
    Text,
    TokenCount,
    ToolCall,
    ToolResult,
)
from interlock_core.jsontypes import dump_json
from interlock_core.tokens import EstimatingCounter
from interlock_providers.rows import VENDORS


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokeniser:
    """How one model counts.

    Attributes:
        count: Tokens of a text.
        per_message: What its chat template adds to each message.
        per_request: What it adds once.
        known: The template is known, so that a count of plain messages is exact.
    """

    count: Callable[[str], int]
    per_message: int
    per_request: int
    known: bool


_NOTHING = CompletionRequest(model="", messages=(Message("user", ()),))


class VendorCounter:
    """Counts the input of requests; see `interlock_core.TokenCounter`.

    Args:
        kinds: Kind of each configured provider by its name; a provider that is not named here is of the
            kind whose name it has.
    """

    __slots__ = ("_estimate", "_kinds")

    def __init__(self, *, kinds: Mapping[str, str] | None = None) -> None:
        self._kinds = dict(kinds or {})
        self._estimate = EstimatingCounter()

    def count(self, request: CompletionRequest) -> TokenCount:
        """Tokens of the request's input, tools included."""
        estimate = self._estimate.count(request)
        tokeniser = self._tokeniser(request.model)
        if tokeniser is None:
            return estimate
        texts = [text for message in request.messages for text in _texts(message)]
        tokens = sum(tokeniser.count(text) for text in texts)
        tokens += tokeniser.per_message * len(request.messages) + tokeniser.per_request
        tokens += sum(message.name is not None for message in request.messages)
        plain = all(isinstance(part, Text) for message in request.messages for part in message.content)
        if plain and not request.tools and request.response_format is None and tokeniser.known:
            return TokenCount(tokens=tokens, upper_bound=tokens, exact=True)
        tokens += sum(tokeniser.count(text) for text in _beside(request))
        # What is no text (images, files, sound) has no tokeniser: its share of the estimate is kept.
        tokens += self._estimate.count(_media(request)).tokens - self._estimate.count(_NOTHING).tokens
        return TokenCount(tokens=tokens, upper_bound=max(estimate.upper_bound, tokens))

    def _tokeniser(self, model: str) -> Tokeniser | None:
        provider, _, name = model.partition("/")
        row = VENDORS.get(self._kinds.get(provider, provider))
        if row is None or row.tokeniser is None:
            return None
        found: Tokeniser | None = import_module(row.tokeniser).tokeniser(name)
        return found


def _texts(message: Message) -> list[str]:
    texts: list[str] = [message.name] if message.name else []
    for part in message.content:
        match part:
            case Text() | Refusal() | Reasoning():
                texts.append(part.text)
            case ToolCall():
                texts += [part.name, part.arguments]
            case ToolResult():
                texts += [inner.text for inner in part.content if isinstance(inner, Text)]
            case _:
                continue
    return texts


def _beside(request: CompletionRequest) -> Iterator[str]:
    """Tools and schema, about as a vendor tells its model of them."""
    for tool in request.tools:
        described: JsonObject = {"name": tool.name, "description": tool.description}
        yield dump_json({**described, "parameters": tool.parameters})
    if request.response_format is not None and request.response_format.schema is not None:
        yield dump_json(request.response_format.schema)


def _media(request: CompletionRequest) -> CompletionRequest:
    parts = (part for message in request.messages for part in message.content)
    kept = tuple(part for part in parts if isinstance(part, Image | File | Audio))
    return CompletionRequest(model=request.model, messages=(Message("user", kept),))


__all__ = ["Tokeniser", "VendorCounter"]
