"""A vendor behind HTTP as a `Provider`: a row of facts, a codec and a carrier."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, TypeVar

from interlock_core import (
    Call,
    Capability,
    Chunk,
    Completion,
    CompletionRequest,
    Embeddings,
    HttpRequest,
    ModelInfo,
    Money,
    Reasoning,
    Usage,
)
from interlock_core.errors import (
    InterlockError,
    InvalidRequestError,
    ProtocolError,
    UpstreamTimeoutError,
)
from interlock_core.messages import user
from interlock_core.metering import Bill, metered
from interlock_core.resilience import RetryBudget, retry
from interlock_providers._believed import believed
from interlock_providers._http_settings import HttpSettings, Timeouts
from interlock_providers._models import ModelList
from interlock_providers._open_stream import OpenStream, beginning, is_json
from interlock_providers.carriers import Carrier, Reply
from interlock_providers.catalogue import known_model
from interlock_providers.codecs import (
    Codec,
    EmbeddingsCodec,
    Rendered,
    Target,
    VendorReply,
    embeddings_codec,
)
from interlock_providers.codecs import codec as codec_of
from interlock_providers.codecs._notes import left_out

if TYPE_CHECKING:
    from interlock_providers._structured import Form, Way
    from interlock_providers.codecs import Headers

T = TypeVar("T")

_LEAST_OF_KEY = 8
"""The shortest piece of a key that is hidden as the key is."""

_MASKED = re.compile(r"[\w-]*\*{3,}[\w-]*")
"""A key as vendors mask it: its beginning, stars, and its end."""

_MOST_FORMLESS = 1_000
"""Names of models come from requests, so what is remembered of them is bounded."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """A stream that began: what it cost, and what is left with it, the connection first, then the bill."""

    opened: OpenStream
    bill: Bill
    stack: AsyncExitStack


class HttpProvider:
    """Answers by asking a vendor over HTTP. See `interlock_core.Provider`.

    An error that can pass is tried again, within its policy and time, and never once a token was
    delivered. What is known only of another attempt (such as a half stream) is never mixed in.

    Args:
        settings: Whom to ask, and how patiently.
        codec: How to speak.
        carrier: How requests travel; closed with the provider.
    """

    def __init__(self, settings: HttpSettings, codec: Codec, carrier: Carrier) -> None:
        self._settings = settings
        self._codec = codec
        self._carrier = carrier
        self._formless: dict[str, Way] = {}
        self._budget = RetryBudget()
        self._list = ModelList(
            settings.name, settings.vendor, settings.models, settings.prices, settings.clock
        )

    @property
    def name(self) -> str:
        """Name under which models of this provider stand before the slash."""
        return self._settings.name

    async def complete(self, request: CompletionRequest, call: Call | None = None) -> Completion:
        """Answer a request whole; an answer whose form was asked for is validated."""
        if request.response_format is None:
            return await self._complete(request, call)
        from interlock_providers import _structured

        form = _structured.Form(request, self._way(request), self.name)
        while True:
            try:
                return await _structured.complete(self._complete, form, request, call)
            except InvalidRequestError as error:
                other = self._other_way(form, request, error)
                if other is None:
                    raise
                form = other

    async def _complete(self, request: CompletionRequest, call: Call | None = None) -> Completion:
        codec = self._codec_for(request)
        sent = self._rendered(codec, request, stream=False)

        async def attempt(number: int, timeout_s: float) -> tuple[Completion, Money | None, int]:
            async with metered(call, request) as bill:
                reply = await self._ask(self._http("POST", sent.path, sent), timeout_s)
                answer = self._parsed(codec, sent, reply.body, reply.headers)
                bill.cost = self._cost(answer.model, answer.usage, answer.service_tier)
                return answer, bill.cost, number

        answered = await self._retried(attempt, self._settings.timeouts.answer_s, call)
        completion, cost, attempts = answered
        if cost is None and attempts == 1 and not sent.adapted:
            return completion
        return replace(completion, cost=cost, attempts=attempts, adapted=(*sent.adapted, *completion.adapted))

    def stream(self, request: CompletionRequest, call: Call | None = None) -> AsyncGenerator[Chunk, None]:
        """Answer a request piece by piece. Closing the generator closes the connection at once.

        An answer whose form was asked for is validated at its end.
        """
        if request.response_format is None:
            return self._stream(request, call)
        return self._stream_formed(request, call)

    async def _stream_formed(
        self, request: CompletionRequest, call: Call | None
    ) -> AsyncGenerator[Chunk, None]:
        """A stream whose answer must have a form."""
        from interlock_providers import _structured

        form = _structured.Form(request, self._way(request), self.name)
        while True:
            begun = False
            try:
                async with aclosing(_structured.stream(self._stream, form, request, call)) as chunks:
                    async for chunk in chunks:
                        begun = True
                        yield chunk
            except InvalidRequestError as error:
                other = None if begun else self._other_way(form, request, error)
                if other is None:
                    raise
                form = other
            else:
                return

    async def _stream(
        self, request: CompletionRequest, call: Call | None = None
    ) -> AsyncGenerator[Chunk, None]:
        codec = self._codec_for(request)
        sent = self._rendered(codec, request, stream=True)

        async def attempt(number: int, timeout_s: float) -> _Begun:
            async with AsyncExitStack() as stack:
                bill = await stack.enter_async_context(metered(call, request))
                opened = await self._open(codec, sent, number, timeout_s)
                stack.push_async_callback(opened.aclose)
                return _Begun(opened, bill, stack.pop_all())

        begun = await self._retried(attempt, self._settings.timeouts.first_s, call)
        async with begun.stack:
            tier: str | None = None
            adapted, ended = sent.adapted, False
            async for piece in begun.opened:
                chunk = replace(piece, adapted=(*adapted, *piece.adapted)) if adapted else piece
                adapted = ()
                tier = chunk.service_tier or tier
                ended = ended or chunk.finish is not None
                if chunk.usage is not None:
                    usage = believed(chunk.usage)
                    chunk = replace(chunk, usage=usage, cost=self._cost(chunk.model, usage, tier))
                    # Some vendors tell a first part of the usage early: it counts only from the end mark on.
                    begun.bill.cost = chunk.cost if ended else None
                yield chunk
            await begun.opened.drain()

    async def embed(self, model: str, texts: Sequence[str], call: Call | None = None) -> Embeddings:
        """Make one vector a text; more texts than the vendor takes at once are several requests."""
        codec = embeddings_codec(self._codec.dialect)
        most = codec.most_texts or max(len(texts), 1)
        parts = [texts[start : start + most] for start in range(0, len(texts), most)] or [texts]
        made = [await self._embed(codec, model, part, call) for part in parts]
        usages = [part.usage for part in made if part.usage is not None]
        costs = [part.cost for part in made if part.cost is not None]
        return Embeddings(
            model=made[0].model,
            vectors=tuple(vector for part in made for vector in part.vectors),
            usage=reduce(add, usages) if len(usages) == len(made) else None,
            cost=Money(sum(cost.micro_usd for cost in costs)) if len(costs) == len(made) else None,
        )

    async def _embed(
        self, codec: EmbeddingsCodec, model: str, texts: Sequence[str], call: Call | None
    ) -> Embeddings:
        """The vectors of as many texts as the vendor takes in one request."""
        sent = codec.render_request(texts, self._target(model))

        asked = CompletionRequest(model=model, messages=tuple(map(user, texts)), max_tokens=0)

        async def attempt(number: int, timeout_s: float) -> Embeddings:
            del number
            async with metered(call, asked) as bill:
                reply = await self._ask(self._http("POST", sent.path, sent), timeout_s)
                made = codec.parse_response(reply.body, sent, len(texts))
                usage = believed(made.usage)
                bill.cost = self._cost(made.model, usage, None)
                return replace(made, usage=usage, cost=bill.cost)

        return await self._retried(attempt, self._settings.timeouts.answer_s, call)

    async def models(self) -> Sequence[ModelInfo]:
        """Every model that can be asked: those of the configuration, else those that the vendor lists."""
        return await self._list.get(self._discover)

    async def aclose(self) -> None:
        """Close the carrier."""
        await self._carrier.aclose()

    async def _discover(self) -> tuple[str, ...]:
        async def attempt(number: int, timeout_s: float) -> tuple[str, ...]:
            del number
            headers = self._codec.models_headers
            reply = await self._ask(self._http("GET", self._codec.models_path, headers), timeout_s)
            return self._codec.parse_models(reply.body, self.name)

        return await self._retried(attempt, self._settings.timeouts.answer_s, None)

    async def _retried(
        self, attempt: Callable[[int, float], Awaitable[T]], seconds: float, call: Call | None
    ) -> T:
        """Run attempts within a time that they share, each with what is left of it."""
        clock = self._settings.clock
        deadline = clock.monotonic() + seconds
        if call is not None and call.deadline is not None:
            deadline = min(deadline, call.deadline)

        malformed: InterlockError | None = None

        async def operation(number: int) -> T:
            nonlocal malformed
            left = deadline - clock.monotonic()
            if left <= 0:
                raise UpstreamTimeoutError(
                    f"No time was left to ask {self.name}.", remedy="Allow more time.", vendor=self.name
                )
            try:
                return await attempt(number, left)
            except InterlockError as error:
                if isinstance(error, ProtocolError) and error.vendor is not None:
                    malformed = error
                error.vendor = error.vendor or self.name
                self._hide_key(error)
                raise

        return await retry(
            operation,
            policy=self._settings.retries,
            clock=clock,
            sleep=self._settings.sleep,
            deadline=deadline,
            budget=self._budget,
            # A connection that broke can be made again; an answer that the codec cannot read comes again.
            retryable=lambda error: error.retryable and error is not malformed,
        )

    async def _ask(self, request: HttpRequest, timeout_s: float) -> Reply:
        reply = await self._carrier.send(request, timeout_s=timeout_s)
        if not 200 <= reply.status < 300:
            raise self._error(reply.status, reply.headers, reply.body)
        return reply

    async def _open(self, codec: Codec, sent: Rendered, number: int, timeout_s: float) -> OpenStream:
        """Open a stream and read until it says something: up to there another attempt goes unseen."""
        import asyncio

        whole = self._settings.timeouts.stream_s
        request = self._http("POST", sent.path, sent)
        try:
            async with AsyncExitStack() as stack, asyncio.timeout(timeout_s):
                reply = await stack.enter_async_context(self._carrier.stream(request, timeout_s=whole))
                if not 200 <= reply.status < 300:
                    raise self._error(reply.status, reply.headers, await beginning(reply))
                if is_json(reply.headers):
                    self._parsed(codec, sent, await beginning(reply), reply.headers)
                    raise ProtocolError(
                        f"{self.name} answered whole, though a stream was asked.", vendor=self.name
                    )
                parser = codec.parse_stream(sent, attempts=number, now=self._settings.clock.now())
                opened = OpenStream(reply, parser, self._settings, self._amend)
                await opened.until_said()
                opened.keep(stack.pop_all())
                return opened
        except TimeoutError as exc:
            raise UpstreamTimeoutError(
                f"{self.name} said nothing in the time allowed.", remedy="Allow more time.", vendor=self.name
            ) from exc

    def _http(self, method: str, path: str, sent: "Rendered | Headers") -> HttpRequest:
        url = f"{self._settings.base_url}{path}"
        if isinstance(sent, Rendered):
            return HttpRequest(method=method, url=url, headers=sent.headers, body=sent.body)
        return HttpRequest(method=method, url=url, headers=sent)

    def _rendered(self, codec: Codec, request: CompletionRequest, *, stream: bool) -> Rendered:
        """The request as it goes to the vendor."""
        sent = codec.render_request(request, self._target(request.model), stream=stream)
        missing = left_out(request, codec.dialect)
        return replace(sent, adapted=(*sent.adapted, *missing)) if missing else sent

    def _way(self, request: CompletionRequest) -> "Way":
        """How this model is asked for a form, by what is known of it."""
        name = request.model.removeprefix(f"{self.name}/")
        if name in self._formless:
            return self._formless[name]
        known = known_model(self._settings.vendor.kind, name)
        able = self._settings.vendor.capabilities if known is None else known.capabilities
        wanted = request.response_format
        native = Capability.JSON_OBJECT if wanted and wanted.kind == "json_object" else Capability.JSON_SCHEMA
        if native in able:
            return "native"
        return "tool" if Capability.TOOLS in able else "words"

    def _other_way(
        self, form: "Form", request: CompletionRequest, error: InvalidRequestError
    ) -> "Form | None":
        """The next way to ask for a form where the model turned out not to know this one."""
        if not form.is_blamed(error):
            return None
        way: Way = "tool" if form.way == "native" else "words"
        if len(self._formless) >= _MOST_FORMLESS:
            self._formless.clear()
        self._formless[request.model.removeprefix(f"{self.name}/")] = way
        from interlock_providers import _structured

        return _structured.Form(request, way, self.name)

    def _codec_for(self, request: CompletionRequest) -> Codec:
        """How this request is spoken: as its model needs it, else as its client wrote it, else as usual."""
        spoken = self._settings.vendor.dialects
        if len(spoken) < 2:
            return self._codec
        model = known_model(self._settings.vendor.kind, request.model.removeprefix(f"{self.name}/"))
        if model is not None and model.dialect is not None:
            return codec_of(model.dialect)
        original = request.original
        if original is not None and original.dialect in spoken:
            return codec_of(original.dialect)
        kept = (part for message in request.messages for part in message.content)
        sealed = (isinstance(part, Reasoning) and part.encrypted is not None for part in kept)
        taker = self._settings.vendor.sealed
        return codec_of(taker) if taker is not None and any(sealed) else self._codec

    def _error(self, status: int, headers: "Headers", body: bytes) -> InterlockError:
        return self._codec.parse_error(
            VendorReply(
                status=status, headers=headers, body=body, provider=self.name, now=self._settings.clock.now()
            )
        )

    def _parsed(self, codec: Codec, sent: Rendered, body: bytes, headers: "Headers") -> Completion:
        """A whole answer, read."""
        try:
            completion = codec.parse_response(body, sent, headers)
        except InterlockError as error:
            self._amend(error, headers)
            raise
        usage = believed(completion.usage)
        return completion if usage is completion.usage else replace(completion, usage=usage)

    def _amend(self, error: InterlockError, headers: "Headers") -> None:
        """Tell the vendor's id of the request, and hide the key, in an error found in a good answer."""
        if error.request_id is None:
            bare = VendorReply(
                status=200, headers=headers, body=b"", provider=self.name, now=self._settings.clock.now()
            )
            error.request_id = self._codec.parse_error(bare).request_id
        self._hide_key(error)

    def _hide_key(self, error: InterlockError) -> None:
        """Hide our key, should the vendor repeat it, wherever an error shows the vendor's words."""
        if not self._settings.secret:
            return
        key = self._settings.secret.reveal()
        error.message = _without(key, error.message)
        error.args = (error.message,)
        error.field = error.field and _without(key, error.field)
        error.vendor_code = error.vendor_code and _without(key, error.vendor_code)
        error.request_id = error.request_id and _without(key, error.request_id)

    def _target(self, model: str) -> Target:
        name = model.removeprefix(f"{self.name}/")
        return Target(provider=self.name, model=name, facts=self._settings.vendor.facts)

    def _cost(self, model: str, usage: Usage | None, tier: str | None) -> Money | None:
        """The price of a request; None when anything that it depends on is unknown."""
        if usage is None or self._settings.prices is None:
            return None
        price = self._settings.prices.price(model)
        return None if price is None else price.charge(usage, tier)


def _without(key: str, words: str) -> str:
    """Words without a key, and without what is left of one that was cut or masked."""
    size = min(len(key), _LEAST_OF_KEY)
    pieces = {key[at : at + size] for at in range(len(key) - size + 1)}
    kept: list[str] = []
    at = seen = 0
    while at <= len(words) - size:
        if words[at : at + size] not in pieces:
            at += 1
            continue
        end = at + size
        while words[end - size + 1 : end + 1] in pieces and end < len(words):
            end += 1
        kept += [words[seen:at], "[key]"]
        at = seen = end
    return _MASKED.sub("[key]", "".join([*kept, words[seen:]]))


__all__ = ["HttpProvider", "HttpSettings", "Timeouts"]
