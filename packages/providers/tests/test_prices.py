"""The price tables: whole, dated, and equal to the list that they name as their source."""

from datetime import date
from decimal import Decimal

import genai_prices.data as listed
import pytest
from genai_prices.types import ConditionalPrice, ModelInfo, ModelPrice, StartDateConstraint, TieredPrices

from interlock_core import Capability, Money, Price, Usage
from interlock_providers import VENDORS, BundledPrices, KnownModel, known_model, known_models

KINDS = ("anthropic", "cohere", "mistral", "openai")
PARTS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "audio_input": "input_audio_mtok",
    "audio_output": "output_audio_mtok",
}
MILLION = Usage(input_tokens=1_000_000, output_tokens=1_000_000)


def source(kind: str) -> dict[str, ModelInfo]:
    """The models of a vendor in the list."""
    (vendor,) = [vendor for vendor in listed.providers if vendor.id == kind]
    return {model.id: model for model in vendor.models}


def on_the_day(model: ModelInfo, day: date) -> ModelPrice:
    """Its price on a day: the last one that had begun."""
    if isinstance(model.prices, ModelPrice):
        return model.prices
    begun: list[ConditionalPrice] = [
        entry
        for entry in model.prices
        if not isinstance(entry.constraint, StartDateConstraint) or entry.constraint.start_date <= day
    ]
    return begun[-1].prices


def below_and_above(value: Decimal | TieredPrices | None) -> tuple[Decimal | None, Decimal | None]:
    """A price below its step and above it."""
    if isinstance(value, TieredPrices):
        return value.base, value.tiers[0].price
    return value, value


def rows() -> list[tuple[str, KnownModel]]:
    """Every row that has a price, with its kind."""
    return [
        (kind, model)
        for kind in KINDS
        for name, model in known_models(kind).items()
        if model.price is not None and name == model.name
    ]


@pytest.mark.promise("P5")
@pytest.mark.parametrize(("kind", "model"), rows(), ids=lambda value: getattr(value, "name", value))
def test_a_price_is_that_of_its_source_on_its_day(kind: str, model: KnownModel) -> None:
    """Part by part, below and above the step."""
    price = model.price
    assert price is not None
    assert price.as_of is not None
    wanted = on_the_day(source(kind)[model.name], price.as_of)
    for part, name in PARTS.items():
        below, above = below_and_above(getattr(wanted, name))
        assert dollars(price, part) == (below if below is not None or part != "output" else 0), part
        if price.over is not None:
            assert dollars(price.over, part) == above, part


def dollars(price: Price, part: str) -> Decimal | None:
    """A part of a price in dollars for a million tokens."""
    micro: int | None = getattr(price, part)
    return None if micro is None else Decimal(micro) / 1_000_000


@pytest.mark.promise("P5")
@pytest.mark.parametrize("kind", KINDS)
def test_every_vendor_has_a_table_with_a_source_and_a_day(kind: str) -> None:
    """And each model says what it can do."""
    models = known_models(kind)
    assert len(models) >= 9
    assert all(model.capabilities for model in models.values())
    priced = [model.price for model in models.values() if model.price is not None]
    assert all(price.source and price.as_of == date(2026, 11, 22) for price in priced)
    assert all(price.input > 0 for price in priced)
    assert len(priced) * 10 >= len(models) * 6


def test_a_vendor_without_a_table_has_no_known_models() -> None:
    """Whatever is asked."""
    assert known_models("openai-compatible") == {}
    assert known_models("nobody") == {}
    assert {row.catalogue for row in VENDORS.values() if row.catalogue} == {f"{kind}.toml" for kind in KINDS}


@pytest.mark.parametrize(
    ("kind", "name", "same"),
    [
        ("openai", "gpt-5.4-mini-2026-03-17", "gpt-5.4-mini"),
        ("anthropic", "claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("mistral", "mistral-small-latest", "mistral-small-2603"),
        ("cohere", "command-r-08-2024", "command-r"),
    ],
)
def test_snapshots_and_aliases_are_the_model_that_they_stand_for(kind: str, name: str, same: str) -> None:
    """By their date or by the table."""
    found = known_model(kind, name)
    assert found is not None
    assert found.name == same


def test_announced_ends_of_service_are_told() -> None:
    """With their day."""
    model = known_model("anthropic", "claude-sonnet-4-5")
    assert model is not None
    assert model.deprecated == date(2026, 11, 30)
    assert Capability.REASONING in model.capabilities


@pytest.mark.promise("P5")
def test_tiers_and_requests_are_charged_at_their_own_price() -> None:
    """What has no price makes the whole unknown, which is not zero."""
    price = BundledPrices().price("anthropic/claude-opus-5-5")
    assert price is not None
    assert price.charge(MILLION) == price.charge(MILLION, "standard") == Money.usd(24)
    assert price.charge(MILLION, "batch") == Money.usd(12)
    assert price.charge(MILLION, "fast") == Money.usd(48)
    assert price.charge(MILLION, "unheard-of") is None
    assert price.charge(Usage(requests={"web_search_requests": 3, "web_fetch_requests": 2})) == Money.usd(
        0.03
    )
    assert price.charge(Usage(requests={"web_search_requests": 1}), "batch") == Money.usd(0.01)
    assert price.charge(Usage(requests={"code_execution": 1})) is None
    assert price.charge(Usage(requests={"code_execution": 0})) == Money(0)


@pytest.mark.promise("P5")
def test_the_step_above_a_size_holds_for_the_whole_request_in_every_tier() -> None:
    """As the vendors bill it."""
    price = BundledPrices().price("openai/gpt-6.1-sol")
    assert price is not None
    long = Usage(input_tokens=272_001, cache_read_tokens=72_001, output_tokens=1_000)
    assert price.charge(long) == Money(200_000 * 4 + round(72_001 * 0.2) + 1_000 * 15)
    assert price.charge(long, "flex") == Money(200_000 * 2 + round(72_001 * 0.1) + 7_500)


@pytest.mark.promise("P5")
def test_sound_has_its_own_price_or_none() -> None:
    """A model whose sound has no listed price is not charged as if it were text."""
    sound = Usage(input_tokens=1_000, audio_input_tokens=1_000, output_tokens=10, audio_output_tokens=10)
    spoken = BundledPrices().price("openai/gpt-audio")
    assert spoken is not None
    assert spoken.charge(sound) == Money(32_000 + 640)
    silent = BundledPrices().price("openai/gpt-5.4")
    assert silent is not None
    assert silent.charge(sound) is None


@pytest.mark.promise("P5")
def test_cached_input_without_a_price_makes_the_cost_unknown() -> None:
    """It may cost less than plain input or more; an estimate says what plain input costs."""
    price = Price(input=1_000_000, output=0)
    cached = Usage(input_tokens=10, cache_read_tokens=5)
    assert price.charge(cached) is None
    assert price.cost(cached) == Money(10)
    assert price.charge(Usage(input_tokens=10)) == Money(10)
