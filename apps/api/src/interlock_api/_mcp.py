"""`/mcp`: the Model Context Protocol over HTTP, behind the checks of this gateway.

The key is checked, as everywhere; each call is made for whom it stands for. A stream ends when its key no
longer stands, a session when its key stands for less than when it was begun. What is refused is told as the
protocol tells errors.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from interlock_api._asgi import Message, Request, Response, Scope
from interlock_api._standing import Open, Standings, ending_of
from interlock_core import Principal
from interlock_core.errors import CallerError, InterlockError, RefusedError
from interlock_core.jsontypes import JsonObject, dump_json
from interlock_runtime import Runtime
from interlock_runtime.mcp import McpEndpoint

PATH = "/mcp"
"""Where it is."""

_INVALID_REQUEST = -32_600
_INTERNAL_ERROR = -32_603
_SESSION = "mcp-session-id"
_MOST_SESSIONS = 1_000


@dataclass(frozen=True, slots=True)
class JsonRpcReply:
    """An error as JSON-RPC tells it, without the id of a request: none was read."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)


def render(error: InterlockError) -> JsonRpcReply:
    """An error as a client of the protocol is told it."""
    code = _INVALID_REQUEST if isinstance(error, CallerError | RefusedError) else _INTERNAL_ERROR
    told: JsonObject = {"code": code, "message": str(error), "data": {"code": error.code}}
    body: JsonObject = {"jsonrpc": "2.0", "id": None, "error": told}
    return JsonRpcReply(error.status, dump_json(body).encode())


class McpRoute:
    """The route.

    Args:
        runtime: What is served.
        standings: Ends streams whose key no longer stands.

    Attributes:
        origins: Origins of pages that may use it, beside those that may use all.
    """

    def __init__(self, runtime: Runtime, standings: Standings) -> None:
        self._endpoint = McpEndpoint(runtime)
        self._standings = standings
        self._begun: OrderedDict[str, Principal] = OrderedDict()
        self.origins = frozenset(origin.rstrip("/").lower() for origin in runtime.settings.server.mcp_origins)

    async def serve(self, request: Request, response: Response, principal: Principal) -> None:
        """Answer one request of an authenticated client.

        Raises:
            InterlockError: Its key stands for less than when its session was begun, or meanwhile for nobody.
        """
        begun = self._begun.get(request.header(_SESSION) or "")
        if begun is not None and begun.key_id == principal.key_id and (ending := ending_of(begun, principal)):
            raise ending

        async def noticed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._remember(cast("Iterable[tuple[bytes, bytes]]", message.get("headers", ())), principal)
            await response.pass_on(message)

        async def answered(scope: Scope) -> None:
            await self._endpoint(scope, request.receive, noticed, principal)

        async def work(held: Open) -> None:
            del held
            await request.hand_to(answered)

        await self._standings.while_standing(principal, work)

    def _remember(self, headers: Iterable[tuple[bytes, bytes]], principal: Principal) -> None:
        """Remember as whom a session was begun."""
        for name, value in headers:
            if name.lower() == _SESSION.encode():
                session = value.decode("latin-1")
                self._begun.setdefault(session, principal)
                self._begun.move_to_end(session)
                while len(self._begun) > _MOST_SESSIONS:
                    self._begun.popitem(last=False)

    async def retire(self, asked: asyncio.Event) -> None:
        """Wait until the server is asked to stop; then end the streams that would never end by themselves."""
        await asked.wait()
        self._endpoint.retire()

    async def aclose(self) -> None:
        """End every session."""
        await self._endpoint.aclose()
