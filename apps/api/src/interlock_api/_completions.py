"""The endpoints that ask a model for an answer, each in the dialect of its path, whole or streamed."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing

from interlock_api._asgi import Request, Response
from interlock_api._call import call_of
from interlock_api._limits import limit_headers
from interlock_api._refusals import StoppingError, told
from interlock_api._standing import Open, Standings
from interlock_core import Call, Chunk, Completion, CompletionRequest, Money, Principal
from interlock_core.errors import InterlockError, PermissionDeniedError
from interlock_core.jsontypes import Json, JsonObject, dump_json
from interlock_runtime import Runtime
from interlock_runtime.dialects import codec, parse_count

_logger = logging.getLogger("interlock.api")

JSON = "application/json"
_EVENTS = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache"),
    ("x-accel-buffering", "no"),
)
_OF_THE_DIALECT = ("anthropic-version", "anthropic-beta")
"""Headers that belong to a request's meaning."""
_LONGEST_NAME = 256
_LONGEST_SENTENCE = 300
_MOST_ADAPTED = 2_000
"""Most characters of a model's name, of one sentence on what was adapted, and of all of them, in headers."""


class CompletionRoutes:
    """The routes of one dialect.

    Args:
        runtime: Answers the requests.
        dialect: How clients of these routes speak.
        standings: Ends answers whose key no longer stands.
    """

    def __init__(self, runtime: Runtime, dialect: str, standings: Standings) -> None:
        self._runtime = runtime
        self._dialect = dialect
        self._standings = standings

    async def complete(self, request: Request, response: Response, principal: Principal) -> None:
        """Answer one request of a client."""
        asked = codec(self._dialect).parse_request(await request.body(), _headers_of(request))
        call = call_of(request, principal, asked.request.model, self._runtime.redactor)
        response.note("x-interlock-run", call.run or "")
        work = self._stream if asked.stream else self._whole

        async def answered(held: Open) -> None:
            await request.while_connected(work(asked.request, call, response, held))

        await self._standings.while_standing(principal, answered, call=call)

    async def count(self, request: Request, response: Response, principal: Principal) -> None:
        """Say how many tokens the input of a request is, without having it answered."""
        asked = parse_count(self._dialect, await request.body(), _headers_of(request))
        call = call_of(request, principal, asked.model, self._runtime.redactor)
        if not self._runtime.access.may_ask(principal, asked.model):
            raise PermissionDeniedError(
                f"{principal.user} may not ask {asked.model}.",
                field="model",
                remedy="Ask an administrator for a role that may: `interlock roles grant`.",
            )
        counted = await self._runtime.models.count(asked, call)
        answer: JsonObject = {"input_tokens": counted.tokens}
        await response.whole(200, dump_json(answer).encode(), content_type=JSON)

    async def _whole(self, request: CompletionRequest, call: Call, response: Response, held: Open) -> None:
        del held
        completion = await self._runtime.provider.complete(request, call)
        headers = [
            *_headers(completion),
            *cost_header(completion.cost),
            *limit_headers(call.ending.limits),
        ]
        body = codec(self._dialect).render_response(completion)
        await response.whole(200, body, content_type=JSON, headers=headers)

    async def _stream(self, request: CompletionRequest, call: Call, response: Response, held: Open) -> None:
        """Send pieces as they come; until the first one, an error is still an answer of its own."""
        renderer = codec(self._dialect).render_stream(request)
        known: dict[str, Json] = {"run": call.run}
        try:
            async with aclosing(self._runtime.provider.stream(request, call)) as chunks:
                async for chunk in chunks:
                    if not response.started:
                        known["attempts"] = chunk.attempts
                        limits = limit_headers(call.ending.limits)
                        await response.start(200, [*_EVENTS, *_headers(chunk), *limits])
                    if chunk.usage is not None:
                        known["cost_usd"] = None if chunk.cost is None else chunk.cost.as_usd
                    await response.piece(renderer.chunk(chunk))
        except asyncio.CancelledError:
            if response.started:
                ending = held.ending or StoppingError("This server was stopped.", retry_after=1)
                await response.end(renderer.error(ending))
            raise
        except Exception as error:
            if not response.started:
                raise
            _log(error, call)
            await response.end(renderer.error(told(error)))
        else:
            await response.end(renderer.end(known))


def _headers_of(request: Request) -> tuple[tuple[str, str], ...]:
    """The headers that belong to a request's meaning."""
    found = ((name, request.header(name)) for name in _OF_THE_DIALECT)
    return tuple((name, value) for name, value in found if value is not None)


def _headers(answer: Completion | Chunk) -> list[tuple[str, str]]:
    """What is known of an answer when it begins."""
    known = [
        ("x-interlock-model", answer.model[:_LONGEST_NAME]),
        ("x-interlock-attempts", str(answer.attempts)),
    ]
    if answer.decision is not None:
        known.append(("x-interlock-policy", answer.decision.policy))
    if answer.adapted:
        known.append(("x-interlock-adapted", _told_short(answer.adapted)))
    return known


def _told_short(sentences: Sequence[str]) -> str:
    """Sentences in a header: they name what the client sent, which can be long, and headers are short."""
    told: list[str] = []
    left = _MOST_ADAPTED
    for sentence in sentences:
        short = sentence if len(sentence) <= _LONGEST_SENTENCE else f"{sentence[:_LONGEST_SENTENCE]}..."
        left -= len(short)
        if left < 0:
            told.append(f"and {len(sentences) - len(told)} more")
            break
        told.append(short)
    return " | ".join(told)


def cost_header(amount: Money | None) -> list[tuple[str, str]]:
    """The header that tells a cost; none when it is not known."""
    return [] if amount is None else [("x-interlock-cost-usd", f"{amount.as_usd:.6f}")]


def _log(error: Exception, call: Call) -> None:
    """A fault of our own on a stream is seen in the log alone."""
    if not isinstance(error, InterlockError):
        _logger.error("the stream of %s failed", call.run, exc_info=error)
