"""How well the classifier of tasks does on public data sets that it never saw, and how fast.

`INTERLOCK_BENCH_TASKS=FOLDER python tests/bench/classifier.py` leaves out families of data sets in turn,
fits on the rest and prints the accuracy of each set, of each class, and the confusion table; then what the
shipped weights do on our own labelled prompts, and the processor time of a classification. `--write` fits on
everything and writes the weights that ship. The folder holds a checkout a repository, at `OWNER/NAME`, of
those that `classifier_sets.py` names, and the outcome tables at `routing/dev`; a set that is not there is
left out.
"""

import hashlib
import json
import os
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from classifier_fit import (
    Example,
    Weights,
    difficulties,
    fit,
    hardness,
    labelled,
    phrases,
    public,
    rank_correlation,
)
from figure import Figure
from interlock_core.messages import user
from interlock_router import TASKS, Classifier
from interlock_router import _task_model as shipped

FOLDS = 12
SCALE = 0.05
MOST_FEATURES = 11_000
SENTENCE = "Compare these two database designs for an event log, weigh the trade-offs and recommend one. "


def unseen(public_ones: Sequence[Example], ours: Sequence[Example]) -> Iterator[tuple[Example, int]]:
    """Each public prompt with the class that weights give it which never saw its family."""
    for fold in range(FOLDS):
        apart = {one.family for one in public_ones if _fold(one.family) == fold}
        rest = [one for one in public_ones if one.trained and one.family not in apart]
        weights = fit(rest + [one for one in ours if one.content not in apart])
        for one in public_ones:
            if one.family in apart:
                yield one, _best(weights, one)


def report(judged: Sequence[tuple[Example, int]]) -> None:
    """Prints the accuracy of each set and class, and the confusion table."""
    sets: dict[tuple[int, str, str], list[bool]] = defaultdict(list)
    for one, told in judged:
        sets[one.task, one.family, one.name].append(one.task == told)
    for (task, family, name), right in sorted(sets.items()):
        print(f"{TASKS[task]:20}{family:22}{name:44}{len(right):5}{100 * statistics.mean(right):7.1f} %")
    confusion: Counter[tuple[int, int]] = Counter((one.task, told) for one, told in judged)
    print(f"\n{'':20}" + "".join(f"{name[:7]:>8}" for name in TASKS))
    for number, name in enumerate(TASKS):
        print(f"{name:20}" + "".join(f"{confusion[number, other]:8}" for other in range(len(TASKS))))
    print()
    shares = accuracies(judged)
    for task, share in shares.items():
        print(f"{task:20}{100 * share:7.1f} %")
    print(f"{'macro':20}{100 * statistics.mean(shares.values()):7.1f} %")


def accuracies(judged: Sequence[tuple[Example, int]]) -> dict[str, float]:
    """The accuracy of each class: the mean of its families, one of under thirty prompts counting less."""
    families: dict[tuple[int, str], list[bool]] = defaultdict(list)
    for one, told in judged:
        families[one.task, one.family].append(one.task == told)
    found: dict[str, float] = {}
    for number, name in enumerate(TASKS):
        parts = [
            (min(1.0, len(right) / 30), statistics.mean(right))
            for (task, _), right in families.items()
            if task == number
        ]
        if parts:
            found[name] = sum(part * share for part, share in parts) / sum(part for part, _ in parts)
    return found


def packed(weights: Weights, hard: Mapping[str, float], hard_bias: float) -> bytes:
    """The weights as they ship: a byte a class and one for difficulty, the weakest features left out."""

    def byte(value: float) -> int:
        return max(-127, min(127, round(value / SCALE))) & 255

    strong = sorted(weights.rows, key=lambda name: (-max(map(abs, weights.rows[name])), name))[:MOST_FEATURES]
    names = sorted(strong)
    told = {
        "classes": [*TASKS, "difficulty"],
        "scale": SCALE,
        "bias": [round(value, 4) for value in (*weights.bias, hard_bias)],
    }
    head = "\n".join([json.dumps(told), *names]).encode()
    return (
        head
        + b"\n\n"
        + bytes(byte(value) for name in names for value in (*weights.rows[name], hard.get(name, 0.0)))
    )


def figures() -> Iterator[Figure]:
    """What the shipped weights do on our own prompts, and the time of a classification."""
    classifier = Classifier()
    for title, prompts in (
        ("development half", labelled("tasks.jsonl", "dev")),
        ("held-out half", labelled("tasks.jsonl", "held_out")),
        ("later prompts", labelled("fresh.jsonl")),
    ):
        wrong = [classifier.text(one.prompt).task != TASKS[one.task] for one in prompts]
        yield Figure(f"classify, our own, {title}: wrong", 100 * statistics.mean(wrong), "%")
    for tokens, bound in ((200, 60.0), (2_000, 120.0)):
        messages = (user((SENTENCE * 100)[: 4 * tokens]),)
        spent: list[float] = []
        for _ in range(3_000):
            began = time.thread_time_ns()
            classifier.classify(messages)
            spent.append((time.thread_time_ns() - began) / 1_000)
        yield Figure(f"classify, {tokens} tokens, p50", statistics.median(spent), "us", bound)
        yield Figure(f"classify, {tokens} tokens, p99", sorted(spent)[len(spent) * 99 // 100], "us")


def main(arguments: Sequence[str]) -> int:
    """Prints the report; with `--write`, writes the weights first."""
    named = os.environ.get("INTERLOCK_BENCH_TASKS")
    if named:
        folder = Path(named)
        found, ours = public(folder), phrases(folder) + labelled("tasks.jsonl", "dev")
        if "--write" in arguments:
            weights = fit([one for one in found if one.trained] + ours)
            hard, bias = hardness(difficulties(folder), weights.rows.keys())
            Path(shipped.__file__).with_name("tasks.weights").write_bytes(packed(weights, hard, bias))
        else:
            report(list(unseen(found, ours)))
            print(f"\ndifficulty, rank correlation on the table left out: {rank_correlation(folder)}")
    else:
        print(
            "Public sets are left out: INTERLOCK_BENCH_TASKS names no folder (see tests/bench/classifier.py)."
        )
    for figure in figures():
        print(figure)
    return 0


def _fold(family: str) -> int:
    return hashlib.sha256(family.encode()).digest()[0] % FOLDS


def _best(weights: Weights, one: Example) -> int:
    scores = weights.scores(one.seen)
    return scores.index(max(scores))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
