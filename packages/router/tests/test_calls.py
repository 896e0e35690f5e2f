"""Whole answers: who is called, who is called next, and what is told of it."""

import asyncio
from dataclasses import replace

import pytest

from interlock_core import Completion, Money, Outcome, Price, RouteDecision, ToolCall, ToolSpec, Usage
from interlock_core.errors import (
    BillingError,
    ConfigurationError,
    ContentPolicyError,
    ContextLengthError,
    CredentialError,
    InterlockError,
    InvalidRequestError,
    MissingExtraError,
    OverloadedError,
    ProtocolError,
    QuotaExceededError,
    RateLimitedError,
    UnsupportedError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamRateLimitError,
    UpstreamTimeoutError,
)
from interlock_core.testing import (
    FakeClock,
    RecordingRecorder,
    ScriptedProvider,
    completion,
    make_call,
)
from interlock_router import MoERouter, Policy, RouterOptions
from interlock_router.testing import is_provider, model_info, prompt, scripted

A, B, C = "a/m", "b/m", "c/m"
ORDERED = RouterOptions(policies=(Policy(name="default", price=1),), failure_threshold=2, cooldown_s=30)


def fleet(
    *scripts: list[str | InterlockError],
    clock: FakeClock | None = None,
    recorder: RecordingRecorder | None = None,
) -> tuple[MoERouter, list[ScriptedProvider]]:
    """Providers a, b, c …, each dearer than the one before, so that they are tried in that order."""
    providers = [
        scripted(name, model_info(f"{name}/m", usd=(10.0**number, 10.0**number)), script=script)
        for number, (name, script) in enumerate(zip("abcde", scripts, strict=False))
    ]
    return MoERouter(providers, options=ORDERED, clock=clock, recorder=recorder), providers


def outcome(call: object) -> Outcome:
    """What became of a call."""
    found = getattr(getattr(call, "ending", None), "outcome", None)
    assert isinstance(found, Outcome)
    return found


def test_the_router_is_a_provider() -> None:
    """So that it stands wherever one stands."""
    one, _ = fleet(["ok"])
    assert is_provider(one)
    assert one.name == "auto"
    assert set(one.policies) >= {"default", "cheap"}


@pytest.mark.promise("R3")
@pytest.mark.parametrize(
    "error",
    [
        UpstreamError("x"),
        OverloadedError("x"),
        UpstreamTimeoutError("x"),
        UpstreamConnectionError("x"),
        UpstreamRateLimitError("x"),
        RateLimitedError("x"),
        ProtocolError("x"),
        CredentialError("x"),
        BillingError("x"),
        MissingExtraError("x"),
        ConfigurationError("x"),
        UnsupportedError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_fault_of_the_other_side_moves_on_to_the_next_model(error: InterlockError) -> None:
    """The caller sees an answer, and in the decision what happened."""
    one, providers = fleet([error], ["from b"])
    answer = await one.complete(prompt())
    assert answer.text == "from b"
    assert answer.model == B
    assert answer.attempts == 2
    assert answer.decision is not None
    assert answer.decision.chosen == A
    assert f"Fell back from {A} ({error.code.replace('_', ' ')})." in answer.decision.reason
    assert [len(provider.requests) for provider in providers] == [1, 1]


@pytest.mark.promise("R3")
@pytest.mark.parametrize(
    "error",
    [InvalidRequestError("x"), ContentPolicyError("x"), QuotaExceededError("x")],
    ids=lambda e: type(e).__name__,
)
async def test_the_callers_fault_and_a_refusal_end_it_at_once(error: InterlockError) -> None:
    """Asking others the same wrong thing costs money and time."""
    one, providers = fleet([error], ["never asked"])
    with pytest.raises(type(error)):
        await one.complete(prompt())
    assert providers[1].requests == []


async def test_what_one_model_cannot_hold_goes_to_a_larger_one_only() -> None:
    """The estimate was too low; a smaller context would fail alike."""
    providers = [
        scripted("a", model_info(A, usd=(1, 1), context=10_000), script=[ContextLengthError("Too long.")]),
        scripted("b", model_info(B, usd=(10, 10), context=10_000)),
        scripted("c", model_info(C, usd=(100, 100), context=200_000)),
    ]
    answer = await MoERouter(providers, options=ORDERED).complete(prompt())
    assert answer.model == C
    assert providers[1].requests == []


@pytest.mark.promise("R3")
async def test_the_chain_is_as_long_as_the_policy_says_and_ends_with_the_last_error() -> None:
    """The error that is left is the last model's."""
    down: list[str | InterlockError] = [UpstreamError("Down.")]
    one, providers = fleet(down, down, down, [UpstreamTimeoutError("Too late.")], ["never asked"])
    call = make_call("auto")
    with pytest.raises(UpstreamTimeoutError):
        await one.complete(prompt(), call)
    assert [len(provider.requests) for provider in providers] == [1, 1, 1, 1, 0]
    assert (outcome(call).model, outcome(call).attempts, outcome(call).ok) == ("d/m", 4, False)


@pytest.mark.promise("R3")
async def test_a_named_model_is_called_and_no_other_but_its_health_is_kept() -> None:
    """The override bypasses the choice, not the breaker's memory."""
    one, providers = fleet([UpstreamError("Down.")], ["ok"])
    for _ in range(3):
        with pytest.raises(UpstreamError):
            await one.complete(prompt(model=A))
    assert len(providers[0].requests) == 3
    assert providers[1].requests == []
    assert one.health() == {A: "open"}
    assert (await one.explain(prompt())).chosen == B


@pytest.mark.promise("R3")
async def test_an_outage_is_left_after_a_few_failures_and_found_healed_by_a_probe() -> None:
    """Closed, open, half-open, closed."""
    clock = FakeClock()
    one, providers = fleet([UpstreamError("1"), UpstreamError("2"), "healed"], ["stand-in"], clock=clock)
    for _ in range(5):
        assert (await one.complete(prompt())).text == "stand-in"
    assert len(providers[0].requests) == 2
    clock.advance(30)
    assert one.health() == {A: "half_open"}
    assert (await one.complete(prompt())).text == "healed"
    assert one.health() == {A: "closed"}


async def test_a_failed_probe_opens_it_again() -> None:
    """One look at a time, and the user never waits for nothing."""
    clock = FakeClock()
    one, providers = fleet([UpstreamError("Down.")], ["stand-in"], clock=clock)
    for _ in range(2):
        await one.complete(prompt())
    clock.advance(30)
    assert (await one.complete(prompt())).text == "stand-in"
    assert one.health() == {A: "open"}
    assert len(providers[0].requests) == 3


async def test_only_one_request_at_a_time_looks_whether_a_model_is_back() -> None:
    """The others go on to the next; a probe that is broken off lets another look."""
    clock = FakeClock()
    gate, asked = asyncio.Event(), asyncio.Event()

    class Gated(ScriptedProvider):
        async def complete(self, request: object, call: object = None) -> Completion:
            if len(self.requests) >= 2:
                asked.set()
                await gate.wait()
            self.requests.append(prompt())
            raise UpstreamError("Down.")

    gated = Gated(name="a", models=[model_info(A, usd=(1, 1))])
    one = MoERouter([gated, scripted("b", model_info(B, usd=(10, 10)))], options=ORDERED, clock=clock)
    for _ in range(2):
        await one.complete(prompt())
    clock.advance(30)
    probe = asyncio.ensure_future(one.complete(prompt()))
    await asked.wait()
    assert (await one.complete(prompt())).model == B
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    asked.clear()
    again = asyncio.ensure_future(one.complete(prompt()))
    await asked.wait()
    gate.set()
    assert (await again).model == B


async def test_nobody_left_to_try_is_an_overload() -> None:
    """The only model is being looked at by another request."""
    clock = FakeClock()
    gate, asked = asyncio.Event(), asyncio.Event()

    class Gated(ScriptedProvider):
        async def complete(self, request: object, call: object = None) -> Completion:
            self.requests.append(prompt())
            if len(self.requests) > 2:
                asked.set()
                await gate.wait()
            raise UpstreamError("Down.")

    one = MoERouter([Gated(name="a", models=[model_info(A)])], options=ORDERED, clock=clock)
    for _ in range(2):
        with pytest.raises(UpstreamError):
            await one.complete(prompt())
    clock.advance(30)
    probe = asyncio.ensure_future(one.complete(prompt()))
    await asked.wait()
    call = make_call("auto")
    with pytest.raises(OverloadedError) as caught:
        await one.complete(prompt(), call)
    assert caught.value.retry_after
    assert (outcome(call).error, outcome(call).attempts) == ("overloaded", 0)
    gate.set()
    with pytest.raises(UpstreamError):
        await probe


async def test_a_vendors_wish_for_a_rest_is_honoured() -> None:
    """Its 429 with retry-after takes the model out for so long, and no longer."""
    clock = FakeClock()
    limited = UpstreamRateLimitError("Slow down.", retry_after=20.0)
    one, providers = fleet([limited, "rested"], ["stand-in"], clock=clock)
    assert (await one.complete(prompt())).model == B
    decision = await one.explain(prompt())
    assert decision.candidates[-1].excluded == "its vendor asked for a rest of 20 s"
    assert (await one.complete(prompt())).model == B
    clock.advance(20)
    assert (await one.complete(prompt())).text == "rested"
    assert len(providers[0].requests) == 2


async def test_a_model_that_answers_with_a_complaint_is_alive() -> None:
    """A wrong request closes the breaker that a probe was for."""
    clock = FakeClock()
    wrong = InvalidRequestError("No such field.", vendor_status=400)
    one, _ = fleet([UpstreamError("1"), UpstreamError("2"), wrong], ["b"], clock=clock)
    for _ in range(2):
        await one.complete(prompt())
    clock.advance(30)
    with pytest.raises(InvalidRequestError):
        await one.complete(prompt())
    assert one.health() == {A: "closed"}


async def test_a_complaint_of_our_own_says_nothing_of_the_model() -> None:
    """It never was asked."""
    clock = FakeClock()
    ours = InvalidRequestError("Broken here already.")
    one, _ = fleet([UpstreamError("1"), UpstreamError("2"), ours], ["b"], clock=clock)
    for _ in range(2):
        await one.complete(prompt())
    clock.advance(30)
    with pytest.raises(InvalidRequestError):
        await one.complete(prompt())
    assert one.health() == {A: "half_open"}


async def test_after_the_deadline_no_further_model_is_asked() -> None:
    """The error of the last attempt says why there was need for another."""
    clock = FakeClock()

    class Slow(ScriptedProvider):
        async def complete(self, request: object, call: object = None) -> Completion:
            clock.advance(10)
            raise UpstreamError("Down.")

    last = scripted("b", model_info(B, usd=(10, 10)))
    one = MoERouter([Slow(name="a", models=[model_info(A, usd=(1, 1))]), last], options=ORDERED, clock=clock)
    call = replace(make_call("auto"), deadline=clock.monotonic() + 5)
    with pytest.raises(UpstreamError, match="Down"):
        await one.complete(prompt(), call)
    assert last.requests == []
    with pytest.raises(UpstreamTimeoutError, match="before a model was asked"):
        await one.complete(prompt(), call)


async def test_the_call_is_told_what_became_of_it() -> None:
    """Model, task, tokens, money, time, attempts: what guards and records read."""
    clock = FakeClock()
    priced = replace(model_info(A), price=Price(input=1_000_000, output=2_000_000))
    provider = ScriptedProvider(["Lima."], name="a", models=[priced])
    call = make_call("auto")
    answer = await MoERouter([provider], clock=clock).complete(prompt(), call)
    assert answer.cost == Money(7 + 2 * 3)
    assert outcome(call) == Outcome(
        ok=True,
        model=A,
        task="question_answering",
        usage=Usage(input_tokens=7, output_tokens=3),
        cost=Money(13),
        duration_s=0.0,
    )
    inner = provider.calls[0]
    assert inner is not None
    assert (inner.name, inner.task) == (A, "question_answering")
    assert inner.ending is not call.ending


async def test_a_price_that_the_provider_told_is_kept_and_an_unknown_one_stays_unknown() -> None:
    """Never zero for lack of knowledge."""
    told = replace(completion("x", model=A), cost=Money(99))
    silent = replace(completion("x", model=B), usage=None)
    one = MoERouter([ScriptedProvider([told], name="a", models=[model_info(A)])])
    assert (await one.complete(prompt())).cost == Money(99)
    two = MoERouter([ScriptedProvider([silent], name="b", models=[model_info(B)])])
    assert (await two.complete(prompt())).cost is None
    three = MoERouter([scripted("c", model_info(C, usd=None))])
    assert (await three.complete(prompt())).cost is None


async def test_tool_calls_are_counted_and_checked() -> None:
    """Known name, arguments that fit: valid. Anything else is not."""
    tool = ToolSpec(
        name="git.issue",
        parameters={"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
    )
    calls = (
        ToolCall(id="1", name="git.issue", arguments='{"title": "x"}'),
        ToolCall(id="2", name="git.issue", arguments="{}"),
        ToolCall(id="3", name="git.issue", arguments="{oops"),
        ToolCall(id="4", name="git.merge", arguments='{"title": "x"}'),
    )
    call = make_call("auto")
    one = MoERouter([ScriptedProvider([completion("", *calls, model=A)], name="a", models=[model_info(A)])])
    await one.complete(replace(prompt(), tools=(tool,)), call)
    assert (outcome(call).tool_calls, outcome(call).tool_calls_valid) == (4, 1)


async def test_attempts_that_another_model_made_good_are_recorded() -> None:
    """Under their own model, so that an outage shows; the last outcome is the call's own to tell."""
    recorder = RecordingRecorder()
    one, _ = fleet([UpstreamTimeoutError("Late.")], ["ok"], recorder=recorder)
    call = make_call("auto")
    await one.complete(prompt(), call)
    ((failed_call, failed),) = recorder.records
    assert failed_call.name == A
    assert (failed.model, failed.error, failed.ok, failed.attempts) == (A, "upstream_timeout", False, 1)
    assert outcome(call).model == B
    await one.complete(prompt())
    assert len(recorder.records) == 1


async def test_a_cancelled_call_says_so_and_counts_against_nobody() -> None:
    """The user left; the model was not at fault."""
    started = asyncio.Event()

    class Endless(ScriptedProvider):
        async def complete(self, request: object, call: object = None) -> Completion:
            started.set()
            await asyncio.Event().wait()
            raise AssertionError("an event that nobody sets was set")

    one = MoERouter([Endless(name="a", models=[model_info(A)])], options=ORDERED)
    call = make_call("auto")
    task = asyncio.ensure_future(one.complete(prompt(), call))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert outcome(call).cancelled
    assert outcome(call).model == A
    assert one.health() == {}


async def test_each_decision_that_is_carried_out_is_told() -> None:
    """Once, before the call; an explanation is none."""
    told: list[RouteDecision] = []
    one = MoERouter([scripted("a", model_info(A))], on_decision=told.append)
    await one.explain(prompt())
    await one.complete(prompt())
    await one.complete(prompt(model=A))
    assert [(decision.policy, decision.chosen) for decision in told] == [("default", A), ("manual", A)]
