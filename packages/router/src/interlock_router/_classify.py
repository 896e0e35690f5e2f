"""Step one: what kind of task is this? Words and shapes only, no model, tens of microseconds.

The caller's own word for the task always wins; this is for the requests that come without one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from interlock_core import Message
from interlock_router._cues import TASKS
from interlock_router._features import features
from interlock_router._own_tasks import OwnTasks
from interlock_router._task_model import TaskModel, shipped, softmax

_SYSTEM_HEAD: Final = 400
_FOLLOWS_UP: Final = 40
_UNSURE: Final = 0.5
_EVEN: Final = 0.5
_CLASSES: Final = len(TASKS)


@dataclass(frozen=True, slots=True)
class Classified:
    """The class of a request's task.

    Attributes:
        task: One of `TASKS`, one of the user's own classes, or the caller's own word.
        confidence: How sure that is, 0 to 1; 1 when the caller said it.
        difficulty: How seldom models answered prompts of such words rightly in public tables of outcomes,
            0 to 1. A hint: see `docs/routing.md` for what it is worth.
    """

    task: str
    confidence: float
    difficulty: float = _EVEN


class Classifier:
    """Names the class of a task from its words.

    Only a bounded head and tail of the last user message is read, and the head of the system message at
    half weight, so that time does not grow with a pasted document. A short message that says little by
    itself (“and the second one?”) is read together with the user message before it.
    """

    __slots__ = ("_model", "_own")

    def __init__(self, *, own: Mapping[str, Sequence[str]] | None = None) -> None:
        """A classifier, with classes of one's own by name, each with examples of its prompts.

        Args:
            own: An example or more a class; ten serve well. A prompt that is like them takes their class
                before any of `TASKS`.

        Raises:
            ValueError: A class of one's own has no name, or no example with a word in it.
        """
        self._model: TaskModel | None = shipped() if own else None
        self._own = OwnTasks(own, self._model or ()) if own else None

    def classify(self, messages: Sequence[Message], *, task: str | None = None) -> Classified:
        """The class of what the last user message asks for.

        Args:
            messages: The conversation.
            task: The caller's own word; it is taken as it is.
        """
        said = [message.text for message in messages if message.role == "user"]
        rules = next((message.text for message in messages if message.role == "system"), "")
        found = self.text(
            said[-1] if said else "", system=rules, before=said[-2] if len(said) > 1 else "", own=not task
        )
        return Classified(task, 1.0, found.difficulty) if task else found

    def text(self, prompt: str, *, system: str = "", before: str = "", own: bool = True) -> Classified:
        """The class of one prompt, under a system message and after another prompt."""
        model = self._model
        if model is None:
            model = self._model = shipped()
        seen = features(prompt)
        likened = self._own.nearest(seen) if self._own and own else None
        scores = model.scores(seen)
        difficulty = 1 / (1 + math.exp(-scores.pop()))
        if likened:
            return Classified(*likened, difficulty)
        if system:
            scores = _joined(scores, model.scores(features(system[:_SYSTEM_HEAD])), 0.5)
        chances = softmax(scores)
        if before and len(prompt) <= _FOLLOWS_UP and max(chances) < _UNSURE:
            chances = softmax(_joined(scores, model.scores(features(before)), 1.0))
        best = max(range(_CLASSES), key=chances.__getitem__)
        return Classified(TASKS[best], chances[best], difficulty)


def _joined(scores: Sequence[float], others: Sequence[float], part: float) -> list[float]:
    """The scores, and a part of the others."""
    return [score + part * other for score, other in zip(scores, others[:_CLASSES], strict=True)]
