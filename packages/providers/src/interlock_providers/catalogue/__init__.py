"""What is known of vendors' models: context, abilities, prices; each table with its source and day.

One file a vendor: `openai.toml` and its neighbours. A table looks so:

```toml
source = "where the prices were read"
as_of = 2026-11-22

[models."some-model"]
context = 200000                        # most tokens of input and output together
output = 64000                          # most output tokens
can = ["streaming", "tools", "images"]  # abilities, by the words of `Capability`
usd = { input = "3", output = "15", cache_read = "0.3" }              # for a million tokens
over = { tokens = 200000, usd = { input = "6", output = "22.5" } }    # above that input, for all of it
tiers.batch = { usd = { input = "1.5", output = "7.5" } }             # in another service tier
requests = { web_search = "0.01" }                                    # for one request
dialect = "openai-responses"            # where the model is spoken to in another way than usual
deprecated = 2026-11-30                 # the day from which it is no longer served
aliases = ["some-model-latest"]
```
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

from interlock_core import Capability, Json, JsonObject, Price
from interlock_core.jsontypes import as_array, as_int, as_object, as_text
from interlock_providers.rows import VENDORS

_DATED = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|20\d{6})$")
_PARTS = (
    *("input", "output", "cache_read", "cache_write", "cache_write_1h"),
    *("audio_input", "audio_output", "image_input", "image_output"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """One model as its vendor describes it.

    Attributes:
        name: The vendor's own name.
        context_tokens: Most tokens of input and output together; None when unknown.
        max_output_tokens: Most output tokens; None when unknown.
        price: None when unknown.
        capabilities: What it can do.
        embedding: It makes vectors.
        dialect: The dialect that it must be spoken to in, where its vendor has several.
        deprecated: Day from which the vendor no longer serves it, if announced.
    """

    name: str
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    price: Price | None = None
    capabilities: frozenset[Capability] = frozenset()
    embedding: bool = False
    dialect: str | None = None
    deprecated: date | None = None


@cache
def known_models(kind: str) -> Mapping[str, KnownModel]:
    """The models that are known of a kind of provider, by the vendor's own names and by their aliases."""
    row = VENDORS.get(kind)
    if row is None or row.catalogue is None:
        return {}
    import tomllib

    table = tomllib.loads(Path(__file__).with_name(row.catalogue).read_text(encoding="utf-8"))
    models: dict[str, KnownModel] = {}
    for name, entry in table["models"].items():
        model = _model(name, entry, _Source(name=table["source"], as_of=table["as_of"]))
        models[name] = model
        for alias in entry.get("aliases", ()):
            models.setdefault(alias, model)
    return models


def known_model(kind: str, name: str) -> KnownModel | None:
    """One model; a dated snapshot (`…-2026-03-17`) is taken for the model that it is a snapshot of."""
    models = known_models(kind)
    return models.get(name) or models.get(_DATED.sub("", name))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where prices were read, and when."""

    name: str
    as_of: date


def _model(name: str, entry: JsonObject, source: _Source) -> KnownModel:
    abilities = frozenset(Capability(as_text(word) or "") for word in as_array(entry.get("can")))
    day: object = entry.get("deprecated")
    return KnownModel(
        name=name,
        context_tokens=as_int(entry.get("context")),
        max_output_tokens=as_int(entry.get("output")),
        price=_price(entry, source) if "usd" in entry else None,
        capabilities=abilities,
        embedding=Capability.EMBEDDINGS in abilities,
        dialect=as_text(entry.get("dialect")),
        deprecated=day if isinstance(day, date) else None,
    )


def _price(entry: JsonObject, source: _Source) -> Price:
    usd, over = as_object(entry.get("usd")), as_object(entry.get("over"))
    known = {part: None if part not in usd else _micro(usd[part]) for part in _PARTS}
    requests = {name: _micro(value) for name, value in as_object(entry.get("requests")).items()}
    # What a request costs beside its tokens is the same in every tier and of every size.
    beside: JsonObject = {"requests": entry.get("requests") or {}}
    return Price(
        input=known.pop("input") or 0,
        output=known.pop("output") or 0,
        **known,
        as_of=source.as_of,
        source=source.name,
        over_tokens=as_int(over.get("tokens")),
        over=_price({**beside, "usd": over["usd"]}, source) if over else None,
        requests=requests,
        tiers={
            tier: _price({**beside, **as_object(rows)}, source)
            for tier, rows in as_object(entry.get("tiers")).items()
        },
    )


def _micro(dollars: Json) -> int:
    return int(Decimal(str(dollars)) * 1_000_000)


__all__ = ["KnownModel", "known_model", "known_models"]
