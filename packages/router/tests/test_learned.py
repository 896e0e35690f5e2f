"""The router with experience: it learns what answers were worth, and chooses by it."""

from dataclasses import replace

import pytest

from interlock_core import Call
from interlock_core.errors import InvalidRequestError, UpstreamError
from interlock_core.testing import FakeClock, ScriptedProvider, make_call
from interlock_router import MoERouter, Policy, RouterOptions, Seams
from interlock_router.learning import Experience, Exploring
from interlock_router.testing import model_info, prompt, scripted

POET, CLERK = "one/poet", "two/clerk"
VERSE, LEDGER = "Write a short poem about the sea and the wind.", "Summarise this ledger of the month of May."
QUALITY = Policy(name="default", price=0.0, latency=0.0)


def learning(
    experience: Experience, *, policy: Policy = QUALITY, providers: tuple[ScriptedProvider, ...] = ()
) -> MoERouter:
    """A router over two models of which nothing is published, which learns."""
    made = providers or (scripted("one", model_info(POET)), scripted("two", model_info(CLERK)))
    seams = Seams(experience=experience, chooser=Exploring(experience, seed=1))
    return MoERouter(made, options=RouterOptions(policies=(policy,)), seams=seams, clock=FakeClock())


def of_run(run: str) -> Call:
    """A call that belongs to a run."""
    return replace(make_call(), run=run)


async def served(router: MoERouter, text: str, run: str) -> str:
    """Who answered a request."""
    answer = await router.complete(prompt(text), of_run(run))
    return answer.model


@pytest.mark.promise("R5")
async def test_it_learns_whom_each_kind_of_request_suits() -> None:
    """From what each answer was worth, with the class of task told by nobody."""
    async with learning(Experience()) as router:
        for number in range(300):
            kind, text = ("verse", VERSE) if number % 2 else ("ledger", LEDGER)
            model = await served(router, text, f"run-{number}")
            suits = (model == POET) == (kind == "verse")
            assert router.judge(f"run-{number}", 0.9 if suits else 0.2) is not None
        verse = [await served(router, VERSE, f"v{number}") for number in range(20)]
        ledger = [await served(router, LEDGER, f"l{number}") for number in range(20)]
    assert verse.count(POET) >= 18
    assert ledger.count(CLERK) >= 18


async def test_what_one_process_is_told_another_learns() -> None:
    """By the lesson alone."""
    async with learning(Experience()) as one, learning(Experience()) as other:
        for number in range(60):
            model = await served(one, VERSE, f"run-{number}")
            lesson = one.judge(f"run-{number}", 0.9 if model == POET else 0.1)
            assert lesson is not None
            other.learn(lesson)
        assert (await other.explain(prompt(VERSE))).chosen == POET


@pytest.mark.promise("R5")
async def test_every_choice_is_told_with_its_likelihood() -> None:
    """The likelihoods of a decision add up to 1, and the chosen one could be chosen."""
    async with learning(Experience()) as router:
        chances: set[float] = set()
        for number in range(40):
            answer = await router.complete(prompt(VERSE), of_run(f"run-{number}"))
            assert answer.decision is not None
            by_model = {one.model: one.probability for one in answer.decision.candidates}
            assert sum(by_model.values()) == pytest.approx(1.0)
            assert by_model[answer.decision.chosen] > 0
            chances.update(by_model.values())
            router.judge(f"run-{number}", 0.5)
    assert len(chances) > 2


async def test_where_nobody_judges_it_stays_with_the_best() -> None:
    """A few tries at first, then none."""
    async with learning(Experience()) as router:
        models = [await served(router, VERSE, f"run-{number}") for number in range(400)]
    assert len(set(models[200:])) == 1


async def test_a_policy_that_does_not_explore_takes_the_best_always() -> None:
    """Whatever is in doubt."""
    async with learning(Experience(), policy=Policy(name="default", explore=0.0)) as router:
        models = {await served(router, VERSE, f"run-{number}") for number in range(60)}
    assert len(models) == 1


async def test_the_model_that_answered_is_judged_and_not_the_one_that_failed() -> None:
    """An outage teaches nothing about quality."""
    failing = scripted("one", model_info(POET), script=[UpstreamError("It is down.")])
    experience = Experience()
    async with learning(experience, providers=(failing, scripted("two", model_info(CLERK)))) as router:
        for number in range(30):
            assert await served(router, VERSE, f"run-{number}") == CLERK
            lesson = router.judge(f"run-{number}", 0.5)
            assert lesson is not None
            assert lesson.model == CLERK
    belief = experience.believe((POET,), (0.6,), experience.prompt(VERSE, "writing"))
    assert belief.seen.tolist() == [0.0]


async def test_a_named_model_is_learned_from_as_well() -> None:
    """Its answers tell as much as chosen ones."""
    async with learning(Experience()) as router:
        await router.complete(prompt(VERSE, model=POET), of_run("run"))
        lesson = router.judge("run", 1.0)
    assert lesson is not None
    assert lesson.model == POET


async def test_a_run_is_judged_once_and_with_a_score() -> None:
    """A second judgement is none, a wrong score is refused and does not use the run up."""
    async with learning(Experience()) as router:
        await served(router, VERSE, "run")
        with pytest.raises(InvalidRequestError):
            router.judge("run", 3.0)
        assert router.judge("run", 1.0) is not None
        assert router.judge("run", 1.0) is None
        assert router.judge("unknown", 1.0) is None


async def test_a_router_without_experience_learns_nothing() -> None:
    """And says so."""
    async with MoERouter([scripted("one", model_info(POET))], clock=FakeClock()) as router:
        await served(router, VERSE, "run")
        assert router.judge("run", 1.0) is None
