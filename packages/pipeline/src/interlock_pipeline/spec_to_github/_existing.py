"""Finds the issues of earlier runs by their markers, page by page."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from interlock_core import Json, ToolResult
from interlock_core.errors import (
    CredentialError,
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    ProtocolError,
    UpstreamError,
    UpstreamRateLimitError,
)
from interlock_core.jsontypes import as_array, as_int, as_object, as_text
from interlock_pipeline.spec_to_github._harmless import address
from interlock_pipeline.spec_to_github._marker import marker_in

PAGE = 100
"""Issues that are asked for at a time; a server may give fewer."""

_MOST_PAGES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An issue that is there already.

    Attributes:
        number: Its number.
        url: Its page.
        title: Its title as it is now.
        body: Its text as it is now.
        labels: Its labels as they are now.
        open: It is not closed.
    """

    number: int
    url: str | None
    title: str
    body: str
    labels: tuple[str, ...]
    open: bool


async def find_issues(page: Callable[[int], Awaitable[ToolResult]], *, where: str) -> dict[str, Found]:
    """Every issue that carries a marker, by it; of several with one marker an open one, then the oldest.

    Pages are read until one is empty or shorter than the first, for a server may give fewer than asked.

    Args:
        page: Gives one page, from 1; pull requests among the issues are passed over.
        where: `owner/repo`, for errors.

    Raises:
        InterlockError: A page could not be read: without all of them an issue might be made twice.
    """
    found: dict[str, Found] = {}
    first = 0
    for number in range(1, _MOST_PAGES + 1):
        issues = _issues(await page(number), where)
        for issue in map(as_object, issues):
            marker = None if issue.get("pull_request") else marker_in(as_text(issue.get("body")) or "")
            if marker is not None:
                this = _found(issue, where)
                found[marker] = min(
                    found.get(marker, this), this, key=lambda each: (not each.open, each.number)
                )
        first = first or len(issues)
        if not issues or (number > 1 and len(issues) < first):
            return found
    raise ProtocolError(
        f"The list of the issues of {where} does not end.", remedy="Check the address of the API."
    )


def _found(issue: Mapping[str, Json], where: str) -> Found:
    number = as_int(issue.get("number"))
    if number is None:
        raise ProtocolError(f"An issue of {where} has no number.", remedy="Check the address of the API.")
    names = (
        as_text(as_object(label).get("name")) or as_text(label) for label in as_array(issue.get("labels"))
    )
    return Found(
        number=number,
        url=address(as_text(issue.get("html_url"))),
        title=as_text(issue.get("title")) or "",
        body=as_text(issue.get("body")) or "",
        labels=tuple(name for name in names if name),
        open=issue.get("state") != "closed",
    )


def _issues(result: ToolResult, where: str) -> Sequence[Json]:
    if result.is_error:
        raise _error(result, f"The issues of {where} cannot be listed: {result.text}")
    if not isinstance(result.structured, list):
        raise ProtocolError(
            f"The list of the issues of {where} is no JSON array.", remedy="Check the address of the API."
        )
    return result.structured


def _error(result: ToolResult, message: str) -> InterlockError:
    status = result.status
    match status:
        case 404 | 410:
            kind, remedy = NotFoundError, "Check owner and repository, and that the token may see them."
        case 401 | 403:
            kind, remedy = CredentialError, "Check the token and what it may do."
        case 429:
            kind, remedy = UpstreamRateLimitError, "Wait, then run it again."
        case int() if 400 <= status < 500:
            kind, remedy = InvalidRequestError, "Check owner, repository and address."
        case _:
            kind, remedy = UpstreamError, "Run it again: nothing was created."
    return kind(message, remedy=remedy, vendor_status=status)
