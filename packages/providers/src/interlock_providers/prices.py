"""Prices: a dated table in the package, under what the operator says himself."""

from collections.abc import Mapping

from interlock_core import FREE, Price
from interlock_providers.catalogue import known_model
from interlock_providers.rows import VENDORS


class BundledPrices:
    """Knows what models cost: the operator's own prices first, then the table in this package.

    A model in neither has no price, which is not zero. A model that runs in this process is free.

    Args:
        kinds: Kind of each configured provider by its name; a provider that is not named here is of the
            kind whose name it has.
        overrides: The operator's prices by `provider/model`.
    """

    __slots__ = ("_kinds", "_overrides")

    def __init__(
        self, *, kinds: Mapping[str, str] | None = None, overrides: Mapping[str, Price] | None = None
    ) -> None:
        self._kinds = dict(kinds or {})
        self._overrides = dict(overrides or {})

    def price(self, model: str) -> Price | None:
        """Price of `provider/model`; None when unknown."""
        if (own := self._overrides.get(model)) is not None:
            return own
        provider, _, name = model.partition("/")
        kind = self._kinds.get(provider, provider)
        row = VENDORS.get(kind)
        if row is not None and row.local:
            return FREE
        known = known_model(kind, name)
        return None if known is None else known.price
