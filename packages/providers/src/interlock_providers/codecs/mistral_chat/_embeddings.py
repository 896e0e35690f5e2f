"""Embeddings of the dialect, both sides: their sibling's, with fields of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

from interlock_core import Embeddings, new_id
from interlock_core.errors import UnsupportedError
from interlock_core.jsontypes import as_object, parse_json
from interlock_providers.codecs import EmbeddingsRequest, Rendered, Target
from interlock_providers.codecs._fields import Fields, read_client_json, to_bytes
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs.mistral_chat._request_out import headers_for
from interlock_providers.codecs.openai_chat._embeddings import OpenAIEmbeddings

_SIBLING = OpenAIEmbeddings()


@dataclass(frozen=True, slots=True)
class MistralEmbeddings:
    """The embeddings codec; see `EmbeddingsCodec`."""

    most_texts: int | None = None

    def parse_request(self, body: bytes) -> EmbeddingsRequest:
        """Read a client's request."""
        fields = Fields(read_client_json(body))
        if fields.peek("output_dimension") is not None:
            raise UnsupportedError(
                "output_dimension is not supported: vectors come in the length that the model makes.",
                field="output_dimension",
                remedy="Leave it out.",
            )
        if fields.peek("output_dtype") not in (None, "float"):
            raise UnsupportedError(
                "output_dtype is not supported: vectors are made of floats.",
                field="output_dtype",
                remedy="Leave it out, or ask for float.",
            )
        return _SIBLING.parse_request(body)

    def render_request(self, texts: Sequence[str], target: Target) -> Rendered:
        """Write a request for a vendor."""
        body = to_bytes({"model": target.model, "input": [*texts]})
        headers = headers_for(stream=False)
        return Rendered(path="/v1/embeddings", headers=headers, body=body, target=target, names=ToolNames(()))

    def parse_response(self, body: bytes, sent: Rendered, count: int) -> Embeddings:
        """Read a vendor's answer."""
        return _SIBLING.parse_response(body, sent, count)

    def render_response(self, embeddings: Embeddings, *, base64: bool = False) -> bytes:
        """Write the answer for a client."""
        told = as_object(parse_json(_SIBLING.render_response(embeddings, base64=base64)))
        return to_bytes({"id": new_id("emb"), **told})
