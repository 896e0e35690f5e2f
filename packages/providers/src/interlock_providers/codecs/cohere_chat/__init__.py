"""The dialect of Cohere's v2 chat and embed.

Reasoning has two forms here: thinking, which is a part of the content, and the plan for tool calls, which
is a field of its own. Both are `Reasoning`; a plan carries the id `tool_plan`, and goes back as a plan.
"""

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
from interlock_providers.codecs._strict import fitted_tools, judged, rendered, restored, restoring
from interlock_providers.codecs.cohere_chat import _errors, _models, _request_in, _request_out, _response
from interlock_providers.codecs.cohere_chat._embeddings import CohereEmbeddings
from interlock_providers.codecs.cohere_chat._notes import DIALECT
from interlock_providers.codecs.cohere_chat._stream_in import CohereStreamParser
from interlock_providers.codecs.cohere_chat._stream_out import CohereStreamRenderer
from interlock_providers.codecs.cohere_chat._strictness import STRICT_RULES


@dataclass(frozen=True, slots=True)
class CohereChat:
    """The codec of the dialect `cohere-chat`; see `interlock_providers.codecs.Codec`."""

    dialect: str = DIALECT
    models_path: str = "/v1/models?page_size=1000"
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
        """Tools as this dialect defines them; its strict mode is a field of the request, not of a tool."""
        return _request_out.render_tools(fitted_tools(tools, STRICT_RULES, strict=strict))

    def strictness(self, tools: Sequence[ToolSpec]) -> tuple[Strictness, ...]:
        """What strict mode means for each of some tools."""
        return judged(tools, STRICT_RULES)

    def parse_stream(self, sent: Rendered, *, attempts: int = 1, now: float = 0.0) -> StreamParser:
        """A reader for a vendor's stream."""
        return restoring(CohereStreamParser(sent, attempts=attempts, now=now), sent)

    def render_stream(self, request: CompletionRequest, *, created: int | None = None) -> StreamRenderer:
        """A writer for the stream toward a client; the dialect tells no time."""
        del request, created
        return CohereStreamRenderer()

    def parse_models(self, body: bytes, provider: str) -> tuple[str, ...]:
        """Names of the models that a vendor lists."""
        return _models.parse_models(body, provider)

    def render_models(self, models: Sequence[tuple[str, str]], *, created: int = 0) -> bytes:
        """A list of models for a client."""
        del created
        return _models.render_models(models)

    def render_model(self, model: str, owner: str, *, created: int = 0) -> bytes:
        """One model for a client."""
        del owner, created
        return _models.render_model(model)

    def parse_error(self, reply: VendorReply) -> InterlockError:
        """The typed error that a vendor's error is."""
        return _errors.parse_error(reply)

    def render_error(self, error: InterlockError) -> ErrorReply:
        """An error as clients of the dialect expect it."""
        return _errors.render_error(error)


CODEC = CohereChat()
"""The codec."""

EMBEDDINGS = CohereEmbeddings()
"""The codec of its embeddings."""

__all__ = ["CODEC", "DIALECT", "EMBEDDINGS", "CohereChat", "CohereEmbeddings"]
