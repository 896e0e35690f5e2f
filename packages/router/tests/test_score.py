"""Scores move the way that outcomes, prices and weights push them, and no other."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import Candidate, Performance
from interlock_router import MoERouter, Policy, RouterOptions, Seams
from interlock_router.testing import KnownPerformance, model_info, prompt, scripted

WEIGHTS = st.floats(0, 5)
USD = st.floats(0, 200)
SECONDS = st.floats(0.01, 600)
PART = st.floats(0, 1)


async def candidate(
    *,
    usd: tuple[float, float] | None = (1.0, 4.0),
    policy: Policy | None = None,
    seen: tuple[Performance, ...] = (),
) -> Candidate:
    """How one model scores."""
    policy = policy or Policy(name="p")
    one = MoERouter(
        [scripted("a", model_info("a/m", usd=usd))],
        options=RouterOptions(policies=(policy,), default_policy=policy.name),
        seams=Seams(performance=KnownPerformance(seen)),
    )
    return (await one.explain(prompt())).candidates[0]


async def score(
    *,
    usd: tuple[float, float] | None = (1.0, 4.0),
    policy: Policy | None = None,
    seen: tuple[Performance, ...] = (),
) -> float:
    """The score of that model."""
    found = await candidate(usd=usd, policy=policy, seen=seen)
    assert found.score is not None
    return found.score


@given(cheap=USD, more=USD, weight=WEIGHTS)
async def test_a_dearer_model_never_scores_higher(cheap: float, more: float, weight: float) -> None:
    """Whatever price counts."""
    policy = Policy(name="p", price=weight)
    assert await score(usd=(cheap + more, cheap + more), policy=policy) <= await score(
        usd=(cheap, cheap), policy=policy
    )


@given(usd=USD, weight=WEIGHTS)
async def test_an_unknown_price_never_beats_a_known_one(usd: float, weight: float) -> None:
    """Unknown is not free."""
    policy = Policy(name="p", price=weight)
    assert await score(usd=None, policy=policy) <= await score(usd=(usd, usd), policy=policy)


@given(quick=SECONDS, more=SECONDS, weight=WEIGHTS)
async def test_a_slower_model_never_scores_higher(quick: float, more: float, weight: float) -> None:
    """Whatever time counts."""
    policy = Policy(name="p", latency=weight)
    fast = Performance(model="a/m", requests=10, latency_p50_s=quick)
    slow = replace(fast, latency_p50_s=quick + more)
    assert await score(seen=(slow,), policy=policy) <= await score(seen=(fast,), policy=policy)


@given(worse=PART, better=PART, judged=st.integers(1, 10_000), weight=WEIGHTS)
async def test_better_outcomes_never_lower_a_score(
    worse: float, better: float, judged: int, weight: float
) -> None:
    """In general, and at the task."""
    low, high = sorted((worse, better))
    policy = Policy(name="p", quality=weight)
    for task in (None, "question_answering"):
        one = Performance(model="a/m", task=task, requests=judged, judged=judged, quality=low)
        assert await score(seen=(one,), policy=policy) <= await score(
            seen=(replace(one, quality=high),), policy=policy
        )


@given(often=PART, seldom=PART, requests=st.integers(0, 10_000))
async def test_a_model_that_fails_more_never_scores_higher(
    often: float, seldom: float, requests: int
) -> None:
    """Success is part of every policy."""
    low, high = sorted((often, seldom))
    one = Performance(model="a/m", requests=requests, success_rate=low)
    assert await score(seen=(one,)) <= await score(seen=(replace(one, success_rate=high),))


async def test_a_few_outcomes_move_the_quality_a_little_and_many_move_it_there() -> None:
    """It starts at what is published and ends at what was seen."""
    policy = Policy(name="p", price=0, latency=0)
    start = (await candidate(policy=policy)).parts["quality"]
    few = Performance(model="a/m", requests=2, judged=2, quality=1.0)
    many = replace(few, requests=10_000, judged=10_000)
    after_few = (await candidate(policy=policy, seen=(few,))).parts["quality"]
    after_many = (await candidate(policy=policy, seen=(many,))).parts["quality"]
    assert start < after_few < start + 0.1
    assert after_many == pytest.approx(1.0, abs=0.01)


async def test_unjudged_calls_say_nothing_of_quality() -> None:
    """A thousand answers that nobody looked at are no evidence."""
    unjudged = Performance(model="a/m", requests=1_000, quality=None)
    assert (await candidate(seen=(unjudged,))).parts["quality"] == (await candidate()).parts["quality"]


async def test_too_few_calls_say_nothing_of_time() -> None:
    """Nor does a median of nothing."""
    for seen in (
        Performance(model="a/m", requests=4, latency_p50_s=9.0),
        Performance(model="a/m", requests=50, latency_p50_s=0.0),
    ):
        assert (await candidate(seen=(seen,))).expected_latency_s is None


async def test_an_unknown_class_of_task_starts_from_the_mean_of_all() -> None:
    """Callers may have classes of their own."""
    from interlock_core.testing import make_call

    call = replace(make_call("auto"), task="invoices")
    one = MoERouter([scripted("openai", model_info("openai/gpt-6-astra"))])
    decision = await one.explain(prompt(), call)
    assert decision.task == "invoices"
    assert decision.task_confidence == 1.0
    assert 0.8 < decision.candidates[0].parts["quality"] < 0.9
