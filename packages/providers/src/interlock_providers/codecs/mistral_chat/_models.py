"""The list of models of the dialect, toward a client; a vendor's is read as its sibling's."""

from collections.abc import Sequence

from interlock_core import Json, JsonObject
from interlock_providers.codecs._fields import to_bytes


def render_models(models: Sequence[tuple[str, str]], *, created: int = 0) -> bytes:
    """A list of models for a client; see `Codec.render_models`."""
    data: list[Json] = [_written(name, owner, created) for name, owner in models]
    return to_bytes({"object": "list", "data": data})


def render_model(model: str, owner: str, *, created: int = 0) -> bytes:
    """One model for a client; see `Codec.render_model`."""
    return to_bytes(_written(model, owner, created))


def _written(model: str, owner: str, created: int) -> JsonObject:
    # Clients of the dialect want to be told abilities: that a model can be asked is all that is known here.
    capabilities: JsonObject = {"completion_chat": True}
    return {
        "id": model,
        "object": "model",
        "created": created,
        "owned_by": owner,
        "type": "base",
        "capabilities": capabilities,
    }
