"""Which model is chosen, which are out, and why."""

from dataclasses import replace
from datetime import date

import pytest

from interlock_core import (
    Audio,
    Capability,
    CompletionRequest,
    File,
    Image,
    ModelInfo,
    Money,
    Performance,
    Price,
    ResponseFormat,
    ToolResult,
    ToolSpec,
)
from interlock_core.errors import (
    BudgetExceededError,
    ContextLengthError,
    InterlockError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    UnsupportedError,
    UpstreamError,
)
from interlock_core.messages import tool_results, user
from interlock_core.testing import DenyPermit, FakeClock, OpenPermit, make_call
from interlock_router import MoERouter, Policy, RouterOptions, Seams
from interlock_router.testing import KnownPerformance, model_info, prompt, scripted

STRONG = "openai/gpt-6-astra"
WEAK = "openai/gpt-5-nano"


def over(*infos: ModelInfo, policy: Policy | None = None, seams: Seams | None = None) -> MoERouter:
    """A router over made-up models, with a policy as its default."""
    names = {info.provider for info in infos}
    providers = [scripted(name, *(info for info in infos if info.provider == name)) for name in sorted(names)]
    options = RouterOptions(
        policies=(policy,) if policy else (), default_policy=policy.name if policy else "default"
    )
    return MoERouter(providers, options=options, seams=seams, clock=FakeClock())


async def reasons(one: MoERouter, request: CompletionRequest) -> dict[str, str | None]:
    """For each model, why it is out."""
    decision = await one.explain(request)
    return {candidate.model: candidate.excluded for candidate in decision.candidates}


@pytest.mark.promise("R2")
async def test_the_policies_weigh_quality_price_and_time_as_their_names_say() -> None:
    """One strong and dear, one weak and cheap, one slow and one quick, one that runs here."""
    seen = KnownPerformance(
        [
            Performance(model=STRONG, requests=50, latency_p50_s=30.0),
            Performance(model=WEAK, requests=50, latency_p50_s=2.0),
            Performance(model="quick/one", requests=50, latency_p50_s=0.1),
        ]
    )
    one = over(
        model_info(STRONG, usd=(10, 50)),
        model_info(WEAK, usd=(0.05, 0.4)),
        model_info("quick/one", usd=(5, 20)),
        model_info("local/smollm2-135m", local=True),
        seams=Seams(performance=seen),
    )
    chosen = {
        policy: (await one.explain(prompt(model=f"auto/{policy}"))).chosen
        for policy in ("best", "cheap", "fast", "local-first")
    }
    assert chosen == {"best": STRONG, "cheap": WEAK, "fast": "quick/one", "local-first": "local/smollm2-135m"}


@pytest.mark.promise("R6")
async def test_a_decision_says_what_it_weighed() -> None:
    """Candidates best first, score parts that add up, runner-up, price and fallbacks."""
    one = over(
        model_info(STRONG, usd=(10, 50)), model_info(WEAK, usd=(0.05, 0.4)), model_info("x/blind", context=10)
    )
    decision = await one.explain(prompt(model="auto/cheap"))
    assert decision.task == "question_answering"
    assert [candidate.model for candidate in decision.candidates] == [WEAK, STRONG, "x/blind"]
    assert decision.chosen == WEAK
    assert decision.runner_up == STRONG
    assert decision.fallbacks == (STRONG,)
    best, second, out = decision.candidates
    assert best.score == pytest.approx(sum(best.parts.values()))
    assert set(best.parts) == {"quality", "price", "latency", "health"}
    assert (best.probability, second.probability) == (1.0, 0.0)
    assert best.expected_cost is not None
    assert second.expected_cost is not None
    assert best.expected_cost < second.expected_cost
    assert out.excluded is not None
    assert out.score is None
    assert WEAK in decision.reason
    assert "price" in decision.reason
    assert decision.decision_us > 0
    assert decision.as_json()["chosen"] == WEAK


async def test_the_only_model_is_chosen_and_said_to_be() -> None:
    """There is no runner-up to compare with."""
    decision = await over(model_info("only/one")).explain(prompt())
    assert decision.runner_up is None
    assert "only model" in decision.reason


@pytest.mark.promise("R2")
@pytest.mark.parametrize(
    ("request_", "needed"),
    [
        (replace(prompt(), tools=(ToolSpec(name="a.b"),)), "tools"),
        (replace(prompt(), response_format=ResponseFormat(schema={})), "json_schema"),
        (replace(prompt(), response_format=ResponseFormat(kind="json_object")), "json_object"),
        (replace(prompt(), logprobs=0), "logprobs"),
        (replace(prompt(), seed=1), "seed"),
        (replace(prompt(), reasoning_effort="high"), "reasoning"),
        (replace(prompt(), messages=(user("?", Image(url="https://a.example/i.png")),)), "images"),
        (replace(prompt(), messages=(user("?", File(file_id="f")),)), "files"),
        (replace(prompt(), messages=(user("?", Audio(data=b"", format="wav")),)), "audio"),
        (
            replace(
                prompt(),
                messages=(
                    user("?"),
                    tool_results(
                        [ToolResult(call_id="1", name="a.b", content=(Image(url="https://a.example"),))]
                    ),
                ),
            ),
            "images",
        ),
    ],
)
async def test_a_model_that_lacks_what_the_request_needs_is_out(
    request_: CompletionRequest, needed: str
) -> None:
    """Each ability by name, an image among a tool's results too; a model of untold abilities stays."""
    able = frozenset({Capability.STREAMING})
    one = over(model_info("a/plain", able=able), model_info("a/untold", able=frozenset()))
    found = await reasons(one, request_)
    assert found == {"a/untold": None, "a/plain": f"it cannot do {needed}"}


async def test_streaming_is_an_ability_too() -> None:
    """Asked for only by a stream."""
    one = over(model_info("a/whole", able=frozenset({Capability.TOOLS})))
    assert (await one.explain(prompt())).chosen == "a/whole"
    assert (await one.explain(prompt(), stream=True)).chosen == ""
    with pytest.raises(UnsupportedError, match="1 lack an ability"):
        await anext(one.stream(prompt()))


async def test_a_schema_can_stand_for_any_json_object() -> None:
    """Who can do the harder can do the easier."""
    one = over(model_info("a/strict", able=frozenset({Capability.JSON_SCHEMA})))
    asked = replace(prompt(), response_format=ResponseFormat(kind="json_object"))
    assert (await one.explain(asked)).chosen == "a/strict"


@pytest.mark.promise("R2")
@pytest.mark.parametrize(
    ("info", "policy", "why"),
    [
        (model_info("a/m", embedding=True), Policy(name="p"), "makes vectors"),
        (replace(model_info("a/m"), deprecated=date(2020, 1, 1)), Policy(name="p"), "no longer serves"),
        (model_info("a/m"), Policy(name="p", exclude=("a/*",)), "the policy p excludes it"),
        (model_info("a/m"), Policy(name="p", local_only=True), "only models that run here"),
        (model_info("a/m", context=100), Policy(name="p"), "its context holds 100 tokens"),
        (model_info("a/m", usd=None), Policy(name="p", max_cost=Money.usd(1)), "its price is unknown"),
        (
            model_info("a/m", usd=(1, 1e5)),
            Policy(name="p", max_cost=Money.usd("0.01")),
            "leaves 0 output tokens",
        ),
        (
            model_info("a/m", usd=(1e6, 1)),
            Policy(name="p", max_cost=Money.usd("0.01")),
            "leaves 0 output tokens",
        ),
    ],
)
async def test_every_exclusion_has_its_reason(info: ModelInfo, policy: Policy, why: str) -> None:
    """And a model that passes stands beside it."""
    decision = await over(info, policy=policy).explain(prompt())
    assert decision.chosen == ""
    assert decision.candidates[0].excluded is not None
    assert why in decision.candidates[0].excluded


async def test_a_model_announced_to_end_later_is_still_used() -> None:
    """Only the day itself counts."""
    one = over(replace(model_info("a/m"), deprecated=date(2099, 1, 1)))
    assert (await one.explain(prompt())).chosen == "a/m"


@pytest.mark.promise("R2")
async def test_more_output_than_a_model_can_give_rules_it_out() -> None:
    """The vendor would refuse it."""
    info = replace(model_info("a/m"), max_output_tokens=100)
    found = await reasons(over(info), replace(prompt(), max_tokens=101))
    assert found["a/m"] == "it gives at most 100 output tokens and 101 were asked for"


@pytest.mark.promise("R2")
async def test_a_slow_model_is_out_where_the_policy_limits_time() -> None:
    """Measured ones only: an unmeasured model may be quick."""
    seen = KnownPerformance([Performance(model="a/slow", requests=9, latency_p50_s=20)])
    one = over(
        model_info("a/slow"),
        model_info("a/new"),
        policy=Policy(name="p", max_latency_s=5),
        seams=Seams(performance=seen),
    )
    found = await reasons(one, prompt())
    assert found == {"a/new": None, "a/slow": "its median answer takes 20.0 s, over the limit of 5 s"}


@pytest.mark.promise("R2")
async def test_a_limit_on_cost_that_the_request_leaves_open_becomes_a_limit_on_output() -> None:
    """So that the promise holds whatever the model writes; the client's bytes are not forwarded then."""
    provider = scripted("a", model_info("a/m", usd=(1, 100)))
    one = MoERouter([provider])
    call = replace(make_call("auto"), cost_bound=Money.usd("0.05"))
    await one.complete(prompt(), call)
    sent = provider.requests[0]
    assert sent.max_tokens is not None
    price = Price(input=1_000_000, output=100_000_000)
    worst_input = len("What is the capital of Peru?") + 24
    assert price.output * sent.max_tokens + price.input * worst_input <= 50_000 * 1_000_000
    assert sent.max_tokens > 400


@pytest.mark.parametrize("model", ["auto", "a/m"])
@pytest.mark.promise("R2")
async def test_a_request_that_may_cost_more_than_its_limit_is_refused(model: str) -> None:
    """Named or chosen: a limit is a limit, and an unknown price is not a low one."""
    call = replace(make_call("auto"), cost_bound=Money.usd("0.001"))
    for info in (model_info("a/m", usd=(1, 100)), model_info("a/m", usd=None)):
        one = over(info)
        with pytest.raises(BudgetExceededError):
            await one.complete(replace(prompt(model=model), max_tokens=1_000), call)


async def test_a_free_model_needs_no_limit_on_its_output() -> None:
    """Nothing that it writes costs anything."""
    provider = scripted("local", model_info("local/m", local=True))
    call = replace(make_call("auto"), cost_bound=Money(0))
    await MoERouter([provider]).complete(prompt(), call)
    assert provider.requests[0].max_tokens is None


@pytest.mark.promise("R2")
async def test_one_may_prefer_models_without_forbidding_others() -> None:
    """A head start decides between like ones, not against a much better one."""
    policy = Policy(name="p", prefer=("b/*",))
    near = over(model_info("a/m"), model_info("b/m"), policy=policy)
    assert (await near.explain(prompt())).chosen == "b/m"
    far = over(model_info(STRONG), model_info("b/smollm2-135m"), policy=policy)
    assert (await far.explain(prompt())).chosen == STRONG


@pytest.mark.promise("R2")
async def test_permission_is_asked_for_each_model_and_a_no_goes_to_the_next() -> None:
    """The call that the permit sees bears the model's own name."""
    permit = DenyPermit(STRONG)
    one = over(
        model_info(STRONG), model_info(WEAK), policy=Policy(name="p", price=0), seams=Seams(permit=permit)
    )
    answer = await one.complete(prompt(), make_call("auto"))
    assert answer.model == WEAK
    assert answer.decision is not None
    out = next(one for one in answer.decision.candidates if one.model == STRONG)
    assert out.excluded == f"not permitted: This test forbids {STRONG}."
    kept = next(one for one in answer.decision.candidates if one.model == WEAK)
    assert kept.probability == 1.0
    assert [call.name for call in permit.asked] == [STRONG, WEAK]


@pytest.mark.parametrize("model", ["auto", "a/m"])
async def test_without_permission_nothing_is_called(model: str) -> None:
    """Chosen or named; and where nobody is named as the caller, nothing is permitted."""
    provider = scripted("a", model_info("a/m"))
    one = MoERouter([provider], seams=Seams(permit=DenyPermit()))
    with pytest.raises(PermissionDeniedError):
        await one.complete(prompt(model=model), make_call())
    nobody = MoERouter([provider], seams=Seams(permit=OpenPermit()))
    with pytest.raises(PermissionDeniedError):
        await nobody.complete(prompt(model=model))
    with pytest.raises(PermissionDeniedError):
        await nobody.embed("a/m", ["x"])
    assert provider.requests == []


async def test_only_models_that_may_be_called_are_asked_about_but_an_explanation_looks_at_all() -> None:
    """Permission can be dear to ask."""
    infos = [model_info(f"a/m{number}") for number in range(20)]
    permit = OpenPermit()
    one = over(*infos, seams=Seams(permit=permit), policy=Policy(name="p", fallbacks=1))
    await one.complete(prompt(), make_call("auto"))
    assert len(permit.asked) == 2
    await one.explain(prompt(), make_call("auto"))
    assert len(permit.asked) == 22


@pytest.mark.parametrize(
    ("infos", "request_", "error"),
    [
        ([], prompt(), NotFoundError),
        ([model_info("a/m", context=100)], prompt(), ContextLengthError),
        ([model_info("a/m", embedding=True)], prompt(), UnsupportedError),
    ],
)
async def test_the_error_says_who_must_act(
    infos: list[ModelInfo], request_: CompletionRequest, error: type[InterlockError]
) -> None:
    """By what the most suitable models failed at, with a remedy."""
    with pytest.raises(error) as caught:
        await over(*infos).complete(request_)
    assert caught.value.remedy


async def test_when_every_model_is_ill_the_error_says_when_to_come_back() -> None:
    """And no further call is made."""
    clock = FakeClock()
    provider = scripted("a", model_info("a/m"), script=[UpstreamError("Down.")])
    one = MoERouter([provider], options=RouterOptions(failure_threshold=2, cooldown_s=30), clock=clock)
    for _ in range(2):
        with pytest.raises(UpstreamError):
            await one.complete(prompt())
    clock.advance(10)
    with pytest.raises(OverloadedError) as caught:
        await one.complete(prompt())
    assert caught.value.retry_after == pytest.approx(20)
    assert len(provider.requests) == 2
    assert (await reasons(one, prompt()))["a/m"] == "it failed repeatedly; it is tried again in 20 s"
