"""The application of the management interface: its areas, its errors, its description."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import cast

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from interlock_api._managed import OPENAPI
from interlock_api._problems import PROBLEM, ProblemReply, problem
from interlock_api._refusals import MethodNotAllowedError, told
from interlock_api.manage import (
    alerts,
    approvals,
    audit,
    keys,
    limits,
    quotas,
    roles,
    session,
    stats,
    teams,
    tools,
    users,
    vault,
)
from interlock_api.manage._frame import ManagedRoute, signed_in
from interlock_core.errors import InterlockError, InvalidRequestError, NotFoundError
from interlock_core.jsontypes import JsonObject, dump_json
from interlock_runtime import Runtime

_ROUTERS: Sequence[APIRouter] = (
    session.router,
    limits.router,
    quotas.router,
    users.router,
    teams.router,
    keys.router,
    roles.router,
    approvals.router,
    vault.router,
    alerts.router,
    audit.router,
    stats.router,
    tools.router,
)
"""The areas, one line each."""

_SHOWN = 200
_WORDS: Mapping[str, str] = {
    "extra_forbidden": "There is no such field.",
    "missing": "This field is missing.",
}


class Problem(BaseModel):
    """What is wrong, and what to do about it (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Always `about:blank`: `code` tells what kind of problem it is.")
    title: str = Field(description="The phrase of the HTTP status.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="One sentence that says what is wrong.")
    code: str = Field(description="The kind of problem: stable, to be read by programs.")
    field: str | None = Field(default=None, description="The field, parameter or header that is wrong.")
    remedy: str | None = Field(default=None, description="What to do about it.")
    retry_after: float | None = Field(default=None, description="Seconds after which to try again.")


def management_app(runtime: Runtime) -> FastAPI:
    """The management interface of a runtime, as an ASGI application behind the gateway's authentication."""
    app = FastAPI(
        title="Interlock",
        summary="The management interface of the gateway.",
        description=(
            "Every request carries an API key. Lists come in pages: `next` of one is the `cursor` of the "
            "following. What goes wrong is told as problem details (RFC 9457)."
        ),
        version=version("interlock-api"),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation,
        responses={"4XX": _failure("The request is refused."), "5XX": _failure("It cannot be done now.")},
    )
    app.state.runtime = runtime
    routers = (*_ROUTERS, _about(app))
    app.state.routes = tuple(_managed(routers))
    for router in routers:
        app.include_router(router)
    app.add_exception_handler(InterlockError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_exception_handler(Exception, _refused)
    return app


def described(app: FastAPI) -> JsonObject:
    """The description of an application: OpenAPI 3.1, with the ways to present a key."""
    found = cast("JsonObject", app.openapi())
    parts = cast("JsonObject", found.setdefault("components", {}))
    parts["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer ilk_…`"},
        "key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "The same key."},
    }
    found["security"] = [{"bearer": []}, {"key": []}]
    return found


def _about(app: FastAPI) -> APIRouter:
    """The route that describes all the others."""
    router = APIRouter(route_class=ManagedRoute)

    async def description() -> Response:
        """This description: OpenAPI 3.1."""
        return Response(dump_json(described(app)), media_type="application/json")

    router.add_api_route(
        OPENAPI, description, methods=["GET"], dependencies=[signed_in], include_in_schema=False
    )
    return router


def _managed(routers: Iterable[APIRouter]) -> Iterator[ManagedRoute]:
    """Every route.

    Raises:
        TypeError: One was made without the check of its caller's rights.
    """
    for router in routers:
        for route in router.routes:
            if not isinstance(route, ManagedRoute):
                raise TypeError(f"{route} is no managed route; make its router with `area`.")
            yield route


def _operation(route: APIRoute) -> str:
    """The id of an operation: its area and its function's name, so that no two areas can collide."""
    return "_".join(map(str, (*route.tags, route.name)))


def _failure(description: str) -> dict[str, object]:
    return {"model": Problem, "description": description, "content": {PROBLEM: {}}}


def _answer(reply: ProblemReply) -> Response:
    return Response(reply.body, reply.status, headers=dict(reply.headers))


async def _refused(request: Request, error: Exception) -> Response:
    del request
    return _answer(problem(told(error)))


async def _invalid(request: Request, error: Exception) -> Response:
    """A parameter or a field of the body is wrong: all of them at once, without what was sent."""
    del request
    found = [_fault(entry) for entry in cast("RequestValidationError", error).errors()]
    first = found[0] if found else {"field": "body", "message": "It is wrong."}
    name = str(first["field"])
    refusal = InvalidRequestError(
        f"{name}: {first['message']}", field=name, remedy=f"{OPENAPI} says what each field may be."
    )
    return _answer(problem(refusal, errors=found))


def _fault(entry: Mapping[str, object]) -> JsonObject:
    place = [str(part) for part in cast("Iterable[object]", entry.get("loc", ()))]
    field = ".".join(place[1:])[:_SHOWN] or (place[0] if place else "body")
    message = _WORDS.get(str(entry.get("type"))) or f"{entry.get('msg')}."
    return {"field": field, "message": message}


async def _unrouted(request: Request, error: Exception) -> Response:
    """No route takes the path, or not with this method."""
    path = cast("str", request.scope["path"])
    routes = cast("Sequence[ManagedRoute]", request.app.state.routes)
    methods = {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}
    if cast("HTTPException", error).status_code == MethodNotAllowedError.status and methods:
        allowed = tuple(sorted({*methods, "HEAD"} if "GET" in methods else methods))
        reply = _answer(problem(MethodNotAllowedError(path[:_SHOWN], request.method, allowed)))
        reply.headers["allow"] = ", ".join(allowed)
        return reply
    nothing = NotFoundError(f"There is nothing at {path[:_SHOWN]}.", remedy=f"{OPENAPI} lists the paths.")
    return _answer(problem(nothing))
