"""Fits the classifier's weights: a softmax over features, drawn toward cues that were written by hand.

Every class weighs the same, within a class every family of data sets, and our own
phrases a fixed part. A feature is kept when several families have it, so that what one set happens to talk of
is not learned. The penalty pulls a weight toward its cue, not toward nothing.
"""

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from classifier_cues import priors
from classifier_fillings import fillings
from classifier_sets import SETS
from interlock_core.jsontypes import Json, as_number, as_object
from interlock_router import TASKS
from interlock_router._features import features

OWN = "our own"
OWN_PART = 0.5
FAMILIES = 3
PROMPTS = 4
PENALTY = 1e-3
CUES = 0.75
CAP = 60
FILLED = 6
START = 1e-3
RATE = 0.25
_SMOOTH = 0.03
_SLOT = re.compile(r"\{(text|code|diff|talk|foreign|fault|topic)\}")
_DATA = Path(__file__).resolve().parents[2] / "packages/router/tests/data"


@dataclass(frozen=True, slots=True)
class Example:
    """One prompt with its class; `content` is the family that its filling came from."""

    prompt: str
    task: int
    family: str
    seen: frozenset[str]
    name: str = OWN
    content: str = ""
    trained: bool = True
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Weights:
    """A fitted model: a row of one weight a class for each feature, and a bias a class."""

    rows: Mapping[str, Sequence[float]]
    bias: Sequence[float]

    def scores(self, seen: Iterable[str]) -> list[float]:
        """The evidence for each class."""
        found = [self.rows[feature] for feature in seen if feature in self.rows]
        return [sum(column) for column in zip(self.bias, *found, strict=True)]


def public(folder: Path, cap: int = CAP) -> list[Example]:
    """The prompts of every set that is there."""
    return [
        Example(
            prompt,
            TASKS.index(one.task),
            one.family,
            frozenset(features(prompt)),
            one.name,
            trained=one.trained,
        )
        for one in SETS
        for prompt in one.prompts(folder)[:cap]
    ]


def labelled(file: str, half: str | None = None) -> list[Example]:
    """Our own prompts in one of the files of labelled ones."""
    rows = [
        as_object(cast("Json", json.loads(line))) for line in (_DATA / file).read_text("utf-8").splitlines()
    ]
    return [
        Example(
            str(row["prompt"]), TASKS.index(str(row["task"])), OWN, frozenset(features(str(row["prompt"])))
        )
        for row in rows
        if half is None or row["half"] == half
    ]


def phrases(folder: Path) -> list[Example]:
    """Our own phrases, those with slots filled several times from public sets."""
    chance = random.Random(7)
    pool = fillings(folder)
    made: list[Example] = []
    for line in (_DATA / "phrases.txt").read_text(encoding="utf-8").splitlines():
        task, bar, form = line.partition("|")
        if not bar or line.startswith("#"):
            continue
        form = form.replace("\\n", "\n")
        times = FILLED if _SLOT.search(form) else 1
        for _ in range(times):
            sources: list[str] = []

            def fill(slot: re.Match[str], sources: list[str] = sources) -> str:
                family, text = chance.choice(pool[slot[1]])
                sources.append(family)
                return text

            prompt = _SLOT.sub(fill, form)
            made.append(
                Example(
                    prompt,
                    TASKS.index(task),
                    OWN,
                    frozenset(features(prompt)),
                    content=sources[0] if sources else "",
                    weight=1 / times,
                )
            )
    return made


def fit(examples: Sequence[Example], *, steps: int = 60_000, seed: int = 1) -> Weights:
    """The weights for some examples, by AdaGrad on examples drawn by their weight."""
    prior = priors()
    kept = {name: number for number, name in enumerate(sorted(_vocabulary(examples, prior)))}
    parts = np.array(_parts(examples))
    seen = [
        np.array(sorted(kept[name] for name in one.seen if name in kept), dtype=np.intp) for one in examples
    ]
    share = np.zeros(len(kept))
    for names, part in zip(seen, parts, strict=True):
        share[names] += part
    start = np.array([prior.get(name, [0.0] * len(TASKS)) for name in kept]) * CUES
    rows = start.copy()
    squares = np.full_like(rows, START)
    bias = np.zeros(len(TASKS))
    pull = (PENALTY / np.maximum(share, 1e-4))[:, None]
    wanted = np.full((len(examples), len(TASKS)), _SMOOTH / len(TASKS))
    wanted[np.arange(len(examples)), [one.task for one in examples]] += 1 - _SMOOTH
    drawn = np.random.default_rng(seed).choice(len(examples), steps, p=parts)
    for number, index in enumerate(cast("list[int]", drawn.tolist())):
        rate = RATE * (1 - number / steps) + 0.01
        names = seen[index]
        scores = bias + rows[names].sum(0)
        powers = np.exp(scores - scores.max())
        errors = powers / powers.sum() - wanted[index]
        slope = errors + pull[names] * (rows[names] - start[names])
        squares[names] += slope * slope
        rows[names] -= rate * slope / np.sqrt(squares[names])
        bias -= 0.02 * rate * errors
    return Weights({name: rows[number].tolist() for name, number in kept.items()}, bias.tolist())


def _parts(examples: Sequence[Example]) -> list[float]:
    """How much each example weighs: all classes the same, families the same, our own a fixed part."""
    sizes = Counter((example.task, example.family) for example in examples if example.family != OWN)
    families: dict[int, float] = defaultdict(float)
    for (task, _), size in sizes.items():
        families[task] += min(1.0, size / 40)
    ours: dict[int, float] = defaultdict(float)
    for example in examples:
        if example.family == OWN:
            ours[example.task] += example.weight
    parts: list[float] = []
    for example in examples:
        public_part = families[example.task]
        own_part = max(OWN_PART, 1 - 0.2 * public_part) if public_part else 1.0
        if example.family == OWN:
            parts.append(own_part * example.weight / ours[example.task])
        else:
            size = sizes[example.task, example.family]
            parts.append((1 - own_part) * min(1.0, size / 40) / size / public_part)
    total = sum(parts)
    return [part / total for part in parts]


def _vocabulary(examples: Sequence[Example], prior: Mapping[str, Sequence[float]]) -> set[str]:
    families: dict[str, set[str]] = defaultdict(set)
    counts: Counter[str] = Counter()
    for number, example in enumerate(examples):
        family = example.family if example.family != OWN else f"{OWN} {number % 6}"
        for feature in example.seen:
            families[feature].add(family)
            counts[feature] += 1
    kept = {name for name, found in families.items() if len(found) >= FAMILIES and counts[name] >= PROMPTS}
    return kept | prior.keys()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How seldom models answered a prompt rightly, in one table of outcomes."""

    table: str
    task: str
    seen: frozenset[str]
    failed: float


def difficulties(folder: Path) -> list[Outcome]:
    """The prompts of the tables of outcomes, at most 2,000 a table."""
    found: list[Outcome] = []
    for file in sorted((folder / "routing/dev").glob("*.jsonl")):
        lines = file.read_text(encoding="utf-8").strip().split("\n")
        for line in lines[:: max(1, len(lines) // 2_000)]:
            row = as_object(cast("Json", json.loads(line)))
            scores = [
                as_number(as_object(one).get("score")) or 0.0
                for one in as_object(row.get("outcomes")).values()
            ]
            failed = 1 - sum(scores) / len(scores)
            prompt = str(row["prompt"])
            found.append(Outcome(file.stem, str(row.get("task")), frozenset(features(prompt)), failed))
    return found


def hardness(
    rows: Sequence[Outcome], kept: Iterable[str], *, steps: int = 30_000
) -> tuple[dict[str, float], float]:
    """Weights of features for difficulty, in logits, and their bias."""
    names = {name: number for number, name in enumerate(sorted(kept))}
    seen = [
        np.array(sorted(names[name] for name in row.seen if name in names), dtype=np.intp) for row in rows
    ]
    weights = np.zeros(len(names))
    squares = np.full(len(names), 1e-2)
    bias = 0.0
    drawn = cast("list[int]", np.random.default_rng(2).integers(0, len(rows), steps).tolist())
    for number, index in enumerate(drawn):
        rate = 0.1 * (1 - number / steps)
        found = seen[index]
        error = 1 / (1 + np.exp(-bias - weights[found].sum())) - rows[index].failed
        slope = error + 0.02 * weights[found]
        squares[found] += slope * slope
        weights[found] -= rate * slope / np.sqrt(squares[found])
        bias -= 0.05 * rate * float(error)
    return {name: float(weights[number]) for name, number in names.items()}, bias


def rank_correlation(folder: Path) -> dict[str, float]:
    """Spearman's rank correlation of told and true difficulty, on each table, fitted on the others."""
    rows = difficulties(folder)
    counts = Counter(name for row in rows for name in row.seen)
    kept = [name for name, count in counts.items() if count >= 20]
    found: dict[str, float] = {}
    for table in sorted({row.table for row in rows}):
        weights, _ = hardness([row for row in rows if row.table != table], kept)
        left = [row for row in rows if row.table == table]
        told = np.array([sum(weights.get(name, 0.0) for name in row.seen) for row in left])
        true = np.array([row.failed for row in left])
        ranks = [np.argsort(np.argsort(values, kind="stable")) for values in (told, true)]
        found[table] = round(float(np.corrcoef(ranks[0], ranks[1])[0, 1]), 2)
    return found
