"""Routes that are no model's: health, readiness, metrics, the first page."""

import asyncio
import logging

from interlock_api._asgi import Request, Response
from interlock_core import Principal
from interlock_core.jsontypes import JsonObject, dump_json
from interlock_runtime import Runtime

_logger = logging.getLogger("interlock.api")

_FRESH_S = 1.0
_PAGE = b"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Interlock</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}
code{background:#8882;padding:.1em .3em;border-radius:.2em}</style></head>
<body><h1>Interlock</h1>
<p>This is the gateway. Clients of OpenAI's API use it by its address
<code>http://HOST:PORT/v1</code> and a key from <code>interlock keys create</code>.</p>
<p>The console is not part of this version; the command line does what it will show:
<code>interlock stats</code>, <code>interlock audit tail</code>, <code>interlock route explain</code>.</p>
</body></html>
"""
_PAGE_HEADERS = (
    ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
)


class PlainRoutes:
    """The routes.

    Args:
        runtime: What they tell of.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._problem: str | None = None

    async def home(self, request: Request, response: Response) -> None:
        """`GET /`: what this is."""
        await response.whole(200, _PAGE, content_type="text/html; charset=utf-8", headers=_PAGE_HEADERS)

    async def health(self, request: Request, response: Response) -> None:
        """`GET /healthz`: the process answers."""
        await _json(response, 200, {"status": "ok"})

    async def ready(self, request: Request, response: Response) -> None:
        """`GET /readyz`: 200 when requests can be served, else 503; the reason is in the log.

        Anybody may ask, so it is looked into once a second at most.
        """
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if now - self._looked_at >= _FRESH_S:
                await self._look()
                self._looked_at = now
        if self._problem is None:
            await _json(response, 200, {"status": "ready"})
        else:
            await _json(response, 503, {"status": "not ready"})

    async def metrics(self, request: Request, response: Response, principal: Principal) -> None:
        """`GET /metrics`: Prometheus text of the whole host."""
        self._runtime.access.require(principal, "stats.read")
        text = await self._runtime.records.prometheus()
        await response.whole(200, text.encode(), content_type="text/plain; version=0.0.4; charset=utf-8")

    async def _look(self) -> None:
        before, self._problem = self._problem, await self._runtime.not_ready()
        if self._problem not in (None, before):
            _logger.warning("not ready: %s", self._problem)


async def _json(response: Response, status: int, value: JsonObject) -> None:
    await response.whole(status, dump_json(value).encode(), content_type="application/json")
