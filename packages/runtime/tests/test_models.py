"""Providers, the router over them, and what faces ask of both."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from interlock_core import CompletionRequest
from interlock_core.errors import ConfigurationError, CredentialError, InterlockError, NotFoundError
from interlock_core.messages import user
from interlock_providers.testing import Failure, OpenAIChatServer, Say
from interlock_runtime import Asked, Runtime, Settings
from interlock_runtime.remote import remote_provider
from interlock_runtime.settings import (
    EgressSettings,
    ModelSettings,
    PolicySettings,
    ProviderSettings,
    TelemetrySettings,
)

NOTHING: dict[str, str] = {}


async def test_providers_come_from_the_settings_the_environment_and_the_box(
    make: Callable[..., Settings],
) -> None:
    """Each row says what configured it; one that is switched off is not there."""
    settings = make()
    off = ProviderSettings(kind="openai-compatible", base_url="http://127.0.0.1:1/v1", enabled=False)
    settings = replace(settings, providers=settings.providers | {"off": off})
    async with Runtime.open(settings, environment={"OPENAI_API_KEY": "sk-environment-1"}) as runtime:
        rows = runtime.models.providers()
    assert [(row.name, row.kind, row.origin) for row in rows] == [
        ("acme", "openai-compatible", "environment"),
        ("local", "local", "built in"),
        ("openai", "openai", "OPENAI_API_KEY"),
    ]


async def test_a_key_of_the_environment_goes_only_to_the_vendors_own_address(
    home: Path, vendor: OpenAIChatServer
) -> None:
    """A table without a key and with another address gets none."""
    elsewhere = ProviderSettings(kind="openai", base_url=vendor.url, models=("small",))
    settings = Settings(home=home, providers={"openai": elsewhere})
    async with Runtime.open(settings, environment={"OPENAI_API_KEY": "sk-environment-1"}) as runtime:
        with pytest.raises(CredentialError):
            await runtime.ask("hi", model="openai/small")
    assert vendor.requests
    assert all(request.header("authorization") is None for request in vendor.requests)


async def test_a_provider_without_its_key_costs_only_its_own_requests(
    make: Callable[..., Settings], vendor: OpenAIChatServer
) -> None:
    """The others answer, and the error names the variable."""
    settings = make()
    acme = settings.providers["acme"]
    settings = replace(settings, providers={"acme": acme, "bare": replace(acme, api_key="env:NOT_SET")})
    vendor.then(Say("hello"))
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        assert (await runtime.ask("hi", model="acme/small")).text == "hello"
        verdicts = {row.name: row for row in await runtime.models.check(["acme", "bare"])}
        assert verdicts["acme"].ok
        assert verdicts["acme"].models == 2
        assert not verdicts["bare"].ok
        assert "NOT_SET" in verdicts["bare"].detail
        with pytest.raises(NotFoundError, match="no provider"):
            await runtime.models.check(["acm"])


async def test_a_check_asks_the_cheapest_model_and_tells_what_it_cost(
    make: Callable[..., Settings], vendor: OpenAIChatServer
) -> None:
    """A list alone does not show that a model answers: a bill that is not paid shows only there."""
    facts = {
        "acme/small": ModelSettings(input_usd=1.0, output_usd=2.0),
        "acme/large": ModelSettings(input_usd=3.0, output_usd=4.0),
    }
    async with Runtime.open(replace(make(), models=facts), environment=NOTHING) as runtime:
        vendor.then(Say("ok"))
        (well,) = await runtime.models.check(["acme"])
        assert (well.ok, well.asked, well.code) == (True, "acme/small", None)
        assert well.cost is not None
        assert f"{well.cost.as_usd:.6f}" in well.detail
        vendor.then(Failure.no_money())
        (unpaid,) = await runtime.models.check(["acme"])
        assert (unpaid.ok, unpaid.code, unpaid.asked) == (False, "billing", "acme/small")
        asked = len(vendor.requests)
        (listed,) = await runtime.models.check(["acme"], ask=False)
        assert (listed.ok, listed.asked) == (True, None)
        assert all(request.method == "GET" for request in vendor.requests[asked:])


async def test_a_key_in_a_file_beside_the_configuration_is_read(
    make: Callable[..., Settings], tmp_path: Path, vendor: OpenAIChatServer
) -> None:
    """Relative to the configuration file, wherever the command runs."""
    settings = make()
    (tmp_path / "key").write_text(settings.providers["acme"].api_key + "\n")
    (tmp_path / "config.toml").touch()
    acme = replace(settings.providers["acme"], api_key="file:key")
    settings = replace(settings, providers={"acme": acme}, file=tmp_path / "config.toml")
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        assert [row.ok for row in await runtime.models.check(["acme"])] == [True]
        assert runtime.models.providers()[0].origin == str(tmp_path / "config.toml")


async def test_many_first_requests_at_once_make_one_provider(
    make: Callable[..., Settings], vendor: OpenAIChatServer
) -> None:
    """And each gets its answer."""
    async with Runtime.open(make(), environment=NOTHING) as runtime:
        answers = await asyncio.gather(*(runtime.ask(f"n{n}", model="acme/small") for n in range(6)))
    assert sorted(answer.text for answer in answers) == [f"You said: n{n}" for n in range(6)]


async def test_prices_and_contexts_of_the_settings_count(
    make: Callable[..., Settings], vendor: OpenAIChatServer
) -> None:
    """What is stated of a model is what its answer costs."""
    facts = ModelSettings(input_usd=10, output_usd=20, cache_read_usd=1, context_tokens=1234)
    vendor.then(Say("four", usage={"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}))
    async with Runtime.open(make(models={"acme/small": facts}), environment=NOTHING) as runtime:
        answer = await runtime.ask("hi", model="acme/small")
        assert answer.cost is not None
        assert answer.cost.micro_usd == 1200
        (small,) = [model for model in await runtime.models.list() if model.id == "acme/small"]
        assert small.context_tokens == 1234


@pytest.mark.parametrize(
    ("model", "facts", "says"),
    [
        ("acme/small", ModelSettings(input_usd=1), "output_usd"),
        ("acme/small", ModelSettings(output_usd=1), "input_usd"),
        ("acme/small", ModelSettings(cache_read_usd=1), "input_usd"),
        ("local/smollm2-135m", ModelSettings(input_usd=1, output_usd=1), "costs nothing"),
    ],
)
async def test_a_price_without_effect_is_refused(
    make: Callable[..., Settings], model: str, facts: ModelSettings, says: str
) -> None:
    """Half a price, and a price of a model that runs here."""
    with pytest.raises(ConfigurationError, match=says):
        async with Runtime.open(make(models={model: facts}), environment=NOTHING):
            pass


@pytest.mark.parametrize(
    "url", ["http://user:canary-55@127.0.0.1:1/v1", "ftp://x/v1", "http://x/v1?k=canary-55"]
)
async def test_a_wrong_address_is_refused_before_anything_is_asked(home: Path, url: str) -> None:
    """With the table's name, and without the password that stands in it."""
    provider = ProviderSettings(kind="openai-compatible", base_url=url)
    with pytest.raises(ConfigurationError) as raised:
        async with Runtime.open(Settings(home=home, providers={"acme": provider}), environment=NOTHING):
            pass
    assert raised.value.field == "providers.acme.base_url"
    assert "canary-55" not in str(raised.value)


async def test_a_failing_provider_is_followed_by_another(
    make: Callable[..., Settings], vendor: OpenAIChatServer
) -> None:
    """`auto` tries the next one, and tells both attempts; statistics count them."""
    async with OpenAIChatServer(models=("best",), default=Failure(status=500)) as broken:
        settings = make()
        providers = settings.providers | {
            "broken": ProviderSettings(kind="openai-compatible", base_url=broken.url),
            "local": ProviderSettings(kind="local", enabled=False),
        }
        policy = PolicySettings(prefer=("broken/*", "acme/small"), exclude=("acme/large",), fallbacks=2)
        settings = replace(
            settings, providers=providers, policies={"mine": policy}, aliases={"fast": "acme/small"}
        )
        vendor.then(Say("hello"), Say("again"))
        async with Runtime.open(settings, environment=NOTHING) as runtime:
            assert (await runtime.ask("hi", model="auto/mine")).text == "hello"
            assert broken.requests
            assert (await runtime.ask("hi", model="fast")).text == "again"
            stats = await runtime.records.stats(by="model")
            assert "acme/small" in str(stats)
            decision = await runtime.explain("hi", policy="mine")
            assert decision.chosen in {"broken/best", "acme/small"}
            assert "interlock_requests_total" in await runtime.records.prometheus()
            assert await runtime.records.stats(Asked(since_s=60), by="provider")


async def test_without_statistics_nothing_is_kept(make: Callable[..., Settings]) -> None:
    """The calls go on."""
    settings = make(telemetry=TelemetrySettings(metrics=False))
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        assert (await runtime.ask("hi", model="acme/small")).text == "You said: hi"
        assert runtime.records.guards == ()


async def test_addresses_that_nobody_named_are_not_reached(home: Path, vendor: OpenAIChatServer) -> None:
    """A provider's own origin is; another on loopback is only after the settings say so."""
    shut = ProviderSettings(kind="openai-compatible", base_url=vendor.url, models=("small",))
    settings = Settings(home=home, providers={"acme": shut}, egress=EgressSettings(allow_private=True))
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        with pytest.raises(InterlockError):
            await runtime.ask("hi", model="acme/small")
    assert vendor.requests


async def test_weights_by_path_are_for_those_at_the_machine(home: Path, tmp_path: Path) -> None:
    """A stranger cannot make the gateway load a file, nor learn which files there are."""
    file = tmp_path / "secret.gguf"
    file.write_bytes(b"GGUF")
    request = CompletionRequest(model=f"local/{file}", messages=(user("hi"),))
    said: list[str] = []
    for open_paths in (True, False):
        async with Runtime.open(Settings(home=home), environment=NOTHING, open_paths=open_paths) as runtime:
            with pytest.raises(InterlockError) as raised:
                await runtime.provider.complete(request)
            said.append(type(raised.value).__name__)
            with pytest.raises(InterlockError) as absent:
                await runtime.provider.complete(replace(request, model=f"local/{tmp_path / 'absent.gguf'}"))
            if not open_paths:
                assert str(absent.value) == str(raised.value)
    assert said[1] == "UnsupportedError" != said[0]


async def test_weights_that_nobody_knows_cannot_be_fetched(home: Path) -> None:
    """The nearest name stands in the remedy."""
    async with Runtime.open(Settings(home=home), environment=NOTHING) as runtime:
        with pytest.raises(NotFoundError) as raised:
            await runtime.models.pull("local/smollm")
        assert "smollm2-135m" in (raised.value.remedy or "")


async def test_a_running_server_is_a_provider(vendor: OpenAIChatServer) -> None:
    """With or without `/v1` at the end of its address."""
    for address in (vendor.origin, vendor.url, f"{vendor.origin}/"):
        provider = remote_provider("remote", address, "sk-vendor-4f9d2c71aa")
        try:
            assert {model.id for model in await provider.models()} == {"remote/small", "remote/large"}
        finally:
            await provider.aclose()
    with pytest.raises(ConfigurationError, match="no address"):
        remote_provider("remote", "127.0.0.1:1", "k")


async def test_a_model_of_a_vendor_that_is_not_set_up_says_how_to(home: Path) -> None:
    """The variable of its key, and the table; a misspelt provider is told the nearest as ever."""
    async with Runtime.open(Settings(home=home), environment=NOTHING) as runtime:
        with pytest.raises(NotFoundError, match="Set ANTHROPIC_API_KEY"):
            await runtime.ask("hi", model="anthropic/claude-haiku-5-5")
        with pytest.raises(NotFoundError, match="There is no model locl"):
            await runtime.ask("hi", model="locl/smollm2-135m")
