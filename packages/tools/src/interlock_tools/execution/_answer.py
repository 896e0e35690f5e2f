"""Answers become results: what a model reads, what programs get, and what went wrong in the API's words."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock_core.clock import Clock
from interlock_core.errors import ProtocolError
from interlock_core.jsontypes import Json, JsonObject, dump_json, parse_json
from interlock_core.messages import File, Image, Text, ToolCall, ToolResult
from interlock_tools.execution._credentials import Scrubber
from interlock_tools.execution._failures import failed, failure
from interlock_tools.execution._gather import Gathered
from interlock_tools.execution._limits import ExecutorLimits
from interlock_tools.execution._pages import NextPage
from interlock_tools.execution._shorten import shown_text
from interlock_tools.execution._trim import said_of, trimmed
from interlock_tools.openapi._convert import OpenApiTool
from interlock_tools.openapi._shape import essence, is_json

if TYPE_CHECKING:
    from interlock_core.http import HttpResponse

_log = logging.getLogger(__name__)
_LONGEST_NOTE = 240
_MOST_LEVELS = 200
_LARGEST_IMAGE = 4 * 1024 * 1024
_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_TEXTUAL = frozenset(
    {
        "application/xml",
        "application/yaml",
        "application/x-yaml",
        "application/javascript",
        "application/x-ndjson",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An answer that was read.

    Attributes:
        response: The answer, of several pages the last.
        value: Its body as JSON, without credentials; None when it is none.
        is_json: Whether it is JSON.
        pages: The pages that were put together, when the answer has pages.
    """

    response: "HttpResponse"
    value: Json
    is_json: bool
    pages: Gathered | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """Makes results of answers to one call.

    Attributes:
        call: The call.
        tool: The tool.
        limits: Bounds of the call.
        scrubber: Takes credentials out.
        clock: Tells the time.
        keep: Keeps the JSON text of an answer and says how the rest of it is read; empty when it does not.
    """

    call: ToolCall
    tool: OpenApiTool
    limits: ExecutorLimits
    scrubber: Scrubber
    clock: Clock
    keep: Callable[[str], str]

    def read(self, response: "HttpResponse") -> Reading:
        """An answer as JSON where it is JSON, without the credentials that were sent."""
        value, is_value = _value(response)
        return Reading(response=response, value=self.scrubber.json(value), is_json=is_value)

    def result(self, reading: Reading) -> ToolResult:
        """The result of an answer, whatever its status."""
        response, value = reading.response, reading.value
        if response.status >= 400:
            now = self.clock.now()
            said = value if reading.is_json else None
            return failed(self.call, self.tool, response, said, self.scrubber, now=now)
        if not reading.is_json:
            return _plain(self.call, self.tool, response, self.scrubber, self.limits)
        differs = self._difference(reading)
        if differs and self.limits.check_answers == "refuse":
            error = ProtocolError(
                f"The answer of {self.tool.spec.name} is not what its document describes: {differs}",
                vendor_status=response.status,
            )
            return failure(self.call, error, scrubber=self.scrubber, trusted=not self.tool.spec.untrusted)
        return ToolResult(
            call_id=self.call.id,
            name=self.call.name,
            content=(Text(self._shown(reading, differs)),),
            structured=value,
            status=response.status,
            untrusted=self.tool.spec.untrusted,
        )

    def _shown(self, reading: Reading, differs: str) -> str:
        """What a model reads: the answer, shortened where it is long, and what it should know of it."""
        whole = dump_json(reading.value)
        notes: list[str] = []
        if len(whole) <= self.limits.max_shown:
            text = whole
        else:
            schema = self.tool.responses.schema(self.tool.plan.operation, reading.response.status)
            shown = trimmed(reading.value, limit=self.limits.max_shown, schema=schema, whole=whole)
            rest = self.keep(whole)
            start = f', "offset": {shown.shown}' if rest and shown.items and not shown.path else ""
            notes.append(said_of(shown, read=rest.replace("}", f"{start}}}") if rest else ""))
            text = shown.text
        if reading.pages is not None:
            notes += _of_pages(reading.pages, self.limits)
        if differs:
            place = differs.partition(": ")[0]
            _log.info("the answer of %s differs from its description at %s", self.tool.spec.name, place)
            notes.append(f"[Differs from its description: {differs}]")
        return self.scrubber.text("\n".join([text, *notes]))

    def _difference(self, reading: Reading) -> str:
        """The first way in which an answer differs from what the document says, without its own words."""
        size = len(reading.response.body) if reading.pages is None else reading.pages.size
        if self.limits.check_answers == "ignore" or size > self.limits.max_checked_bytes:
            return ""
        validator = self.tool.answer_validator(reading.response.status)
        problems = validator.problems(reading.value) if validator is not None else ()
        return problems[0].partition(" (got ")[0][:_LONGEST_NOTE] if problems else ""


def _of_pages(pages: Gathered, limits: ExecutorLimits) -> list[str]:
    """What is said of the pages of an answer; nothing when this is all."""
    notes: list[str] = []
    if pages.pages > 1:
        notes.append(f"[{pages.items} elements of {pages.pages} pages.]")
    if pages.stopped:
        notes.append(f"[No further pages: {pages.stopped.rstrip('.')}. What came before is here.]")
    if pages.following is not None:
        notes.append(_onward(pages.following))
    return notes


def _onward(following: NextPage) -> str:
    if following.arguments:
        return f"[There is more. For the next page call again with {dump_json(following.arguments)}.]"
    return "[There is more, on a page that no argument of this tool leads to.]"


def _value(response: "HttpResponse") -> tuple[Json, bool]:
    """The body as JSON where it is JSON, by its media type or, without one, by its looks."""
    if not response.body.strip():
        return None, False
    named = essence(response.header("content-type") or "")
    if not is_json(named) and (named or response.body.lstrip()[:1] not in {b"{", b"["}):
        return None, False
    try:
        value = parse_json(response.body)
    except (ValueError, RecursionError):
        return None, False
    return (None, False) if _is_deep(value) else (value, True)


def _is_deep(value: Json) -> bool:
    """Whether a value is deeper than any API means; whoever walks such a one runs out of stack."""
    level: list[list[Json] | JsonObject] = [value] if isinstance(value, list | dict) else []
    for _ in range(_MOST_LEVELS):
        if not level:
            return False
        inner = (item for one in level for item in (one.values() if isinstance(one, dict) else one))
        level = [item for item in inner if isinstance(item, list | dict)]
    return True


def _plain(
    call: ToolCall, tool: OpenApiTool, response: "HttpResponse", scrubber: Scrubber, limits: ExecutorLimits
) -> ToolResult:
    """An answer that is no JSON: text as text, pictures as pictures, other bytes as a file."""
    said = response.header("content-type") or ""
    named = essence(said) if scrubber.text(said) == said else "application/octet-stream"
    part: Text | Image | File
    structured: Json = None
    if not response.body:
        part = Text(f"Done ({response.status}, no content).")
    elif named in _IMAGES and len(response.body) <= _LARGEST_IMAGE and not scrubber.holds(response.body):
        part = Image(data=response.body, media_type=named)
    elif (
        named.startswith("text/")
        or named in _TEXTUAL
        or named.endswith("+xml")
        or not named
        or is_json(named)
        or "charset=" in said.lower()
    ):
        text = scrubber.text(response.text)
        structured = text
        part = Text(shown_text(text, limit=limits.max_shown)[0])
    elif scrubber.holds(response.body):
        part = Text(
            f"The answer ({named}, {len(response.body)} bytes) repeats a credential and is kept back."
        )
    else:
        part = File(data=response.body, media_type=named)
    return ToolResult(
        call_id=call.id,
        name=call.name,
        content=(part,),
        structured=structured,
        status=response.status,
        untrusted=tool.spec.untrusted,
    )
