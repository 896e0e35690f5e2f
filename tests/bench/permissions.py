"""Permissions: random questions against a second evaluator, Cedar's corpus, and what a decision costs."""

import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

from figure import Figure
from interlock_core import Call, Principal
from interlock_security import PermissionChecker, RuleKind
from interlock_security.testing import Census, ReferenceQuestion
from interlock_security.testing._corpus import CedarCorpus, corpus_path

QUESTIONS, FEW = 200_000, 5_000
TIMED, FIRST = 3_000, 500
SEED = 20_260_311


def figures(*, full: bool) -> Iterator[Figure]:
    """Differences, wrong answers of the corpus, and microseconds of a decision."""
    yield from _census(QUESTIONS if full else FEW)
    yield from _corpus(every=1 if full else 40)
    yield from _costs()
    yield from _first()


def _census(count: int) -> Iterator[Figure]:
    found = Census(Random(SEED)).differences(count)
    print(*found[:5], sep="\n", end="\n" if found else "", file=sys.stderr)
    print(f"permissions: {count:,} random questions tried, {count - len(found):,} held")
    yield Figure(f"permissions: differences in {count:,} questions", len(found), "", 0)


def _corpus(*, every: int) -> Iterator[Figure]:
    path = corpus_path(Path(__file__).resolve().parents[2])
    if path is None:
        print("permissions: Cedar's corpus is absent: set INTERLOCK_CORPUS")
        return
    corpus = CedarCorpus(path, every=every)
    print(*corpus.problems[:5], sep="\n", end="\n" if corpus.problems else "", file=sys.stderr)
    print(
        f"permissions: {corpus.sets:,} policy sets and {corpus.requests:,} requests of Cedar's corpus tried, "
        f"{len(corpus.problems)} wrong"
    )
    yield Figure(
        f"permissions: wrong in {corpus.requests:,} of Cedar's requests", len(corpus.problems), "", 0
    )


def _costs() -> Iterator[Figure]:
    """A decision that was never made before, and the same one again."""
    census = Census(Random(SEED + 1))
    checker = census.checker
    asked = [*census.questions(TIMED)]
    warm = Principal(user="nobody", roles=frozenset({"role0"}))
    for call, _ in asked:  # every user and every tool was seen once, and none of the questions that follow
        checker.may(replace(call, name=f"{call.name}x"))
        checker.may(replace(call, principal=warm, agent=None))
    cold: list[float] = []
    again: dict[bool, list[float]] = {True: [], False: []}
    for call, question in asked:
        plain = not any(
            item.matches and (item.kind is RuleKind.APPROVE or " when " in item.rule)
            for item in checker.explain_call(call).considered
        )
        cold.append(_asked(checker, call, question))
        again[plain].append(_asked(checker, call, question))
    yield Figure("permissions: decision, cold, median", statistics.median(cold), "us CPU")
    yield Figure("permissions: decision, cold, p99", _p99(cold), "us CPU", 400)
    yield Figure("permissions: decision, remembered, median", statistics.median(again[True]), "us CPU")
    yield Figure("permissions: decision, remembered, p99", _p99(again[True]), "us CPU", 5)
    yield Figure(
        "permissions: decision, conditions looked at anew", statistics.median(again[False]), "us CPU"
    )


def _first() -> Iterator[Figure]:
    """The first decision of a checker that knows nothing yet: entities are made, and Cedar is asked."""
    census = Census(Random(SEED + 2), users=100)
    times: list[float] = []
    for call, question in census.questions(FIRST):
        checker = PermissionChecker(census.checker.roles, environment=question.environment)
        checker.use_overrides(census.checker.overrides)
        times.append(_asked(checker, call, question))
    yield Figure("permissions: first decision of a checker, median", statistics.median(times), "us CPU")
    yield Figure("permissions: first decision of a checker, p99", _p99(times), "us CPU")


def _asked(checker: PermissionChecker, call: Call, question: ReferenceQuestion) -> float:
    begun = time.thread_time_ns()
    checker.may_after(call, question.approvals, at=question.at)
    return (time.thread_time_ns() - begun) / 1e3


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


if __name__ == "__main__":
    import os

    for row in figures(full=os.environ.get("FULL") == "1"):
        print(row)
