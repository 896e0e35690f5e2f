"""The gateway as an ASGI application: a table of routes, authentication, and errors in the client's dialect.

The rules, in this order, for every request:

1. It must be for this server, and not from a strange page (`_doorway`).
2. What is open to anybody (`/`, `/healthz`, `/readyz`) is answered.
3. Everything else needs a key, in `Authorization: Bearer` or `x-api-key`, never in the address; several that
   differ are none. This comes before anything is said of the path, and before the body is read. Whatever
   fails in it, the answer is a refusal.
4. A path that is not there is 404 with the nearest, a method that it does not take 405.
5. The route's own handler does the rest.

What goes wrong anywhere is a typed error and leaves here as the dialect of the endpoint writes it; a fault of
our own, or of how this server is set up, is told without details and written to the log.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from interlock_api._asgi import Disconnected, Receive, Request, Response, Scope, Send
from interlock_api._completions import CompletionRoutes
from interlock_api._doorway import Doorway
from interlock_api._lifespan import lifespan
from interlock_api._limits import limit_headers
from interlock_api._managed import is_managed
from interlock_api._management import ManagementRoute
from interlock_api._mcp import PATH as MCP
from interlock_api._mcp import McpRoute
from interlock_api._mcp import render as render_mcp
from interlock_api._models import ModelRoutes
from interlock_api._plain import PlainRoutes
from interlock_api._problems import problem
from interlock_api._refusals import IdentityError, MethodNotAllowedError, told
from interlock_api._server import Reply
from interlock_api._standing import Standings
from interlock_core import Principal
from interlock_core.errors import (
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    RefusedError,
    StoreError,
    UnauthenticatedError,
)
from interlock_core.nearest import suggestion
from interlock_runtime import Runtime
from interlock_runtime.dialects import codec

_logger = logging.getLogger("interlock.api")

_MODEL = "/v1/models/"
_SHOWN = 200
_DIALECTS = ("openai-chat", "openai-responses", "anthropic-messages")
_SPOKEN = {
    "/v1/responses": _DIALECTS[1],
    "/v1/messages": _DIALECTS[2],
    "/v1/messages/count_tokens": _DIALECTS[2],
}
"""How errors are told at an address, where it is not the usual way."""

Handler: TypeAlias = Callable[[Request, Response, Principal], Awaitable[None]]
"""Answers one request of an authenticated client."""

OpenHandler: TypeAlias = Callable[[Request, Response], Awaitable[None]]
"""Answers one request of anybody."""


class Gateway:
    """The ASGI application.

    Args:
        runtime: What it is the face of.

    Attributes:
        mcp: The route that has streams and sessions to be ended.
        standings: What is open, and is ended when its key no longer stands.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._largest = runtime.settings.server.max_body_bytes
        plain, models = PlainRoutes(runtime), ModelRoutes(runtime)
        self.standings = Standings(runtime.access, runtime.quotas)
        chat, responses, messages = (
            CompletionRoutes(runtime, dialect, self.standings) for dialect in _DIALECTS
        )
        self._doorway = Doorway(runtime.settings.server)
        self.mcp = McpRoute(runtime, self.standings)
        self._management = ManagementRoute(runtime)
        self._open: Mapping[str, OpenHandler] = {
            "/": plain.home,
            "/healthz": plain.health,
            "/readyz": plain.ready,
        }
        self._closed: Mapping[str, tuple[str, Handler]] = {
            "/metrics": ("GET", plain.metrics),
            "/v1/models": ("GET", models.models),
            _MODEL: ("GET", models.model),
            "/v1/chat/completions": ("POST", chat.complete),
            "/v1/responses": ("POST", responses.complete),
            "/v1/messages": ("POST", messages.complete),
            "/v1/messages/count_tokens": ("POST", messages.count),
            "/v1/embeddings": ("POST", models.embeddings),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection scope."""
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        request = Request(scope, receive, largest=self._largest)
        response = Response(send)
        try:
            await self._answer(request, response)
        except Disconnected:
            return
        except InterlockError as error:
            await self._fail(request, response, error)
        except RecursionError:
            error = InvalidRequestError("The request is nested too deeply.", remedy="Send flatter JSON.")
            await self._fail(request, response, error)
        except Exception as error:
            _logger.exception("a request failed: %s %r", request.method, request.path[:_SHOWN])
            await self._fail(request, response, error)

    def render(self, error: Exception, path: str = "") -> Reply:
        """An error as a client of an address is told it."""
        if path == MCP:
            return render_mcp(told(error))
        if is_managed(path):
            return problem(told(error))
        return codec(_SPOKEN.get(path, _DIALECTS[0])).render_error(told(error))

    async def _answer(self, request: Request, response: Response) -> None:
        self._doorway.check(request, origins=self.mcp.origins if request.path == MCP else ())
        method = "GET" if request.method == "HEAD" else request.method
        anybody = self._open.get(request.path)
        if anybody is not None:
            _need("GET", request, method)
            await anybody(request, response)
            return
        principal = await self._authenticated(request)
        if request.path == MCP:
            await self.mcp.serve(request, response, principal)
            return
        if is_managed(request.path):
            await self._management.serve(request, response, principal)
            return
        path = _MODEL if request.path.startswith(_MODEL) else request.path
        found = self._closed.get(path)
        if found is None:
            raise self._unknown(request.path)
        allowed, handler = found
        _need(allowed, request, method)
        await handler(request, response, principal)

    async def _authenticated(self, request: Request) -> Principal:
        """Whom the request's key stands for.

        Raises:
            InterlockError: Nobody; or it cannot be told just now, whatever the cause.
        """
        try:
            return await self._runtime.access.authenticate(_key(request), address=request.address)
        except (RefusedError, StoreError):
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            _logger.exception("the look-up of a key was broken off, and not the request")
            raise _nobody() from error
        except Exception as error:
            _logger.exception("a key could not be looked up")
            raise _nobody() from error

    def _unknown(self, path: str) -> NotFoundError:
        paths = [*self._open, MCP, *(path for path in self._closed if path != _MODEL)]
        return NotFoundError(f"There is nothing at {path[:_SHOWN]}.", remedy=suggestion(path, paths))

    async def _fail(self, request: Request, response: Response, error: Exception) -> None:
        if response.started:
            return
        reply = self.render(error, request.path)
        headers = [entry for entry in reply.headers if entry[0] not in {"content-type", "content-length"}]
        if reply.status == UnauthenticatedError.status:
            headers.append(("www-authenticate", "Bearer"))
        if isinstance(error, RateLimitedError):
            headers += limit_headers(error.limits)
        wait = error.retry_after if isinstance(error, InterlockError) else None
        if wait is not None and "retry-after" not in dict(headers):
            headers.append(("retry-after", str(math.ceil(wait))))
        if isinstance(error, MethodNotAllowedError):
            headers.append(("allow", ", ".join(error.allowed)))
        kind = next((value for name, value in reply.headers if name == "content-type"), "application/json")
        await response.whole(reply.status, reply.body, content_type=kind, headers=headers)


def _nobody() -> IdentityError:
    return IdentityError(
        "Who you are cannot be told just now.", remedy="Come back in a moment.", retry_after=1
    )


def _need(allowed: str, request: Request, method: str) -> None:
    """Refuse a method that a path does not take; HEAD is taken wherever GET is.

    Raises:
        MethodNotAllowedError: It does not.
    """
    if method != allowed:
        methods = ("GET", "HEAD") if allowed == "GET" else (allowed,)
        raise MethodNotAllowedError(request.path[:_SHOWN], request.method, methods)


def _key(request: Request) -> str:
    """The one key that a request presents.

    Raises:
        UnauthenticatedError: There is none, or there are several that differ.
    """
    given = set(request.all("x-api-key"))
    for value in request.all("authorization"):
        scheme, _, text = value.partition(" ")
        if scheme.lower() == "bearer":
            given.add(text.strip(" "))
    if not given:
        raise UnauthenticatedError(
            "There is no API key.", field="Authorization", remedy="Send 'Authorization: Bearer ilk_…'."
        )
    if len(given) > 1:
        raise UnauthenticatedError(
            "The request presents several keys that differ.", field="Authorization", remedy="Send one."
        )
    return given.pop()
