"""What is known of vendors' models: context, abilities, prices; each with its source and day."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib import import_module

from interlock_core import Capability, Price
from interlock_providers.rows import VENDORS

_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where prices were read, and when.

    Attributes:
        name: The source.
        as_of: The day.
    """

    name: str
    as_of: date

    def price(
        self,
        input_usd: str,
        output_usd: str = "0",
        *,
        read: str | None = None,
        write: str | None = None,
        over: tuple[int, Price] | None = None,
    ) -> Price:
        """A price from dollars for a million tokens.

        Args:
            input_usd: Input.
            output_usd: Output; nothing for models that make vectors.
            read: Input read from the vendor's cache.
            write: Input written to it.
            over: Size of input above which another price holds for the whole request, and that price.
        """
        return Price(
            input=_micro(input_usd),
            output=_micro(output_usd),
            cache_read=None if read is None else _micro(read),
            cache_write=None if write is None else _micro(write),
            as_of=self.as_of,
            source=self.name,
            over_tokens=None if over is None else over[0],
            over=None if over is None else over[1],
        )


def _micro(dollars: str) -> int:
    return int(Decimal(dollars) * 1_000_000)


def known_models(kind: str) -> Mapping[str, KnownModel]:
    """The models that are known of a kind of provider, by the vendor's own names."""
    row = VENDORS.get(kind)
    if row is None or row.catalogue is None:
        return {}
    found: Mapping[str, KnownModel] = import_module(row.catalogue).MODELS
    return found


def known_model(kind: str, name: str) -> KnownModel | None:
    """One model; a dated snapshot (`…-2026-03-17`) is taken for the model that it is a snapshot of."""
    models = known_models(kind)
    return models.get(name) or models.get(_DATED.sub("", name))


__all__ = ["KnownModel", "Source", "known_model", "known_models"]
