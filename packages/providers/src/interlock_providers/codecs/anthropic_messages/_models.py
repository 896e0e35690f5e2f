"""The list of models of the dialect, both sides."""

from collections.abc import Sequence
from datetime import UTC, datetime

from interlock_core import Json, JsonObject
from interlock_core.errors import ProtocolError
from interlock_core.jsontypes import as_array, as_object, as_text, parse_json
from interlock_providers.codecs._fields import to_bytes


def parse_models(body: bytes, provider: str) -> tuple[str, ...]:
    """Names of the models that a vendor lists; see `Codec.parse_models`."""
    try:
        listed = as_object(parse_json(body)).get("data")
    except (ValueError, RecursionError) as exc:
        raise ProtocolError(f"The list of models of {provider} is not JSON.", vendor=provider) from exc
    if not isinstance(listed, list):
        raise ProtocolError(
            f"{provider} does not list its models.",
            vendor=provider,
            remedy=f"Check its base URL, or name its models in the configuration of {provider}.",
        )
    shown = (item for item in map(as_object, as_array(listed)) if item.get("lifecycle") != "retired")
    names = (as_text(item.get("id")) for item in shown)
    return tuple(dict.fromkeys(name for name in names if name))


def render_models(models: Sequence[tuple[str, str]], *, created: int = 0) -> bytes:
    """A list of models for a client, on one page; see `Codec.render_models`."""
    data: list[Json] = [_written(name, owner, created) for name, owner in models]
    ends: JsonObject = {
        "first_id": models[0][0] if models else None,
        "last_id": models[-1][0] if models else None,
    }
    return to_bytes({"data": data, "has_more": False, **ends})


def render_model(model: str, owner: str, *, created: int = 0) -> bytes:
    """One model for a client; see `Codec.render_model`."""
    return to_bytes(_written(model, owner, created))


def _written(model: str, owner: str, created: int) -> JsonObject:
    name = model.partition("/")[2] or model
    return {
        "type": "model",
        "id": model,
        "display_name": f"{name} ({owner})",
        "created_at": datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
    }
