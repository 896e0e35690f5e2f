"""The list of models of the dialect, both sides."""

from collections.abc import Sequence

from interlock_core import Json, JsonObject
from interlock_core.errors import ProtocolError
from interlock_core.jsontypes import as_array, as_object, as_text, parse_json
from interlock_providers.codecs._fields import to_bytes


def parse_models(body: bytes, provider: str) -> tuple[str, ...]:
    """Names of the models that a vendor lists; see `Codec.parse_models`."""
    try:
        listed = as_object(parse_json(body)).get("models")
    except (ValueError, RecursionError) as exc:
        raise ProtocolError(f"The list of models of {provider} is not JSON.", vendor=provider) from exc
    if not isinstance(listed, list):
        raise ProtocolError(
            f"{provider} does not list its models.",
            vendor=provider,
            remedy=f"Check its base URL, or name its models in the configuration of {provider}.",
        )
    names = (as_text(as_object(item).get("name")) for item in as_array(listed))
    return tuple(dict.fromkeys(name for name in names if name))


def render_models(models: Sequence[tuple[str, str]]) -> bytes:
    """A list of models for a client; the dialect has no words for owner and age."""
    listed: list[Json] = [_written(name) for name, _ in models]
    return to_bytes({"models": listed})


def render_model(model: str) -> bytes:
    """One model for a client; see `Codec.render_model`."""
    return to_bytes(_written(model))


def _written(model: str) -> JsonObject:
    return {"name": model, "is_deprecated": False, "endpoints": ["chat"], "finetuned": False}
