"""The classifier names tasks well enough, and its limits are kept."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core.messages import assistant, system, user
from interlock_router import TASKS, Classifier

DATA = Path(__file__).parent / "data" / "tasks.jsonl"
ROWS = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]


LATER = [json.loads(line) for line in DATA.with_name("fresh.jsonl").read_text(encoding="utf-8").splitlines()]


def recalls(rows: list[dict[str, str]]) -> dict[str, float]:
    """For each class, the part of its prompts that the classifier gets right."""
    classifier = Classifier()
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for row in rows:
        total[row["task"]] += 1
        right[row["task"]] += classifier.text(row["prompt"]).task == row["task"]
    return {task: right[task] / total[task] for task in TASKS}


@pytest.mark.promise("R1")
@pytest.mark.parametrize("half", ["dev", "held_out"])
def test_the_labelled_prompts_are_classified(half: str) -> None:
    """Macro recall of at least 0.90 on either half (1.00 and 0.99 when fitted), no class below 0.75."""
    found = recalls([row for row in ROWS if row["half"] == half])
    assert sum(found.values()) / len(found) >= 0.90
    assert min(found.values()) >= 0.75


@pytest.mark.promise("R1")
def test_prompts_that_nothing_was_chosen_by_are_classified() -> None:
    """Two of three at least (0.69 when fitted): harder ones, written later."""
    found = recalls(LATER)
    assert sum(found.values()) / len(found) >= 0.66


def test_every_class_has_prompts_in_both_halves() -> None:
    """Twelve each, or the figures would not mean what they say."""
    counts = Counter((row["task"], row["half"]) for row in ROWS)
    assert counts == Counter({(task, half): 12 for task in TASKS for half in ("dev", "held_out")})


@pytest.mark.promise("R1")
def test_the_callers_own_word_wins() -> None:
    """Whatever the prompt says."""
    found = Classifier().classify((user("Translate this into French."),), task="invoices")
    assert (found.task, found.confidence) == ("invoices", 1.0)


def test_the_last_user_message_counts() -> None:
    """What was talked about before does not."""
    said = (user("hello"), assistant("hi"), user("Translate this sentence into French: good day"))
    assert Classifier().classify(said).task == "translation"


def test_the_system_message_helps_where_the_user_says_little() -> None:
    """An application often puts its task there."""
    said = (system("Translate everything the user writes into German."), user("the meeting is postponed"))
    assert Classifier().classify(said).task == "translation"


def test_a_conversation_without_words_is_a_conversation() -> None:
    """An image alone, say."""
    assert Classifier().classify(()).task == "conversation"


def test_a_long_paste_does_not_drown_the_request_before_it() -> None:
    """The head and the tail are read, however long the middle is."""
    text = "Summarise the following report in three sentences.\n" + "def f(): return error\n" * 20_000
    found = Classifier().text(text[:50] + "filler words " * 20_000 + "\nSummarise it.")
    assert found.task == "summarisation"


@given(st.text(max_size=3_000))
def test_any_text_has_a_class_and_a_confidence(text: str) -> None:
    """Nothing that can be typed breaks it."""
    found = Classifier().text(text)
    assert found.task in TASKS
    assert 1 / len(TASKS) - 1e-9 <= found.confidence <= 1.0


INVOICES = (
    "Book this invoice from Contoso under the cost centre marketing.",
    "Which ledger account does the invoice from Adventure Works belong to?",
    "Post the attached supplier invoice and split the VAT.",
    "The invoice of 3 May is a duplicate, reverse the posting.",
    "Match the supplier invoice with purchase order 4711.",
)


@pytest.mark.promise("R1")
def test_classes_of_ones_own_are_known_by_their_examples() -> None:
    """What is like them takes their class, what is not keeps one of the twelve."""
    classifier = Classifier(own={"invoices": INVOICES})
    assert classifier.text("Post the invoice from Fabrikam to the cost centre sales.").task == "invoices"
    assert classifier.text("Translate this sentence into French: good day").task == "translation"
    assert classifier.text("Write a Python function that reverses a string.").task == "code_generation"


def test_the_nearest_of_several_own_classes_is_taken() -> None:
    """Each is likened with the prompt."""
    leave = (
        "How many days of holiday do I have left?",
        "I want to take leave in August.",
        "Cancel my leave.",
    )
    classifier = Classifier(own={"invoices": INVOICES, "leave": leave})
    assert classifier.text("Please cancel my holiday in August.").task == "leave"


@pytest.mark.parametrize("own", [{"": ("a prompt",)}, {"empty": ()}, {"blank": ("", "  ")}])
def test_a_class_of_ones_own_needs_a_name_and_words(own: dict[str, tuple[str, ...]]) -> None:
    """Or nothing could be known by it."""
    with pytest.raises(ValueError, match="needs a name and examples"):
        Classifier(own=own)


def test_a_short_message_that_says_little_is_read_with_the_one_before_it() -> None:
    """It may be any question alone, and is more of the same after a request."""
    last = user("and the second one?")
    before = user("Summarise the following article in three sentences.")
    alone = Classifier().classify((last,))
    assert alone.task != "summarisation"
    assert Classifier().classify((before, assistant("Sales rose."), last)).task == "summarisation"


@pytest.mark.promise("R1")
def test_difficulty_tells_sums_for_children_from_olympiads() -> None:
    """What models fail more often in public tables of outcomes is told to be harder."""
    easy = Classifier().text("Tom has 3 apples and buys 4 more. How many apples does he have?")
    hard = Classifier().text(
        "Let $p$ be a prime and $G$ a group of order $p^3$. Find the number of conjugacy classes of $G$ and "
        "$\\int_0^\\infty \\frac{\\sin x}{x^p} dx$ in terms of $\\Gamma$."
    )
    assert 0 <= easy.difficulty < hard.difficulty <= 1
