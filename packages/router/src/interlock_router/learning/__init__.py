"""What the router learns from outcomes: how good each model is at what, and what it takes."""

from interlock_router.learning._amounts import AmountLearner
from interlock_router.learning._choosing import Exploring
from interlock_router.learning._draws import Allowance, Draws
from interlock_router.learning._experience import Experience, Lesson
from interlock_router.learning._quality import NEUTRAL, Prompt, Quality, QualityLearner
from interlock_router.learning._words import Hasher, Reals, Words

__all__ = [
    "NEUTRAL",
    "Allowance",
    "AmountLearner",
    "Draws",
    "Experience",
    "Exploring",
    "Hasher",
    "Lesson",
    "Prompt",
    "Quality",
    "QualityLearner",
    "Reals",
    "Words",
]
