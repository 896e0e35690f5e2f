"""A provider whose requests are paid for from quotas."""

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace

from interlock_core import Call, Chunk, Completion, CompletionRequest, Embeddings, ModelInfo, Provider
from interlock_security.quotas import QuotaMeter, Quotas, Tariff


@dataclass(frozen=True, slots=True)
class _Paid:
    """A request as it is sent, with who pays for it, and what must be told of it."""

    request: CompletionRequest
    call: Call | None
    adapted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A call that is being answered.

    Attributes:
        call: The call.
        model: Who answers.
        tariff: What that costs at most.
    """

    call: Call
    model: str
    tariff: Tariff


class MeteredProvider:
    """Wraps one provider: a call whose principal has a quota carries a meter, and a bounded answer.

    It stands inside the router, so that each attempt is bounded by the price of the model that it goes to.
    Calls without a `Call` are the house's own, and are not counted.

    Args:
        inner: Answers the requests.
        quotas: The ledger.
        tariff: What models cost at most.
        under_way: Where the calls that are being answered are kept, by their ids.
    """

    def __init__(
        self, inner: Provider, quotas: Quotas, tariff: Tariff, *, under_way: dict[str, UnderWay]
    ) -> None:
        self._inner = inner
        self._quotas = quotas
        self._tariff = tariff
        self._under_way = under_way

    @property
    def name(self) -> str:
        """Name of the wrapped provider."""
        return self._inner.name

    async def complete(self, request: CompletionRequest, call: Call | None = None) -> Completion:
        """Answer a request whole."""
        paid = await self._paid(request, call)
        with self._noted(paid):
            answer = await self._inner.complete(paid.request, paid.call)
        return replace(answer, adapted=(*paid.adapted, *answer.adapted)) if paid.adapted else answer

    async def stream(
        self, request: CompletionRequest, call: Call | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """Answer a request piece by piece; the first piece says what was done in another way."""
        paid = await self._paid(request, call)
        adapted = paid.adapted
        with self._noted(paid):
            async with aclosing(self._inner.stream(paid.request, paid.call)) as chunks:
                async for chunk in chunks:
                    yield replace(chunk, adapted=(*adapted, *chunk.adapted)) if adapted else chunk
                    adapted = ()

    async def embed(self, model: str, texts: Sequence[str], call: Call | None = None) -> Embeddings:
        """Make one vector a text."""
        found = None if call is None else await QuotaMeter.of(self._quotas, call, self._tariff)
        if call is not None and found is not None:
            call = replace(call, meter=found[0])
        return await self._inner.embed(model, texts, call)

    async def models(self) -> Sequence[ModelInfo]:
        """Every model that can be asked."""
        return await self._inner.models()

    async def aclose(self) -> None:
        """Close the wrapped provider."""
        await self._inner.aclose()

    @contextmanager
    def _noted(self, paid: _Paid) -> Generator[None, None, None]:
        """The context in which a call is known to be under way."""
        call = paid.call
        if call is None:
            yield
            return
        self._under_way[call.id] = UnderWay(call, paid.request.model, self._tariff)
        try:
            yield
        finally:
            self._under_way.pop(call.id, None)

    async def _paid(self, request: CompletionRequest, call: Call | None) -> _Paid:
        """The request and the call as they are sent on.

        Raises:
            StoreError: The ledger cannot be read, so nobody knows what is left.
        """
        found = None if call is None else await QuotaMeter.of(self._quotas, call, self._tariff)
        if call is None or found is None:
            return _Paid(request, call)
        meter, applied = found
        capped = self._tariff.capped(request, applied.max_tokens)
        told = (
            ()
            if capped is request
            else (
                f"The answer is bounded to {capped.max_tokens} tokens, because a quota holds for the caller.",
            )
        )
        return _Paid(capped, replace(call, meter=meter), told)
