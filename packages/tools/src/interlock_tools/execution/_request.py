"""The exact request of a call: path, query, headers, cookies and body from the arguments, nothing else.

It is deterministic: the same arguments make the same bytes. Credentials are not part of it.
"""

import re
from collections.abc import Mapping

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object
from interlock_core.toolspec import HttpRequest
from interlock_tools.execution._bodies import SentBody, sent_body
from interlock_tools.execution._forms import query_of_form
from interlock_tools.execution._path import filled_path
from interlock_tools.execution._servers import base_url
from interlock_tools.execution._styles import by_media_type, cookie_pairs, encoded, header_text, query_pairs
from interlock_tools.openapi._arguments import NOT_SENT
from interlock_tools.openapi._convert import OpenApiTool
from interlock_tools.openapi._ir import Parameter
from interlock_tools.openapi._plan import BodyPlan, RequestPlan, Slot
from interlock_tools.openapi._shape import essence, is_json, resolved

_MOST_ACCEPTED = 4
_LONGEST_HEADER = 16_384
_NOT_IN_HEADERS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]")
_SECOND_COOKIE = re.compile(r"[\s,][^\s,=]+=")
"""What servers that part cookies at spaces or commas, as RFC 2965 did, read as another one."""

_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)


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
        _check_members(tool, slot, value, arguments)
        written = _query(slot.parameter, value)
        if (
            value in ([], {})
            and slot.parameter.required
            and slot.parameter.location == "query"
            and not written
        ):
            raise _nothing_to_send(slot.argument)
        pieces.extend(written)
    body = None
    if plan.body is not None:
        _check_form(tool, plan.body, arguments)
        body = sent_body(plan.body, arguments, to_xml=lambda value: _xml(tool, value))
    joined = "&".join(pieces)
    return HttpRequest(
        method=operation.method,
        url=f"{address}{path}?{joined}" if joined else f"{address}{path}",
        headers=_headers(tool, given, body),
        body=body.content if body is not None else None,
    )


def _check_form(tool: OpenApiTool, plan: BodyPlan, arguments: JsonObject) -> None:
    """Refuse what is required and would not be there: a form has no way to write a list without items.

    Raises:
        InvalidRequestError: There is such a value.
    """
    if plan.form not in {"form", "multipart"}:
        return
    required = as_array(tool.parameters.get("required"))
    for argument, name in plan.properties:
        value = arguments.get(argument)
        styled = name in plan.encoding and plan.encoding[name].style is not None
        if argument in required and (value == [] or (value == {} and styled)):
            raise _nothing_to_send(argument)


def _nothing_to_send(argument: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{argument} is required, and of an empty list or object nothing would be sent.",
        field=argument,
        remedy="Give it at least one item or member.",
    )


def _check_members(tool: OpenApiTool, slot: Slot, value: Json, arguments: JsonObject) -> None:
    """Refuse members of an object that would be sent under the name of another parameter.

    Raises:
        InvalidRequestError: Two values would stand under one name, or one where another's rules hold.
    """
    own = slot.parameter
    spread = own.media_type is None and own.explode and own.style in {"form", "cookie"}
    if not spread or not isinstance(value, dict) or own.location not in {"query", "cookie"}:
        return
    known = as_object(as_object(resolved(own.schema, tool.references)[0]).get("properties"))
    for other in tool.plan.slots:
        name = other.parameter.name
        if other is slot or other.parameter.location != own.location or name not in value:
            continue
        if other.argument in arguments or name not in known:
            raise InvalidRequestError(
                f"{own.name} holds {name[:60]!r}, which is the name of another parameter.",
                field=slot.argument,
                remedy=f"Give it as the argument {other.argument} alone.",
            )


def _query(parameter: Parameter, value: Json) -> list[str]:
    if parameter.location == "querystring":
        return _whole_query(parameter, value)
    if parameter.location != "query":
        return []
    if parameter.media_type is not None:
        return [f"{encoded(parameter.name)}={encoded(by_media_type(parameter.media_type, value))}"]
    return query_pairs(
        parameter.name,
        value,
        style=parameter.style,
        explode=parameter.explode,
        allow_reserved=parameter.allow_reserved,
        nested=parameter.nested,
    )


def _whole_query(parameter: Parameter, value: Json) -> list[str]:
    """The query as one value (3.2): a form's pairs, or the text of another media type."""
    if isinstance(value, dict) and not is_json(parameter.media_type or ""):
        return query_of_form(value, dict(parameter.encoding))
    return [encoded(by_media_type(parameter.media_type or "text/plain", value))]


def _headers(
    tool: OpenApiTool, given: list[tuple[Slot, Json]], body: SentBody | None
) -> tuple[tuple[str, str], ...]:
    headers: list[tuple[str, str]] = []
    cookies: list[str] = []
    own: dict[str, str] = {}
    for slot, value in given:
        parameter = slot.parameter
        if parameter.location == "cookie":
            cookies.extend(_cookies(parameter, value))
        elif parameter.location == "header" and (value is not None or parameter.media_type is not None):
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
        by_media_type(parameter.media_type, value)
        if parameter.media_type is not None
        else header_text(parameter, value)
    )
    if len(text) > _LONGEST_HEADER:
        raise InvalidRequestError(
            f"The header {parameter.name} is longer than {_LONGEST_HEADER} characters.",
            field=parameter.name,
            remedy="Send less.",
        )
    if _NOT_IN_HEADERS.search(text):
        raise InvalidRequestError(
            f"The header {parameter.name} holds a line break or another control character.",
            field=parameter.name,
            remedy="Remove it.",
        )
    return text


def _cookies(parameter: Parameter, value: Json) -> list[str]:
    if parameter.style != "deepObject":
        _checked_cookie_name(parameter.name)
    if parameter.media_type is not None:
        pairs = [f"{encoded(parameter.name)}={encoded(by_media_type(parameter.media_type, value))}"]
    else:
        pairs = cookie_pairs(parameter, value) if value is not None else []
    # What is of this style is told as it is; only what would end the cookie or the header cannot be.
    raw = parameter.style == "cookie" and parameter.media_type is None
    if raw and isinstance(value, dict):
        for name in value:
            _checked_cookie_name(name)
    return [_checked_cookie(piece, forbidden=";" if raw else '; "\\') for piece in pairs]


def _checked_cookie(piece: str, *, forbidden: str) -> str:
    name, _, text = piece.partition("=")
    _checked_cookie_name(name)
    if any(ord(c) < 32 or ord(c) >= 127 or c in forbidden for c in text) or _SECOND_COOKIE.search(text):
        raise InvalidRequestError(
            f"The cookie {name[:60]} holds a character that no cookie has.",
            field=name[:60],
            remedy="Remove it.",
        )
    return piece


def _checked_cookie_name(name: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise InvalidRequestError(
            f"{name[:60]!r} cannot be the name of a cookie.",
            field=name[:60],
            remedy="Use letters, digits and `-_.`.",
        )


def _xml(tool: OpenApiTool, value: Json) -> str:
    from interlock_tools.execution._xml import as_xml

    plan = tool.plan.body
    return as_xml(value, plan.schema if plan is not None else None, tool.references)
