"""Limits of the settings and of commands, around models and tools, where several runtimes share them."""

from pathlib import Path

import pytest

from interlock_core import Principal
from interlock_core.errors import (
    ConfigurationError,
    ConflictError,
    InvalidRequestError,
    PermissionDeniedError,
    RateLimitedError,
)
from interlock_core.testing import valkey_url
from interlock_providers.testing import OpenAIChatServer
from interlock_runtime import Runtime, load_settings
from interlock_runtime.settings import CacheSettings, LimitSettings, ToolSettings
from interlock_security import LimitScope

from .conftest import MakeSettings

ONE_EACH = LimitSettings(scope="user", limit=1)


@pytest.mark.promise("A7")
@pytest.mark.parametrize("shared", ["store", "valkey"])
async def test_runtimes_share_their_limits_in_the_store_or_in_valkey(
    make: MakeSettings, vendor: OpenAIChatServer, shared: str
) -> None:
    """What one lets pass, another counts."""
    async with valkey_url() as url:
        cache = CacheSettings(url="" if shared == "store" else url)
        settings = make(limits=(LimitSettings(scope="model", name="acme/small", limit=2),), cache=cache)
        async with Runtime.open(settings) as one, Runtime.open(settings) as two:
            await one.ask("hello", model="acme/small")
            await two.ask("hello", model="acme/small")
            for runtime in (one, two):
                with pytest.raises(RateLimitedError, match="model:acme/small:requests:60s"):
                    await runtime.ask("hello", model="acme/small")
            await one.ask("hello", model="acme/large")
    assert len(vendor.requests) == 3


@pytest.mark.promise("A7")
async def test_a_model_at_its_limit_is_passed_over_by_the_router(
    make: MakeSettings, vendor: OpenAIChatServer
) -> None:
    """Provider and model of `auto` are known after routing alone; their limits hold there."""
    names = ("small", "large")
    limits = [LimitSettings(scope="model", name=f"acme/{name}", limit=1) for name in names]
    limits.append(LimitSettings(scope="provider", name="local", limit=0))
    async with Runtime.open(make(limits=tuple(limits))) as runtime:
        for _ in names:
            await runtime.ask("hello", model="auto")
        with pytest.raises(RateLimitedError):
            await runtime.ask("hello", model="auto")
    asked = [request.body for request in vendor.requests if request.method == "POST"]
    assert len(asked) == 2
    assert all(any(f'"{name}"'.encode() in body for body in asked) for name in names)


async def test_tokens_of_a_call_are_settled_by_what_the_vendor_told(make: MakeSettings) -> None:
    """The bound is set aside first, the truth stays."""
    limits = (LimitSettings(scope="user", kind="tokens", limit=10_000),)
    async with Runtime.open(make(limits=limits)) as runtime:
        answer = await runtime.ask("hello", model="acme/small", max_tokens=50)
        (state,) = await runtime.limits.limiter.peek({LimitScope.USER: runtime.principal.user})
        assert answer.usage is not None
        assert state.limit - state.remaining == answer.usage.total_tokens


@pytest.mark.promise("O9")
async def test_a_tool_has_limits_of_its_own(make: MakeSettings, on_github: ToolSettings) -> None:
    """Nothing is sent above them."""
    limits = (LimitSettings(scope="tool", name="github.issues_list", limit=1),)
    async with Runtime.open(make(tools={"github": on_github}, limits=limits)) as runtime:
        arguments = '{"owner": "acme", "repo": "notes"}'
        await runtime.tools.call("github.issues_list", arguments)
        with pytest.raises(RateLimitedError, match=r"tool:github\.issues_list:requests:60s"):
            await runtime.tools.call("github.issues_list", arguments)


async def test_a_cache_that_is_away_leaves_each_process_a_part(make: MakeSettings, tmp_path: Path) -> None:
    """A quarter of the limit, and the metrics say so."""
    cache = CacheSettings(url=f"unix://{tmp_path / 'nobody.sock'}", local_percent=25)
    settings = make(limits=(LimitSettings(scope="user", limit=4),), cache=cache)
    async with Runtime.open(settings) as runtime:
        await runtime.ask("hello", model="acme/small")
        with pytest.raises(RateLimitedError):
            await runtime.ask("hello", model="acme/small")
        text = await runtime.records.prometheus()
    assert "interlock_limiter_local 1" in text
    assert "interlock_limiter_fallbacks_total 1" in text


async def test_limits_of_the_file_are_read_only_and_others_need_the_right(make: MakeSettings) -> None:
    """Who may not administer limits sees and changes none."""
    async with Runtime.open(make(limits=(ONE_EACH,))) as runtime:
        with pytest.raises(ConflictError):
            await runtime.limits.set("user", "requests", 5)
        row = await runtime.limits.set("team", "tokens", 1_000, name="red", window="24h")
        assert row["id"] == "team:red:tokens:86400s"
        assert len(await runtime.limits.list()) == 2
        eva = Principal(user="eva", roles=frozenset({"developer"}))
        with pytest.raises(PermissionDeniedError):
            await runtime.limits.list(by=eva)
        with pytest.raises(PermissionDeniedError):
            await runtime.limits.clear(str(row["id"]), by=eva)
        for scope, kind, window in (
            ("users", "requests", ""),
            ("user", "calls", ""),
            ("user", "tokens", "5"),
        ):
            with pytest.raises(InvalidRequestError):
                await runtime.limits.set(scope, kind, 5, window=window)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[limits]]\nscope = "user"\nlimit = 1\nwindow = "soon"\n', "no window"),
        ('[[limits]]\nscope = "users"\nlimit = 1\n', "users"),
        ('[[limits]]\nscope = "user"\n', "lacks 'limit'"),
        ('[[limits]]\nscope = "user"\nlimit = 1\nkind = "concurrency"\nwindow = "1s"\n', "at a time"),
        ('[[limits]]\nscope = "global"\nname = "x"\nlimit = 1\n', "has a name"),
    ],
)
def test_a_limit_that_is_wrong_is_an_error_of_the_file(tmp_path: Path, text: str, said: str) -> None:
    """With its place."""
    file = tmp_path / "config.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError, match=said):
        load_settings({"INTERLOCK_HOME": str(tmp_path)}, config=str(file))


async def test_one_limit_twice_is_an_error(make: MakeSettings) -> None:
    """In the file, or in the file and the store."""
    with pytest.raises(ConfigurationError, match="second time"):
        async with Runtime.open(make(limits=(ONE_EACH, ONE_EACH))):
            pass
    async with Runtime.open(make()) as runtime:
        await runtime.limits.set("user", "requests", 5)
    with pytest.raises(ConfigurationError, match="command has set"):
        async with Runtime.open(make(limits=(ONE_EACH,))):
            pass
