"""What the router knows from outcomes, and the decisions whose outcome has yet to come.

An outcome may come late, from another process, or never. So a decision is kept, bounded, until somebody says
what it was worth; what is said is a `Lesson`, which holds all that any process needs to learn the same, and
nothing of the prompt's text.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from interlock_core.errors import InvalidRequestError
from interlock_router.learning._draws import Allowance
from interlock_router.learning._quality import Prompt, Quality, QualityLearner
from interlock_router.learning._words import DIMENSIONS, Hasher

_WAITING: Final = 50_000
_AHEAD: Final = 50.0
_STORED: Final = np.dtype("<u2")


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one answer was worth.

    Attributes:
        model: `provider/model` that answered.
        task: Class of the task.
        words: The prompt's words, hashed, two bytes each, lowest byte first.
        score: 0 to 1.
        weight: How much it counts, above 0 and at most 1.
    """

    model: str
    task: str
    words: bytes
    score: float
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be learned.

        Raises:
            InvalidRequestError: A number is out of its bounds, or the words are none.
        """
        if not 0.0 <= self.score <= 1.0:
            raise InvalidRequestError(
                f"The score {self.score:g} is not from 0 to 1.", field="score", remedy="Send 0, 1 or between."
            )
        if not 0.0 < self.weight <= 1.0:
            raise InvalidRequestError(
                f"The weight {self.weight:g} is not above 0 and at most 1.",
                field="weight",
                remedy="Give 1 for a full outcome.",
            )
        if len(self.words) % 2:
            raise InvalidRequestError("Words are two bytes each.", field="words")

    def prompt(self) -> Prompt:
        """What was asked, as far as it is learned from."""
        words = np.frombuffer(self.words, dtype=_STORED).astype(np.intp)
        return Prompt(self.task, words[words < DIMENSIONS])


class Experience:
    """Learns from lessons, and makes them of decisions and their outcomes.

    Args:
        seed: Of what is left to chance while learning.
        waiting: How many decisions are kept until their outcome comes; the oldest are let go.
    """

    def __init__(self, *, seed: int = 0, waiting: int = _WAITING) -> None:
        self._quality = QualityLearner(seed)
        self._hasher = Hasher()
        self._most = waiting
        self._waiting: OrderedDict[str, tuple[str, Prompt]] = OrderedDict()
        self._allowances: dict[str, Allowance] = {}

    @property
    def lessons(self) -> float:
        """How many outcomes were learned, by weight."""
        return self._quality.outcomes

    @property
    def waiting(self) -> int:
        """How many decisions have no outcome yet."""
        return len(self._waiting)

    def prompt(self, text: str, task: str) -> Prompt:
        """What is learned about a prompt."""
        return Prompt(task, self._hasher.words(text))

    def believe(self, models: Sequence[str], priors: Sequence[float], prompt: Prompt) -> Quality:
        """What is believed of models' answers to a prompt.

        Args:
            models: The models.
            priors: Expected score of each before any outcome; heeded when a model is met first.
            prompt: What is asked.
        """
        columns = self._quality.columns(models, priors)
        belief = self._quality.believe(prompt)
        return Quality(belief.mean[columns], belief.deviation[columns], belief.seen[columns])

    def hardness(self, prompt: Prompt) -> float:
        """What a prompt adds to every model's score, below 0 for a hard one."""
        return self._quality.hardness(prompt)

    def allowance(self, policy: str, share: float) -> Allowance:
        """How much a policy may still spend on finding out.

        It is refilled by lessons and not by requests: where nobody says what answers were worth, nothing is
        learned by trying, and so nothing is tried.
        """
        found = self._allowances.get(policy)
        if found is None or found.share != share:
            found = self._allowances[policy] = Allowance(share, _AHEAD)
        return found

    def decided(self, run: str, model: str, prompt: Prompt) -> None:
        """Keep a decision until its outcome comes."""
        self._waiting[run] = (model, prompt)
        self._waiting.move_to_end(run)
        while len(self._waiting) > self._most:
            self._waiting.popitem(last=False)

    def judged(self, run: str, score: float, weight: float = 1.0) -> Lesson | None:
        """The lesson of a decision whose outcome has come; it is not learned yet.

        Returns:
            None when the decision is not kept here: another process made it, or it is too old, or was judged.

        Raises:
            InvalidRequestError: The score or the weight is out of its bounds; the decision is kept.
        """
        found = self._waiting.get(run)
        if found is None:
            return None
        model, prompt = found
        lesson = Lesson(model, prompt.task, prompt.words.astype(_STORED).tobytes(), score, weight)
        del self._waiting[run]
        return lesson

    def learn(self, lesson: Lesson) -> bool:
        """Learn a lesson of this process or another.

        Returns:
            Whether the model was found to have changed.
        """
        for allowance in self._allowances.values():
            allowance.refill()
        return self._quality.learn(lesson.model, lesson.prompt(), lesson.score, lesson.weight)

    def to_bytes(self) -> bytes:
        """Everything that was learned, to be kept; what waits is not in it."""
        return self._quality.to_bytes()

    @classmethod
    def from_bytes(cls, kept: bytes, *, seed: int = 0) -> "Experience":
        """What was learned before.

        Raises:
            InvalidRequestError: It is not what `to_bytes` made.
        """
        made = cls(seed=seed)
        made._quality = QualityLearner.from_bytes(kept, seed)
        return made
