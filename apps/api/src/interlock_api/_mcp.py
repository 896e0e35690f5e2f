"""`/mcp`: the Model Context Protocol over HTTP, behind the checks of this gateway.

The key is checked, as everywhere; each call is made for whom it stands for. What is refused is told as the
protocol tells errors.
"""

import asyncio
from dataclasses import dataclass

from interlock_api._asgi import Request, Response, Scope
from interlock_core import Principal
from interlock_core.errors import CallerError, InterlockError, RefusedError
from interlock_core.jsontypes import JsonObject, dump_json
from interlock_runtime import Runtime
from interlock_runtime.mcp import McpEndpoint

PATH = "/mcp"
"""Where it is."""

_INVALID_REQUEST = -32_600
_INTERNAL_ERROR = -32_603


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

    Attributes:
        origins: Origins of pages that may use it, beside those that may use all.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._endpoint = McpEndpoint(runtime)
        self.origins = frozenset(origin.rstrip("/").lower() for origin in runtime.settings.server.mcp_origins)

    async def serve(self, request: Request, response: Response, principal: Principal) -> None:
        """Answer one request of an authenticated client."""

        async def answered(scope: Scope) -> None:
            await self._endpoint(scope, request.receive, response.pass_on, principal)

        await request.hand_to(answered)

    async def retire(self, asked: asyncio.Event) -> None:
        """Wait until the server is asked to stop; then end the streams that would never end by themselves."""
        await asked.wait()
        self._endpoint.retire()

    async def aclose(self) -> None:
        """End every session."""
        await self._endpoint.aclose()
