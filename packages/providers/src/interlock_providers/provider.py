"""A vendor behind HTTP as a `Provider`: a row of facts, a codec and a carrier."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from interlock_core import (
    Call,
    Capability,
    Chunk,
    Clock,
    Completion,
    CompletionRequest,
    Embeddings,
    HttpRequest,
    ModelInfo,
    Money,
    PriceBook,
    Reasoning,
    Secret,
    SystemClock,
    Usage,
)
from interlock_core.errors import (
    InterlockError,
    InvalidRequestError,
    ProtocolError,
    UpstreamTimeoutError,
)
from interlock_core.resilience import RetryBudget, RetryPolicy, retry
from interlock_providers import _structured
from interlock_providers._models import ModelList
from interlock_providers.carriers import Carrier, Reply, ReplyStream
from interlock_providers.catalogue import known_model
from interlock_providers.codecs import Codec, Rendered, StreamParser, Target, VendorReply, embeddings_codec
from interlock_providers.codecs import codec as codec_of
from interlock_providers.rows import Vendor

if TYPE_CHECKING:
    from interlock_providers.codecs import Headers

T = TypeVar("T")

_MOST_ERROR = 64 * 1024
_DRAIN_S = 0.1
_MOST_FORMLESS = 1_000
"""Names of models come from requests, so what is remembered of them is bounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a provider waits.

    Attributes:
        answer_s: Seconds for a whole answer that does not stream, its retries included.
        first_s: Seconds until a stream says something, its retries included.
        stream_s: Seconds for a whole stream; None for no bound.
        idle_s: Seconds in which a stream may say nothing; None leaves it to the carrier, which waits 600.
    """

    answer_s: float = 600.0
    first_s: float = 600.0
    stream_s: float | None = None
    idle_s: float | None = None


async def _sleep(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """What an `HttpProvider` is made of, beside its codec and carrier.

    Attributes:
        name: Name under which its models stand before the slash.
        vendor: The facts of its kind.
        base_url: Where it is, without a slash at the end.
        models: The vendor's names of its models; empty asks the vendor.
        secret: Its key, to hide it should the vendor repeat it; the carrier places it.
        prices: What its models cost; None knows no price.
        timeouts: How long it is waited for.
        retries: How often it is tried.
        clock: Tells the time.
        sleep: Waits between attempts.
    """

    name: str
    vendor: Vendor
    base_url: str
    models: tuple[str, ...] = ()
    secret: Secret | None = None
    prices: PriceBook | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Clock = field(default_factory=SystemClock)
    sleep: Callable[[float], Awaitable[None]] = _sleep


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
        self._formless: dict[str, _structured.Way] = {}
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
        sent = codec.render_request(request, self._target(request.model), stream=False)

        async def attempt(number: int, timeout_s: float) -> tuple[Completion, int]:
            reply = await self._ask(self._http("POST", sent.path, sent), timeout_s)
            return self._parsed(codec, sent, reply.body, reply.headers), number

        completion, attempts = await self._retried(attempt, self._settings.timeouts.answer_s, call)
        cost = self._cost(completion.model, completion.usage, completion.service_tier)
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
        sent = codec.render_request(request, self._target(request.model), stream=True)

        async def attempt(number: int, timeout_s: float) -> "_OpenStream":
            return await self._open(codec, sent, number, timeout_s)

        opened = await self._retried(attempt, self._settings.timeouts.first_s, call)
        tier: str | None = None
        adapted = sent.adapted
        try:
            async for piece in opened:
                chunk = replace(piece, adapted=(*adapted, *piece.adapted)) if adapted else piece
                adapted = ()
                tier = chunk.service_tier or tier
                if chunk.usage is None:
                    yield chunk
                else:
                    yield replace(chunk, cost=self._cost(chunk.model, chunk.usage, tier))
            await opened.drain()
        finally:
            await opened.aclose()

    async def embed(self, model: str, texts: Sequence[str], call: Call | None = None) -> Embeddings:
        """Make one vector a text."""
        codec = embeddings_codec(self._codec.dialect)
        sent = codec.render_request(texts, self._target(model))

        async def attempt(number: int, timeout_s: float) -> Embeddings:
            del number
            reply = await self._ask(self._http("POST", sent.path, sent), timeout_s)
            return codec.parse_response(reply.body, sent, len(texts))

        made = await self._retried(attempt, self._settings.timeouts.answer_s, call)
        return replace(made, cost=self._cost(made.model, made.usage, None))

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

    async def _open(self, codec: Codec, sent: Rendered, number: int, timeout_s: float) -> "_OpenStream":
        """Open a stream and read until it says something: up to there another attempt goes unseen."""
        import asyncio

        whole = self._settings.timeouts.stream_s
        request = self._http("POST", sent.path, sent)
        try:
            async with AsyncExitStack() as stack, asyncio.timeout(timeout_s):
                reply = await stack.enter_async_context(self._carrier.stream(request, timeout_s=whole))
                if not 200 <= reply.status < 300:
                    raise self._error(reply.status, reply.headers, await _beginning(reply))
                if _is_json(reply.headers):
                    self._parsed(codec, sent, await _beginning(reply), reply.headers)
                    raise ProtocolError(
                        f"{self.name} answered whole, though a stream was asked.", vendor=self.name
                    )
                parser = codec.parse_stream(sent, attempts=number, now=self._settings.clock.now())
                opened = _OpenStream(reply, parser, self._settings, self._amend)
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

    def _way(self, request: CompletionRequest) -> _structured.Way:
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
        self, form: _structured.Form, request: CompletionRequest, error: InvalidRequestError
    ) -> _structured.Form | None:
        """The next way to ask for a form where the model turned out not to know this one."""
        if not form.is_blamed(error):
            return None
        way: _structured.Way = "tool" if form.way == "native" else "words"
        if len(self._formless) >= _MOST_FORMLESS:
            self._formless.clear()
        self._formless[request.model.removeprefix(f"{self.name}/")] = way
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
        secret = self._settings.secret
        if secret:
            body = body.replace(secret.reveal().encode(), b"[key]")
        return self._codec.parse_error(
            VendorReply(
                status=status, headers=headers, body=body, provider=self.name, now=self._settings.clock.now()
            )
        )

    def _parsed(self, codec: Codec, sent: Rendered, body: bytes, headers: "Headers") -> Completion:
        """A whole answer, read."""
        try:
            return codec.parse_response(body, sent, headers)
        except InterlockError as error:
            self._amend(error, headers)
            raise

    def _amend(self, error: InterlockError, headers: "Headers") -> None:
        """Tell the vendor's id of the request, and hide the key, in an error found in a good answer."""
        if error.request_id is None:
            bare = VendorReply(
                status=200, headers=headers, body=b"", provider=self.name, now=self._settings.clock.now()
            )
            error.request_id = self._codec.parse_error(bare).request_id
        if self._settings.secret:
            key = self._settings.secret.reveal()
            error.message = error.message.replace(key, "[key]")
            error.args = (error.message,)
            error.field = error.field and error.field.replace(key, "[key]")
            error.vendor_code = error.vendor_code and error.vendor_code.replace(key, "[key]")
            error.request_id = error.request_id and error.request_id.replace(key, "[key]")

    def _target(self, model: str) -> Target:
        name = model.removeprefix(f"{self.name}/")
        return Target(provider=self.name, model=name, facts=self._settings.vendor.facts)

    def _cost(self, model: str, usage: Usage | None, tier: str | None) -> Money | None:
        """The price of a request; None when anything that it depends on is unknown."""
        if usage is None or self._settings.prices is None:
            return None
        price = self._settings.prices.price(model)
        return None if price is None else price.charge(usage, tier)


class _OpenStream:
    """A stream that said something, with the connection that it holds; iterating yields its chunks, once."""

    def __init__(
        self,
        reply: ReplyStream,
        parser: StreamParser,
        settings: HttpSettings,
        amend: "Callable[[InterlockError, Headers], None]",
    ) -> None:
        self._headers = reply.headers
        self._amend = amend
        self._pieces = aiter(reply)
        self._parser = parser
        self._idle_s = settings.timeouts.idle_s
        self._name = settings.name
        self._held: list[Chunk] = []
        self._fresh = self._read()
        self._chunks = self._all()
        self._stack = AsyncExitStack()

    def keep(self, stack: AsyncExitStack) -> None:
        """Take over the connection."""
        self._stack = stack

    async def until_said(self) -> None:
        """Read until a chunk says something of the answer, or the answer ends."""
        async for chunk in self._fresh:
            self._held.append(chunk)
            if chunk.text or chunk.tool_calls or chunk.reasoning or chunk.refusal or chunk.finish:
                return

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self._chunks

    async def drain(self) -> None:
        """Read what is left after the end mark, for a moment, so that the connection can be kept."""
        import asyncio

        with suppress(TimeoutError, InterlockError):
            async with asyncio.timeout(_DRAIN_S):
                while await anext(self._pieces, None) is not None:
                    pass

    async def aclose(self) -> None:
        """Close the connection, unless the answer was read to its end."""
        await self._chunks.aclose()
        await self._fresh.aclose()
        await self._stack.aclose()

    async def _all(self) -> AsyncGenerator[Chunk, None]:
        for chunk in self._held:
            yield chunk
        async for chunk in self._fresh:
            yield chunk

    async def _read(self) -> AsyncGenerator[Chunk, None]:
        try:
            while not self._parser.done and (piece := await self._next()) is not None:
                for chunk in self._parser.feed(piece):
                    yield chunk
            for chunk in self._parser.finish():
                yield chunk
        except InterlockError as error:
            self._amend(error, self._headers)
            raise

    async def _next(self) -> bytes | None:
        if self._idle_s is None:
            return await anext(self._pieces, None)
        import asyncio

        try:
            async with asyncio.timeout(self._idle_s):
                return await anext(self._pieces, None)
        except TimeoutError as exc:
            raise UpstreamTimeoutError(
                f"The stream of {self._name} said nothing for {self._idle_s:g} s.",
                remedy="Try again, or allow more time.",
                vendor=self._name,
            ) from exc


async def _beginning(reply: ReplyStream) -> bytes:
    """What an error says, which is never long; the rest is left."""
    body = b""
    async for piece in reply:
        body += piece
        if len(body) >= _MOST_ERROR:
            break
    return body[:_MOST_ERROR]


def _is_json(headers: "Headers") -> bool:
    kind = next((value for name, value in headers if name.lower() == "content-type"), "")
    return kind.lower().startswith("application/json")
