"""Lists of models: one provider's trouble is its own, and nobody waits for a list twice."""

import asyncio
from collections.abc import Sequence

import pytest

from interlock_core import ModelInfo
from interlock_core.errors import OverloadedError, UpstreamConnectionError
from interlock_core.testing import FakeClock, ScriptedProvider
from interlock_router import MoERouter, RouterOptions
from interlock_router.testing import UnlistedProvider, model_info, prompt, scripted


class GrowingProvider(ScriptedProvider):
    """Lists one model more each time, and can be made to fail."""

    def __init__(self) -> None:
        super().__init__(["ok"], name="grow", repeat=True)
        self.listed = 0
        self.down = False
        self.told = asyncio.Event()

    async def models(self) -> Sequence[ModelInfo]:
        """The models so far.

        Raises:
            UpstreamConnectionError: It was made to fail.
        """
        self.listed += 1
        self.told.set()
        if self.down:
            raise UpstreamConnectionError("grow is away.")
        return [model_info(f"grow/m{number}") for number in range(self.listed)]


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (UpstreamConnectionError("beta is away.", remedy="Plug it in."), "beta is away. Plug it in."),
        (RuntimeError("a secret detail"), "beta failed to list its models: RuntimeError."),
        (None, "beta did not list its models within 0.01 s."),
    ],
)
async def test_a_provider_that_cannot_list_takes_no_other_down(trouble: Exception | None, told: str) -> None:
    """An error, a bug or silence; the words of a bug stay out of what users see."""
    one = MoERouter(
        [scripted("alpha", model_info("alpha/small")), UnlistedProvider("beta", trouble)],
        options=RouterOptions(models_timeout_s=0.01),
    )
    assert [info.id for info in await one.models()] == ["alpha/small"]
    assert await one.refresh() == {"beta": told}
    assert (await one.complete(prompt())).model == "alpha/small"
    assert (await one.complete(prompt(model="beta/any"))).text == "answered all the same"


async def test_a_list_is_kept_until_it_is_old_and_renewed_behind_the_requests() -> None:
    """The request that finds it old still gets the old one, at once."""
    clock, provider = FakeClock(), GrowingProvider()
    one = MoERouter([provider], options=RouterOptions(models_ttl_s=60), clock=clock)
    assert len(await one.models()) == 1
    assert len(await one.models()) == 1
    clock.advance(61)
    provider.told.clear()
    assert len(await one.models()) == 1
    await provider.told.wait()
    await one.refresh()
    assert len(await one.models()) == provider.listed


async def test_a_provider_that_could_not_be_listed_is_asked_again_soon() -> None:
    """Its models are missed, so nobody waits for the lists to grow old."""
    clock, provider = FakeClock(), GrowingProvider()
    provider.down = True
    one = MoERouter([provider, scripted("alpha", model_info("alpha/small"))], clock=clock)
    assert len(await one.models()) == 1
    provider.down = False
    clock.advance(16)
    provider.told.clear()
    assert len(await one.models()) == 1
    await provider.told.wait()
    await one.refresh()
    assert len(await one.models()) > 1


async def test_when_no_provider_can_be_listed_the_error_says_why() -> None:
    """Not that there are no models, which nobody knows."""
    one = MoERouter([UnlistedProvider("beta", UpstreamConnectionError("beta is away."))])
    with pytest.raises(OverloadedError, match="beta: beta is away"):
        await one.complete(prompt())


async def test_what_was_known_stays_while_a_provider_is_away() -> None:
    """An outage of the list is no outage of the models."""
    provider = GrowingProvider()
    one = MoERouter([provider])
    await one.refresh()
    provider.down = True
    assert await one.refresh() == {"grow": "grow is away."}
    assert [info.id for info in await one.models()] == ["grow/m0"]


async def test_requests_at_the_same_time_share_one_round_of_asking() -> None:
    """A burst at the start must not become a burst at every vendor."""
    provider = GrowingProvider()
    one = MoERouter([provider])
    await asyncio.gather(*(one.complete(prompt()) for _ in range(20)))
    assert provider.listed == 1


async def test_a_model_listed_twice_counts_once() -> None:
    """Some servers repeat themselves."""
    one = MoERouter([scripted("alpha", model_info("alpha/small"), model_info("alpha/small"))])
    assert len(await one.models()) == 1
    assert (await one.complete(prompt(model="small"))).model == "alpha/small"


async def test_closing_ends_a_renewal_and_closes_the_providers() -> None:
    """Twice does nothing, and a provider that fails to close hinders no other."""

    class Sticky(ScriptedProvider):
        async def aclose(self) -> None:
            raise RuntimeError("jammed")

    slow, good = UnlistedProvider("slow", None), scripted("good", model_info("good/m"))
    sticky = Sticky(name="sticky")
    async with MoERouter([slow, sticky, good]) as one:
        waiting = asyncio.ensure_future(one.models())
        await asyncio.sleep(0)
    await one.aclose()
    assert good.closed
    assert slow.closed
    with pytest.raises(asyncio.CancelledError):
        await waiting
