"""Content parts, both ways."""

import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

from interlock_core import Audio, Content, File, Image, Json, JsonObject, Reasoning, Refusal, Text
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import as_object, dump_json
from interlock_providers.codecs._fields import Fields, wrong
from interlock_providers.codecs._media import read_data_url, write_data_url
from interlock_providers.codecs.cohere_chat._outgoing import Outgoing

_DETAILS = frozenset({None, "auto", "low", "high"})
_TEXT_TYPES = frozenset(
    {"application/json", "application/xml", "application/yaml", "application/x-yaml", "application/toml"}
)
_TEXT_NAMES = re.compile(r"\.(?:txt|md|rst|csv|tsv|json|jsonl|xml|ya?ml|toml|html?|log|py|js|ts|sql)", re.I)

TEXT, IMAGE, THINKING, DOCUMENT = "text", "image_url", "thinking", "document"
KINDS: Mapping[str, tuple[str, ...]] = {
    "system": (TEXT,),
    "user": (TEXT, IMAGE),
    "assistant": (TEXT, THINKING),
    "tool": (TEXT, DOCUMENT),
}
"""What may stand in the messages of a role."""


def read_parts(value: Json, path: str, role: str, vendor: str | None) -> tuple[list[Content], JsonObject]:
    """An array of parts, and by position those of their fields that have no place in the vocabulary."""
    if not isinstance(value, list):
        raise wrong(path, "a string or an array of parts")
    parts: list[Content] = []
    left: JsonObject = {}
    for index, item in enumerate(value):
        part, rest = _read_part(Fields(item, f"{path}[{index}]"), role, vendor)
        parts.append(part)
        if rest:
            left[str(index)] = rest
    return parts, left


def _read_part(fields: Fields, role: str, vendor: str | None) -> tuple[Content, JsonObject]:
    kind = fields.one_of("type", KINDS[role])
    if kind == IMAGE:
        return _read_image(fields), fields.rest()
    if kind == DOCUMENT:
        return _read_document(fields), fields.rest()
    text = fields.text(kind)
    if text is None:
        raise wrong(fields.at(kind), "a string")
    return Reasoning(text=text, vendor=vendor) if kind == THINKING else Text(text), fields.rest()


def _read_image(fields: Fields) -> Image:
    value = fields.peek(IMAGE)
    inner = Fields(
        {"url": fields.take(IMAGE)} if isinstance(value, str) else fields.take(IMAGE), fields.at(IMAGE)
    )
    url, detail = inner.need_text("url"), inner.text("detail")
    if inner.rest():
        fields.rest()[IMAGE] = inner.rest()
    media_type, data = read_data_url(url)
    if data is None:
        return Image(url=url, detail=detail)
    return Image(data=data, media_type=media_type, detail=detail)


def _read_document(fields: Fields) -> Text:
    """A document as the text that it is; the document itself stays among the fields that are left."""
    value = fields.peek(DOCUMENT)
    data = as_object(value).get("data")
    if not isinstance(data, str | dict):
        raise wrong(fields.at(f"{DOCUMENT}.data"), "a JSON object")
    return Text(document_text(value))


def document_text(document: Json) -> str:
    """What a document of a tool's result says."""
    data = as_object(document).get("data")
    return data if isinstance(data, str) else dump_json(data)


def write_parts(parts: Sequence[Content], note: JsonObject, path: str, role: str, out: Outgoing) -> Json:
    """The value of `content`: a string for one text, else an array.

    Raises:
        UnsupportedError: A part cannot be said in a message of this role.
    """
    left = as_object(note.get("parts"))
    plain = note.get("content") != "parts" and not left
    if plain and len(parts) == 1 and isinstance(parts[0], Text) and parts[0].cache is None:
        return parts[0].text
    written: list[Json] = []
    for index, part in enumerate(parts):
        rest = as_object(left.get(str(index)))
        made = _write_part(part, f"{path}[{index}]", role, out, rest)
        if made is not None:
            written.append(_merged(made, rest))
    return written


def _merged(part: JsonObject, rest: JsonObject) -> JsonObject:
    for name, value in rest.items():
        inner = part.get(name)
        if isinstance(inner, dict):
            part[name] = {**inner, **as_object(value)}
        elif name != DOCUMENT:
            part[name] = value
    return part


def _write_part(part: Content, path: str, role: str, out: Outgoing, rest: JsonObject) -> JsonObject | None:
    if isinstance(part, Text | Image | File) and part.cache is not None:
        out.say("cache hints are left out", "caches prompts by itself")
    match part:
        case Text():
            document = rest.get(DOCUMENT)
            if role == "tool" and document is not None and document_text(document) == part.text:
                return {"type": DOCUMENT, DOCUMENT: document}
            return {"type": TEXT, TEXT: part.text}
        case Reasoning() if role == "assistant":
            return {"type": THINKING, THINKING: part.text}
        case Refusal() if role == "assistant":
            out.say("a refusal is told as text", "has no words of its own for one")
            return {"type": TEXT, TEXT: part.text}
        case Image() if role == "user":
            return {"type": IMAGE, IMAGE: _write_image(part, path, out)}
        case File() if role in {"user", "tool"}:
            return _write_file(part, path, role, out)
        case _:
            return _refuse(part, path, role, out)


def _refuse(part: Content, path: str, role: str, out: Outgoing) -> NoReturn:
    match part:
        case Image() if role == "tool":
            raise out.cannot(path, "takes no images in tool results", "Send the image in a user message.")
        case Audio():
            raise out.cannot(path, "takes no sound", "Send what is said as text.")
        case Image() | File():
            raise out.cannot(
                path, f"takes no images or files in {role} messages", "Send them in a user message."
            )
        case _:
            raise InvalidRequestError(
                f"{path} cannot stand in a message of this role.",
                field=path,
                remedy="Put reasoning and tool calls into assistant messages, results into tool messages.",
            )


def _write_image(image: Image, path: str, out: Outgoing) -> JsonObject:
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
        raise out.cannot(path, "keeps no images by id", "Send the image's bytes or its URL.")
    detail = image.detail
    if detail not in _DETAILS:
        out.say(f"images of the detail {detail} are sent as high", "knows auto, low and high")
        detail = "high"
    return {"url": url} if detail is None else {"url": url, "detail": detail}


def _write_file(file: File, path: str, role: str, out: Outgoing) -> JsonObject | None:
    """A file of text as a document beside the messages or in them; nothing else can be told."""
    text = _file_text(file)
    if text is None:
        raise out.cannot(
            path,
            f"takes no files but plain text, and this one is {_kind(file)}",
            "Send its text, or its pages as images, or choose a model that takes files.",
        )
    data: JsonObject = {"text": text} if file.name is None else {"title": file.name, "text": text}
    if role == "tool":
        return {"type": DOCUMENT, DOCUMENT: {"data": data}}
    if out.inline:
        out.say("files stand as text in their messages", "takes no documents where a form is asked")
        return {"type": TEXT, TEXT: text if file.name is None else f"{file.name}:\n{text}"}
    out.say("files of text are sent as documents", "takes no files in messages")
    out.documents.append({"id": f"file_{len(out.documents) + 1}", "data": data})
    return None


def _kind(file: File) -> str:
    if file.data is None:
        return "not sent but named by its address or id"
    return file.media_type or "of unknown type"


def _file_text(file: File) -> str | None:
    """The text of a file, when it is one of text."""
    if file.data is None:
        return None
    kind = (file.media_type or "").partition(";")[0].strip().lower()
    named = kind in {"", "application/octet-stream"} and _TEXT_NAMES.search(file.name or "") is not None
    if not (kind.startswith("text/") or kind in _TEXT_TYPES or kind.endswith(("+json", "+xml")) or named):
        return None
    try:
        return file.data.decode("utf-8")
    except UnicodeDecodeError:
        return None
