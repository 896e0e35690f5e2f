"""Random worlds: the checker, which asks Cedar and the evaluator, against the reference evaluator."""

import os
from random import Random

import pytest

from interlock_security import Override, Rule, RuleKind
from interlock_security.testing import Census

QUESTIONS = 400 if os.environ.get("INTERLOCK_QUICK") == "1" else 2_500


@pytest.mark.promise("A5")
@pytest.mark.promise("A6")
def test_random_questions_are_answered_alike_by_independent_evaluators() -> None:
    """1,000 users, 500 tools, 50 roles, 200 overrides, every condition; the bench asks 200,000."""
    census = Census(Random(20_260_311))
    assert census.differences(QUESTIONS) == []


def test_a_difference_would_be_found() -> None:
    """Where the checker is told of denials that the reference does not know."""
    census = Census(Random(7), users=40, tools=40)
    census.checker.use_overrides(
        Override(id=f"o{number}", user=f"user{number}", kind=RuleKind.DENY, rule=Rule.parse("tool:*"))
        for number in range(40)
    )
    assert census.differences(200)
