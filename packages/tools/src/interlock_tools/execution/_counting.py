"""Pages and offsets that are counted on: whether there is more, by what an answer and its document say."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from interlock_core.jsontypes import Json, JsonObject, as_object
from interlock_tools.execution._items import items_of
from interlock_tools.openapi._ir import Parameter

if TYPE_CHECKING:
    from interlock_core.http import HttpResponse

Taken = Mapping[str, tuple[str, Parameter | None]]
"""The arguments of a tool, by names without case and signs."""

_PAGE = ("page", "pagenumber", "pageno", "pageindex", "pagenum", "currentpage", "p")
_OFFSET = ("offset", "skip", "start", "startat", "startindex", "from", "pageoffset", "resultoffset")
_SIZE = (
    *("perpage", "pagesize", "limit", "size", "count", "maxresults", "top", "rows", "take", "results"),
    *("pagelimit", "maxitems", "num", "itemsperpage"),
)
_TOTAL = (
    *("totalrecords", "totalcount", "total", "totalresults", "totalitems", "totalelements", "totalhits"),
    *("odatacount", "resultcount", "totalsize", "recordstotal", "numfound", "count"),
)
_PAGES = ("totalpages", "lastpage", "pagecount", "pages", "pagetotal", "numpages")
_HOLDERS = ("meta", "metadata", "pagination", "paging", "page", "pageinfo", "response", "data", "result")


def counted(known: Taken, arguments: JsonObject, response: "HttpResponse", value: Json) -> JsonObject | None:
    """The argument that leads to the next page by counting; None when nothing says that there is one.

    Without a total, a page as long as was asked for is taken to have one after it.
    """
    _, rows = items_of(value)
    if not rows:
        return None
    size = _number(known, arguments, _SIZE)
    by_index = _by_index(known)
    page = _taken(known, _PAGE)
    if by_index is not None or page is not None:
        argument, parameter = by_index or page or ("", None)
        first = 0 if by_index is not None else _first(parameter)
        at = _given(arguments, argument, parameter, first)
        more = _more_pages(response, value, at - first + 1, size, len(rows))
        return {argument: at + 1} if more else None
    offset = _taken(known, _OFFSET)
    if offset is None:
        return None
    argument, parameter = offset
    at = _given(arguments, argument, parameter, 0)
    total = _told(response, value, _TOTAL, ("x-total-count", "x-total"))
    if total is None and (size is None or len(rows) < size):
        return None
    return {argument: at + len(rows)} if total is None or at + len(rows) < total else None


def _more_pages(response: "HttpResponse", value: Json, number: int, size: int | None, here: int) -> bool:
    """Whether a page follows the one of this number, counted from 1."""
    pages = _told(response, value, _PAGES, ("x-total-pages",))
    if pages is not None:
        return number < pages
    total = _told(response, value, _TOTAL, ("x-total-count", "x-total"))
    if total is not None and total > 0 and (size or number == 1):
        return number * size < total if size else here < total
    return size is not None and here >= size


def _by_index(known: Taken) -> tuple[str, Parameter | None] | None:
    """A parameter that is called an offset and is said to be the index of a page."""
    found = _taken(known, _OFFSET)
    if found is None or found[1] is None:
        return None
    said = found[1].description.lower()
    return found if "page index" in said or "index of the page" in said or "page number" in said else None


def _taken(known: Taken, names: tuple[str, ...]) -> tuple[str, Parameter | None] | None:
    return next((known[name] for name in names if name in known), None)


def _number(known: Taken, arguments: JsonObject, names: tuple[str, ...]) -> int | None:
    """The size of a page: as it was asked for, or as the document says that it is."""
    found = _taken(known, names)
    if found is None:
        return None
    given = arguments.get(found[0], _default(found[1]))
    return given if isinstance(given, int) and not isinstance(given, bool) and given > 0 else None


def _given(arguments: JsonObject, argument: str, parameter: Parameter | None, otherwise: int) -> int:
    given = arguments.get(argument, _default(parameter))
    return given if isinstance(given, int) and not isinstance(given, bool) else otherwise


def _first(parameter: Parameter | None) -> int:
    """Number of the first page: 0 where the document says so, else 1."""
    return 0 if _default(parameter) == 0 else 1


def _default(parameter: Parameter | None) -> Json:
    if parameter is None:
        return None
    schema = as_object(parameter.schema.value)
    return schema.get("default")


def _told(
    response: "HttpResponse", value: Json, names: tuple[str, ...], headers: tuple[str, ...]
) -> int | None:
    """A number that the answer tells, in its headers, its body or a part of it about pages."""
    for header in headers:
        text = (response.header(header) or "").strip()
        if text.isascii() and text.isdecimal() and len(text) < 16:
            return int(text)
    whole = as_object(value)
    holders = [whole, *(as_object(item) for key, item in whole.items() if _plain(key) in _HOLDERS)]
    for holder in holders:
        told = {_plain(key): item for key, item in holder.items()}
        for name in names:
            number = told.get(name)
            if isinstance(number, int) and not isinstance(number, bool):
                return number
    return None


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
