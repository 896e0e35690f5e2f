"""Bodies: JSON, forms, multipart with files, text, bytes and XML, the same bytes for the same arguments."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_object, as_text, dump_json
from interlock_tools.execution._forms import body_of_form, text_pairs
from interlock_tools.execution._styles import by_media_type, plain_text
from interlock_tools.openapi._ir import Encoding
from interlock_tools.openapi._plan import BodyPlan
from interlock_tools.openapi._shape import is_json

_LINE = b"\r\n"
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)


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
    if looks_like_file(value) and plan.ranged:
        content, _, own = _file("body", value)
        return SentBody(content, own or "application/octet-stream")
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
            return _text(plan.media_type, plain_text(value))


def _text(media_type: str, text: str) -> SentBody:
    """A text in the charset that its media type names, else in UTF-8."""
    named = _CHARSET.search(media_type)
    if named is None:
        media_type = media_type if ";" in media_type else f"{media_type}; charset=utf-8"
        return SentBody(text.encode(), media_type)
    try:
        return SentBody(text.encode(named[1]), media_type)
    except (LookupError, UnicodeEncodeError) as exc:
        raise InvalidRequestError(
            f"The text cannot be written in {named[1][:40]}, which the document demands.",
            field="body",
            remedy="Send characters that it has.",
        ) from exc


def _form(plan: BodyPlan, value: Json) -> str:
    return value if isinstance(value, str) else body_of_form(as_object(value), plan.encoding)


def _multipart(plan: BodyPlan, value: Json) -> SentBody:
    if isinstance(value, list):
        parts = [_part(None, one, _of_item(plan, number)) for number, one in enumerate(value)]
    else:
        parts = [
            part
            for name, item in as_object(value).items()
            for part in _parts(name, item, plan.encoding.get(name), is_file=name in plan.files)
        ]
    boundary = _boundary(parts)
    mark = f"--{boundary}".encode()
    content = b"".join(mark + _LINE + part + _LINE for part in parts) + mark + b"--" + _LINE
    media_type = _header_safe(plan.media_type).partition(";")[0].strip()
    return SentBody(content, f"{media_type}; boundary={boundary}")


def _of_item(plan: BodyPlan, number: int) -> Encoding | None:
    return plan.encoding.get(str(number), plan.encoding.get("*"))


def _parts(name: str, item: Json, encoding: Encoding | None, *, is_file: bool) -> list[bytes]:
    """The parts of one property: by its style where it has one, a part for each item of a list, else one."""
    if encoding is not None and encoding.style is not None and not is_file:
        plain = replace(encoding, style=None, content_type=None)
        return [_part(key, text, plain) for key, text in text_pairs(name, item, encoding)]
    whole = encoding is not None and is_json(encoding.content_type or "")
    items = item if isinstance(item, list) and not whole else [item]
    return [_part(name, one, encoding, is_file=is_file) for one in items]


def _part(name: str | None, value: Json, encoding: Encoding | None, *, is_file: bool = False) -> bytes:
    """One part; without a name it is one of a list."""
    said = encoding.content_type if encoding is not None else None
    said = said.partition(",")[0].strip() if said is not None and "*" not in said else None
    head = [] if name is None else [f'form-data; name="{_quotable(name)}"']
    if is_file or looks_like_file(value):
        content, filename, own = _file(name or "body", value)
        if name is not None:
            head.append(f'filename="{_quotable(filename or name)}"')
        media_type = own or said or "application/octet-stream"
    else:
        content = by_media_type(said or "", value).encode()
        media_type = said or ("application/json" if isinstance(value, dict | list) else "")
    lines = [f"Content-Disposition: {'; '.join(head)}"] if head else []
    if media_type:
        lines.append(f"Content-Type: {_header_safe(media_type)}")
    if encoding is not None:
        lines += [f"{_header_safe(key)}: {_header_safe(text)}" for key, text in encoding.headers]
    return b"".join(line.encode() + _LINE for line in lines) + _LINE + content


def looks_like_file(value: Json) -> bool:
    """Whether a value is the bytes of a file in base64, with a name and a media type."""
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
