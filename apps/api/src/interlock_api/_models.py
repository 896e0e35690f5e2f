"""The endpoints that list models and make vectors."""

from interlock_api._asgi import Request, Response
from interlock_api._call import call_of
from interlock_api._completions import JSON, cost_header
from interlock_api._limits import limit_headers
from interlock_core import Principal
from interlock_core.errors import NotFoundError
from interlock_core.nearest import suggestion
from interlock_runtime import Runtime
from interlock_runtime.dialects import Codec, codec, embeddings_codec

_OWNER = "interlock"


class ModelRoutes:
    """The routes.

    Args:
        runtime: Answers the requests.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def models(self, request: Request, response: Response, principal: Principal) -> None:
        """`GET /v1/models`: the models that this principal may ask, `auto` among them."""
        body = _dialect(request).render_models(await self._askable(principal))
        await response.whole(200, body, content_type=JSON)

    async def model(self, request: Request, response: Response, principal: Principal) -> None:
        """`GET /v1/models/{id}`: one of them."""
        name = request.path.removeprefix("/v1/models/")
        known = dict(await self._askable(principal))
        if name not in known:
            raise NotFoundError(
                f"There is no model {name[:200]}.", field="model", remedy=suggestion(name, known)
            )
        await response.whole(200, _dialect(request).render_model(name, known[name]), content_type=JSON)

    async def _askable(self, principal: Principal) -> list[tuple[str, str]]:
        """Each model that a principal may ask, with who owns it, sorted."""
        owners = {model.id: model.provider for model in await self._runtime.models.list()}
        owners |= dict.fromkeys(self._runtime.models.choices, _OWNER)
        may = self._runtime.access.may_ask
        return sorted((name, owner) for name, owner in owners.items() if may(principal, name))

    async def embeddings(self, request: Request, response: Response, principal: Principal) -> None:
        """`POST /v1/embeddings`."""
        dialect = embeddings_codec("openai-chat")
        asked = dialect.parse_request(await request.body())
        call = call_of(request, principal, asked.model, self._runtime.redactor)
        response.note("x-interlock-run", call.run or "")

        async def work() -> None:
            vectors = await self._runtime.provider.embed(asked.model, asked.texts, call)
            limits = limit_headers(call.ending.limits)
            headers = [("x-interlock-model", vectors.model), *cost_header(vectors.cost), *limits]
            body = dialect.render_response(vectors, base64=asked.base64)
            await response.whole(200, body, content_type=JSON, headers=headers)

        await request.while_connected(work())


def _dialect(request: Request) -> Codec:
    """How a client that lists models speaks: Anthropic's always name the version of their API."""
    return codec("openai-chat" if request.header("anthropic-version") is None else "anthropic-messages")
