"""Where the next page of an answer is: from its headers, its body and the document, never by trial.

In this order: a `Link` header with `rel="next"`; an address in the body (OData, HAL, JSON:API, `next` and
its spellings); a cursor in the body that a parameter of the operation takes; `has_more` with the id of the
last element; a page or an offset that is counted on. What a link says is turned into arguments of the
operation wherever the operation has them; else its query is put behind the path that was asked for. No link
leads to another path or origin: that would be another call, which nobody has allowed.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote_plus, urljoin, urlsplit, urlunsplit

from interlock_core.errors import InterlockError
from interlock_core.jsontypes import Json, JsonObject, as_object
from interlock_core.toolspec import HttpRequest
from interlock_tools.execution._counting import counted
from interlock_tools.execution._items import items_of
from interlock_tools.openapi._convert import OpenApiTool
from interlock_tools.openapi._ir import Parameter

if TYPE_CHECKING:
    from interlock_core.http import HttpResponse

_LINK = re.compile(
    r"<([^<>]*)>((?:\s*;\s*[\w*!#$&+.^`|~-]+\s*(?:=\s*(?:\"(?:[^\"\\]|\\.)*\"|[^\s\",;]*))?)*)"
)
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s\",;]*))", re.IGNORECASE)
_LONGEST_LINK = 8_000
_ADDRESSES: tuple[tuple[str, ...], ...] = (
    ("@odata.nextLink",),
    ("odata.nextLink",),
    ("@nextLink",),
    ("nextLink",),
    ("_links", "next", "href"),
    ("_links", "next"),
    ("links", "next", "href"),
    ("links", "next"),
    ("links", "nextLink"),
    ("next",),
    ("next_url",),
    ("next_page_url",),
    ("next_page_uri",),
    ("nextPageUrl",),
    ("paging", "next", "link"),
    ("paging", "next"),
    ("pagination", "next_url"),
    ("pagination", "next"),
    ("pagination", "nextLink"),
    ("meta", "next"),
    ("meta", "pagination", "links", "next"),
)
_CURSORS = frozenset(
    {
        *("nextcursor", "nextpagetoken", "nexttoken", "endcursor", "continue", "continuationtoken"),
        *("nextmarker", "nextpage", "nextpagecursor", "nextpageid", "cursor", "after", "pagetoken", "next"),
        *(
            "paginationtoken",
            "nextpaginationtoken",
            "nextoffset",
            "scrollid",
            "nextstart",
            "nextid",
            "bookmark",
            "startingafter",
        ),
    }
)
_OWN = frozenset({"cursor", "after", "pagetoken", "startingafter"})
"""At the top of a body these are often the page's own cursor, not the next one's."""
_HOLDERS = frozenset(
    {
        *("meta", "metadata", "pagination", "paging", "page", "responsemetadata", "pageinfo", "cursors"),
        *("nextpage", "links", "next", "listmetadata", "pagemeta", "pages"),
    }
)
_TAKEN_BY: tuple[str, ...] = (
    *("cursor", "pagetoken", "nexttoken", "nextcursor", "startcursor", "continue", "continuationtoken"),
    *("after", "startingafter", "marker", "paginationtoken", "pagecursor", "pageafter", "nextpagetoken"),
    *("offset", "start", "scrollid", "page", "bookmark", "nextmarker", "from"),
)
_HAS_MORE = ("has_more", "hasMore", "has_next", "hasNext", "has_next_page", "hasNextPage")


@dataclass(frozen=True, slots=True, kw_only=True)
class NextPage:
    """The page after one.

    Attributes:
        arguments: Arguments to set for it; empty when it has an address alone.
        url: Its address, when no arguments lead to it.
    """

    arguments: JsonObject
    url: str = ""


def next_page(
    tool: OpenApiTool,
    arguments: JsonObject,
    request: HttpRequest,
    response: "HttpResponse",
    value: Json,
    *,
    built: HttpRequest | None = None,
    placed: Collection[str] = (),
) -> NextPage | None:
    """The page after an answer; None when there is none, or no safe way to it.

    Args:
        tool: The tool that was called.
        arguments: Its arguments, for this page.
        request: The request that was sent.
        response: The answer.
        value: Its body as JSON.
        built: The request that the arguments make, when another one was sent.
        placed: Names in the query under which credentials are put; what a link says there is left out.
    """
    known = _Arguments(tool)
    address = linked(response)
    if address is None and isinstance(value, dict):
        address = _address(value)
    if address is not None:
        return _Link(address, request, built or request).followed(known, arguments, placed)
    if isinstance(value, dict):
        if _says_no_more(value):
            return None
        cursor = _cursor(value, known, arguments) or _last_id(value, known, arguments)
        if cursor is not None:
            return NextPage(arguments=cursor)
    following = counted(known.by_plain_name, arguments, response, value)
    if following is None or tool.validator.problems({**arguments, **following}):
        return None
    return NextPage(arguments=following)


class _Arguments:
    """The arguments of a tool that go into the query or the body, by the names on the wire."""

    def __init__(self, tool: OpenApiTool) -> None:
        self.tool = tool
        self.parameters: dict[str, tuple[str, Parameter | None]] = {}
        for slot in tool.plan.slots:
            if slot.parameter.location in {"query", "header"}:
                self.parameters[slot.parameter.name] = (slot.argument, slot.parameter)
        body = tool.plan.body
        for argument, name in body.properties if body is not None else ():
            self.parameters.setdefault(name, (argument, None))
        self.by_plain_name = {plain(name): found for name, found in self.parameters.items()}

    def set(self, argument: str, text: Json, arguments: JsonObject) -> JsonObject | None:
        """The argument with a value that its schema takes; None when it takes none such."""
        for candidate in _readings(text):
            if not self.tool.validator.problems({**arguments, argument: candidate}):
                return {argument: candidate}
        return None


def linked(response: "HttpResponse") -> str | None:
    """The address that a `Link` header calls `next`."""
    for name, text in response.headers:
        if name.lower() != "link" or len(text) > _LONGEST_LINK:
            continue
        for address, parameters in _LINK.findall(text):
            for quoted, bare in _REL.findall(parameters):
                if "next" in (quoted or bare).lower().split():
                    return address
    return None


def plain(name: str) -> str:
    """A name without case and signs: `page[size]`, `pageSize` and `page_size` are the same."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _address(value: JsonObject) -> str | None:
    for path in _ADDRESSES:
        if path[0] not in value:
            continue
        at: Json = value
        for key in path:
            at = as_object(at).get(key)
        if isinstance(at, str) and (at.startswith(("http://", "https://", "/", "?"))):
            return at
    return None


class _Link:
    """A link to the next page.

    Args:
        address: As it was written.
        sent: The request that was answered with it; relative addresses begin there.
        built: The request that the arguments make.
    """

    def __init__(self, address: str, sent: HttpRequest, built: HttpRequest) -> None:
        self._address = address
        self._sent = sent
        self._built = built

    def followed(self, known: _Arguments, arguments: JsonObject, placed: Collection[str]) -> NextPage | None:
        """Other arguments of the operation, or an address that may be followed; None when neither."""
        from interlock_core.http import origin_of

        try:
            url = urljoin(self._sent.url, self._address)
            if origin_of(url) != origin_of(self._built.url):
                return None
        except (ValueError, InterlockError):
            return None
        here, there = urlsplit(self._built.url), urlsplit(url)
        query = _without(there.query, placed)
        reachable = self._built.method == "GET" and query and _named_alike(there.path, here.path)
        address = NextPage(arguments={}, url=urlunsplit((*here[:3], query, ""))) if reachable else None
        changes: JsonObject = {}
        before = dict(parse_qsl(urlsplit(self._sent.url).query, keep_blank_values=True))
        for name, text in parse_qsl(query, keep_blank_values=True):
            if before.get(name) == text:
                continue
            argument, parameter = known.parameters.get(name, ("", None))
            in_query = parameter is not None and parameter.location == "query"
            one = known.set(argument, text, {**arguments, **changes}) if in_query else None
            if one is None:
                return address
            changes |= one
        return NextPage(arguments=changes) if changes else None


def _named_alike(path: str, asked: str) -> bool:
    """Whether an address is called as the one that was asked for: some APIs link by another way to it."""
    return path.rpartition("/")[2] == asked.rpartition("/")[2]


def _without(query: str, names: Collection[str]) -> str:
    pieces = query.split("&")
    return "&".join(piece for piece in pieces if unquote_plus(piece.partition("=")[0]) not in names)


def _cursor(value: JsonObject, known: _Arguments, arguments: JsonObject) -> JsonObject | None:
    """A cursor that the body holds, as the argument that takes it."""
    for key, found in _cursors(value, depth=0):
        wanted = [plain(key).removeprefix("next"), plain(key), *_TAKEN_BY]
        for name in wanted:
            argument, _ = known.by_plain_name.get(name, ("", None))
            if argument:
                change = known.set(argument, found, arguments)
                if change is not None and change[argument] != arguments.get(argument):
                    return change
    return None


def _cursors(value: JsonObject, *, depth: int) -> "list[tuple[str, Json]]":
    found: list[tuple[str, Json]] = []
    for key, item in value.items():
        name = plain(key)
        if isinstance(item, str | int) and not isinstance(item, bool):
            if item not in {"", 0} and name in _CURSORS and (depth or name not in _OWN):
                found.append((key, item))
        elif isinstance(item, dict) and name in _HOLDERS and depth < 2:
            found += _cursors(item, depth=depth + 1)
    return sorted(found, key=lambda pair: not plain(pair[0]).startswith(("next", "end")))


def _says_no_more(value: JsonObject) -> bool:
    """Whether the body says that this is the last page."""
    holders = [value, *(as_object(item) for key, item in value.items() if plain(key) in _HOLDERS)]
    return any(holder.get(name) is False for holder in holders for name in _HAS_MORE)


def _last_id(value: JsonObject, known: _Arguments, arguments: JsonObject) -> JsonObject | None:
    """`has_more` with a parameter that takes the id of the last element."""
    if not any(value.get(name) is True for name in _HAS_MORE):
        return None
    _, rows = items_of(value)
    last = as_object(rows[-1]).get("id") if rows else None
    for name in ("startingafter", "after", "afterid", "sinceid", "lastid"):
        argument, _ = known.by_plain_name.get(name, ("", None))
        if argument and isinstance(last, str | int):
            return known.set(argument, last, arguments)
    return None


def _readings(text: Json) -> "list[Json]":
    """What a value from a link can mean: itself, or the number that it is written as."""
    if isinstance(text, str):
        number: list[Json] = [int(text)] if text.isascii() and text.isdecimal() and len(text) < 16 else []
        return [*number, text]
    return [text, str(text)]
