"""The dialects that clients speak, as faces use them: no face ever maps JSON itself."""

from interlock_core import CompletionRequest
from interlock_core.jsontypes import dump_json, parse_json
from interlock_providers.codecs import Codec, Headers, codec, embeddings_codec

__all__ = ["Codec", "codec", "embeddings_codec", "parse_count"]


def parse_count(dialect: str, body: bytes, headers: Headers = ()) -> CompletionRequest:
    """Read a request whose tokens are to be counted: one to answer, but for the limit of the answer.

    Raises:
        InvalidRequestError: It is none; `field` names the place.
        UnsupportedError: It asks for something that this gateway does not do.
    """
    spoken = codec(dialect)
    try:
        asked = parse_json(body)
    except (ValueError, RecursionError):
        asked = None
    if isinstance(asked, dict):
        body = dump_json({"max_tokens": 1, **asked}).encode()
    return spoken.parse_request(body, headers).request
