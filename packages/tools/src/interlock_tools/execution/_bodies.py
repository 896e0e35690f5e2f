"""Bodies: JSON, forms, multipart with files, text, bytes and XML, the same bytes for the same arguments."""

from collections.abc import Callable
from dataclasses import dataclass

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_object, as_text, dump_json
from interlock_tools.execution._styles import encoded, plain_text, query_pairs
from interlock_tools.openapi._ir import Encoding
from interlock_tools.openapi._plan import BodyPlan

_LINE = b"\r\n"


@dataclass(frozen=True, slots=True)
class SentBody:
    """A body as it goes on the wire.

    Attributes:
        content: The bytes.
        media_type: Value of the Content-Type header.
    """

    content: bytes
    media_type: str


def sent_body(plan: BodyPlan, arguments: JsonObject, *, to_xml: Callable[[Json], str]) -> SentBody | None:
    """The body that the arguments make; None when there is none.

    Args:
        plan: How it is made.
        arguments: The validated arguments.
        to_xml: Writes an object as XML the way the document says.

    Raises:
        InvalidRequestError: A file's base64 is none, or a text is no Unicode.
    """
    value, given = _value(plan, arguments)
    if not given:
        return None
    try:
        return _written(plan, value, to_xml)
    except UnicodeEncodeError as exc:
        raise InvalidRequestError(
            "A text of the body is no valid Unicode.", field="body", remedy="Send complete characters."
        ) from exc


def _value(plan: BodyPlan, arguments: JsonObject) -> tuple[Json, bool]:
    if plan.argument is not None:
        return arguments.get(plan.argument), plan.argument in arguments
    value: JsonObject = {
        name: arguments[argument] for argument, name in plan.properties if argument in arguments
    }
    return value, bool(value) or plan.required


def _written(plan: BodyPlan, value: Json, to_xml: Callable[[Json], str]) -> SentBody:
    match plan.form:
        case "json":
            return SentBody(dump_json(value).encode(), plan.media_type)
        case "form":
            return SentBody(_form(plan, value).encode(), plan.media_type)
        case "multipart":
            return _multipart(plan, value)
        case "binary":
            content, _, own = _file("body", value)
            return SentBody(content, own or plan.media_type)
        case "xml":
            text = value if isinstance(value, str) else to_xml(value)
            return SentBody(text.encode(), plan.media_type)
        case "text":
            named = plan.media_type if ";" in plan.media_type else f"{plan.media_type}; charset=utf-8"
            return SentBody(plain_text(value).encode(), named)


def _form(plan: BodyPlan, value: Json) -> str:
    if isinstance(value, str):
        return value
    pieces: list[str] = []
    for name, item in as_object(value).items():
        pieces.extend(_form_pairs(name, item, plan.encoding.get(name)))
    return "&".join(pieces)


def _form_pairs(name: str, value: Json, encoding: Encoding | None) -> list[str]:
    """One property: by its style where the document gives one, else objects as JSON and lists repeated."""
    if value is None:
        return [f"{encoded(name)}="]
    if encoding is not None and encoding.style is not None:
        return query_pairs(
            name,
            value,
            style=encoding.style,
            explode=encoding.explode,
            allow_reserved=encoding.allow_reserved,
        )
    if encoding is not None and encoding.content_type is not None and "json" in encoding.content_type:
        return [f"{encoded(name)}={encoded(dump_json(value))}"]
    if isinstance(value, list):
        return [f"{encoded(name)}={encoded(plain_text(item))}" for item in value]
    return [f"{encoded(name)}={encoded(plain_text(value))}"]


def _multipart(plan: BodyPlan, value: Json) -> SentBody:
    parts: list[bytes] = []
    for name, item in as_object(value).items():
        encoding = plan.encoding.get(name)
        whole = encoding is not None and (encoding.content_type or "").startswith("application/json")
        items = item if isinstance(item, list) and not whole else [item]
        parts.extend(_part(name, one, encoding, is_file=name in plan.files) for one in items)
    boundary = _boundary(parts)
    mark = f"--{boundary}".encode()
    content = b"".join(mark + _LINE + part + _LINE for part in parts) + mark + b"--" + _LINE
    media_type = plan.media_type.partition(";")[0].strip()
    return SentBody(content, f"{media_type}; boundary={boundary}")


def _part(name: str, value: Json, encoding: Encoding | None, *, is_file: bool) -> bytes:
    said = encoding.content_type if encoding is not None else None
    said = said.partition(",")[0].strip() if said is not None and "*" not in said else None
    disposition = f'form-data; name="{_quotable(name)}"'
    if is_file or _looks_like_file(value):
        content, filename, own = _file(name, value)
        disposition += f'; filename="{_quotable(filename or name)}"'
        media_type = own or said or "application/octet-stream"
    else:
        content = plain_text(value).encode()
        media_type = said or ("application/json" if isinstance(value, dict | list) else "")
    head = f"Content-Disposition: {disposition}"
    if media_type:
        head += f"\r\nContent-Type: {_header_safe(media_type)}"
    return head.encode() + _LINE + _LINE + content


def _looks_like_file(value: Json) -> bool:
    return (
        isinstance(value, dict)
        and "base64" in value
        and not value.keys() - {"base64", "filename", "content_type"}
    )


def _file(name: str, value: Json) -> tuple[bytes, str | None, str | None]:
    """The bytes of a file argument, its name and its media type where it says them."""
    given = as_object(value)
    if "base64" not in given:
        return plain_text(value).encode(), None, None
    import base64
    import binascii

    try:
        content = base64.b64decode(str(given["base64"]), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InvalidRequestError(
            f"The base64 of {name} cannot be decoded.", field=name, remedy="Send the bytes in base64."
        ) from exc
    own = as_text(given.get("content_type"))
    return content, as_text(given.get("filename")), _header_safe(own) if own else None


def _quotable(text: str) -> str:
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A").replace("\0", "")


def _header_safe(text: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise InvalidRequestError(
            "A media type holds a control character.", field="content_type", remedy="Send such as image/png."
        )
    return text


def _boundary(parts: list[bytes]) -> str:
    """A mark that no part holds, the same for the same parts."""
    import hashlib

    digest = hashlib.sha256(_LINE.join(parts))
    while True:
        boundary = f"interlock-{digest.hexdigest()[:32]}"
        if not any(boundary.encode() in part for part in parts):
            return boundary
        digest.update(b"again")
