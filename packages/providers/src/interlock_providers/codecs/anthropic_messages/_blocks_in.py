"""Content blocks, read: those of a client's request and those of a vendor's answer."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock_core import (
    CacheHint,
    Content,
    File,
    Image,
    Json,
    JsonObject,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    new_id,
)
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_providers.codecs._fields import Fields, wrong
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs.anthropic_messages._seal import SOME_SPEAKER, opened

READ = frozenset({"text", "image", "document", "thinking", "redacted_thinking", "tool_use", "tool_result"})
"""Kinds of blocks that the vocabulary has a word for."""


@dataclass(slots=True)
class Reader:
    """Who says the blocks, and what turned up while they were read.

    Attributes:
        provider: The vendor that says them; None for a client.
        names: How tools are called on its wire; None for a client.
        called: Names of the tools that were called so far, by the id of the call.
        mended: Something was mapped or put right, so the bytes are not what was understood.
    """

    provider: str | None = None
    names: ToolNames | None = None
    called: dict[str, str] = field(default_factory=dict[str, str])
    mended: bool = False


def read_block(value: Json, path: str, reader: Reader) -> tuple[Content, JsonObject] | None:
    """The part that a block is, and those of its fields that have no place in the vocabulary.

    Returns:
        None for a kind of block that the vocabulary has no word for.

    Raises:
        InvalidRequestError: A field of it is wrong.
    """
    fields = Fields(value, path)
    kind = fields.need_text("type")
    source = as_object(fields.peek("source")).get("type")
    if kind not in READ or (kind == "document" and source == "content"):
        return None
    part = _read(kind, fields, reader)
    return part, fields.rest()


def _read(kind: str, fields: Fields, reader: Reader) -> Content:
    match kind:
        case "text":
            return read_text(fields)
        case "image":
            return _read_image(fields)
        case "document":
            return _read_document(fields)
        case "tool_use":
            return _read_call(fields, reader)
        case "tool_result":
            return _read_result(fields, reader)
        case _:
            return _read_reasoning(kind, fields, reader)


def read_text(fields: Fields) -> Text:
    """A text block, its type taken already."""
    text = fields.text("text")
    if text is None:
        raise wrong(fields.at("text"), "a string")
    return Text(text, cache=read_cache(fields), citations=tuple(fields.items("citations") or ()))


def read_cache(fields: Fields) -> CacheHint | None:
    """Where to cut the prompt cache; a form that is not known stays among the fields."""
    value = fields.take("cache_control")
    if value is None:
        return None
    hint = as_object(value)
    ttl = hint.get("ttl")
    known = hint.keys() <= {"type", "ttl"} and hint.get("type") == "ephemeral"
    if known and (isinstance(ttl, str) or "ttl" not in hint):
        return CacheHint(ttl=ttl if isinstance(ttl, str) else None)
    fields.rest()["cache_control"] = value
    return None


def _source(fields: Fields) -> Fields:
    source = fields.part("source")
    if source is None:
        raise wrong(fields.at("source"), "a JSON object")
    return source


def _read_image(fields: Fields) -> Image:
    source = _source(fields)
    kind = source.one_of("type", ("base64", "url", "file"))
    cache = read_cache(fields)
    if kind == "url":
        made = Image(url=source.need_text("url"), cache=cache)
    elif kind == "file":
        made = Image(file_id=source.need_text("file_id"), cache=cache)
    else:
        made = Image(data=_bytes(source), media_type=source.need_text("media_type"), cache=cache)
    _keep_source(fields, source)
    return made


def _read_document(fields: Fields) -> File:
    source = _source(fields)
    kind = source.one_of("type", ("base64", "text", "url", "file"))
    cache, name = read_cache(fields), fields.text("title")
    if kind == "url":
        made = File(url=source.need_text("url"), name=name, cache=cache)
    elif kind == "file":
        made = File(file_id=source.need_text("file_id"), name=name, cache=cache)
    elif kind == "text":
        text = source.text("data")
        if text is None:
            raise wrong(source.at("data"), "a string")
        data = text.encode("utf-8", "surrogatepass")
        media_type = source.text("media_type") or "text/plain"
        made = File(data=data, media_type=media_type, name=name, cache=cache)
    else:
        data, media_type = _bytes(source), source.need_text("media_type")
        made = File(data=data, media_type=media_type, name=name, cache=cache)
    _keep_source(fields, source)
    return made


def _keep_source(fields: Fields, source: Fields) -> None:
    if source.rest():
        fields.rest()["source"] = source.rest()


def _bytes(source: Fields) -> bytes:
    path = source.at("data")
    text = source.need_text("data")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InvalidRequestError(
            f"{path} is not base64.", field=path, remedy="Send the bytes as base64 without a prefix."
        ) from exc


def _read_call(fields: Fields, reader: Reader) -> ToolCall:
    call_id = fields.need_text("id") if reader.provider is None else fields.text("id")
    name = fields.need_text("name")
    given = fields.take("input")
    if given is not None and not isinstance(given, dict):
        raise wrong(fields.at("input"), "a JSON object")
    if reader.names is not None:
        core = reader.names.core(name)
        reader.mended = reader.mended or not call_id or core != name
        call_id, name = call_id or new_id("toolu"), core
    made = ToolCall(id=call_id or "", name=name, arguments=dump_json(given or {}))
    reader.called[made.id] = made.name
    return made


def _read_result(fields: Fields, reader: Reader) -> ToolResult:
    call_id = fields.need_text("tool_use_id")
    value = fields.peek("content")
    content: list[Text | Image | File] = []
    if isinstance(value, str):
        content = [Text(value)] if value else []
        fields.take("content")
    elif value is not None:
        content = _read_shown(fields, reader)
    return ToolResult(
        call_id=call_id,
        name=reader.called.get(call_id, ""),
        content=tuple(content),
        is_error=fields.flag("is_error") or False,
    )


def _read_shown(fields: Fields, reader: Reader) -> list[Text | Image | File]:
    """What a result shows; blocks that the vocabulary has no word for stay, with their places."""
    path = fields.at("content")
    content: list[Text | Image | File] = []
    left: JsonObject = {}
    others: list[Json] = []
    for index, item in enumerate(fields.items("content") or ()):
        read = read_block(item, f"{path}[{index}]", reader)
        if read is None:
            others.append([index, item])
            continue
        part, rest = read
        if not isinstance(part, Text | Image | File):
            raise wrong(f"{path}[{index}].type", "text, image or document in a tool result")
        if rest:
            left[str(len(content))] = rest
        content.append(part)
    kept: JsonObject = {"parts": left, "others": others}
    if left or others:
        fields.rest()["content"] = kept
    return content


def _read_reasoning(kind: str, fields: Fields, reader: Reader) -> Reasoning:
    vendor = SOME_SPEAKER if reader.provider is None else reader.provider
    if kind == "redacted_thinking":
        return Reasoning(encrypted=fields.need_text("data"), vendor=vendor)
    text, signature = fields.text("thinking") or "", fields.text("signature")
    back = opened(text, signature) if reader.provider is None else None
    if back is not None:
        reader.mended = True
        return back
    return Reasoning(text=text, signature=signature or None, vendor=vendor)


def placed(extra: Mapping[str, Json], kinds: Json) -> list[tuple[int, Json]]:
    """What stands at its own place in a list though the vocabulary has no word for it.

    Args:
        extra: The fields that were kept; each kind holds pairs of place and value.
        kinds: The kinds among them.
    """
    found: list[tuple[int, Json]] = []
    for kind in as_array(kinds):
        for item in as_array(extra.get(kind)) if isinstance(kind, str) else ():
            match item:
                case [int(index), dict(value)]:
                    found.append((index, value))
                case _:
                    continue
    return sorted(found, key=lambda pair: pair[0])
