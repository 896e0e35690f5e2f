"""The way from the gateway to the management interface, which is made when it is first asked for.

What happens before it has a word, in this order:

1. The key was checked; whom it stands for is handed on in the scope, never in the request.
2. The body, at most 1 MiB, is read.

Its web framework costs a second to import, which neither the start nor a model's request pays.
"""

import asyncio

from interlock_api._asgi import Application, Message, Request, Response, Scope
from interlock_api._managed import PRINCIPAL
from interlock_core import Principal
from interlock_runtime import Runtime

_LARGEST = 1024 * 1024


class ManagementRoute:
    """The management interface.

    Args:
        runtime: What is managed.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._making = asyncio.Lock()
        self._app: Application | None = None

    async def serve(self, request: Request, response: Response, principal: Principal) -> None:
        """Answer one request of an authenticated client."""
        body = await request.body(most=_LARGEST)
        app = self._app or await self._made()
        given = False

        async def receive() -> Message:
            nonlocal given
            if given:
                return await request.receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def answered(scope: Scope) -> None:
            method = "GET" if request.method == "HEAD" else request.method
            await app({**scope, "method": method, PRINCIPAL: principal}, receive, response.pass_on)

        await request.hand_to(answered)

    async def _made(self) -> Application:
        """The application; imported in a thread, so that other requests go on."""
        async with self._making:
            if self._app is None:
                self._app = await asyncio.to_thread(_make, self._runtime)
            return self._app


def _make(runtime: Runtime) -> Application:
    from interlock_api.manage import management_app

    return management_app(runtime)
