"""The OpenAI endpoints: chat completions, models, embeddings."""

import asyncio
import logging
from contextlib import aclosing

from interlock_api._asgi import Request, Response
from interlock_api._call import call_of
from interlock_api._refusals import StoppingError, told
from interlock_core import Call, Chunk, Completion, CompletionRequest, Money, Principal
from interlock_core.errors import InterlockError, NotFoundError
from interlock_core.jsontypes import Json
from interlock_core.nearest import suggestion
from interlock_runtime import Runtime
from interlock_runtime.dialects import codec, embeddings_codec

_logger = logging.getLogger("interlock.api")

_JSON = "application/json"
_EVENTS = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache"),
    ("x-accel-buffering", "no"),
)
_OWNER = "interlock"


class OpenAIRoutes:
    """The routes.

    Args:
        runtime: Answers the requests.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._codec = codec("openai-chat")

    async def models(self, request: Request, response: Response, principal: Principal) -> None:
        """`GET /v1/models`: the models that this principal may ask, `auto` among them."""
        body = self._codec.render_models(await self._askable(principal))
        await response.whole(200, body, content_type=_JSON)

    async def model(self, request: Request, response: Response, principal: Principal) -> None:
        """`GET /v1/models/{id}`: one of them."""
        name = request.path.removeprefix("/v1/models/")
        known = dict(await self._askable(principal))
        if name not in known:
            raise NotFoundError(
                f"There is no model {name[:200]}.", field="model", remedy=suggestion(name, known)
            )
        await response.whole(200, self._codec.render_model(name, known[name]), content_type=_JSON)

    async def _askable(self, principal: Principal) -> list[tuple[str, str]]:
        """Each model that a principal may ask, with who owns it, sorted."""
        owners = {model.id: model.provider for model in await self._runtime.models.list()}
        owners |= dict.fromkeys(self._runtime.models.choices, _OWNER)
        may = self._runtime.access.may_ask
        return sorted((name, owner) for name, owner in owners.items() if may(principal, name))

    async def chat(self, request: Request, response: Response, principal: Principal) -> None:
        """`POST /v1/chat/completions`, whole or streamed."""
        asked = self._codec.parse_request(await request.body())
        call = call_of(request, principal, asked.request.model)
        response.note("x-interlock-run", call.run or "")
        work = self._stream if asked.stream else self._whole
        await request.while_connected(work(asked.request, call, response))

    async def _whole(self, request: CompletionRequest, call: Call, response: Response) -> None:
        completion = await self._runtime.provider.complete(request, call)
        headers = [*_headers(completion), *_cost(completion.cost)]
        body = self._codec.render_response(completion)
        await response.whole(200, body, content_type=_JSON, headers=headers)

    async def _stream(self, request: CompletionRequest, call: Call, response: Response) -> None:
        """Send pieces as they come; until the first one, an error is still an answer of its own."""
        renderer = self._codec.render_stream(request)
        known: dict[str, Json] = {"run": call.run}
        try:
            async with aclosing(self._runtime.provider.stream(request, call)) as chunks:
                async for chunk in chunks:
                    if not response.started:
                        known["attempts"] = chunk.attempts
                        await response.start(200, [*_EVENTS, *_headers(chunk)])
                    if chunk.usage is not None:
                        known["cost_usd"] = None if chunk.cost is None else chunk.cost.as_usd
                    await response.piece(renderer.chunk(chunk))
        except asyncio.CancelledError:
            if response.started:
                await response.end(renderer.error(StoppingError("This server was stopped.", retry_after=1)))
            raise
        except Exception as error:
            if not response.started:
                raise
            _log(error, call)
            await response.end(renderer.error(told(error)))
        else:
            await response.end(renderer.end(known))

    async def embeddings(self, request: Request, response: Response, principal: Principal) -> None:
        """`POST /v1/embeddings`."""
        dialect = embeddings_codec("openai-chat")
        asked = dialect.parse_request(await request.body())
        call = call_of(request, principal, asked.model)
        response.note("x-interlock-run", call.run or "")

        async def work() -> None:
            vectors = await self._runtime.provider.embed(asked.model, asked.texts, call)
            headers = [("x-interlock-model", vectors.model), *_cost(vectors.cost)]
            body = dialect.render_response(vectors, base64=asked.base64)
            await response.whole(200, body, content_type=_JSON, headers=headers)

        await request.while_connected(work())


def _headers(answer: Completion | Chunk) -> list[tuple[str, str]]:
    """What is known of an answer when it begins."""
    known = [("x-interlock-model", answer.model), ("x-interlock-attempts", str(answer.attempts))]
    if answer.decision is not None:
        known.append(("x-interlock-policy", answer.decision.policy))
    return known


def _cost(amount: Money | None) -> list[tuple[str, str]]:
    return [] if amount is None else [("x-interlock-cost-usd", f"{amount.as_usd:.6f}")]


def _log(error: Exception, call: Call) -> None:
    """A fault of our own on a stream is seen in the log alone."""
    if not isinstance(error, InterlockError):
        _logger.error("the stream of %s failed", call.run, exc_info=error)
