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


def recalls(half: str) -> dict[str, float]:
    """For each class, the part of its prompts that the classifier gets right."""
    classifier = Classifier()
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for row in ROWS:
        if row["half"] == half:
            total[row["task"]] += 1
            right[row["task"]] += classifier.text(row["prompt"]).task == row["task"]
    return {task: right[task] / total[task] for task in TASKS}


@pytest.mark.promise("R1")
@pytest.mark.parametrize("half", ["dev", "held_out"])
def test_the_labelled_prompts_are_classified(half: str) -> None:
    """Macro recall of at least 0.90 on either half (0.94 and 0.95 when written), no class below 0.75."""
    found = recalls(half)
    assert sum(found.values()) / len(found) >= 0.90
    assert min(found.values()) >= 0.75


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
