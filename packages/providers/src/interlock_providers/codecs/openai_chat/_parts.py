"""Content parts, both ways."""

import base64
import binascii
from collections.abc import Mapping, Sequence

from interlock_core import (
    Audio,
    CacheHint,
    Content,
    File,
    Image,
    Json,
    JsonObject,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import as_object
from interlock_providers.codecs._fields import Fields, wrong
from interlock_providers.codecs._media import read_base64, read_data_url, write_base64, write_data_url

_BREAKPOINT = "prompt_cache_breakpoint"


def read_parts(value: Json, path: str) -> tuple[list[Content], JsonObject]:
    """An array of parts, and by position those of their fields that have no place in the vocabulary."""
    if not isinstance(value, list):
        raise wrong(path, "a string or an array of parts")
    parts: list[Content] = []
    left: JsonObject = {}
    for index, item in enumerate(value):
        part, rest = _read_part(Fields(item, f"{path}[{index}]"))
        parts.append(part)
        if rest:
            left[str(index)] = rest
    return parts, left


def _read_part(fields: Fields) -> tuple[Content, JsonObject]:
    kind = fields.one_of("type", ("text", "image_url", "input_audio", "file", "refusal"))
    if kind == "text":
        text = fields.text("text")
        if text is None:
            raise wrong(fields.at("text"), "a string")
        return Text(text, cache=_read_cache(fields)), fields.rest()
    if kind == "refusal":
        return Refusal(fields.need_text("refusal")), fields.rest()
    inner = fields.part(kind)
    if inner is None:
        raise wrong(fields.at(kind), "a JSON object")
    read = {"image_url": _read_image, "input_audio": _read_audio, "file": _read_file}[kind]
    part: Content = read(inner, None if kind == "input_audio" else _read_cache(fields))
    if inner.rest():
        fields.rest()[kind] = inner.rest()
    return part, fields.rest()


def _read_cache(fields: Fields) -> CacheHint | None:
    value = fields.take(_BREAKPOINT)
    if value is None:
        return None
    hint = as_object(value)
    ttl = hint.get("ttl")
    known = hint.keys() <= {"mode", "ttl"} and hint.get("mode") == "explicit"
    if known and (ttl is None or isinstance(ttl, str)) and ("ttl" in hint) == (ttl is not None):
        return CacheHint(ttl=ttl)
    fields.rest()[_BREAKPOINT] = value
    return None


def _read_image(inner: Fields, cache: CacheHint | None) -> Image:
    url = inner.need_text("url")
    detail = inner.text("detail")
    media_type, data = read_data_url(url)
    if data is None:
        return Image(url=url, detail=detail, cache=cache)
    return Image(data=data, media_type=media_type, detail=detail, cache=cache)


def _read_audio(inner: Fields, cache: CacheHint | None) -> Audio:
    del cache
    path = inner.at("data")
    text = inner.need_text("data")
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InvalidRequestError(
            f"{path} is not base64.", field=path, remedy="Send the sound as base64 without a prefix."
        ) from exc
    return Audio(data=data, format=inner.need_text("format"))


def _read_file(inner: Fields, cache: CacheHint | None) -> File:
    file_id, name, text = inner.text("file_id"), inner.text("filename"), inner.text("file_data")
    if file_id is not None and text is not None:
        inner.rest()["file_data"] = text
    if file_id is not None:
        return File(file_id=file_id, name=name, cache=cache)
    if not text:
        raise InvalidRequestError(
            f"{inner.at('file_data')} or {inner.at('file_id')} must be given.",
            field=inner.at("file_data"),
            remedy="Send the file's bytes as a data URL, or the id of an uploaded file.",
        )
    media_type, data = read_data_url(text)
    if data is None and (plain := read_base64(text)) is not None:
        return File(data=plain, name=name, cache=cache)
    if data is None:
        return File(url=text, name=name, cache=cache)
    return File(data=data, media_type=media_type, name=name, cache=cache)


def write_content(parts: Sequence[Content], note: Mapping[str, Json], path: str) -> Json:
    """The value of `content`: a string for one plain text, else an array.

    Raises:
        UnsupportedError: A part cannot be said in this dialect.
    """
    left = as_object(note.get("parts"))
    if note.get("content") != "parts" and not left and len(parts) == 1:
        only = parts[0]
        if isinstance(only, Text) and only.cache is None:
            return only.text
    return [
        _merged(_write_part(part, f"{path}[{index}]"), as_object(left.get(str(index))))
        for index, part in enumerate(parts)
    ]


def _merged(part: JsonObject, rest: JsonObject) -> JsonObject:
    for name, value in rest.items():
        inner = part.get(name)
        part[name] = {**inner, **as_object(value)} if isinstance(inner, dict) else value
    return part


def _write_part(part: Content, path: str) -> JsonObject:
    match part:
        case Text():
            return _cached({"type": "text", "text": part.text}, part.cache)
        case Refusal():
            return {"type": "refusal", "refusal": part.text}
        case Image():
            return _cached({"type": "image_url", "image_url": _write_image(part, path)}, part.cache)
        case Audio():
            data = write_base64(part.data)
            return {"type": "input_audio", "input_audio": {"data": data, "format": part.format}}
        case File():
            return _cached({"type": "file", "file": _write_file(part, path)}, part.cache)
        case Reasoning() | ToolCall() | ToolResult():
            raise InvalidRequestError(
                f"{path} cannot stand in a message of this role.",
                field=path,
                remedy="Put reasoning and tool calls into assistant messages, results into tool messages.",
            )


def _cached(part: JsonObject, cache: CacheHint | None) -> JsonObject:
    if cache is not None:
        part[_BREAKPOINT] = (
            {"mode": "explicit"} if cache.ttl is None else {"mode": "explicit", "ttl": cache.ttl}
        )
    return part


def _write_image(image: Image, path: str) -> JsonObject:
    if image.data is not None and image.media_type is None:
        raise InvalidRequestError(
            f"{path} is an image of unknown type.",
            field=path,
            remedy="Say its media type, such as image/png.",
        )
    if image.data is not None:
        url = write_data_url(image.data, image.media_type or "")
    elif image.url is not None:
        url = image.url
    else:
        raise _cannot(path, "an image by a vendor's file id", "Send the image's bytes or its URL.")
    return {"url": url} if image.detail is None else {"url": url, "detail": image.detail}


def _write_file(file: File, path: str) -> JsonObject:
    named: JsonObject = {} if file.name is None else {"filename": file.name}
    if file.file_id is not None:
        return {"file_id": file.file_id, **named}
    if file.data is not None and file.media_type is None:
        return {"file_data": write_base64(file.data), **named}
    if file.data is not None:
        return {"file_data": write_data_url(file.data, file.media_type or ""), **named}
    if file.url is not None and not file.url.startswith(("http:", "https:")):
        return {"file_data": file.url, **named}
    raise _cannot(path, "a file by URL", "Send the file's bytes, or the vendor's id of an uploaded file.")


def _cannot(path: str, what: str, remedy: str) -> UnsupportedError:
    return UnsupportedError(f"{path} is {what}, which this dialect has not.", field=path, remedy=remedy)
