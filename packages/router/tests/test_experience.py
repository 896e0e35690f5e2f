"""What the router knows from outcomes: decisions that wait, lessons, and what is kept between two starts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core.errors import InvalidRequestError
from interlock_router.learning import Experience, Lesson

MODELS = ("a/one", "b/two")
PRIORS = (0.6, 0.6)
TEXTS = ("Write a verse about the sea.", "Balance the ledger of May.", "Add 17 and 4.")


def taught(lessons: int, seed: int = 0) -> Experience:
    """An experience of so many lessons in which the second model is the better one."""
    random = np.random.default_rng(seed)
    made = Experience()
    made.believe(MODELS, PRIORS, made.prompt("", "writing"))
    for number in range(lessons):
        prompt = made.prompt(TEXTS[number % 3], ("writing", "analysis")[number % 2])
        model = MODELS[int(random.integers(2))]
        made.decided(str(number), model, prompt)
        lesson = made.judged(str(number), float(random.random() < (0.9 if model == "b/two" else 0.4)))
        assert lesson is not None
        made.learn(lesson)
    return made


WHOLE = taught(3).to_bytes()


def test_a_decision_becomes_a_lesson_once() -> None:
    """When its outcome comes; a second outcome, or one of nobody's decision, is none."""
    made = Experience()
    made.decided("run", "a/one", made.prompt("Add 17 and 4.", "mathematics"))
    assert made.waiting == 1
    lesson = made.judged("run", 1.0)
    assert lesson is not None
    assert (lesson.model, lesson.task, lesson.score, lesson.weight) == ("a/one", "mathematics", 1.0, 1.0)
    assert made.judged("run", 0.0) is None
    assert made.judged("another", 0.0) is None
    assert (made.waiting, made.lessons) == (0, 0)
    made.learn(lesson)
    assert made.lessons == 1


def test_a_lesson_holds_no_word_of_the_prompt() -> None:
    """Only numbers of words."""
    made = Experience()
    made.decided("run", "a/one", made.prompt("The password is swordfish.", "conversation"))
    assert "swordfish" not in repr(made.judged("run", 1.0))


def test_the_oldest_decisions_are_let_go() -> None:
    """No more wait than are kept."""
    made = Experience(waiting=3)
    for number in range(5):
        made.decided(str(number), "a/one", made.prompt("x", "writing"))
    assert made.waiting == 3
    assert made.judged("1", 1.0) is None
    assert made.judged("4", 1.0) is not None


def test_two_processes_that_learn_the_same_lessons_believe_the_same() -> None:
    """What one was told, the other learns from the lesson alone."""
    one, other = Experience(), Experience()
    for each in (one, other):
        each.believe(MODELS, PRIORS, each.prompt("", "writing"))
    random = np.random.default_rng(1)
    for number in range(200):
        one.decided(str(number), MODELS[number % 2], one.prompt(TEXTS[number % 3], "writing"))
        lesson = one.judged(str(number), float(random.random()))
        assert lesson is not None
        one.learn(lesson)
        other.learn(lesson)
    for text in TEXTS:
        prompt = one.prompt(text, "writing")
        assert one.believe(MODELS, PRIORS, prompt).mean == pytest.approx(
            other.believe(MODELS, PRIORS, prompt).mean
        )


def test_what_was_learned_is_the_same_after_a_start() -> None:
    """Beliefs, and how they go on."""
    made = taught(300)
    again = Experience.from_bytes(made.to_bytes())
    prompt = made.prompt(TEXTS[0], "writing")
    before, after = (each.believe(MODELS, PRIORS, prompt) for each in (made, again))
    assert after.mean == pytest.approx(before.mean)
    assert after.deviation == pytest.approx(before.deviation)
    assert again.lessons == made.lessons
    assert again.hardness(prompt) == pytest.approx(made.hardness(prompt), abs=1e-6)
    lesson = Lesson("b/two", "writing", prompt.words.astype("<u2").tobytes(), 0.0)
    for each in (made, again):
        each.learn(lesson)
    assert again.believe(MODELS, PRIORS, prompt).mean == pytest.approx(
        made.believe(MODELS, PRIORS, prompt).mean, abs=0.01
    )


def test_nothing_learned_is_kept_as_well() -> None:
    """An experience without lessons comes back empty."""
    again = Experience.from_bytes(Experience().to_bytes())
    assert again.lessons == 0
    assert again.believe(MODELS, (0.9, 0.3), again.prompt("x", "writing")).mean.tolist() == pytest.approx(
        [0.9, 0.3]
    )


@given(st.binary(max_size=300) | st.integers(0, 100_000))
def test_what_is_no_experience_is_refused(kept: bytes | int) -> None:
    """Any bytes, and an experience of which one byte was changed; it says how to go on."""
    if isinstance(kept, int):
        whole = bytearray(WHOLE)
        whole[kept % len(whole)] ^= 0xFF
        kept = bytes(whole)
    with pytest.raises(InvalidRequestError) as caught:
        Experience.from_bytes(kept)
    assert caught.value.remedy


def test_where_nobody_judges_nothing_is_tried_for_long() -> None:
    """The allowance is refilled by lessons, not by requests."""
    made = Experience()
    allowance = made.allowance("default", 0.2)
    tried = sum(1.0 - float(allowance.hold(np.array([0.5, 0.5]), 0)[0]) for _ in range(5_000))
    assert tried == pytest.approx(10)
    made.learn(Lesson("a/one", "writing", b"", 1.0))
    assert made.allowance("default", 0.2).hold(np.array([0.5, 0.5]), 0)[1] == pytest.approx(0.2)
    assert made.allowance("default", 0.0).hold(np.array([0.5, 0.5]), 0).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("score", "weight", "words", "field"),
    [
        (1.5, 1.0, b"", "score"),
        (float("nan"), 1.0, b"", "score"),
        (1.0, 0.0, b"", "weight"),
        (1.0, 2.0, b"", "weight"),
        (1.0, 1.0, b"x", "words"),
    ],
)
def test_a_lesson_that_cannot_be_learned_is_refused(
    score: float, weight: float, words: bytes, field: str
) -> None:
    """By its field."""
    with pytest.raises(InvalidRequestError) as caught:
        Lesson("a/one", "writing", words, score, weight)
    assert caught.value.field == field


def test_a_wrong_score_leaves_the_decision_waiting() -> None:
    """It can be judged again, rightly."""
    made = Experience()
    made.decided("run", "a/one", made.prompt("x", "writing"))
    with pytest.raises(InvalidRequestError):
        made.judged("run", 7.0)
    assert made.judged("run", 0.7) is not None
