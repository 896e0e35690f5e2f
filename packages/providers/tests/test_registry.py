"""Providers made out of what an operator wrote, and what is known of vendors."""

import sys
from pathlib import Path

import pytest

from interlock_core import FREE, HttpRequest, Money, Price, Secret, Usage
from interlock_core.completion import CompletionRequest
from interlock_core.errors import ConfigurationError, MissingExtraError
from interlock_core.http import Egress, HttpClient
from interlock_core.messages import user
from interlock_providers import (
    VENDORS,
    BundledPrices,
    ProviderOptions,
    build_provider,
    provider_origin,
)
from interlock_providers.carriers.sdk_openai import OpenAISdkCarrier
from interlock_providers.testing import OpenAIChatServer

KEY = Secret("sk-1", name="key")


@pytest.mark.parametrize(
    ("name", "kind", "base_url", "key", "field"),
    [
        ("x", "openia", None, KEY, "providers.x.kind"),
        ("x", "anthropomorphic", None, KEY, "providers.x.kind"),
        ("auto", "openai", None, KEY, "providers.auto"),
        ("A/B", "openai", None, KEY, "providers.A/B"),
        ("openai", "openai", None, None, "providers.openai.api_key"),
        ("openai", "openai", None, Secret(""), "providers.openai.api_key"),
        ("x", "openai-compatible", None, None, "providers.x.base_url"),
        ("x", "openai-compatible", "ftp://host/v1", None, "providers.x.base_url"),
        ("x", "openai-compatible", "http://user:pw@host/v1", None, "providers.x.base_url"),
        ("x", "openai-compatible", "http://host/v1?key=1", None, "providers.x.base_url"),
        ("x", "openai-compatible", "host/v1", None, "providers.x.base_url"),
        ("local", "local", "http://host", None, "providers.local.base_url"),
        ("local", "local", None, KEY, "providers.local.api_key"),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_do(
    name: str, kind: str, base_url: str | None, key: Secret | None, field: str
) -> None:
    """Each mistake is a configuration error at its own key, and no error repeats a secret."""
    with pytest.raises(ConfigurationError) as caught:
        build_provider(name, kind=kind, base_url=base_url, api_key=key)
    assert caught.value.field == field
    assert caught.value.remedy
    assert "pw" not in str(caught.value)


def test_a_misspelt_kind_is_answered_with_the_right_one() -> None:
    """The nearest kind is named."""
    with pytest.raises(ConfigurationError, match="Did you mean openai"):
        build_provider("x", kind="openia")


def test_every_kind_has_its_row() -> None:
    """What runtime reads of a vendor is in its row, by its kind."""
    assert sorted(VENDORS) == ["anthropic", "cohere", "local", "mistral", "openai", "openai-compatible"]
    assert all(kind == row.kind and row.title for kind, row in VENDORS.items())
    assert (VENDORS["openai"].key_variables, VENDORS["openai"].needs_key) == (("OPENAI_API_KEY",), True)


def test_the_origin_that_egress_must_allow_is_told() -> None:
    """Runtime opens one client for all providers and needs their origins."""
    assert provider_origin("openai") == "https://api.openai.com"
    assert provider_origin("openai", "http://127.0.0.1:9/v1/") == "http://127.0.0.1:9"
    assert provider_origin("anthropic", "https://proxy.example.com/base/v1") == "https://proxy.example.com"
    assert provider_origin("local") is None
    with pytest.raises(ConfigurationError):
        provider_origin("openai-compatible")


@pytest.mark.parametrize("carrier", ["fast", "sdk"])
async def test_a_provider_for_the_vendor_itself_needs_only_a_key(carrier: str) -> None:
    """Nothing is connected before the first request."""
    options = ProviderOptions(carrier="sdk" if carrier == "sdk" else "fast")
    provider = build_provider("openai", kind="openai", api_key=KEY, models=["gpt-5.4-mini"], options=options)
    assert provider.name == "openai"
    assert [model.id for model in await provider.models()] == ["openai/gpt-5.4-mini"]
    await provider.aclose()


async def test_several_providers_share_one_client() -> None:
    """The client is the process's own, and closing a provider leaves it open."""
    async with (
        OpenAIChatServer() as vendor,
        HttpClient(egress=Egress(allowed_origins=[vendor.url])) as client,
    ):
        asked = CompletionRequest(model="sim-1", messages=(user("a"),))
        for name in ("one", "two"):
            provider = build_provider(
                name, kind="openai-compatible", base_url=vendor.url, options=ProviderOptions(http=client)
            )
            answer = await provider.complete(asked)
            assert answer.model == f"{name}/sim-1"
            await provider.aclose()
        assert vendor.connections == 1
        assert (await client.send(HttpRequest(method="GET", url=f"{vendor.url}/models"))).ok


async def test_the_embedded_model_is_a_kind_like_any_other(tmp_path: Path) -> None:
    """It is made without loading anything; its models may be files."""
    options = ProviderOptions(folder=tmp_path, open_paths=False)
    provider = build_provider("local", kind="local", models=[str(tmp_path / "Own.gguf")], options=options)
    assert provider.name == "local"
    await provider.aclose()


async def test_an_sdk_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy is the extra to install."""
    monkeypatch.setitem(sys.modules, "openai", None)
    carrier = OpenAISdkCarrier("http://127.0.0.1:1")
    with pytest.raises(MissingExtraError, match=r"interlock-providers\[openai\]"):
        await carrier.send(HttpRequest(method="GET", url="http://127.0.0.1:1/"))


@pytest.mark.promise("P5")
def test_prices_come_from_the_operator_first_then_from_the_table() -> None:
    """By the provider's kind, whatever its name; a dated snapshot costs what its model costs."""
    own = Price(input=1, output=2)
    prices = BundledPrices(kinds={"work": "openai", "box": "local"}, overrides={"openai/gpt-5": own})
    assert prices.price("openai/gpt-5") is own
    mini = prices.price("work/gpt-5.4-mini-2026-03-17")
    assert mini is not None
    assert (mini.input, mini.output, mini.cache_read) == (750_000, 4_500_000, 75_000)
    assert prices.price("local/smollm2-135m") is FREE
    assert prices.price("box/anything") is FREE


@pytest.mark.promise("P5")
@pytest.mark.parametrize("model", ["openai/gpt-6.2-astra", "openai/gpt-5-2026", "vllm/llama", "gpt-5", ""])
def test_an_unknown_price_is_unknown(model: str) -> None:
    """Neither guessed nor taken as zero."""
    assert BundledPrices().price(model) is None


@pytest.mark.promise("P5")
def test_long_inputs_cost_what_the_vendor_says() -> None:
    """Above 272,000 input tokens every token of the request has the higher price."""
    price = BundledPrices().price("openai/gpt-6.1-terra")
    assert price is not None
    assert price.cost(Usage(input_tokens=272_000, output_tokens=1_000)) == Money(272_000 + 5_000)
    assert price.cost(Usage(input_tokens=272_001, output_tokens=1_000)) == Money(544_002 + 7_500)
    assert price.cost(Usage(input_tokens=272_001, cache_read_tokens=272_001)) == Money(27_200)
