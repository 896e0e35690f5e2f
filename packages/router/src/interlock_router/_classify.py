"""Step one: what kind of task is this? Words and shapes only, no model, tens of microseconds.

The caller's own word for the task always wins; this is for the requests that come without one.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from interlock_core import Message
from interlock_router import _cues
from interlock_router._cues import TASKS

_HEAD: Final = 1_000
_TAIL: Final = 400
_SYSTEM_HEAD: Final = 400
_OPENING: Final = 10
_SHARPNESS: Final = 0.75
_NUMBER: Final = re.compile(r"\d[\d.,]*")
_LETTERS: Final = str.maketrans(
    {code: " " for code in range(128) if not chr(code).isalpha() and chr(code) not in "'-"}
    | dict.fromkeys(range(0xA1, 0xC0), " ")
    | dict.fromkeys(range(0x2010, 0x2070), " ")
    | dict.fromkeys(range(0x3000, 0x3020), " ")
    | {0x2019: "'"}
)


@dataclass(frozen=True, slots=True)
class Classified:
    """The class of a request's task.

    Attributes:
        task: One of `TASKS`, or the caller's own word.
        confidence: How sure that is, 0 to 1; 1 when the caller said it.
    """

    task: str
    confidence: float


class Classifier:
    """Names the class of a task from its words.

    Only a bounded head and tail of the last user message is read, and the head of the system message at
    half weight, so that time does not grow with a pasted document.
    """

    __slots__ = ("_leads", "_weights")

    def __init__(self) -> None:
        self._weights = _cues.word_weights()
        self._leads = frozenset(cue.partition(" ")[0] for cue in self._weights if " " in cue)

    def classify(self, messages: Sequence[Message], *, task: str | None = None) -> Classified:
        """The class of what the last user message asks for.

        Args:
            messages: The conversation.
            task: The caller's own word; it is taken as it is.
        """
        if task:
            return Classified(task, 1.0)
        said = next((message.text for message in reversed(messages) if message.role == "user"), "")
        rules = next((message.text for message in messages if message.role == "system"), "")
        return self.text(said, system=rules)

    def text(self, prompt: str, *, system: str = "") -> Classified:
        """The class of one prompt."""
        scores = self.scores(prompt)
        if system:
            for index, value in enumerate(self._lexical(_words(system[:_SYSTEM_HEAD]))):
                scores[index] += value / 2
        best = max(range(len(scores)), key=scores.__getitem__)
        top = scores[best]
        total = sum(math.exp((score - top) * _SHARPNESS) for score in scores)
        return Classified(TASKS[best], 1 / total)

    def scores(self, prompt: str) -> list[float]:
        """The evidence for each of `TASKS`, in their order."""
        short = prompt if len(prompt) <= _HEAD + _TAIL else f"{prompt[:_HEAD]}\n{prompt[-_TAIL:]}"
        text = f"\n{short.rstrip()}"
        words = _words(text)
        scores = self._lexical(words)
        _add_shapes(scores, text, words)
        return scores

    def _lexical(self, words: list[str]) -> list[float]:
        scores = [0.0] * len(TASKS)
        weights = self._weights
        opening = frozenset(words[:_OPENING])
        leads = self._leads
        cues = set(words)
        cues.update([f"{first} {second}" for first, second in pairwise(words) if first in leads])
        for cue in cues & weights.keys():
            boost = 1.5 if cue.partition(" ")[0] in opening else 1.0
            for task, weight in weights[cue]:
                scores[task] += weight * boost
        return scores


def _words(text: str) -> list[str]:
    return text.lower().translate(_LETTERS).split()


def _any(marks: Sequence[str], text: str) -> bool:
    return True in [mark in text for mark in marks]


def _add_shapes(scores: list[float], text: str, words: list[str]) -> None:
    marks = 0
    if "\n" in text[1:] or _cues.MAYBE_CODE.search(text):
        marks = sum([mark in text for mark in _cues.CODE_MARKS])
    if marks:
        _add_code(scores, text, min(1.0, marks / 3))
    elif not scores[_cues.CODE_GENERATION]:
        scores[_cues.CODE_REVIEW] *= 0.5
    if _any(_cues.FAULT_MARKS, text):
        scores[_cues.DEBUGGING] += 4.0
    if not text.isascii() and _cues.FOREIGN.search(text):
        scores[_cues.TRANSLATION] += 1.5
    _add_numbers(scores, text)
    _add_manner(scores, text, words)


def _add_code(scores: list[float], text: str, weight: float) -> None:
    for task in (_cues.CODE_GENERATION, _cues.CODE_REVIEW, _cues.DEBUGGING):
        scores[task] += 2.5 * weight
    if _any(_cues.DIFF_MARKS, text):
        scores[_cues.CODE_REVIEW] += 2.0
    if text.startswith(_cues.CODE_OPENINGS):
        scores[_cues.CODE_GENERATION] += 4.0
    for task in (_cues.ANALYSIS, _cues.MATHEMATICS, _cues.WRITING, _cues.CONVERSATION, _cues.PLANNING):
        scores[task] *= 1 - 0.5 * weight


def _add_numbers(scores: list[float], text: str) -> None:
    if _any(_cues.FORMULA_MARKS, text) or _cues.FORMULA.search(text):
        scores[_cues.MATHEMATICS] += 2.5
    asked = "?" in text
    if asked:
        numbers = len(_NUMBER.findall(text))
        if numbers >= 2:
            scores[_cues.MATHEMATICS] += min(2.0, 0.5 * numbers)
    for mark in _cues.CHOICE_MARKS:
        if mark in text and mark.replace("B", "C") in text:
            scores[_cues.QUESTION_ANSWERING] += 3.0
            break


def _add_manner(scores: list[float], text: str, words: list[str]) -> None:
    count = len(words)
    if _any(_cues.EMOTE_MARKS, text):
        scores[_cues.CONVERSATION] += 1.5
    if count <= 4:
        scores[_cues.CONVERSATION] += 2.0
    elif count <= 12:
        scores[_cues.CONVERSATION] += 0.5
    else:
        scores[_cues.CONVERSATION] *= max(0.2, 1.3 - count / 40)
    if words and words[0] in _cues.ASKING:
        scores[_cues.QUESTION_ANSWERING] += 2.0 if count <= 30 else 1.0
    if text.endswith("?"):
        scores[_cues.QUESTION_ANSWERING] += 1.0
