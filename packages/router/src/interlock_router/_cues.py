"""The classes of task."""

from typing import Final

TASKS: Final = (
    "code_generation",
    "code_review",
    "debugging",
    "planning",
    "analysis",
    "extraction",
    "summarisation",
    "translation",
    "question_answering",
    "mathematics",
    "writing",
    "conversation",
)
"""The classes of task, in the order in which scores are kept."""
