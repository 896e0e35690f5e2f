"""What went wrong, in words that a model can act on: the API's own, its wrong fields one by one."""

from typing import TYPE_CHECKING

from interlock_core.errors import (
    CredentialError,
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    UpstreamError,
    UpstreamRateLimitError,
)
from interlock_core.jsontypes import Json, as_array, as_object, as_text
from interlock_core.messages import Text, ToolCall, ToolResult
from interlock_tools.execution._allowance import allowance, wait_asked
from interlock_tools.execution._credentials import Scrubber
from interlock_tools.execution._shorten import shown_json
from interlock_tools.openapi._convert import OpenApiTool

if TYPE_CHECKING:
    from interlock_core.http import HttpResponse

_LONGEST_MESSAGE = 600
_MOST_FIELDS = 10
_WRONG = {
    "missing": "does not exist",
    "missing_field": "is missing",
    "invalid": "is not valid",
    "already_exists": "exists already",
    "unprocessable": "cannot be taken",
}


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


def failed(
    call: ToolCall,
    tool: OpenApiTool,
    response: "HttpResponse",
    value: Json,
    scrubber: Scrubber,
    *,
    now: float,
) -> ToolResult:
    """The result of an answer that says no.

    Args:
        call: The call.
        tool: The tool.
        response: The answer.
        value: Its body as JSON, without credentials; None when it is none.
        scrubber: Takes credentials out.
        now: Seconds since the epoch.
    """
    said = message_of(value) if value is not None else scrubber.text(response.text).strip()
    said = " ".join(said.split())[:_LONGEST_MESSAGE]
    lines = [f"{tool.spec.endpoint} answered {response.status}{f': {said}' if said else '.'}"]
    fields = wrong_fields(value)
    if fields:
        lines.append(f"Wrong: {'; '.join(fields)}.")
    wait = wait_asked(response, now) if response.status in {403, 429, 503} else None
    known = allowance(response, now)
    limited = response.status == 429 or (
        response.status == 403 and (wait is not None or (known is not None and known.remaining <= 0))
    )
    if wait is not None:
        lines.append(f"It asks to wait {wait:.0f} s.")
    return ToolResult(
        call_id=call.id,
        name=call.name,
        content=(Text(scrubber.text("\n".join(lines))),),
        is_error=True,
        structured=value,
        error_code=UpstreamRateLimitError.code if limited else code_of(response.status),
        status=response.status,
        untrusted=tool.spec.untrusted,
    )


def wrong_fields(value: Json) -> list[str]:
    """The fields that an API calls wrong, one sentence each, from the forms in which APIs list them."""
    body = as_object(value)
    listed = body.get("errors", body.get("invalid-params", body.get("invalid_params", body.get("details"))))
    if isinstance(listed, dict):
        return [f"{key}: {_short(item)}" for key, item in list(listed.items())[:_MOST_FIELDS]]
    said: list[str] = []
    for one in as_array(listed)[:_MOST_FIELDS]:
        entry = as_object(one)
        if not entry:
            said.append(_short(one))
            continue
        source = as_object(entry.get("source"))
        at = next(
            (
                text
                for text in (
                    *(as_text(entry.get(key)) for key in ("field", "name", "param", "path", "property")),
                    *(as_text(source.get(key)) for key in ("pointer", "parameter")),
                )
                if text
            ),
            "",
        )
        code = as_text(entry.get("code")) or ""
        words = as_text(entry.get("message")) or as_text(entry.get("reason")) or as_text(entry.get("detail"))
        words = words or _WRONG.get(code, code)
        sent = entry.get("value")
        value_sent = "" if sent is None or sent == "" else f" ({_short(sent)})"
        said.append(f"{at} {words}{value_sent}".strip() if at or words else _short(one))
    return said


def _short(value: Json) -> str:
    text = value if isinstance(value, str) else shown_json(value, limit=160)[0]
    return " ".join(text.split())[:160]


def message_of(value: Json) -> str:
    """The API's own words, from the fields in which APIs say them."""
    if isinstance(value, str):
        return value
    found = as_object(value)
    for key in (
        "message",
        "error_description",
        "detail",
        "error",
        "errorMessage",
        "title",
        "errors",
        "msg",
        "description",
    ):
        inner = found.get(key)
        if isinstance(inner, list):
            inner = next(iter(inner), None)
        said = as_text(inner) if not isinstance(inner, dict) else message_of(inner)
        if said:
            return said
    return shown_json(value, limit=_LONGEST_MESSAGE)[0]
