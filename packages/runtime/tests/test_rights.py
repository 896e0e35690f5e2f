"""Rights that change while a process runs: whoever asks the permit sees what other processes changed."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from interlock_core import Call, CallKind, CompletionRequest, Principal, new_id
from interlock_core.errors import PermissionDeniedError
from interlock_core.messages import user
from interlock_runtime import KeyRequest, OverrideRequest, Runtime
from interlock_runtime.settings import PolicySettings

from .conftest import MakeSettings

POLICY = PolicySettings(exclude=("local/*", "acme/large"), fallbacks=0)
WAIT_S = 20.0


@asynccontextmanager
async def two(make: MakeSettings) -> AsyncGenerator[tuple[Runtime, Runtime], None]:
    """Two processes, as it were, on one store."""
    settings = make(policies={"small": POLICY})
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(Runtime.open(settings))
        yield here, await stack.enter_async_context(Runtime.open(settings))


async def deny(runtime: Runtime, name: str) -> None:
    """Forbid a user to ask the small model."""
    request = OverrideRequest(user=name, kind="deny", rule="model:acme/small", reason="test")
    await runtime.access.rules.override(request)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again until it holds; others may be a second behind."""
    async with asyncio.timeout(WAIT_S):
        while True:
            if await holds():
                return
            await asyncio.sleep(0)


@pytest.mark.promise("A5")
async def test_the_router_follows_an_override_of_another_process(make: MakeSettings) -> None:
    """`auto` no longer chooses the model, and explains why, without any call in between."""
    async with two(make) as (here, there):
        assert (await here.explain("hello", policy="small")).chosen == "acme/small"
        await deny(there, here.principal.user)

        async def refused() -> bool:
            decision = await here.explain("hello", policy="small")
            reasons = [str(one.excluded) for one in decision.candidates if one.model == "acme/small"]
            return decision.chosen != "acme/small" and "not permitted" in reasons[0]

        await until(refused)


@pytest.mark.promise("A5")
async def test_a_call_over_auto_is_refused_once_another_process_forbids_its_model(make: MakeSettings) -> None:
    """The guard around the call brings the change into force before the router asks its permit."""
    ada = Principal(user="ada", roles=frozenset({"developer"}))
    request = CompletionRequest(model="auto/small", messages=(user("hello"),), max_tokens=10)
    async with two(make) as (here, there):
        await deny(there, "ada")

        async def refused() -> bool:
            call = Call(id=new_id("call"), kind=CallKind.MODEL, name=request.model, principal=ada)
            try:
                await here.provider.complete(request, call)
            except PermissionDeniedError:
                return True
            return False

        await until(refused)


@pytest.mark.promise("A5")
async def test_whoever_signs_in_is_judged_by_what_is_in_force(make: MakeSettings) -> None:
    """Also where nothing but the permit is asked, such as for the list of models."""
    async with two(make) as (here, there):
        made = await here.access.create_key(KeyRequest(name="ada", user="ada", role="developer"))
        principal = await here.access.authenticate(str(made["key"]))
        assert here.access.may_ask(principal, "acme/small")
        await deny(there, "ada")

        async def refused() -> bool:
            return not here.access.may_ask(await here.access.authenticate(str(made["key"])), "acme/small")

        await until(refused)
