"""What is learned from outcomes: quality, amounts, choices."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_router.learning import (
    Allowance,
    AmountLearner,
    Draws,
    Hasher,
    Prompt,
    QualityLearner,
    Words,
)

NO_WORDS: Words = np.zeros(0, dtype=np.intp)


def plain(task: str = "mathematics") -> Prompt:
    """A prompt of which only the class is known."""
    return Prompt(task, NO_WORDS)


def test_the_same_text_has_the_same_words_in_another_process() -> None:
    """Words are hashed without the process's own salt; numbers are alike, and order counts in pairs."""
    first, second = Hasher(), Hasher()
    second.words("something else before")
    assert first.words("Add 17 and 4.").tolist() == second.words("add 99 and 5.").tolist()
    assert first.words("a b").tolist() != first.words("b a").tolist()
    alike = "from interlock_router.learning import Hasher; print(Hasher().words('Add 17 and 4.').tolist())"
    elsewhere = subprocess.run([sys.executable, "-c", alike], capture_output=True, text=True, check=True)
    assert elsewhere.stdout.strip() == str(first.words("Add 17 and 4.").tolist())


@given(st.text(max_size=3_000))
def test_any_text_has_words_within_bounds(text: str) -> None:
    """Rising, each once, below the number of dimensions."""
    words = Hasher().words(text)
    assert np.all(np.diff(words) > 0)
    assert words.size == 0 or (words[0] >= 0 and words[-1] < 1 << 15)


def test_a_long_prompt_is_read_at_both_ends() -> None:
    """What stands in the middle of a pasted document changes nothing, what stands at its end does."""
    hasher = Hasher()
    base = "Sum this up. " + "x " * 3_000
    assert (
        hasher.words(base + "middle" + "y " * 900 + "end").tolist()
        == hasher.words(base + "centre" + "y " * 900 + "end").tolist()
    )
    assert hasher.words(base + "Translate it.").tolist() != hasher.words(base + "Shorten it.").tolist()


def test_before_any_outcome_the_priors_are_believed() -> None:
    """And a model without one is neutral."""
    learner = QualityLearner()
    learner.columns(["a", "b"], [0.9, 0.3])
    learner.columns(["a", "c"])
    assert learner.believe(plain()).mean.tolist() == pytest.approx([0.9, 0.3, 0.6])


def test_outcomes_take_the_place_of_priors() -> None:
    """With a hundred scores each, the better model is known, and so is how sure that is."""
    learner = QualityLearner()
    learner.columns(["praised", "good"], [0.9, 0.3])
    before = learner.believe(plain()).deviation
    random = np.random.default_rng(1)
    for _ in range(100):
        learner.learn("praised", plain(), float(random.random() < 0.4))
        learner.learn("good", plain(), float(random.random() < 0.8))
    belief = learner.believe(plain())
    assert belief.mean[1] - belief.mean[0] > 0.25
    assert np.all(belief.deviation < before / 2)


def test_a_model_may_be_good_at_one_class_and_bad_at_another() -> None:
    """And what was learned at both tells of a third, but less surely."""
    learner = QualityLearner()
    random = np.random.default_rng(2)
    truth = {
        ("a", "code_generation"): 0.9,
        ("a", "writing"): 0.4,
        ("b", "code_generation"): 0.5,
        ("b", "writing"): 0.8,
    }
    for _ in range(300):
        for (model, task), rate in truth.items():
            learner.learn(model, plain(task), float(random.random() < rate))
    code, text, other = (learner.believe(plain(task)) for task in ("code_generation", "writing", "planning"))
    assert code.mean[0] > code.mean[1] + 0.2
    assert text.mean[1] > text.mean[0] + 0.2
    assert abs(other.mean[0] - other.mean[1]) < 0.1
    assert other.deviation[0] > code.deviation[0]


def test_words_tell_whom_a_prompt_suits_where_the_class_does_not() -> None:
    """Two kinds of prompt of one class, one for each model."""
    learner, hasher = QualityLearner(), Hasher()
    random = np.random.default_rng(3)
    kinds = {
        "verse": "write a verse about the sea and the wind",
        "ledger": "balance the ledger of this month",
    }
    for _ in range(400):
        for kind, text in kinds.items():
            prompt = Prompt("writing", hasher.words(f"{text} {random.integers(1000)}"))
            for model, loves in (("poet", "verse"), ("clerk", "ledger")):
                learner.learn(model, prompt, float(random.random() < (0.9 if loves == kind else 0.4)))
    columns = learner.columns(["poet", "clerk"])
    verse, ledger = (
        learner.believe(Prompt("writing", hasher.words(text))).mean[columns] for text in kinds.values()
    )
    assert verse[0] > verse[1] + 0.15
    assert ledger[1] > ledger[0] + 0.15
    assert learner.trust > 0.5


def test_words_that_foretell_nothing_are_not_trusted() -> None:
    """Scores by chance: the weight of the words goes down."""
    learner, hasher = QualityLearner(), Hasher()
    random = np.random.default_rng(4)
    vocabulary = [f"word{'abcdefghij'[i % 10]}{'klmnopqrst'[i // 10]}" for i in range(100)]
    for _ in range(800):
        text = " ".join(random.choice(vocabulary, 12))
        learner.learn("a", Prompt("writing", hasher.words(text)), float(random.random() < 0.5))
    assert learner.trust < 0.3


def test_what_is_hard_for_all_is_not_held_against_who_was_asked() -> None:
    """One model gets the hard class only and still is known to be as good."""
    learner = QualityLearner()
    random = np.random.default_rng(5)
    for _ in range(300):
        learner.learn("a", plain("easy"), float(random.random() < 0.9))
        learner.learn("b", plain("easy"), float(random.random() < 0.9))
        learner.learn("b", plain("hard"), float(random.random() < 0.2))
    belief = learner.believe(plain("another"))
    assert abs(belief.mean[0] - belief.mean[1]) < 0.08
    assert learner.hardness(plain("hard")) < learner.hardness(plain("easy")) - 0.4


def test_a_model_that_grows_worse_in_silence_is_noticed() -> None:
    """Most of what was known of it is forgotten, and it is believed worse soon."""
    learner = QualityLearner()
    random = np.random.default_rng(6)
    for _ in range(600):
        learner.learn("a", plain(), float(random.random() < 0.9))
        learner.learn("b", plain(), float(random.random() < 0.7))
    changed = [learner.learn("a", plain(), float(random.random() < 0.3)) for _ in range(60)]
    belief = learner.believe(plain())
    assert changed.count(True) == 1
    assert belief.mean[0] < belief.mean[1]


def test_a_model_that_stays_as_it_is_sets_nothing_off() -> None:
    """Twenty thousand outcomes without a change."""
    learner = QualityLearner()
    random = np.random.default_rng(7)
    assert not any(learner.learn("a", plain(), float(random.random() < 0.7)) for _ in range(20_000))


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from(["x", "y"]),
            st.floats(0, 1),
            st.floats(0.05, 1),
            st.text(max_size=40),
        ),
        max_size=60,
    )
)
def test_whatever_comes_beliefs_stay_finite(outcomes: list[tuple[str, str, float, float, str]]) -> None:
    """Means near the scale of scores, deviations above 0 and within that scale."""
    learner, hasher = QualityLearner(), Hasher()
    learner.columns(list("abc"))
    for model, task, score, weight, text in outcomes:
        learner.learn(model, Prompt(task, hasher.words(text)), score, weight)
        belief = learner.believe(Prompt(task, hasher.words(text)))
        assert np.all(np.isfinite(belief.mean))
        assert np.all(np.abs(belief.mean) < 3)
        assert np.all((belief.deviation > 0) & (belief.deviation < 1))


def test_amounts_follow_model_task_and_length() -> None:
    """Within a few per cent after some hundred answers; a model never met has none."""
    learner = AmountLearner()
    random = np.random.default_rng(8)
    for _ in range(600):
        length = float(random.integers(50, 2_000))
        for model, rate in (("small", 0.001), ("large", 0.02)):
            for task, factor in (("writing", 2.0), ("extraction", 0.5)):
                learner.learn(model, task, length, rate * factor * length * float(random.uniform(0.8, 1.2)))
    found = learner.expect(["large", "small", "unknown"], "writing", 1_000.0)
    assert found[0] == pytest.approx(0.02 * 2.0 * 1_000, rel=0.15)
    assert found[1] == pytest.approx(0.001 * 2.0 * 1_000, rel=0.15)
    assert np.isnan(found[2])


def test_a_free_model_is_expected_to_stay_free() -> None:
    """No division by an amount of nothing."""
    learner = AmountLearner()
    for _ in range(5):
        learner.learn("local", "writing", 100.0, 0.0)
        learner.learn("paid", "writing", 0.0, 1.0)
    assert learner.expect(["local", "paid"], "writing", 100.0).tolist() == pytest.approx([0.0, 1.0])


def test_what_is_drawn_is_chosen_as_often_as_it_says() -> None:
    """Probabilities add up to 1, hold the floor, and the picks keep to them."""
    draws = Draws(1)
    found = draws.probabilities(
        np.array([0.5, 0.45, 0.1]), np.array([0.1, 0.1, 0.01]), np.full(3, 100.0), floor=0.03
    )
    assert found.sum() == pytest.approx(1.0)
    assert found.min() >= 0.01 - 1e-12
    assert found[0] > found[1] > found[2]
    picks = np.bincount([draws.pick(found) for _ in range(20_000)], minlength=3) / 20_000
    assert picks == pytest.approx(found, abs=0.02)


def test_who_is_sure_does_not_try_others() -> None:
    """Without doubt, and without a floor, the best is chosen always."""
    found = Draws(2).probabilities(np.array([0.2, 0.9]), np.array([1e-9, 1e-9]), np.zeros(2))
    assert found.tolist() == [0.0, 1.0]


def test_of_whom_little_was_seen_is_tried_more_often() -> None:
    """The same belief, once after two outcomes and once after many."""
    mean, deviation = np.array([0.7, 0.5]), np.array([0.03, 0.15])
    few, many = (Draws(3).probabilities(mean, deviation, np.array([100.0, seen])) for seen in (2.0, 100.0))
    assert few[1] > many[1]


@given(st.floats(0, 1), st.floats(0, 500), st.lists(st.floats(0, 1), min_size=1, max_size=300))
def test_no_more_is_tried_than_allowed(share: float, ahead: float, wishes: list[float]) -> None:
    """Whatever is wished, at no time is more given elsewhere than the burst and the share of requests."""
    allowance = Allowance(share, ahead)
    spent = 0.0
    for done, wish in enumerate(wishes, 1):
        allowance.refill()
        held = allowance.hold(np.array([1.0 - wish, wish]), 0)
        assert held.sum() == pytest.approx(1.0)
        spent += float(held[1])
        assert spent <= share * (ahead + done) + 1e-9
