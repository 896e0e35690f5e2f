"""Embeddings of the dialect, both sides."""

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from interlock_core import Embeddings, Json, JsonObject, Usage
from interlock_core.errors import ProtocolError, UnsupportedError
from interlock_core.jsontypes import as_array, as_int, as_object, parse_json
from interlock_providers.codecs import EmbeddingsRequest, Rendered, Target
from interlock_providers.codecs._fields import Fields, read_client_json, to_bytes, wrong
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs.openai_chat._request_out import HEADERS


@dataclass(frozen=True, slots=True)
class OpenAIEmbeddings:
    """The embeddings codec; see `EmbeddingsCodec`."""

    most_texts: int | None = 2_048

    def parse_request(self, body: bytes) -> EmbeddingsRequest:
        """Read a client's request."""
        fields = Fields(read_client_json(body))
        model = fields.need_text("model")
        base64_wanted = fields.text("encoding_format") == "base64"
        texts = _texts(fields.take("input"))
        if fields.peek("dimensions") is not None:
            raise UnsupportedError(
                "dimensions is not supported: vectors come in the length that the model makes.",
                field="dimensions",
                remedy="Leave it out.",
            )
        return EmbeddingsRequest(model=model, texts=texts, base64=base64_wanted)

    def render_request(self, texts: Sequence[str], target: Target) -> Rendered:
        """Write a request for a vendor."""
        body = to_bytes({"model": target.model, "input": [*texts]})
        return Rendered(path="/embeddings", headers=HEADERS, body=body, target=target, names=ToolNames(()))

    def parse_response(self, body: bytes, sent: Rendered, count: int) -> Embeddings:
        """Read a vendor's answer."""
        provider = sent.target.provider
        try:
            answer = as_object(parse_json(body))
            items = [as_object(item) for item in as_array(answer.get("data"))]
            order = [as_int(item.get("index", place)) for place, item in enumerate(items)]
            if sorted(number for number in order if number is not None) != list(range(count)):
                raise ProtocolError(
                    f"{provider} answered with {len(items)} vectors for {count} texts.", vendor=provider
                )
            vectors: list[tuple[float, ...]] = [()] * count
            for number, item in zip(order, items, strict=True):
                vectors[number or 0] = _vector(item.get("embedding"))
        except (ValueError, RecursionError, struct.error) as exc:
            raise ProtocolError(f"The vectors of {provider} cannot be read.", vendor=provider) from exc
        used = as_int(as_object(answer.get("usage")).get("prompt_tokens"))
        usage = Usage(input_tokens=used) if used is not None and used >= 0 else None
        return Embeddings(model=sent.target.id, vectors=tuple(vectors), usage=usage)

    def render_response(self, embeddings: Embeddings, *, base64: bool = False) -> bytes:
        """Write the answer for a client."""
        data: list[Json] = [
            {"object": "embedding", "index": index, "embedding": _packed(vector) if base64 else [*vector]}
            for index, vector in enumerate(embeddings.vectors)
        ]
        used = 0 if embeddings.usage is None else embeddings.usage.input_tokens
        body: JsonObject = {
            "object": "list",
            "data": data,
            "model": embeddings.model,
            "usage": {"prompt_tokens": used, "total_tokens": used},
        }
        return to_bytes(body)


def _texts(value: Json) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items:
        raise wrong("input", "a string or an array of strings")
    texts: list[str] = []
    for index, item in enumerate(items):
        if isinstance(item, int | list):
            raise UnsupportedError(
                "Embeddings of token numbers are not supported.",
                field="input",
                remedy="Send the texts themselves.",
            )
        if not isinstance(item, str) or not item:
            raise wrong(f"input[{index}]", "a string that is not empty")
        texts.append(item)
    return tuple(texts)


def _vector(value: Json) -> tuple[float, ...]:
    if isinstance(value, str):
        data = base64.b64decode(value, validate=True)
        return struct.unpack(f"<{len(data) // 4}f", data)
    numbers = [float(item) for item in as_array(value) if isinstance(item, int | float)]
    if not numbers or len(numbers) != len(as_array(value)):
        raise ValueError("no vector")
    return tuple(numbers)


def _packed(vector: tuple[float, ...]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
