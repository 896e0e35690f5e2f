"""Several pages of one answer, gathered within limits; what is there when one fails is kept."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from interlock_core.errors import InterlockError, RefusedError
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.toolspec import HttpRequest
from interlock_tools.execution._items import items_of, with_items
from interlock_tools.execution._limits import ExecutorLimits
from interlock_tools.execution._pages import NextPage

if TYPE_CHECKING:
    from interlock_core.http import HttpResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page.

    Attributes:
        arguments: The arguments that it is the answer to.
        request: What was sent.
        response: The answer.
        value: Its body as JSON, without credentials.
    """

    arguments: JsonObject
    request: HttpRequest
    response: "HttpResponse"
    value: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Pages put together.

    Attributes:
        value: The last page's body with the elements of all.
        pages: How many pages.
        items: How many elements.
        size: Bytes of all pages.
        following: The next page; None when there is none.
        stopped: Why no more pages were fetched, when it was not for a limit.
    """

    value: Json
    pages: int
    items: int
    size: int
    following: NextPage | None
    stopped: str = ""


Fetch: TypeAlias = Callable[[NextPage, Page], Awaitable[Page]]
"""Fetches the page after one."""

After: TypeAlias = Callable[[Page], "NextPage | None"]
"""Where the page after one is."""


async def gathered(first: Page, fetch: Fetch, after: After, limits: ExecutorLimits, pages: int) -> Gathered:
    """The pages from one on, as far as the limits go.

    A page that was there already, or that repeats the elements of the one before, ends the walk: the API
    goes in a circle. A page that fails ends it too, with what came before it.

    Args:
        first: The first page.
        fetch: Fetches another.
        after: Says where the next one is.
        limits: Bounds of the call.
        pages: Most pages.
    """
    path, rows = items_of(first.value)
    walk = _Walk(first, path, rows)
    following = after(first)
    stopped = ""
    while following is not None and walk.goes_on(limits, pages):
        try:
            page = await fetch(following, walk.last)
        except RefusedError:
            raise
        except InterlockError as error:
            stopped = f"page {walk.pages + 1} failed: {error}"
            break
        if page.response.status >= 400:
            stopped = f"page {walk.pages + 1} answered {page.response.status}"
            break
        if not walk.takes(page):
            following, stopped = None, walk.why
            break
        following = after(page)
    return Gathered(
        value=with_items(walk.last.value, path, walk.rows),
        pages=walk.pages,
        items=len(walk.rows),
        size=walk.size,
        following=following,
        stopped=stopped,
    )


class _Walk:
    """The pages so far."""

    def __init__(self, first: Page, path: tuple[str, ...], rows: list[Json]) -> None:
        self.last = first
        self.rows = list(rows)
        self.pages = 1
        self.size = len(first.response.body)
        self.why = ""
        self._path = path
        self._before: list[Json] = rows
        self._seen = {_identity(first.request)}

    def goes_on(self, limits: ExecutorLimits, pages: int) -> bool:
        """Whether the limits leave room for another page."""
        return (
            self.pages < pages and len(self.rows) < limits.max_items and self.size < limits.max_answer_bytes
        )

    def takes(self, page: Page) -> bool:
        """Add a page; False when it is none that goes on from the last."""
        path, rows = items_of(page.value)
        again = _identity(page.request) in self._seen
        if again or (rows and rows == self._before):
            self.why = "the API goes in a circle: it gave a page twice"
            return False
        if path != self._path or not rows:
            self.why = "" if path == self._path or not rows else "the next page has another form"
            return False
        self._seen.add(_identity(page.request))
        self.rows += rows
        self.pages += 1
        self.size += len(page.response.body)
        self.last, self._before = page, rows
        return True


def _identity(request: HttpRequest) -> tuple[str, bytes | None]:
    return request.url, request.body
