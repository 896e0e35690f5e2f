"""What is published elsewhere is found for the model that it is about, and for no other."""

import pytest

from interlock_router import TASKS, prior_quality, published
from interlock_router._priors import AS_OF, DEFAULT, SOURCE, TABLE


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("openai/gpt-5.4-mini", "gpt-5-4-mini"),
        ("openai/gpt-5.4-mini-2026-03-17", "gpt-5-4-mini"),
        ("openai/gpt-4o-2024-08-06", "gpt-4o"),
        ("openai/gpt-4o-mini", "gpt-4o-mini"),
        ("anthropic/claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("anthropic/claude-opus-5-5", "claude-opus-5-5"),
        ("router/meta/Mistral-7B-Instruct-v0.3", "mistral-7b-instruct"),
        ("local/smollm2-135m", "smollm2-135m"),
        ("cohere/command-a-03-2025", "command-a"),
    ],
)
def test_a_model_is_found_by_its_family(model: str, family: str) -> None:
    """Dates and versions of the same model do not matter, and the longest family wins."""
    row = published(model)
    assert row is not None
    assert row.family == family


@pytest.mark.parametrize(
    "model", ["openai/gpt-5.9", "openai/gpt-4-turbo", "vendor/qwen2-7b-base", "own/thing", "anthropic/claude"]
)
def test_another_version_or_size_is_another_model(model: str) -> None:
    """A smaller or later sibling must not inherit a score."""
    assert published(model) is None
    assert prior_quality(model, "analysis") == DEFAULT


def test_every_row_names_its_source_and_lies_in_range() -> None:
    """A score without a source is a rumour."""
    assert SOURCE.startswith("https://")
    assert AS_OF.year >= 2026
    assert len({row.family for row in TABLE}) == len(TABLE)
    for row in TABLE:
        assert row.page
        assert 0 < row.score < 100
        assert all(abs(row.quality(task) - row.score / 100) <= 0.1 for task in TASKS)


def test_ranks_shift_the_quality_at_a_task() -> None:
    """A model that writes better than it codes is expected to."""
    assert prior_quality("openai/gpt-5.4-mini", "writing") > prior_quality("openai/gpt-5.4-mini", "debugging")
