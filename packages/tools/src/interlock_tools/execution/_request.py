"""The exact request of a call: path, query, headers, cookies and body from the arguments, nothing else.

It is deterministic: the same arguments make the same bytes. Credentials are not part of it.
"""

from collections.abc import Mapping

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, dump_json
from interlock_core.toolspec import HttpRequest
from interlock_tools.execution._bodies import SentBody, sent_body
from interlock_tools.execution._path import filled_path
from interlock_tools.execution._servers import base_url
from interlock_tools.execution._styles import cookie_pairs, encoded, header_text, plain_text, query_pairs
from interlock_tools.openapi._arguments import NOT_SENT
from interlock_tools.openapi._convert import OpenApiTool
from interlock_tools.openapi._ir import Parameter
from interlock_tools.openapi._plan import RequestPlan, Slot
from interlock_tools.openapi._shape import essence, is_json

_MOST_ACCEPTED = 4


def completed(plan: RequestPlan, arguments: JsonObject) -> JsonObject:
    """The arguments with the values that a required parameter can only have."""
    known = dict(arguments)
    for slot in plan.slots:
        if slot.fixed and slot.argument not in known:
            known[slot.argument] = slot.fixed[0]
    if plan.body is not None and plan.body.fixed:
        names = {name: argument for argument, name in plan.body.properties}
        for name, value in plan.body.fixed:
            known.setdefault(names[name], value)
    return known


def built_request(
    tool: OpenApiTool, arguments: JsonObject, *, base: str = "", variables: Mapping[str, str] | None = None
) -> HttpRequest:
    """The request that validated arguments make.

    Args:
        tool: The tool.
        arguments: Its arguments, validated and completed.
        base: The operator's address of the API, if one was written.
        variables: The operator's values of server variables.

    Raises:
        InvalidRequestError: A value cannot stand where it should; nothing was sent.
        ConfigurationError: Nobody says where the API lives.
    """
    plan = tool.plan
    operation = plan.operation
    given = [(slot, arguments[slot.argument]) for slot in plan.slots if slot.argument in arguments]
    in_path = {s.parameter.name: (s.parameter, v) for s, v in given if s.parameter.location == "path"}
    path, query = filled_path(operation.path, in_path, effect=tool.spec.effect)
    address = base_url(
        tool.document,
        operation,
        written=base,
        variables=variables or {},
        namespace=tool.spec.namespace,
    )
    pieces = [query] if query else []
    for slot, value in given:
        pieces.extend(_query(slot.parameter, value))
    body = None
    if plan.body is not None:
        body = sent_body(plan.body, arguments, to_xml=lambda value: _xml(tool, value))
    joined = "&".join(pieces)
    return HttpRequest(
        method=operation.method,
        url=f"{address}{path}?{joined}" if joined else f"{address}{path}",
        headers=_headers(tool, given, body),
        body=body.content if body is not None else None,
    )


def _query(parameter: Parameter, value: Json) -> list[str]:
    if parameter.location == "querystring":
        return _whole_query(parameter, value)
    if parameter.location != "query":
        return []
    if parameter.media_type is not None:
        return [f"{encoded(parameter.name)}={encoded(_by_media_type(parameter.media_type, value))}"]
    return query_pairs(
        parameter.name,
        value,
        style=parameter.style,
        explode=parameter.explode,
        allow_reserved=parameter.allow_reserved,
    )


def _whole_query(parameter: Parameter, value: Json) -> list[str]:
    """The query as one value (3.2): a form's pairs, or the text of another media type."""
    if isinstance(value, dict) and not is_json(parameter.media_type or ""):
        return [
            piece
            for key, item in value.items()
            for piece in query_pairs(key, item, style="form", explode=True)
        ]
    return [encoded(_by_media_type(parameter.media_type or "text/plain", value))]


def _by_media_type(media_type: str, value: Json) -> str:
    return dump_json(value) if is_json(media_type) else plain_text(value)


def _headers(
    tool: OpenApiTool, given: list[tuple[Slot, Json]], body: SentBody | None
) -> tuple[tuple[str, str], ...]:
    headers: list[tuple[str, str]] = []
    cookies: list[str] = []
    own: dict[str, str] = {}
    for slot, value in given:
        parameter = slot.parameter
        if parameter.location == "cookie" and value is not None:
            cookies.extend(_checked_cookie(piece) for piece in cookie_pairs(parameter, value))
        elif parameter.location == "header" and value is not None:
            name = parameter.name.lower()
            if name in NOT_SENT:
                continue
            text = _checked_header(parameter, value)
            own[name] = text
            if name not in {"accept", "content-type"}:
                headers.append((parameter.name, text))
    accept = own.get("accept") or _accept(tool)
    if accept:
        headers.insert(0, ("accept", accept))
    if body is not None:
        headers.append(("content-type", _content_type(tool, own.get("content-type"), body)))
    if cookies:
        headers.append(("cookie", "; ".join(cookies)))
    return tuple(headers)


def _accept(tool: OpenApiTool) -> str:
    """JSON where the API has it, else whatever the document says that it answers with."""
    known = tool.responses.media_types(tool.plan.operation)
    as_json = [name for name in known if is_json(name)]
    return ", ".join((as_json or list(known))[:_MOST_ACCEPTED])


def _content_type(tool: OpenApiTool, wanted: str | None, body: SentBody) -> str:
    """The body's media type; an argument may name another that is written the same way."""
    plan = tool.plan.body
    if wanted is None or plan is None or essence(wanted) == essence(body.media_type):
        return body.media_type
    if plan.form in {"binary", "text"}:
        return wanted
    known = {essence(name) for name in plan.choices}
    if essence(wanted) in known and plan.form == "json" and is_json(wanted):
        return wanted
    raise InvalidRequestError(
        f"A body of type {wanted[:80]} cannot be sent.",
        field="content-type",
        remedy=f"Leave it out; {body.media_type.partition(';')[0]} is sent.",
    )


def _checked_header(parameter: Parameter, value: Json) -> str:
    text = (
        _by_media_type(parameter.media_type, value)
        if parameter.media_type is not None
        else header_text(parameter, value)
    )
    if any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise InvalidRequestError(
            f"The header {parameter.name} holds a line break or another control character.",
            field=parameter.name,
            remedy="Remove it.",
        )
    return text


def _checked_cookie(piece: str) -> str:
    name = piece.partition("=")[0]
    if any(ord(c) <= 32 or ord(c) >= 127 or c in ';"\\' for c in piece):
        raise InvalidRequestError(
            f"The cookie {name[:60]} holds a character that no cookie has.",
            field=name[:60],
            remedy="Remove it.",
        )
    return piece


def _xml(tool: OpenApiTool, value: Json) -> str:
    from interlock_tools.execution._xml import as_xml

    plan = tool.plan.body
    return as_xml(value, plan.schema if plan is not None else None, tool.references)
