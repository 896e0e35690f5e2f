"""Content parts of messages and of tool results, both ways."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence

from interlock_core import (
    Audio,
    CacheHint,
    Content,
    File,
    Image,
    Json,
    JsonObject,
    Refusal,
    Text,
)
from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import as_array, as_object
from interlock_providers.codecs._fields import Fields, wrong
from interlock_providers.codecs._media import read_base64, read_data_url, write_base64, write_data_url
from interlock_providers.codecs.openai_responses._citations import sort_citations

_BREAKPOINT = "prompt_cache_breakpoint"
_GIVEN = ("input_text", "input_image", "input_file", "input_audio")
_SPOKEN = ("output_text", "refusal", "input_text")


def read_content(value: Json, path: str, *, spoken: bool = False) -> tuple[list[Content], JsonObject]:
    """The parts of a message, and by position those of their fields that have no place in the vocabulary.

    Args:
        value: A string or an array of parts.
        path: Where it stands.
        spoken: The model said it.

    Raises:
        InvalidRequestError: It is neither, or a part is wrong.
    """
    if isinstance(value, str):
        return [Text(value)], {}
    if not isinstance(value, list):
        raise wrong(path, "a string or an array of parts")
    parts: list[Content] = []
    left: JsonObject = {}
    for index, item in enumerate(value):
        fields = Fields(item, f"{path}[{index}]")
        kind = fields.one_of("type", _SPOKEN if spoken else _GIVEN)
        parts.append(_READERS[kind](fields))
        if fields.rest():
            left[str(index)] = fields.rest()
    return parts, left


def _read_text(fields: Fields) -> Text:
    return Text(_need_words(fields, "text"), cache=_read_cache(fields))


def _read_spoken(fields: Fields) -> Text:
    text = _need_words(fields, "text")
    cited = (*(fields.items("annotations") or ()), *(fields.items("citations") or ()))
    # Told for the whole answer; a model that is given its own words again has no use for them.
    fields.take("logprobs")
    return Text(text, citations=cited)


def _read_refusal(fields: Fields) -> Refusal:
    return Refusal(_need_words(fields, "refusal"))


def _need_words(fields: Fields, name: str) -> str:
    text = fields.text(name)
    if text is None:
        raise wrong(fields.at(name), "a string")
    return text


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


def _read_image(fields: Fields) -> Image:
    cache, detail = _read_cache(fields), fields.text("detail")
    detail = None if detail == "auto" else detail
    url, file_id = fields.text("image_url"), fields.text("file_id")
    if url and file_id:
        fields.rest()["image_url"] = url
    if file_id:
        return Image(file_id=file_id, detail=detail, cache=cache)
    if not url:
        raise InvalidRequestError(
            f"{fields.at('image_url')} or {fields.at('file_id')} must be given.",
            field=fields.at("image_url"),
            remedy="Send the image's URL, a data URL, or the id of an uploaded file.",
        )
    media_type, data = read_data_url(url)
    if data is None:
        return Image(url=url, detail=detail, cache=cache)
    return Image(data=data, media_type=media_type, detail=detail, cache=cache)


def _read_file(fields: Fields) -> File:
    cache, name = _read_cache(fields), fields.text("filename")
    given: dict[str, str | None] = {
        key: fields.text(key) or None for key in ("file_id", "file_data", "file_url")
    }
    said = next((key for key, value in given.items() if value is not None), None)
    if said is None:
        raise InvalidRequestError(
            f"{fields.at('file_data')}, {fields.at('file_url')} or {fields.at('file_id')} must be given.",
            field=fields.at("file_data"),
            remedy="Send the file's bytes as a data URL, its URL, or the id of an uploaded file.",
        )
    fields.rest().update({key: value for key, value in given.items() if value is not None and key != said})
    value = given[said] or ""
    if said == "file_id":
        return File(file_id=value, name=name, cache=cache)
    if said == "file_url":
        return File(url=value, name=name, cache=cache)
    media_type, data = read_data_url(value)
    if data is None and (plain := read_base64(value)) is not None:
        return File(data=plain, name=name, cache=cache)
    if data is None and value.startswith(("http:", "https:")):
        raise wrong(fields.at("file_data"), "the file's bytes as a data URL")
    if data is None:
        return File(url=value, name=name, cache=cache)
    return File(data=data, media_type=media_type, name=name, cache=cache)


def _read_audio(fields: Fields) -> Audio:
    inner = fields.part("input_audio")
    if inner is None:
        raise wrong(fields.at("input_audio"), "a JSON object")
    path, text = inner.at("data"), inner.need_text("data")
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InvalidRequestError(
            f"{path} is not base64.", field=path, remedy="Send the sound as base64 without a prefix."
        ) from exc
    made = Audio(data=data, format=inner.need_text("format"))
    if inner.rest():
        fields.rest()["input_audio"] = inner.rest()
    return made


_READERS: Mapping[str, Callable[[Fields], Content]] = {
    "input_text": _read_text,
    "input_image": _read_image,
    "input_file": _read_file,
    "input_audio": _read_audio,
    "output_text": _read_spoken,
    "refusal": _read_refusal,
}


def write_given(parts: Sequence[Content], left: Mapping[str, Json], path: str) -> list[Json]:
    """Parts that the model is given: in a message of the user or the system, or in a tool's result.

    Raises:
        InvalidRequestError: A part cannot stand there.
        UnsupportedError: A part cannot be said in this dialect.
    """
    return [
        merged(_write_given(part, f"{path}[{index}]"), as_object(left.get(str(index))))
        for index, part in enumerate(parts)
    ]


def merged(part: JsonObject, rest: JsonObject) -> JsonObject:
    """A part with the fields that the vocabulary has no place for."""
    for name, value in rest.items():
        inner = part.get(name)
        part[name] = {**inner, **as_object(value)} if isinstance(inner, dict) else value
    return part


def _write_given(part: Content, path: str) -> JsonObject:
    match part:
        case Text():
            return _cached({"type": "input_text", "text": part.text}, part.cache)
        case Image():
            return _cached(_write_image(part, path), part.cache)
        case File():
            return _cached(_write_file(part, path), part.cache)
        case Audio():
            inner: JsonObject = {"data": write_base64(part.data), "format": part.format}
            return {"type": "input_audio", "input_audio": inner}
        case _:
            raise InvalidRequestError(
                f"{path} cannot stand in a message of this role.",
                field=path,
                remedy="Put reasoning, refusals and tool calls into assistant messages, "
                "results into tool messages.",
            )


def _cached(part: JsonObject, cache: CacheHint | None) -> JsonObject:
    if cache is not None:
        ttl: JsonObject = {} if cache.ttl is None else {"ttl": cache.ttl}
        part[_BREAKPOINT] = {"mode": "explicit", **ttl}
    return part


def _write_image(image: Image, path: str) -> JsonObject:
    made: JsonObject = {"type": "input_image", "detail": image.detail or "auto"}
    if image.file_id is not None:
        return {**made, "file_id": image.file_id}
    if image.data is None:
        return {**made, "image_url": image.url}
    if image.media_type is None:
        raise InvalidRequestError(
            f"{path} is an image of unknown type.",
            field=path,
            remedy="Say its media type, such as image/png.",
        )
    return {**made, "image_url": write_data_url(image.data, image.media_type)}


def _write_file(file: File, path: str) -> JsonObject:
    made: JsonObject = {"type": "input_file"}
    if file.name is not None:
        made["filename"] = file.name
    if file.file_id is not None:
        return {**made, "file_id": file.file_id}
    if file.data is not None:
        plain = file.media_type is None
        data = write_base64(file.data) if plain else write_data_url(file.data, file.media_type or "")
        return {**made, "file_data": data}
    if file.url is None:
        raise UnsupportedError(
            f"{path} is a file without content.", field=path, remedy="Send its bytes, its URL or its id."
        )
    return {**made, "file_url" if file.url.startswith(("http:", "https:")) else "file_data": file.url}


def write_spoken(part: Text | Refusal, rest: JsonObject, *, told: bool) -> JsonObject:
    """A part that the model said.

    Args:
        part: The part.
        rest: Its fields that the vocabulary has no place for.
        told: A client is told it, with every field that the dialect demands; else the vendor is.
    """
    if isinstance(part, Refusal):
        return merged({"type": "refusal", "refusal": part.text}, rest)
    said, others = sort_citations(part.citations)
    made: JsonObject = {"type": "output_text", "text": part.text}
    if said or told:
        made["annotations"] = said
    if told:
        made["logprobs"] = []
    if others and told:
        made["citations"] = others
    return merged(made, rest)


def result_text(parts: Sequence[Content]) -> str | None:
    """The one plain text that a tool's result is; None where it is more."""
    if not parts:
        return ""
    only = parts[0]
    return only.text if len(parts) == 1 and isinstance(only, Text) and only.cache is None else None


def foreign_citations(parts: Sequence[Content]) -> bool:
    """Whether a text cites in another dialect's words."""
    return any(as_array(sort_citations(part.citations)[1]) for part in parts if isinstance(part, Text))
