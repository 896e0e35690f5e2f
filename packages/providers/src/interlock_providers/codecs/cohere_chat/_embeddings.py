"""Embeddings of the dialect, both sides.

The vendor makes other vectors for what is searched than for what searches, and the vocabulary does not
say which a text is. So every text counts as one that is searched (`search_document`), which is also what
a client that only compares texts with each other wants; a client of the dialect is told when it asks for
anything else.
"""

import base64
import binascii
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from interlock_core import Embeddings, Json, JsonObject, new_id
from interlock_core.errors import ProtocolError, UnsupportedError
from interlock_core.jsontypes import as_array, as_object, parse_json
from interlock_providers.codecs import EmbeddingsRequest, Rendered, Target
from interlock_providers.codecs._fields import Fields, read_client_json, to_bytes, wrong
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs.cohere_chat._request_out import HEADERS
from interlock_providers.codecs.cohere_chat._usage import read_usage

INPUT_TYPE = "search_document"
MOST_TEXTS = 96
"""Most texts that the vendor takes in one call."""

_SAME_VECTORS = ("search_document", "clustering", "classification", "search_query")
_IGNORED = frozenset({"truncate", "priority"})


@dataclass(frozen=True, slots=True)
class CohereEmbeddings:
    """The embeddings codec; see `EmbeddingsCodec`."""

    most_texts: int | None = MOST_TEXTS

    def parse_request(self, body: bytes) -> EmbeddingsRequest:
        """Read a client's request: floats or base64 of texts, made for being searched."""
        fields = Fields(read_client_json(body))
        model = fields.need_text("model")
        kind = fields.one_of("input_type", (*_SAME_VECTORS, "image"))
        if kind != INPUT_TYPE:
            raise UnsupportedError(
                f"input_type {kind} is not supported: vectors are made for texts that are searched.",
                field="input_type",
                remedy=f"Send {INPUT_TYPE}, for the texts and for what searches them alike.",
            )
        types = fields.items("embedding_types") or ["float"]
        if types not in (["float"], ["base64"]):
            raise UnsupportedError(
                "embedding_types must be one of float and base64 alone.",
                field="embedding_types",
                remedy='Send ["float"] or ["base64"].',
            )
        texts = _texts(fields)
        for name, value in fields.rest().items():
            if value is not None and (name not in _IGNORED or value not in ("END", 0)):
                raise UnsupportedError(f"{name} is not supported.", field=name, remedy="Leave it out.")
        return EmbeddingsRequest(model=model, texts=texts, base64=types == ["base64"])

    def render_request(self, texts: Sequence[str], target: Target) -> Rendered:
        """Write a request for a vendor.

        Raises:
            UnsupportedError: There are more texts than the vendor takes in one call.
        """
        if len(texts) > MOST_TEXTS:
            raise UnsupportedError(
                f"{target.provider} takes at most {MOST_TEXTS} texts in one call; these are {len(texts)}.",
                field="input",
                remedy=f"Send them in several calls of at most {MOST_TEXTS}.",
            )
        body: JsonObject = {
            "model": target.model,
            "input_type": INPUT_TYPE,
            "texts": [*texts],
            "embedding_types": ["float"],
        }
        return Rendered(
            path="/v2/embed", headers=HEADERS, body=to_bytes(body), target=target, names=ToolNames(())
        )

    def parse_response(self, body: bytes, sent: Rendered, count: int) -> Embeddings:
        """Read a vendor's answer."""
        provider = sent.target.provider
        try:
            answer = as_object(parse_json(body))
            vectors = _vectors(answer.get("embeddings"))
        except (ValueError, RecursionError, OverflowError, struct.error) as exc:
            raise ProtocolError(f"The vectors of {provider} cannot be read.", vendor=provider) from exc
        if len(vectors) != count:
            raise ProtocolError(
                f"{provider} answered with {len(vectors)} vectors for {count} texts.", vendor=provider
            )
        return Embeddings(model=sent.target.id, vectors=vectors, usage=read_usage(answer.get("meta")))

    def render_response(self, embeddings: Embeddings, *, base64: bool = False) -> bytes:
        """Write the answer for a client."""
        vectors: list[Json] = [_packed(vector) if base64 else [*vector] for vector in embeddings.vectors]
        meta: JsonObject = {"api_version": {"version": "2"}}
        if embeddings.usage is not None:
            meta["billed_units"] = {
                "input_tokens": embeddings.usage.input_tokens,
                **embeddings.usage.requests,
            }
        body: JsonObject = {
            "id": new_id("emb"),
            "response_type": "embeddings_by_type",
            "embeddings": {"base64" if base64 else "float": vectors},
            "meta": meta,
        }
        return to_bytes(body)


def _texts(fields: Fields) -> tuple[str, ...]:
    if fields.peek("images") is not None or fields.peek("inputs") is not None:
        name = "images" if fields.peek("images") is not None else "inputs"
        raise UnsupportedError(
            f"{name} is not supported: vectors are made of texts.", field=name, remedy="Send texts."
        )
    texts: list[str] = []
    items = fields.items("texts")
    if not items:
        raise wrong("texts", "an array of strings that is not empty")
    for index, item in enumerate(items):
        if not isinstance(item, str) or not item:
            raise wrong(f"texts[{index}]", "a string that is not empty")
        texts.append(item)
    return tuple(texts)


def _vectors(value: Json) -> tuple[tuple[float, ...], ...]:
    """The vectors by type, or as the plain list that older servers send."""
    by_type = as_object(value)
    listed = value if isinstance(value, list) else by_type.get("float", by_type.get("base64"))
    return tuple(_vector(item) for item in as_array(listed))


def _vector(value: Json) -> tuple[float, ...]:
    if isinstance(value, str):
        try:
            data = base64.b64decode(value, validate=True)
        except binascii.Error as exc:
            raise ValueError("no base64") from exc
        if not data:
            raise ValueError("no vector")
        return struct.unpack(f"<{len(data) // 4}f", data)
    items = as_array(value)
    numbers = [float(item) for item in items if isinstance(item, int | float) and not isinstance(item, bool)]
    if not numbers or len(numbers) != len(items):
        raise ValueError("no vector")
    return tuple(numbers)


def _packed(vector: tuple[float, ...]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
