"""The dialect of Mistral's chat completions."""

from collections.abc import Sequence
from dataclasses import dataclass

from interlock_core import Completion, CompletionRequest, Json, JsonObject, ToolSpec
from interlock_core.errors import InterlockError
from interlock_providers.codecs import (
    ClientRequest,
    ErrorReply,
    Headers,
    Rendered,
    StreamParser,
    StreamRenderer,
    Strictness,
    Target,
    VendorReply,
)
from interlock_providers.codecs._functions import render_tools
from interlock_providers.codecs._strict import fitted_tools, judged, rendered, restored, restoring
from interlock_providers.codecs.mistral_chat import _errors, _models, _request_in, _request_out, _response
from interlock_providers.codecs.mistral_chat._embeddings import MistralEmbeddings
from interlock_providers.codecs.mistral_chat._notes import DIALECT
from interlock_providers.codecs.mistral_chat._stream_in import MistralStreamParser
from interlock_providers.codecs.mistral_chat._stream_out import MistralStreamRenderer
from interlock_providers.codecs.mistral_chat._strictness import STRICT_RULES
from interlock_providers.codecs.openai_chat._models import parse_models


@dataclass(frozen=True, slots=True)
class MistralChat:
    """The codec of the dialect `mistral-chat`; see `interlock_providers.codecs.Codec`."""

    dialect: str = DIALECT
    models_path: str = "/v1/models"
    models_headers: Headers = (("accept", "application/json"),)

    def parse_request(self, body: bytes, headers: Headers = ()) -> ClientRequest:
        """Read a client's request."""
        return _request_in.parse_request(body, headers)

    def render_request(self, request: CompletionRequest, target: Target, *, stream: bool) -> Rendered:
        """Write a request for a vendor."""
        render = _request_out.render_request
        return rendered(render, request, target, STRICT_RULES, dialect=DIALECT, stream=stream)

    def parse_response(self, body: bytes, sent: Rendered, headers: Headers = ()) -> Completion:
        """Read a vendor's whole answer."""
        return restored(_response.parse_response(body, sent, headers), sent)

    def render_response(self, completion: Completion, interlock: JsonObject | None = None) -> bytes:
        """Write a whole answer for a client."""
        return _response.render_response(completion, interlock)

    def render_tools(self, tools: Sequence[ToolSpec], *, strict: bool | None = None) -> list[Json]:
        """Tools as this dialect defines them."""
        return render_tools(fitted_tools(tools, STRICT_RULES, strict=strict))

    def strictness(self, tools: Sequence[ToolSpec]) -> tuple[Strictness, ...]:
        """What strict mode means for each of some tools."""
        return judged(tools, STRICT_RULES)

    def parse_stream(self, sent: Rendered, *, attempts: int = 1, now: float = 0.0) -> StreamParser:
        """A reader for a vendor's stream."""
        return restoring(MistralStreamParser(sent, attempts=attempts, now=now), sent)

    def render_stream(self, request: CompletionRequest, *, created: int | None = None) -> StreamRenderer:
        """A writer for the stream toward a client."""
        return MistralStreamRenderer(request, created=created)

    def parse_models(self, body: bytes, provider: str) -> tuple[str, ...]:
        """Names of the models that a vendor lists."""
        return parse_models(body, provider)

    def render_models(self, models: Sequence[tuple[str, str]], *, created: int = 0) -> bytes:
        """A list of models for a client."""
        return _models.render_models(models, created=created)

    def render_model(self, model: str, owner: str, *, created: int = 0) -> bytes:
        """One model for a client."""
        return _models.render_model(model, owner, created=created)

    def parse_error(self, reply: VendorReply) -> InterlockError:
        """The typed error that a vendor's error is."""
        return _errors.parse_error(reply)

    def render_error(self, error: InterlockError) -> ErrorReply:
        """An error as clients of the dialect expect it."""
        return _errors.render_error(error)


CODEC = MistralChat()
"""The codec."""

EMBEDDINGS = MistralEmbeddings()
"""The codec of its embeddings."""

__all__ = ["CODEC", "DIALECT", "EMBEDDINGS", "MistralChat", "MistralEmbeddings"]
