"""Content blocks, written for a vendor or for a client."""

import base64

from interlock_core import CacheHint, Content, File, Image, Json, JsonObject, Text, ToolResult
from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import as_array, as_object, as_text
from interlock_providers.codecs.anthropic_messages._notes import Adapted

_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_PDF = "application/pdf"
_TEXTS = ("text/", "application/json", "application/xml", "application/yaml", "application/toml")
_CITED = frozenset(
    {
        "char_location",
        "page_location",
        "content_block_location",
        "web_search_result_location",
        "search_result_location",
    }
)


def cached(block: JsonObject, cache: CacheHint | None, adapted: Adapted, path: str) -> JsonObject:
    """The block with its cut of the prompt cache; only `5m` and `1h` can be asked for."""
    if cache is None:
        return block
    control: JsonObject = {"type": "ephemeral"}
    if cache.ttl in {"5m", "1h"}:
        control["ttl"] = cache.ttl
    elif cache.ttl is not None:
        adapted.say(f"{path} is cached for 5m: {adapted.provider} does not know {cache.ttl}, only 5m and 1h")
    return {**block, "cache_control": control}


def merged(block: JsonObject, rest: JsonObject) -> JsonObject:
    """A block with the fields that were kept of it; what the vocabulary says goes before them."""
    made = {**rest, **block}
    source = rest.get("source")
    if isinstance(source, dict):
        made["source"] = {**source, **as_object(block.get("source"))}
    return made


def write_text(part: Text, path: str, adapted: Adapted, *, cited: bool) -> JsonObject:
    """A text block.

    Args:
        part: The text.
        path: Where it stands.
        adapted: Collects what is done in another way.
        cited: Citations may stand on it: the API takes them only on what the model itself said.
    """
    block: JsonObject = {"type": "text", "text": part.text}
    if part.citations:
        own = own_citations(part.citations) if cited else []
        if own:
            block["citations"] = own
        if len(own) < len(part.citations):
            adapted.say(
                f"citations of {path} are left out: {adapted.provider} takes only its own, "
                "and only on the assistant's text"
            )
    return cached(block, part.cache, adapted, path)


def own_citations(citations: tuple[Json, ...]) -> list[Json]:
    """Those of the citations that are of this dialect."""
    return [
        cited
        for cited in citations
        if as_text(as_object(cited).get("type")) in _CITED and as_object(cited).get("encrypted_index") != ""
    ]


def write_media(part: Image | File, path: str, adapted: Adapted) -> JsonObject:
    """An image or document block.

    Raises:
        UnsupportedError: The vendor does not take it so.
        InvalidRequestError: Its media type is not known.
    """
    if isinstance(part, Image):
        return cached(_write_image(part, path, adapted), part.cache, adapted, path)
    if part.data is not None and part.media_type in _IMAGES:
        adapted.say(f"the file of {path} is told as an image: {adapted.provider} takes images so")
        image = Image(data=part.data, media_type=part.media_type)
        return cached(_write_image(image, path, adapted), part.cache, adapted, path)
    block: JsonObject = {"type": "document", "source": _write_document(part, path, adapted)}
    if part.name is not None:
        block["title"] = part.name
    return cached(block, part.cache, adapted, path)


def _write_image(image: Image, path: str, adapted: Adapted) -> JsonObject:
    if image.detail is not None:
        adapted.without(f"detail of {path}")
    if image.file_id is not None:
        return {"type": "image", "source": {"type": "file", "file_id": image.file_id}}
    if image.url is not None:
        return {"type": "image", "source": {"type": "url", "url": _reachable(image.url, path)}}
    if image.media_type is None:
        raise _unknown(path, "an image", "image/png")
    if image.media_type not in _IMAGES:
        raise _cannot(path, f"an image of the type {image.media_type}", f"Send it as {', '.join(_IMAGES)}.")
    return {"type": "image", "source": _encoded(image.data or b"", image.media_type)}


def _write_document(file: File, path: str, adapted: Adapted) -> JsonObject:
    if file.file_id is not None:
        return {"type": "file", "file_id": file.file_id}
    if file.url is not None:
        return {"type": "url", "url": _reachable(file.url, path)}
    data = file.data or b""
    media_type = file.media_type
    if media_type == _PDF or (media_type is None and data.startswith(b"%PDF-")):
        return _encoded(data, _PDF)
    if media_type is None:
        raise _unknown(path, "a file", _PDF)
    if not media_type.startswith(_TEXTS):
        raise _cannot(path, f"a file of the type {media_type}", "Send a PDF, plain text or an image.")
    try:
        text = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as exc:
        raise _cannot(path, "a text that is not UTF-8", "Send it as UTF-8.") from exc
    if media_type != "text/plain":
        adapted.say(
            f"the file of {path} is told as plain text: {adapted.provider} does not know {media_type}"
        )
    return {"type": "text", "media_type": "text/plain", "data": text}


def _encoded(data: bytes, media_type: str) -> JsonObject:
    return {
        "type": "base64",
        "media_type": media_type,
        "data": base64.b64encode(data).decode("ascii"),
    }


def _reachable(url: str, path: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise _cannot(path, "an address that is not of the web", "Send the bytes or an https URL.")
    return url


def write_result(
    result: ToolResult, wire_id: str, rest: JsonObject, path: str, adapted: Adapted
) -> JsonObject:
    """A tool_result block.

    Args:
        result: The result.
        wire_id: The call's id as the vendor was told it.
        rest: Fields of the block that were kept.
        path: Where it stands.
        adapted: Collects what is done in another way.
    """
    kept = as_object(rest.get("content"))
    left = as_object(kept.get("parts"))
    content: list[Json] = []
    for index, part in enumerate(result.content):
        place = f"{path}.content[{index}]"
        if isinstance(part, Text) and not part.text:
            continue
        block = _write_part(part, place, adapted)
        content.append(merged(block, as_object(left.get(str(index)))))
    for item in as_array(kept.get("others")):
        match item:
            case [int(index), dict(other)]:
                content.insert(index, other)
            case _:
                continue
    if result.is_error and not content:
        # The vendor refuses an error that says nothing.
        content.append({"type": "text", "text": result.error_code or "The tool failed."})
    made: JsonObject = {"type": "tool_result", "tool_use_id": wire_id}
    if content:
        made["content"] = _short(content)
    if result.is_error:
        made["is_error"] = True
    return {**{name: value for name, value in rest.items() if name != "content"}, **made}


def _write_part(part: Text | Image | File, path: str, adapted: Adapted) -> JsonObject:
    return (
        write_text(part, path, adapted, cited=False)
        if isinstance(part, Text)
        else write_media(part, path, adapted)
    )


def _short(content: list[Json]) -> Json:
    """One plain text as a string, which is how most results are told."""
    only = as_object(content[0])
    if len(content) == 1 and only.get("type") == "text" and only.keys() == {"type", "text"}:
        return only["text"]
    return content


def call_block(call_id: str, name: str) -> JsonObject:
    """The block of a tool call as it begins."""
    return {"type": "tool_use", "id": call_id, "name": name, "input": {}}


def misplaced(part: Content, path: str, role: str) -> InvalidRequestError:
    """The error for a part that the API does not take from this speaker."""
    kind = type(part).__name__
    return UnsupportedError(
        f"{path} is {'an' if kind[0] in 'AI' else 'a'} {kind} in a message of the role {role}, "
        "which this dialect has not.",
        field=path,
        remedy="Put images, files and tool results into user or tool messages, "
        "reasoning and calls into assistant messages; send sound as its transcript.",
    )


def _unknown(path: str, what: str, example: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{path} is {what} of unknown type.", field=path, remedy=f"Say its media type, such as {example}."
    )


def _cannot(path: str, what: str, remedy: str) -> UnsupportedError:
    return UnsupportedError(f"{path} is {what}, which this dialect has not.", field=path, remedy=remedy)
