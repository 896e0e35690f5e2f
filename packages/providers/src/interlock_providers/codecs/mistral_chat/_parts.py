"""Content chunks, both ways."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import replace

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
from interlock_core.jsontypes import as_array, as_object, as_text
from interlock_providers.codecs._fields import Fields, wrong
from interlock_providers.codecs._media import read_data_url, write_base64, write_data_url
from interlock_providers.codecs.mistral_chat._wire import Wire

KINDS = ("text", "image_url", "document_url", "file", "input_audio", "thinking", "reference")
"""The chunks that have a place in the vocabulary."""
UNSPOKEN = ("resource", "resource_link", "tool_reference", "tool_file")
"""Chunks of the dialect that have none: they are kept for it as fields of the message."""
_DETAILS = (None, "auto", "low", "high")
_TEXTS = frozenset({"application/json", "application/xml", "application/yaml", "application/toml"})
_SOUNDS = (
    (b"RIFF", "wav"),
    (b"ID3", "mp3"),
    (b"\xff\xfb", "mp3"),
    (b"\xff\xf3", "mp3"),
    (b"OggS", "ogg"),
    (b"fLaC", "flac"),
)


def read_chunks(
    value: Json, path: str, *, strange: Sequence[str] = UNSPOKEN
) -> tuple[list[Content], JsonObject, JsonObject]:
    """An array of chunks.

    Args:
        value: The array.
        path: Where it stands.
        strange: Kinds beside the known ones that are kept; empty keeps whatever comes.

    Returns:
        The parts; by position those of their fields that have no place in the vocabulary; and by kind the
        chunks that have none, each with the place where it stood.
    """
    if not isinstance(value, list):
        raise wrong(path, "a string or an array of chunks")
    parts: list[Content] = []
    left: JsonObject = {}
    unspoken: dict[str, list[Json]] = {}
    for index, item in enumerate(value):
        kind = as_object(item).get("type")
        if isinstance(kind, str) and kind not in KINDS and (kind in strange or not strange):
            unspoken.setdefault(kind, []).append([index, item])
            continue
        fields = Fields(item, f"{path}[{index}]")
        if kind == "reference":
            if _cite(parts, as_object(item)):
                left[str(len(parts) - 1)] = {"type": kind}
            continue
        parts.append(_read_chunk(fields))
        if fields.rest():
            left[str(len(parts) - 1)] = fields.rest()
    return parts, left, {kind: [*chunks] for kind, chunks in unspoken.items()}


def _cite(parts: list[Content], chunk: JsonObject) -> bool:
    """Put a reference to the text before it; True where there is none and it became a part of its own."""
    source = chunk.get("source")
    cited = source if isinstance(source, dict) else chunk
    last = parts[-1] if parts else None
    if isinstance(last, Text):
        parts[-1] = replace(last, citations=(*last.citations, cited))
        return False
    parts.append(Text("", citations=(cited,)))
    return True


def _read_chunk(fields: Fields) -> Content:
    kind = fields.one_of("type", KINDS)
    if kind == "text":
        text = fields.text("text")
        if text is None:
            raise wrong(fields.at("text"), "a string")
        return Text(text)
    if kind == "file":
        return File(file_id=fields.need_text("file_id"))
    if kind == "document_url":
        media_type, data = read_data_url(url := fields.need_text(kind))
        name = fields.text("document_name")
        if data is None:
            return File(url=url, name=name)
        return File(data=data, media_type=media_type, name=name)
    if kind == "image_url":
        return _read_image(fields)
    return _read_audio(fields) if kind == "input_audio" else _read_thinking(fields)


def _read_image(fields: Fields) -> Image:
    detail = None
    if isinstance(fields.peek("image_url"), dict):
        inner = Fields(fields.take("image_url"), fields.at("image_url"))
        url, detail = inner.need_text("url"), inner.text("detail")
        # The object itself says that the client wrote one.
        fields.rest()["image_url"] = inner.rest()
    else:
        url = fields.need_text("image_url")
    media_type, data = read_data_url(url)
    if data is None:
        return Image(url=url, detail=detail)
    return Image(data=data, media_type=media_type, detail=detail)


def _read_audio(fields: Fields) -> Audio | File:
    path = fields.at("input_audio")
    text = fields.need_text("input_audio")
    if text.startswith(("http:", "https:", "data:")):
        fields.rest()["type"] = "input_audio"
        return File(url=text)
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InvalidRequestError(
            f"{path} is not base64.", field=path, remedy="Send the sound as base64, or its URL."
        ) from exc
    known = next((name for head, name in _SOUNDS if data.startswith(head)), "unknown")
    return Audio(data=data, format=known)


def _read_thinking(fields: Fields) -> Reasoning:
    path = fields.at("thinking")
    said = fields.items("thinking")
    if said is None:
        raise wrong(path, "an array of chunks")
    if any(as_object(item).get("type") != "text" for item in said):
        fields.rest()["thinking"] = said
    return Reasoning(text=thought(said), signature=fields.text("signature") or None)


def thought(said: Json) -> str:
    """The words of a thinking chunk."""
    if isinstance(said, str):
        return said
    return "".join(as_text(as_object(item).get("text")) or "" for item in as_array(said))


def write_content(parts: Sequence[Content], note: Mapping[str, Json], rest: JsonObject, wire: Wire) -> Json:
    """The value of `content`: a string for plain text, else an array of chunks.

    Args:
        parts: What is said.
        note: How the client wrote it.
        rest: The message's own fields; the chunks that are kept there are taken out of it.
        wire: Whom it is written for, and where it stands.

    Raises:
        UnsupportedError: A part cannot be said in this dialect.
    """
    path = wire.path
    if note.get("content") == "null" and not parts:
        return None
    strange = [kind for kind in (*UNSPOKEN, *as_array(note.get("unspoken"))) if isinstance(kind, str)]
    kept = [item for kind in strange for item in as_array(rest.pop(kind, None))]
    listed = note.get("content") == "parts" or bool(kept)
    if not listed and (plain := _plain(parts, wire)) is not None:
        return plain
    left = as_object(note.get("parts"))
    chunks: list[Json] = []
    for index, part in enumerate(parts):
        wire.path = f"{path}[{index}]"
        own = as_object(left.get(str(index)))
        chunks.extend(_write_part(part, own, wire, whole=note.get("content") != "parts"))
    for item in sorted(kept, key=_place):
        chunks.insert(_place(item), as_array(item)[1] if len(as_array(item)) > 1 else None)
    return chunks


def _place(item: Json) -> int:
    place = as_array(item)[0] if as_array(item) else 0
    return place if isinstance(place, int) else 0


def _plain(parts: Sequence[Content], wire: Wire) -> str | None:
    """The text, where that is all; a client is told several texts as one."""
    texts = [part for part in parts if isinstance(part, Text) and part.cache is None and not part.citations]
    if len(texts) != len(parts) or (len(texts) > 1 and wire.target is not None):
        return None
    return "".join(part.text for part in texts)


def _write_part(part: Content, own: JsonObject, wire: Wire, *, whole: bool) -> list[Json]:
    """The chunks of a part, with the fields that the client wrote beside.

    Args:
        part: The part.
        own: Those fields.
        wire: Whom it is written for.
        whole: It was not read from this dialect, so that it is put into the form which the vendor likes best.
    """
    match part:
        case Text():
            return _write_text(part, own, wire, bare=whole or own.get("type") == "reference")
        case Refusal():
            wire.adapt("a refusal is told as text", "has no place for it")
            return [{"type": "text", "text": part.text}]
        case Image():
            return [_write_image(part, own, wire)]
        case Audio():
            return [{"type": "input_audio", "input_audio": write_base64(part.data), **own}]
        case File() if whole and (text := _words_of(part)) is not None:
            wire.adapt("files of text are told as text", "takes documents alone")
            return [{"type": "text", "text": text if part.name is None else f"{part.name}:\n{text}"}]
        case File():
            return [{**_write_file(part, own, wire), **own}]
        case Reasoning():
            return [_write_thinking(part, own, whole=whole)]
        case ToolCall() | ToolResult():
            raise InvalidRequestError(
                f"{wire.path} cannot stand in a message of this role.",
                field=wire.path,
                remedy="Put tool calls into assistant messages, results into tool messages.",
            )


def _write_text(part: Text, own: JsonObject, wire: Wire, *, bare: bool) -> list[Json]:
    """The chunks of a text and what it stands on; `bare` references need no text before them."""
    _drop_hint(part.cache, wire)
    cited = [_reference(citation, wire) for citation in part.citations]
    references: list[Json] = [chunk for chunk in cited if chunk is not None]
    text: JsonObject = {**own, "type": "text", "text": part.text}
    return references if bare and references and not part.text else [text, *references]


def _drop_hint(hint: CacheHint | None, wire: Wire) -> None:
    if hint is not None:
        wire.adapt("marks for the prompt cache are left out", "caches by itself, or by a key")


def _reference(citation: Json, wire: Wire) -> JsonObject | None:
    found = as_object(citation)
    if found.get("type") == "reference":
        return found
    if wire.target is not None:
        wire.adapt("citations in earlier answers are left out", "knows only its own")
        return None
    return {"type": "reference", "reference_ids": [_label(found)], "source": citation}


def _label(citation: JsonObject) -> str:
    """What a citation of another dialect points at, as far as it says so."""
    places = (citation, *(as_object(value) for value in citation.values()))
    names = ("url", "title", "document_title", "id", "source")
    found = (as_text(place.get(name)) for name in names for place in places)
    return next((text for text in found if text), "source")


def _write_image(image: Image, own: JsonObject, wire: Wire) -> JsonObject:
    _drop_hint(image.cache, wire)
    if image.data is not None and image.media_type is None:
        raise InvalidRequestError(
            f"{wire.path} is an image of unknown type.",
            field=wire.path,
            remedy="Say its media type, such as image/png.",
        )
    if image.data is not None:
        url = write_data_url(image.data, image.media_type or "")
    elif image.url is not None:
        url = image.url
    else:
        raise _cannot(wire.path, "an image by a vendor's file id", "Send the image's bytes or its URL.")
    inner, detail = own.get("image_url"), image.detail
    if detail not in _DETAILS and not isinstance(inner, dict):
        wire.adapt(f"images of the detail {detail} are sent as high", "knows auto, low and high")
        detail = "high"
    if detail is None and not isinstance(inner, dict):
        return {"type": "image_url", "image_url": url, **own}
    said: JsonObject = {"url": url} if detail is None else {"url": url, "detail": detail}
    return {"type": "image_url", **own, "image_url": {**said, **as_object(inner)}}


def _write_file(file: File, own: JsonObject, wire: Wire) -> JsonObject:
    _drop_hint(file.cache, wire)
    if file.file_id is not None:
        if file.name is not None:
            wire.adapt("the name of an uploaded file is left out", "knows the file by its id")
        return {"type": "file", "file_id": file.file_id}
    if file.data is not None:
        kind = file.media_type or ("application/pdf" if file.data.startswith(b"%PDF") else None)
        if kind is None:
            raise InvalidRequestError(
                f"{wire.path} is a file of unknown type.",
                field=wire.path,
                remedy="Say its media type, such as application/pdf.",
            )
        url = write_data_url(file.data, kind)
    elif file.url is not None:
        url = file.url
    else:
        raise _cannot(wire.path, "a file without bytes, URL and id", "Send one of them.")
    if own.get("type") == "input_audio":
        return {"input_audio": url}
    named: JsonObject = {} if file.name is None else {"document_name": file.name}
    return {"type": "document_url", "document_url": url, **named}


def _words_of(file: File) -> str | None:
    """What a file of text says."""
    kind = (file.media_type or "").partition(";")[0].strip().lower()
    if file.data is None or not (kind.startswith("text/") or kind in _TEXTS):
        return None
    try:
        return file.data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _write_thinking(part: Reasoning, own: JsonObject, *, whole: bool) -> JsonObject:
    rest = dict(own)
    said = rest.pop("thinking", None)
    if said is None or thought(said) != part.text:
        words: list[Json] = [{"type": "text", "text": part.text}]
        said = words if part.text else []
    chunk: JsonObject = {"type": "thinking", "thinking": said}
    if part.signature is not None:
        chunk["signature"] = part.signature
    if whole:
        chunk["closed"] = True
    return {**chunk, **rest}


def _cannot(path: str, what: str, remedy: str) -> UnsupportedError:
    return UnsupportedError(f"{path} is {what}, which this dialect has not.", field=path, remedy=remedy)
