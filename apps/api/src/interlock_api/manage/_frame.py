"""What every area of the management interface is written with.

The rules, in this order, for every route:

1. The caller is whom the gateway authenticated. Without one, nothing is answered.
2. The caller's rights are checked against what the matched route needs, before the body is looked at.
3. No parameter of the query is one that nobody knows: a filter that is written wrong must not show all.
4. The body is JSON of bounded depth, without a field twice and without a field that nobody knows; there is
   none where none is taken.
"""

import base64
import binascii
from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeAlias, TypeVar, cast

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.params import Depends as DependsOn
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from interlock_api._managed import PRINCIPAL
from interlock_api.manage._body import CheckedRequest, read_json
from interlock_core import Principal
from interlock_core.errors import InvalidRequestError, PermissionDeniedError, UnauthenticatedError
from interlock_core.nearest import suggestion
from interlock_runtime import Runtime

_MOST_ITEMS = 500
_ITEMS = 50
_MOST_CURSOR = 1_024
_SHOWN = 80

Item = TypeVar("Item")

JsonFields: TypeAlias = dict[str, JsonValue]
"""An object of any fields, in a body or an answer; `JsonObject` where it is worked with."""


def _house(request: Request) -> Runtime:
    return cast("Runtime", request.app.state.runtime)


def _caller(request: Request) -> Principal:
    found = cast("dict[str, object]", request.scope).get(PRINCIPAL)
    if not isinstance(found, Principal):
        raise UnauthenticatedError("Nobody was authenticated.", remedy="Send 'Authorization: Bearer ilk_…'.")
    return found


House = Annotated[Runtime, Depends(_house)]
"""What is managed."""

Caller = Annotated[Principal, Depends(_caller)]
"""Whom the request's key stands for."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a route asks of its caller's rights.

    Attributes:
        areas: Areas of administration such as `quotas.write`; one of them is enough. None at all means that
            any authenticated caller may ask.
    """

    areas: tuple[str, ...]

    async def __call__(self, request: Request) -> None:
        """Refuse a caller who has none of the rights.

        Raises:
            PermissionDeniedError: The caller may not.
            UnauthenticatedError: There is no caller.
        """
        caller, house = _caller(request), _house(request)
        refused: PermissionDeniedError | None = None
        for area in self.areas:
            try:
                house.access.require(caller, area)
            except PermissionDeniedError as error:
                refused = refused or error
            else:
                return
        if refused is not None:
            raise refused


def needs(*areas: str) -> DependsOn:
    """The right that a route needs, or several of which one is enough; for its `dependencies`."""
    if not areas:
        raise TypeError("A route needs at least one area; a route for everybody says `signed_in`.")
    return DependsOn(Need(areas))


signed_in = DependsOn(Need(()))
"""For the `dependencies` of a route that answers any authenticated caller about what is the caller's own."""


class ManagedRoute(APIRoute):
    """A route that checks its caller's rights before it looks at the body.

    Raises:
        TypeError: It does not state exactly one need.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[None, None, Response]]:
        """The handler with the check around it."""
        handler, need = super().get_route_handler(), need_of(self)
        known = frozenset(_parameters(self.dependant))

        async def checked(request: Request) -> Response:
            await need(request)
            _check_query(request, known)
            read = await read_json(request)
            if read is not None and self.body_field is None:
                raise InvalidRequestError("This takes no body.", field="body", remedy="Leave it out.")
            return await handler(CheckedRequest(request, read))

        return checked


def _parameters(dependant: Dependant) -> Iterator[str]:
    """The names of the parameters of the query that a route, and what it depends on, take."""
    for field in dependant.query_params:
        yield field.alias
    for inner in dependant.dependencies:
        yield from _parameters(inner)


def _check_query(request: Request, known: Collection[str]) -> None:
    for name in request.query_params:
        if name not in known:
            remedy = suggestion(name, known) if known else "This takes no parameters: leave it out."
            shown = name[:_SHOWN]
            raise InvalidRequestError(f"There is no parameter {shown!r} here.", field=shown, remedy=remedy)


def need_of(route: APIRoute) -> Need:
    """What a route needs.

    Raises:
        TypeError: It does not state exactly one need.
    """
    found = [item.dependency for item in route.dependencies if isinstance(item.dependency, Need)]
    if len(found) != 1:
        raise TypeError(f"The route {route.path} states {len(found)} needs; it must state one.")
    return found[0]


def area(name: str) -> APIRouter:
    """A router for the routes of one area, under `/api/NAME`."""
    return APIRouter(prefix=f"/api/{name}", tags=[name], route_class=ManagedRoute)


class Body(BaseModel):
    """What a request may say: the fields that are declared, of their own types, and no other."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Shown(BaseModel):
    """What an answer says."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    model_config = ConfigDict(frozen=True)

    items: Sequence[Item] = Field(description="The items of this page, in the list's own order.")
    next: str | None = Field(
        default=None, description="The cursor of the next page, for the parameter `cursor`; null on the last."
    )


class PagingQuery:
    """The part of a list that is asked for.

    Attributes:
        limit: Most items of a page.
        after: The key of the last item of the page before; None for the first page.
    """

    def __init__(
        self,
        limit: Annotated[int, Query(ge=1, le=_MOST_ITEMS, description="Most items of a page.")] = _ITEMS,
        cursor: Annotated[
            str | None, Query(max_length=_MOST_CURSOR, description="`next` of the page before.")
        ] = None,
    ) -> None:
        self.limit = limit
        self.after = None if cursor is None else _key_of(cursor)

    def page(self, items: Sequence[Item], *, key: Callable[[Item], str]) -> Page[Item]:
        """The page of a list that is all here.

        Args:
            items: All of them.
            key: What they are sorted by and found again by; no two have the same.
        """
        after = self.after
        rest = sorted((item for item in items if after is None or key(item) > after), key=key)
        return self.made(rest[: self.limit], more=len(rest) > self.limit, key=key)

    def made(self, items: Sequence[Item], *, more: bool, key: Callable[[Item], str]) -> Page[Item]:
        """A page that the store made: at most `limit` items whose keys come after `after`.

        Args:
            items: The items of this page.
            more: There are items after it.
            key: The key of an item in the store's order.
        """
        following = _cursor_of(key(items[-1])) if more and items else None
        return Page(items=items, next=following)


Paging = Annotated[PagingQuery, Depends()]
"""The part of a list that is asked for."""


def _cursor_of(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _key_of(cursor: str) -> str:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        key = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        key = ""
    if not key or "\0" in key:
        raise InvalidRequestError(
            "This is no cursor.", field="cursor", remedy="Use `next` of the page before, or leave it away."
        )
    return key
