"""OpenAI's models. A model that is not here is offered all the same, with an unknown price."""

from collections.abc import Mapping
from datetime import date

from interlock_core import Capability
from interlock_providers.catalogue import KnownModel, Source

_SOURCE = Source(name="OpenAI's price list as in genai-prices 0.2.3", as_of=date(2026, 11, 22))
_LONG = 272_000
_PLAIN = frozenset(
    {
        Capability.STREAMING,
        Capability.TOOLS,
        Capability.PARALLEL_TOOLS,
        Capability.JSON_OBJECT,
        Capability.JSON_SCHEMA,
        Capability.IMAGES,
        Capability.FILES,
    }
)
_THINKS = _PLAIN | {Capability.REASONING}
_SAMPLES = _PLAIN | {Capability.LOGPROBS, Capability.SEED}

_STEPPED = (
    # Name, context, then dollars for a million tokens: input, output, cache read, cache write; and the
    # same for a request with more than 272,000 input tokens.
    ("gpt-6-astra", 1_050_000, ("10", "50", "1", "12.5"), ("20", "75", "2", "25")),
    ("gpt-6.1-sol", 1_050_000, ("2", "10", "0.1", "2.5"), ("4", "15", "0.2", "5")),
    ("gpt-6.1-terra", 1_050_000, ("1", "5", "0.05", "1.25"), ("2", "7.5", "0.1", "2.5")),
    ("gpt-6-sol", 1_050_000, ("2", "10", "0.2", "2.5"), ("4", "15", "0.4", "5")),
    ("gpt-6-luna", 1_050_000, ("0.1", "0.5", "0.01", "0.125"), ("0.2", "0.75", "0.02", "0.25")),
    ("gpt-5.6-sol", 1_050_000, ("4", "20", "0.4", "5"), ("8", "30", "0.8", "10")),
    ("gpt-5.6-terra", 1_050_000, ("2", "12", "0.2", "2.5"), ("4", "18", "0.4", "5")),
    ("gpt-5.6-luna", 1_050_000, ("0.2", "1.2", "0.02", "0.25"), ("0.4", "1.8", "0.04", "0.5")),
    ("gpt-5.5", 1_000_000, ("5", "30", "0.5", None), ("10", "45", "1", None)),
    ("gpt-5.4", 1_050_000, ("2.5", "15", "0.25", None), ("5", "22.5", "0.5", None)),
)
_FLAT = (
    # Name, context, dollars for a million tokens: input, output, cache read; abilities.
    ("gpt-5.4-mini", 400_000, ("0.75", "4.5", "0.075"), _THINKS),
    ("gpt-5.4-nano", 400_000, ("0.2", "1.25", "0.02"), _THINKS),
    ("gpt-5.2", 400_000, ("1.75", "14", "0.175"), _THINKS),
    ("gpt-5.1", 400_000, ("1.25", "10", "0.125"), _THINKS),
    ("gpt-5", 400_000, ("1.25", "10", "0.125"), _THINKS),
    ("gpt-5-mini", 400_000, ("0.25", "2", "0.025"), _THINKS),
    ("gpt-5-nano", 400_000, ("0.05", "0.4", "0.005"), _THINKS),
    ("gpt-4.1", 1_000_000, ("2", "8", "0.5"), _SAMPLES),
    ("gpt-4.1-mini", 1_000_000, ("0.4", "1.6", "0.1"), _SAMPLES),
    ("gpt-4.1-nano", 1_000_000, ("0.1", "0.4", "0.025"), _SAMPLES),
    ("gpt-4o", 128_000, ("2.5", "10", "1.25"), _SAMPLES),
    ("gpt-4o-mini", 128_000, ("0.15", "0.6", "0.075"), _SAMPLES),
    ("o3", 200_000, ("2", "8", "0.5"), _THINKS),
    ("o4-mini", 200_000, ("1.1", "4.4", "0.275"), _THINKS),
)
_VECTORS = (
    ("text-embedding-3-large", 8_192, "0.13"),
    ("text-embedding-3-small", 8_192, "0.02"),
    ("text-embedding-ada-002", 8_192, "0.1"),
)


def _models() -> list[KnownModel]:
    models: list[KnownModel] = []
    for name, context, base, long in _STEPPED:
        above = _SOURCE.price(long[0], long[1], read=long[2], write=long[3])
        price = _SOURCE.price(base[0], base[1], read=base[2], write=base[3], over=(_LONG, above))
        models.append(KnownModel(name=name, context_tokens=context, price=price, capabilities=_THINKS))
    for name, context, base, abilities in _FLAT:
        price = _SOURCE.price(base[0], base[1], read=base[2])
        models.append(KnownModel(name=name, context_tokens=context, price=price, capabilities=abilities))
    for name, context, dollars in _VECTORS:
        models.append(
            KnownModel(
                name=name,
                context_tokens=context,
                price=_SOURCE.price(dollars),
                capabilities=frozenset({Capability.EMBEDDINGS}),
                embedding=True,
            )
        )
    return models


MODELS: Mapping[str, KnownModel] = {model.name: model for model in _models()}
"""OpenAI's known models by name."""
