"""Log probabilities as clients of the dialect read them."""

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object, as_text

_UNKNOWN = -1


def write_probabilities(said: Json) -> Json:
    """A vendor's log probabilities with the fields that the dialect's clients need.

    Another vendor says no number of a token, and not of every token its bytes.
    """
    listed = as_object(said).get("content")
    if not isinstance(listed, list):
        return None
    return {**as_object(said), "content": [_token(item) for item in listed]}


def _token(item: Json) -> Json:
    token = as_object(item)
    text = as_text(token.get("token")) or ""
    numbers: list[Json] = [*text.encode("utf-8", "replace")]
    made: JsonObject = {**token, "token": text}
    if not isinstance(token.get("bytes"), list):
        made["bytes"] = numbers
    if not isinstance(token.get("token_id"), int):
        made["token_id"] = _UNKNOWN
    others = token.get("top_logprobs")
    if isinstance(others, list):
        made["top_logprobs"] = [_token(other) for other in as_array(others)]
    return made
