"""The most that one request to a model can cost, before it is sent.

The rules: texts have at most as many tokens as their counter proves; an image at most 50,000, which is above
every published rule (the dearest, of gpt-4o-mini, comes to 48,169); sound at most one for each byte; a file
as much as the model's context holds, and without a known context there is no bound. Nothing has more than the
context. Input costs at most the dearest way to send it, cached, written to a cache or beyond the step of the
price; output at most the limit that is sent, for each answer. What a vendor bills beside tokens, such as web
searches, is not bounded: it is booked as an excess when it was billed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from interlock_core.completion import CompletionRequest
from interlock_core.jsontypes import dump_json
from interlock_core.messages import Audio, Content, File, Image, ToolResult
from interlock_core.models import ModelInfo, Price
from interlock_core.money import Money
from interlock_core.protocols import PriceBook, TokenCounter

_PER_MILLION = 1_000_000
_PER_IMAGE = 50_000
_STANDARD = frozenset({None, "", "auto", "default", "standard", "standard_only", "on_demand"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What is known of models before they are asked.

    Attributes:
        prices: What they cost.
        counter: How many tokens a request has.
        facts: Context and longest answer of a model by its full name; None when nothing is known.
    """

    prices: PriceBook
    counter: TokenCounter
    facts: Callable[[str], ModelInfo | None]

    def capped(self, request: CompletionRequest, max_tokens: int) -> CompletionRequest:
        """The request with a limit on its output, where it names none."""
        if request.max_tokens is not None:
            return request
        facts = self.facts(request.model)
        limit = max_tokens + (request.reasoning_budget or 0)
        if facts is not None and facts.max_output_tokens is not None:
            limit = min(limit, facts.max_output_tokens)
        # The client's own bytes name no such limit, so they cannot be forwarded as they are.
        return replace(request, max_tokens=limit, original=None)

    def free(self, model: str) -> bool:
        """Whether a model is known to cost nothing."""
        price = self.prices.price(model)
        return price is not None and not _dearest_input(price, 0) and not _dearest_output(price, 0)

    def most(self, request: CompletionRequest) -> Money | None:
        """The most that a request can cost; None when nobody can know."""
        price = self.prices.price(request.model)
        if price is not None and request.service_tier not in _STANDARD:
            price = price.tiers.get(request.service_tier or "")
        if price is None or request.max_tokens is None:
            return None
        facts = self.facts(request.model)
        context = None if facts is None else facts.context_tokens
        tokens = self._input(request, context)
        if tokens is None:
            return None
        out = request.max_tokens * max(request.n or 1, 1)
        micro = tokens * _dearest_input(price, tokens) + out * _dearest_output(price, tokens)
        return Money(-(-micro // _PER_MILLION))

    def _input(self, request: CompletionRequest, context: int | None) -> int | None:
        media = [*_media(part for message in request.messages for part in message.content)]
        if any(isinstance(part, File) for part in media):
            return context
        tokens = self.counter.count(request).upper_bound
        if request.extra:
            tokens += len(dump_json(dict(request.extra)).encode())
        tokens += sum(len((message.name or "").encode()) for message in request.messages)
        tokens += _PER_IMAGE * sum(isinstance(part, Image) for part in media)
        tokens += sum(len(part.data) for part in media if isinstance(part, Audio))
        return tokens if context is None else min(tokens, context)


def _media(parts: Iterable[Content]) -> Iterable[Content]:
    """What is no text, also inside the results of tools."""
    for part in parts:
        if isinstance(part, Image | File | Audio):
            yield part
        elif isinstance(part, ToolResult):
            yield from _media(part.content)


def _dearest_input(price: Price, tokens: int) -> int:
    """The most that a million input tokens cost in a request of at most so many."""
    ways = (
        *(price.input, price.cache_read, price.cache_write, price.cache_write_1h),
        *(price.audio_input, price.image_input),
    )
    dearest = max(way for way in ways if way is not None)
    if price.over is not None and price.over_tokens is not None and tokens > price.over_tokens:
        dearest = max(dearest, _dearest_input(price.over, tokens))
    return dearest


def _dearest_output(price: Price, tokens: int) -> int:
    ways = (price.output, price.audio_output, price.image_output)
    dearest = max(way for way in ways if way is not None)
    if price.over is not None and price.over_tokens is not None and tokens > price.over_tokens:
        dearest = max(dearest, _dearest_output(price.over, tokens))
    return dearest
