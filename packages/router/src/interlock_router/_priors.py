"""What is said elsewhere of the quality of well-known models: where scoring starts before any outcome.

One published aggregate of many benchmarks on one scale, 0 to 100, read on `AS_OF`; each row names its
page below `SOURCE`. A model that no row fits starts from the mean of the table. These are starting
points, not verdicts: outcomes of one's own calls take their place.
"""

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

SOURCE: Final = "https://raw.githubusercontent.com/jakemanger/whatmodel/main/pages/model/"
"""Where the pages of the rows stand, each as `<page>.md`."""

AS_OF: Final = date(2026, 11, 22)
"""The day on which the pages were read."""

_SHIFT: Final = 0.1
_SIZES: Final = frozenset(
    (
        "mini",
        "nano",
        "lite",
        "flash",
        "small",
        "medium",
        "large",
        "tiny",
        "micro",
        "pro",
        "max",
        "turbo",
        "base",
    )
)
_VERSION: Final = re.compile(r"\d{1,2}")
_PARAMETERS: Final = re.compile(r"\d+[bm]")
_SEPARATORS: Final = str.maketrans("._:@ ", "-----")


@dataclass(frozen=True, slots=True)
class Published:
    """One row.

    Attributes:
        family: How the names of its models begin, lower case, with hyphens for dots.
        page: Name of the page that says so.
        score: Its score, 0 to 100.
        coding: Part of the other models that it beats at code, 0 to 1; None when not ranked.
        chat: The same for chat and writing.
        math: The same for mathematics.
    """

    family: str
    page: str
    score: float
    coding: float | None
    chat: float | None
    math: float | None

    def quality(self, task: str) -> float:
        """Expected quality at a class of task, 0 to 1: the score, shifted by at most 0.1 by the ranks."""
        ranks = [rank for rank in (self.coding, self.chat, self.math) if rank is not None]
        rank = {"code": self.coding, "text": self.chat, "math": self.math}.get(_FIELD.get(task, ""))
        shift = 0.0 if rank is None else _SHIFT * (rank - sum(ranks) / len(ranks))
        return min(1.0, max(0.0, self.score / 100 + shift))


_FIELD: Final = {
    "code_generation": "code",
    "code_review": "code",
    "debugging": "code",
    "mathematics": "math",
    "writing": "text",
    "conversation": "text",
    "summarisation": "text",
    "translation": "text",
}

# smollm2-135m has no page of its own: its larger sibling's score bounds it from above.
_ROWS: Final[tuple[tuple[str, str, float, float | None, float | None, float | None], ...]] = (
    ("gpt-6-astra", "gpt-6-astra", 84.8, 1.00, 0.93, 1.00),
    ("gpt-6-1-sol", "gpt-6-1-sol", 83.0, 0.99, 0.95, 1.00),
    ("gpt-6-1-terra", "gpt-6-1-terra", 83.5, 0.97, None, 0.99),
    ("gpt-6-sol", "gpt-6-sol", 80.1, 0.98, 0.89, 0.99),
    ("gpt-6-luna", "gpt-6-luna", 75.1, 0.92, 0.84, 0.96),
    ("gpt-5-6-luna", "gpt-5-6-luna", 75.0, 0.90, 0.87, 0.96),
    ("gpt-5-4-mini", "gpt-5-4-mini", 70.1, 0.80, 0.86, 0.86),
    ("gpt-5-4-nano", "gpt-5-4-nano", 67.7, 0.81, 0.72, 0.85),
    ("gpt-5-mini", "gpt-5-mini", 66.7, 0.75, 0.68, 0.85),
    ("gpt-5-nano", "gpt-5-nano", 61.5, None, 0.55, 0.68),
    ("o4-mini", "o4-mini", 65.7, 0.81, 0.70, 0.81),
    ("gpt-4-1-mini", "gpt-4-1-mini", 60.2, 0.61, 0.67, 0.58),
    ("gpt-4o", "gpt-4o-2024-05-13", 57.8, 0.59, 0.56, 0.40),
    ("gpt-4o-mini", "gpt-4o-mini-2024-07-18", 54.0, 0.53, 0.48, 0.40),
    ("gpt-4", "gpt-4-0314", 53.8, 0.53, 0.36, 0.26),
    ("gpt-oss-120b", "gpt-oss-120b", 61.5, 0.65, 0.59, 0.74),
    ("claude-opus-5-5", "claude-opus-5-5", 84.7, 1.00, 0.99, 0.99),
    ("claude-opus-5", "claude-opus-5", 80.5, 0.98, 0.97, 0.97),
    ("claude-opus-4-7", "claude-opus-4-7", 73.6, 0.91, 0.98, 0.90),
    ("claude-opus-4-5", "claude-opus-4-5", 70.8, 0.87, 0.91, 0.78),
    ("claude-opus-4", "claude-opus-4-20250514", 66.5, 0.78, 0.77, 0.63),
    ("claude-sonnet-5-5", "claude-sonnet-5-5", 81.7, 0.99, 0.94, 0.98),
    ("claude-sonnet-5", "claude-sonnet-5", 73.4, 0.91, 0.90, 0.91),
    ("claude-sonnet-4-6", "claude-sonnet-4-6", 71.0, 0.89, 0.92, 0.65),
    ("claude-sonnet-4-5", "claude-sonnet-4-5", 67.7, 0.79, 0.87, 0.75),
    ("claude-sonnet-4", "claude-sonnet-4-20250514", 65.0, 0.73, 0.70, 0.62),
    ("claude-haiku-5-5", "claude-haiku-5-5", 75.3, 0.93, 0.78, 0.95),
    ("claude-haiku-4-5", "claude-haiku-4-5", 63.6, 0.72, 0.76, 0.75),
    ("claude-3-5-sonnet", "claude-3-5-sonnet-20240620", 57.7, 0.58, 0.55, 0.42),
    ("claude-3-5-haiku", "claude-3-5-haiku-20241022", 54.4, 0.58, 0.52, 0.37),
    ("claude-3-sonnet", "claude-3-sonnet-20240229", 50.0, 0.34, 0.35, 0.20),
    ("claude-3-haiku", "claude-3-haiku-20240307", 49.1, 0.37, 0.33, 0.17),
    ("mistral-large-4", "mistral-large-4", 71.2, 0.92, 0.81, None),
    ("mistral-large-3", "mistral-large-3", 61.5, 0.61, 0.75, None),
    ("mistral-large-2512", "mistral-large-3", 61.5, 0.61, 0.75, None),
    ("mistral-large-2411", "mistral-large-2", 55.8, 0.53, 0.45, 0.39),
    ("mistral-large-2407", "mistral-large-2407", 55.0, 0.52, 0.47, 0.35),
    ("mistral-large-2402", "mistral-large-2402", 47.8, 0.30, 0.28, 0.24),
    ("mistral-medium-3-5", "mistral-medium-3-5", 64.2, 0.66, 0.79, 0.58),
    ("mistral-medium-2508", "mistral-medium-3-1", 63.8, None, 0.74, None),
    ("mistral-medium-2505", "mistral-medium-2505", 60.0, 0.61, 0.69, 0.60),
    ("mistral-small-2506", "mistral-small-3-2", 56.3, None, 0.60, 0.51),
    ("mistral-small-2503", "mistral-small-3-1", 54.7, None, 0.43, 0.36),
    ("mistral-small-2501", "mistral-small-3", 53.9, 0.48, 0.36, 0.34),
    ("mixtral-8x7b-instruct", "mixtral-8x7b-instruct-v0-1", 42.2, 0.16, 0.22, 0.10),
    ("mistral-7b-instruct", "mistral-7b-instruct-v0-3", 41.0, None, 0.21, 0.05),
    ("command-a", "command-a", 57.9, 0.51, 0.60, 0.41),
    ("command-a-reasoning", "command-a-reasoning-08-2025", 54.5, 0.59, None, 0.47),
    ("command-r-08-2024", "command-r-08-2024", 47.5, 0.26, 0.36, None),
    ("command-r-03-2024", "command-r-03-2024", 43.5, None, 0.30, 0.04),
    ("command-r7b", "command-r7b-12-2024", 45.5, 0.20, 0.43, None),
    ("gemini-3-5-flash", "gemini-3-5-flash", 72.7, 0.88, 0.94, 0.90),
    ("gemini-3-5-flash-lite", "gemini-3-5-flash-lite", 67.8, 0.83, 0.88, 0.67),
    ("gemini-3-flash", "gemini-3-flash-preview", 71.0, 0.84, 0.92, 0.87),
    ("gemini-3-1-flash-lite", "gemini-3-1-flash-lite", 66.1, 0.65, 0.80, 0.73),
    ("gemini-2-5-flash", "gemini-2-5-flash", 61.8, 0.56, 0.73, 0.81),
    ("gemini-2-0-flash", "gemini-2-0-flash-001", 60.2, None, 0.62, 0.60),
    ("deepseek-v3-2", "deepseek-v3-2", 67.1, 0.74, 0.78, 0.80),
    ("deepseek-v3-0324", "deepseek-v3-0324", 60.3, 0.67, 0.70, 0.55),
    ("deepseek-v3", "deepseek-v3", 59.7, 0.67, 0.61, 0.47),
    ("qwen2-72b", "qwen2-72b", 51.6, 0.44, 0.33, 0.32),
    ("qwen2-5-7b", "qwen2-5-7b", 49.6, 0.42, 0.33, 0.36),
    ("qwen2-7b", "qwen2-7b", 45.5, 0.25, 0.30, 0.17),
    ("smollm2-1-7b", "smollm2-1-7b", 33.0, 0.12, 0.05, 0.10),
    ("smollm2-360m", "smollm2-360m", 21.7, None, 0.13, None),
    ("smollm2-135m", "smollm2-360m", 21.7, None, 0.13, None),
)

TABLE: Final = tuple(Published(*row) for row in _ROWS)
"""Every row."""

DEFAULT: Final = sum(row.score for row in TABLE) / len(TABLE) / 100
"""Quality of a model that no row fits: the mean of the table."""


@lru_cache(maxsize=4096)
def published(model: str) -> Published | None:
    """The row that fits a model's name best, or None.

    Args:
        model: `provider/model`, or the vendor's own name; folders before the last slash do not matter.
    """
    name = model.rpartition("/")[2].lower().translate(_SEPARATORS)
    fitting = (row for row in TABLE if _fits(row.family, name))
    return max(fitting, key=lambda row: len(row.family), default=None)


def prior_quality(model: str, task: str) -> float:
    """Expected quality of a model at a class of task before any outcome, 0 to 1."""
    row = published(model)
    return DEFAULT if row is None else row.quality(task)


def _fits(family: str, name: str) -> bool:
    if not name.startswith(family):
        return False
    rest = name[len(family) :]
    if not rest:
        return True
    if rest[0] != "-":
        return False
    words = rest[1:].split("-")
    dated = len(words) > 1 and re.fullmatch(r"20\d\d", words[1]) is not None
    if not dated and _VERSION.fullmatch(words[0]):
        return False
    return not any(word in _SIZES or _PARAMETERS.fullmatch(word) for word in words)
