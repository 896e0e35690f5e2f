"""Our router's learning beside others' on tables of known outcomes: `python -m tests.bench.routing`.

By default three streams of 1,500 requests of each table, and a part of RouteLLM's test: about three minutes
of processor time. With FULL=1 ten streams of all requests, and all of the test.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

from . import offline
from .comparison import OURS, PARTS, VARIANTS, Block, Row, compare, learners
from .intervals import Interval, interval
from .offline import Judged, Predict
from .ours import gaps
from .tables import Reals, Table, folder, load, names

_FEW = 2_000
TARGETS = {"mmlu": 0.675, "gsm8k": 0.610}


def told(block: Block) -> Iterator[str]:
    """One block as lines."""
    yield (
        f"\n{block.table}, {block.requests:,} requests, cost weight {block.weight:g}, {block.variant}, "
        f"{block.seeds} streams"
    )
    if block.quiz:
        yield f"(answers of the quiz that nobody chose take {block.quiz:.4f} from the first 500)"
    heads = "".join(f"{part:>17}" for part in PARTS) + "".join(f"{f'lead: {part}':>20}" for part in PARTS)
    yield f"{'':30}{heads}{'choose us':>11}{'learn us':>10}"
    yield from (_line(row) for row in block.rows)


def _line(row: Row) -> str:
    values = "".join(f"{_interval(value):>17}" for value in row.values)
    lead = "".join(f"{_lead(one):>20}" for one in row.lead or ())
    spent = f"{row.choose_us:11.0f}{row.learn_us:10.0f}" if row.choose_us else ""
    return f"{row.name:30}{values}{lead:60}{spent}"


def _interval(value: Interval) -> str:
    return f"{value.mean:.4f} ±{value.half:.4f}"


def _lead(value: Interval) -> str:
    return f"{value.mean:+.4f} ±{value.half:.4f} {'>' if value.above else '<' if value.below else '='}"


def online(arguments: argparse.Namespace) -> Iterator[Block]:
    """Every block that was asked for."""
    makes = learners(arguments.learners)
    variants = {
        name: VARIANTS[name] for name in VARIANTS if not arguments.variants or name in arguments.variants
    }
    for name in arguments.tables or names():
        table = load(name)
        orders = [table.order(seed)[: arguments.requests] for seed in range(arguments.seeds)]
        for weight in arguments.weights:
            yield from compare(table, weight, variants, makes, orders)


def predictors() -> dict[str, Predict]:
    """Our router with and without the task of a prompt."""

    def told_task(train: Table, asked: Table, seed: int) -> Reals:
        return gaps(train, asked, task=True, seed=seed)

    def untold(train: Table, asked: Table, seed: int) -> Reals:
        return gaps(train, asked, task=False, seed=seed)

    return {f"{OURS}, task told": told_task, f"{OURS}, task not told": untold}


def judged(table: Table) -> Iterator[Judged]:
    """RouteLLM's test, part by part."""
    for part in ("mmlu", "gsm8k", "mt_bench"):
        rows = table.only(lambda task, part=part: task.startswith(part))
        if len(rows.prompts) < offline.FOLDS:
            continue
        for name, predict in predictors().items():
            yield offline.judge(part, name, rows, predict)
        yield from offline.references(part, rows)
        for name, known in offline.PUBLISHED.items():
            found = known.get(part) or offline.PUBLISHED_MT_BENCH[name]
            yield Judged(part, f"{name} (published)", offline.Recovered(*found))


def told_judged(one: Judged) -> str:
    """One row of RouteLLM's test."""
    target = TARGETS.get(one.part) if one.name.startswith(OURS) else None
    verdict = "" if target is None else f"   target {target}{'' if one.found.apgr >= target else '   MISSED'}"
    spent = f"{one.spent_us:8.0f} us" if one.spent_us else ""
    return (
        f"{one.part:10}{one.name:44}{one.found.apgr:7.3f} {one.found.cpt50:6.1f} {one.found.cpt80:6.1f}"
        f"{spent:>12}{verdict}"
    )


def growing(table: Table, *, full: bool) -> Iterator[tuple[str, str, list[float]]]:
    """APGR on MMLU by outcomes known, then with outcomes that belong to other prompts."""
    rows = table.only(lambda task: task.startswith("mmlu"))
    for name, predict in predictors().items():
        for labels in offline.LABELS:
            if labels <= len(rows.prompts) * (offline.FOLDS - 1) // offline.FOLDS:
                yield (
                    name,
                    f"after {labels:,} prompts",
                    offline.after(rows, predict, labels, 10 if full else 3),
                )
        mixed = rows if full else rows.rows(rows.order(0)[:_FEW])
        yield name, "outcomes shuffled", offline.without_reason(mixed, predict, 10 if full else 3)


def parsed() -> argparse.Namespace:
    """What was asked for."""
    full = os.environ.get("FULL") == "1"
    parser = argparse.ArgumentParser(prog="python -m tests.bench.routing", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    parser.add_argument("--seeds", type=int, default=10 if full else 3, help="streams of each table")
    parser.add_argument(
        "--requests", type=int, default=None if full else 1_500, help="of each stream at most"
    )
    parser.add_argument("--tables", nargs="*", default=[], help="names of tables; all that are there")
    parser.add_argument("--weights", nargs="*", type=float, default=[0.0, 0.2], help="weights of cost")
    parser.add_argument("--learners", nargs="*", default=[], help="parts of the names of learners; all")
    parser.add_argument("--variants", nargs="*", choices=list(VARIANTS), default=[])
    parser.add_argument("--only", choices=["online", "offline"], help="one half of the bench")
    arguments = parser.parse_args()
    if arguments.seeds < 2:
        parser.error("an interval needs two streams at least")
    arguments.full = full
    return arguments


def _offline(
    table: Table, document: dict[str, list[object]], say: Callable[[str], None], *, full: bool
) -> None:
    models = " against ".join(reversed(table.models))
    say(
        f"\nRouteLLM's test, {models}, five folds, in domain: APGR, CPT(50 %), CPT(80 %), and a prompt's time"
    )
    for one in judged(table):
        document["offline"].append(asdict(one))
        say(told_judged(one))
    say("\nAPGR on MMLU by prompts whose outcomes are known, and with outcomes of other prompts")
    for name, known, found in growing(table, full=full):
        value = interval(found)
        document["growing"].append({"name": name, "known": known, "apgr": found})
        say(f"{name:30}{known:24}{value.mean:7.3f} ±{value.half:.3f}   {len(found)} draws")


def main() -> int:
    """Measures and prints."""
    arguments = parsed()
    if not names():
        print(f"No table of outcomes in {folder()}: set INTERLOCK_CORPUS to the folder of the corpus.")
        return 0
    document: dict[str, list[object]] = {"online": [], "offline": [], "growing": []}

    def say(line: str) -> None:
        if not arguments.json:
            print(line, flush=True)

    if arguments.only != "offline":
        for block in online(arguments):
            document["online"].append(asdict(block))
            for line in told(block):
                say(line)
    if arguments.only != "online" and "routellm2" in names():
        _offline(offline.pair(load("routellm2")), document, say, full=arguments.full)
    if arguments.json:
        print(json.dumps(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())
