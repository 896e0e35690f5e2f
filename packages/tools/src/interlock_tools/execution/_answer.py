"""Answers become results: what a model reads, what programs get, and what went wrong in the API's words."""

import logging
from typing import TYPE_CHECKING

from interlock_core.errors import (
    CredentialError,
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    ProtocolError,
    UpstreamError,
    UpstreamRateLimitError,
)
from interlock_core.jsontypes import Json, as_array, as_object, as_text, parse_json
from interlock_core.messages import File, Image, Text, ToolCall, ToolResult
from interlock_tools.execution._credentials import Scrubber
from interlock_tools.execution._limits import ExecutorLimits
from interlock_tools.execution._shorten import shown_json, shown_text
from interlock_tools.openapi._convert import OpenApiTool
from interlock_tools.openapi._shape import essence, is_json

if TYPE_CHECKING:
    from interlock_core.http import HttpResponse

_log = logging.getLogger(__name__)
_LONGEST_MESSAGE = 600
_LONGEST_NOTE = 240
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


def answered(
    call: ToolCall, tool: OpenApiTool, response: "HttpResponse", scrubber: Scrubber, limits: ExecutorLimits
) -> ToolResult:
    """The result of an answer, whatever its status, without the credentials that were sent."""
    value, is_value = _value(response)
    value = scrubber.json(value)
    if response.status >= 400:
        return _failed(call, tool, response, value if is_value else None, scrubber, limits)
    if not is_value:
        return _plain(call, tool, response, scrubber, limits)
    shown, cut = shown_json(value, limit=limits.max_shown)
    notes = [f"[Shortened from {len(response.body)} bytes. Ask for less, or page by page.]"] if cut else []
    differs = _difference(tool, response, value, limits)
    if differs and limits.check_answers == "refuse":
        error = ProtocolError(
            f"The answer of {tool.spec.name} is not what its document describes: {differs}",
            vendor_status=response.status,
        )
        return failure(call, error, scrubber=scrubber, trusted=not tool.spec.untrusted)
    if differs:
        _log.info(
            "the answer of %s differs from its description at %s", tool.spec.name, differs.partition(": ")[0]
        )
        notes.append(f"[Differs from its description: {differs}]")
    return ToolResult(
        call_id=call.id,
        name=call.name,
        content=(Text(scrubber.text("\n".join([shown, *notes]))),),
        structured=value,
        status=response.status,
        untrusted=tool.spec.untrusted,
    )


def failure(
    call: ToolCall, error: InterlockError, *, scrubber: Scrubber | None = None, trusted: bool = True
) -> ToolResult:
    """The result of a call that ended in an error of ours."""
    text = str(error)
    return ToolResult(
        call_id=call.id,
        name=call.name,
        content=(Text(scrubber.text(text) if scrubber is not None else text),),
        is_error=True,
        error_code=error.code,
        status=error.vendor_status,
        untrusted=not trusted,
    )


def code_of(status: int) -> str:
    """The code of the error that an HTTP status stands for."""
    if status in {401, 403}:
        return CredentialError.code
    if status in {404, 410}:
        return NotFoundError.code
    if status == 429:
        return UpstreamRateLimitError.code
    if status == 503:
        return OverloadedError.code
    return UpstreamError.code if status >= 500 else InvalidRequestError.code


def _value(response: "HttpResponse") -> tuple[Json, bool]:
    """The body as JSON where it is JSON, by its media type or, without one, by its looks."""
    if not response.body.strip():
        return None, False
    named = essence(response.header("content-type") or "")
    if not is_json(named) and (named or response.body.lstrip()[:1] not in {b"{", b"["}):
        return None, False
    try:
        return parse_json(response.body), True
    except (ValueError, RecursionError):
        return None, False


def _plain(
    call: ToolCall, tool: OpenApiTool, response: "HttpResponse", scrubber: Scrubber, limits: ExecutorLimits
) -> ToolResult:
    """An answer that is no JSON: text as text, pictures as pictures, other bytes as a file."""
    named = essence(response.header("content-type") or "")
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


def _failed(
    call: ToolCall,
    tool: OpenApiTool,
    response: "HttpResponse",
    value: Json,
    scrubber: Scrubber,
    limits: ExecutorLimits,
) -> ToolResult:
    said = _message(value) if value is not None else scrubber.text(response.text).strip()
    said = " ".join(said.split())[:_LONGEST_MESSAGE]
    lines = [f"{tool.spec.endpoint} answered {response.status}{f': {said}' if said else '.'}"]
    again = response.header("retry-after")
    if again is not None and again.strip().isdecimal():
        lines.append(f"It asks to wait {again.strip()} s.")
    detail, _ = (
        shown_json(value, limit=min(limits.max_shown, 4 * _LONGEST_MESSAGE))
        if value is not None
        else ("", False)
    )
    if detail and as_array(as_object(value).get("errors")):
        lines.append(detail)
    return ToolResult(
        call_id=call.id,
        name=call.name,
        content=(Text(scrubber.text("\n".join(lines))),),
        is_error=True,
        structured=value,
        error_code=code_of(response.status),
        status=response.status,
        untrusted=tool.spec.untrusted,
    )


def _message(value: Json) -> str:
    """The API's own words, from the fields in which APIs say them."""
    if isinstance(value, str):
        return value
    found = as_object(value)
    for key in ("message", "error_description", "detail", "error", "title", "errors", "msg", "description"):
        inner = found.get(key)
        if isinstance(inner, list):
            inner = next(iter(inner), None)
        said = as_text(inner) if not isinstance(inner, dict) else _message(inner)
        if said:
            return said
    return shown_json(value, limit=_LONGEST_MESSAGE)[0]


def _difference(tool: OpenApiTool, response: "HttpResponse", value: Json, limits: ExecutorLimits) -> str:
    """The first way in which an answer differs from what the document says, without its own words."""
    if limits.check_answers == "ignore" or len(response.body) > limits.max_checked_bytes:
        return ""
    validator = tool.answer_validator(response.status)
    problems = validator.problems(value) if validator is not None else ()
    return problems[0].partition(" (got ")[0][:_LONGEST_NOTE] if problems else ""
