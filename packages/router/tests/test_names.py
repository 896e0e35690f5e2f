"""Names of models mean what the contract says."""

import pytest

from interlock_core.errors import ConfigurationError, NotFoundError, UnsupportedError
from interlock_core.testing import make_call
from interlock_router import MoERouter, Policy, RouterOptions
from interlock_router.testing import UnlistedProvider, VectorProvider, model_info, prompt, scripted


def router(**aliases: str) -> MoERouter:
    """Two vendors that share a model's name, and one with a slash in its models' names."""
    return MoERouter(
        [
            scripted("alpha", model_info("alpha/small"), model_info("alpha/shared")),
            scripted("beta", model_info("beta/shared"), model_info("beta/meta/llama")),
        ],
        options=RouterOptions(policies=(Policy(name="house", price=2.0),), aliases=aliases),
    )


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("alpha/small", "alpha/small"),
        ("alpha/not-listed", "alpha/not-listed"),
        ("small", "alpha/small"),
        ("meta/llama", "beta/meta/llama"),
        ("beta/meta/llama", "beta/meta/llama"),
        ("mine", "beta/shared"),
        ("chained", "beta/shared"),
    ],
)
async def test_a_name_leads_to_its_model(name: str, model: str) -> None:
    """Split at the first slash when a provider stands before it; bare names and aliases are looked up."""
    one = router(mine="beta/shared", chained="mine")
    answer = await one.complete(prompt(model=name))
    assert answer.model == model
    assert answer.decision is not None
    assert answer.decision.policy == "manual"
    assert answer.decision.chosen == model


@pytest.mark.parametrize(
    ("name", "policy"), [("auto", "default"), ("auto/house", "house"), ("auto/cheap", "cheap")]
)
async def test_auto_chooses_under_its_policy(name: str, policy: str) -> None:
    """Own policies and built-in ones alike."""
    decision = await router().explain(prompt(model=name))
    assert decision.policy == policy
    assert decision.chosen


async def test_the_policy_beside_a_request_holds_for_plain_auto_only() -> None:
    """What stands in the model's name was written by the same hand, and later."""
    call = make_call("auto")
    beside = type(call)(id="c", kind=call.kind, name="auto", principal=call.principal, policy="cheap")
    assert (await router().explain(prompt(), beside)).policy == "cheap"
    assert (await router().explain(prompt(model="auto/best"), beside)).policy == "best"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("shared", "alpha/shared or beta/shared"),
        ("smal", "small"),
        ("auto/cheep", "cheap"),
        ("gamma/thing", "Known: "),
    ],
)
async def test_an_unknown_name_is_refused_with_the_nearest(name: str, told: str) -> None:
    """Whoever mistyped sees what they meant."""
    with pytest.raises(NotFoundError) as caught:
        await router().complete(prompt(model=name))
    assert told in str(caught.value)


async def test_a_provider_that_knows_no_such_model_is_answered_with_the_nearest() -> None:
    """The provider's own words come first in the chain of errors."""
    one = MoERouter([scripted("alpha", model_info("alpha/small"), script=[NotFoundError("No such model.")])])
    with pytest.raises(NotFoundError) as caught:
        await one.complete(prompt(model="alpha/smal"))
    assert "alpha/small" in str(caught.value)
    assert str(caught.value.__cause__) == "No such model."
    with pytest.raises(NotFoundError) as caught:
        await anext(one.stream(prompt(model="alpha/smal")))
    assert "alpha/small" in str(caught.value)


async def test_a_listed_model_that_its_provider_denies_keeps_the_providers_words() -> None:
    """Near names would be no help."""
    one = MoERouter([scripted("alpha", model_info("alpha/small"), script=[NotFoundError("Retired today.")])])
    await one.refresh()
    with pytest.raises(NotFoundError, match="Retired today"):
        await one.complete(prompt(model="alpha/small"))


async def test_an_unknown_name_says_whose_models_could_not_be_listed() -> None:
    """Perhaps it was one of those."""
    down = UnlistedProvider("beta", OSError("unplugged"))
    one = MoERouter([scripted("alpha", model_info("alpha/small")), down])
    with pytest.raises(NotFoundError, match="The models of beta could not be listed"):
        await one.complete(prompt(model="large"))


async def test_naming_a_model_asks_nobody_for_a_list() -> None:
    """A first call must not wait for vendors that it does not concern."""
    slow = UnlistedProvider("beta", None)
    one = MoERouter([scripted("alpha", model_info("alpha/small")), slow])
    assert (await one.complete(prompt(model="alpha/small"))).text == "ok"
    assert slow.listed == 0


@pytest.mark.parametrize(
    ("aliases", "told"),
    [
        ({"a": "b", "b": "a"}, "leads to itself"),
        ({"auto": "x/y"}, "reserved"),
        ({"auto/own": "x/y"}, "reserved"),
    ],
)
def test_an_alias_that_cannot_work_is_refused_at_once(aliases: dict[str, str], told: str) -> None:
    """At the start, not at the first request."""
    with pytest.raises(ConfigurationError, match=told):
        MoERouter([], options=RouterOptions(aliases=aliases))


def test_a_provider_named_auto_and_a_default_that_is_no_policy_are_refused() -> None:
    """Both would make names mean two things."""
    with pytest.raises(ConfigurationError, match="reserved"):
        MoERouter([scripted("auto", model_info("auto/x"))])
    with pytest.raises(ConfigurationError, match="There is no policy dear"):
        MoERouter([], options=RouterOptions(default_policy="dear"))


def test_two_providers_of_one_name_are_refused() -> None:
    """One would silently hide the other."""
    with pytest.raises(ConfigurationError, match="Two providers are called alpha"):
        MoERouter([scripted("alpha"), scripted("alpha")])


async def test_vectors_come_from_the_model_that_is_named() -> None:
    """By its full or its bare name."""
    maker = VectorProvider(name="alpha", models=[model_info("alpha/embed", embedding=True)])
    one = MoERouter([maker])
    assert (await one.embed("alpha/embed", ["abc"])).vectors == ((3.0,),)
    assert (await one.embed("embed", ["ab", ""])).vectors == ((2.0,), (0.0,))


async def test_auto_makes_no_vectors() -> None:
    """Vectors of different models cannot be compared, so a choice would be a trap."""
    maker = VectorProvider(name="alpha", models=[model_info("alpha/embed", embedding=True)])
    with pytest.raises(UnsupportedError, match="alpha/embed"):
        await MoERouter([maker]).embed("auto", ["abc"])
