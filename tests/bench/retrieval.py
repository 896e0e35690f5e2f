"""How well and how fast tools are found by words, beside plain BM25 in the same run.

`python tests/bench/retrieval.py` prints every figure. The catalogue of BFCL is read where it was installed:
`INTERLOCK_BENCH_BFCL` names the folder `bfcl_eval/data` of the package `bfcl-eval` (2026.3.23), which
`pip install --no-deps bfcl-eval==2026.3.23` in an environment of its own provides. Its tools are those of all
its questions, one a name; a question counts at k when all of its functions are among the first k. Plain BM25
is that of `rank_bm25`, over names, descriptions and parameters, where that package is installed.
"""

import hashlib
import json
import os
import re
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, TypeAlias, cast

from conversion import corpus
from figure import Figure
from interlock_core import ToolSpec
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, as_text
from interlock_tools import load_file, openapi_to_tool_specs
from interlock_tools.retrieval import SearchIndex

QUESTIONS = Path(__file__).parent / "questions"
GITHUB = "octokit-openapi-api.github.com"
DEPTHS = (1, 5, 10)
_BFCL_BOUNDS = {5: 15.0, 10: 10.0}
_WITH_GOLD = (
    *("simple_python", "simple_java", "simple_javascript", "multiple", "parallel", "parallel_multiple"),
    *("live_simple", "live_multiple", "live_parallel", "live_parallel_multiple"),
)
_WITHOUT = ("irrelevance", "live_irrelevance", "live_relevance")
_TYPES = {
    "dict": "object",
    "float": "number",
    "tuple": "array",
    "HashMap": "object",
    "ArrayList": "array",
    "String": "string",
    "Boolean": "boolean",
    "long": "integer",
    "double": "number",
}
_CAMEL = re.compile(r"([a-z])([A-Z])")
_WORD = re.compile(r"[a-z0-9]+")

Search: TypeAlias = Callable[[str], list[str]]
"""Finds the names of ten tools."""


class _Ranking(Protocol):
    """What is used of `rank_bm25.BM25Okapi`."""

    def get_scores(self, query: list[str]) -> Sequence[float]:
        """One score a tool."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: any of `relevant` answers it, or only all of them; `split` decides its half."""

    text: str
    relevant: frozenset[str]
    every: bool
    split: str = ""

    def answered(self, found: list[str]) -> bool:
        """Whether these tools hold what is wanted."""
        among = self.relevant.intersection(found)
        return among == self.relevant if self.every else bool(among)


def plain_bm25(tools: Sequence[ToolSpec]) -> Search | None:
    """Plain BM25 over names, descriptions and parameters; None where `rank_bm25` is not installed."""
    if find_spec("rank_bm25") is None:
        return None
    made = cast("Callable[[list[list[str]]], _Ranking]", import_module("rank_bm25").BM25Okapi)
    ranking = made([_plain_words(_plain_text(tool)) for tool in tools])
    names = [tool.name for tool in tools]

    def search(query: str) -> list[str]:
        scores = ranking.get_scores(_plain_words(query))
        best = sorted(range(len(names)), key=lambda number: -scores[number])
        return [names[number] for number in best[: DEPTHS[-1]]]

    return search


def recall(name: str, asked: Sequence[Asked], tools: Sequence[ToolSpec], bounded: bool) -> Iterator[Figure]:
    """How many questions go unanswered, and how long one takes; plain BM25 beside it."""
    index = SearchIndex(tools)
    spent: list[float] = []
    found: list[list[str]] = []
    for question in asked:
        started = time.process_time()
        found.append([match.name for match in index.search(question.text, limit=DEPTHS[-1])])
        spent.append(1_000 * (time.process_time() - started))
    title = f"{name}, {len(asked)} questions, {len(tools)} tools"
    for depth in DEPTHS:
        missed = _missed(asked, found, depth)
        yield Figure(
            f"{title}: not in the first {depth}", missed, "%", _BFCL_BOUNDS.get(depth) if bounded else None
        )
    yield Figure(f"{title}: a question", statistics.median(spent), "ms p50", 2.0)
    yield Figure(f"{title}: a question", sorted(spent)[len(spent) * 99 // 100], "ms p99")
    plain = plain_bm25(tools)
    if plain is not None:
        peers = [plain(question.text) for question in asked]
        for depth in DEPTHS:
            yield Figure(f"{title}: plain BM25, not in {depth}", _missed(asked, peers, depth), "%")


def bfcl(folder: Path) -> Iterator[Figure]:
    """The figures of BFCL: all of it, and of each half when it is split by the first function's hash."""
    tools, asked = bfcl_questions(folder)
    yield from recall("bfcl", asked, tools, bounded=True)
    for half in ("dev", "test"):
        part = [question for question in asked if _half(question) == half]
        yield from list(recall(f"bfcl {half}", part, tools, bounded=False))[: len(DEPTHS)]


def bfcl_questions(folder: Path) -> tuple[list[ToolSpec], list[Asked]]:
    """The tools of BFCL, one a name, and its questions with the functions that answer them."""
    tools: dict[str, ToolSpec] = {}
    asked: list[Asked] = []
    for kind in (*_WITH_GOLD, *_WITHOUT):
        answers = _lines(folder / f"possible_answer/BFCL_v4_{kind}.json") if kind in _WITH_GOLD else []
        gold = {str(line["id"]): _functions(line) for line in answers}
        for line in _lines(folder / f"BFCL_v4_{kind}.json"):
            for function in as_array(line.get("function")):
                tool = _bfcl_tool(as_object(function))
                tools.setdefault(tool.name, tool)
            wanted = gold.get(str(line["id"]))
            if wanted:
                names = frozenset(f"bfcl.{name}" for name in wanted)
                asked.append(Asked(_said(line), names, every=True, split=wanted[0]))
    return list(tools.values()), asked


def documents(file: str, names: Sequence[str]) -> Iterator[Figure]:
    """The figures of the questions over some documents of the corpus."""
    paths = [path for name in names for path in corpus() if path.stem == name]
    tools = [tool for path in paths for tool in openapi_to_tool_specs(load_file(path)).tools]
    by_operation: dict[str, str] = {}
    for tool in tools:
        by_operation.setdefault(tool.endpoint or "", tool.name)
    for tool in tools:
        by_operation[tool.operation_id or tool.name] = tool.name
    asked = [
        Asked(
            str(line["question"]),
            frozenset(by_operation[str(one)] for one in as_array(line.get("relevant"))),
            every=line.get("kind") == "several",
        )
        for line in _lines(QUESTIONS / file)
    ]
    yield from recall(file.removesuffix(".jsonl"), asked, tools, bounded=False)


def building() -> Iterator[Figure]:
    """What making an index costs, of one large document and of the whole corpus, one segment a document."""
    segments = {path.stem: openapi_to_tool_specs(load_file(path)).tools for path in corpus()}
    for name, chosen in ((GITHUB, [GITHUB]), ("corpus", list(segments))):
        total = sum(len(segments[key]) for key in chosen)
        tracemalloc.start()
        index = SearchIndex()
        for key in chosen:
            index.add(key, segments[key])
        kept = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        started = time.process_time()
        index = SearchIndex()
        for key in chosen:
            index.add(key, segments[key])
        yield Figure(f"index of {name}, {total} tools: made", time.process_time() - started, "s CPU")
        yield Figure(f"index of {name}, {total} tools: memory", kept / 1e6, "MB")
        written = json.dumps(index.dump(GITHUB))
        started = time.process_time()
        index.load(GITHUB, cast("Json", json.loads(written)))
        yield Figure(
            f"index of {name}: one document read back", 1_000 * (time.process_time() - started), "ms"
        )
        queries = [str(line["question"]) for line in _lines(QUESTIONS / "github.jsonl")]
        spent: list[float] = []
        for query in queries:
            started = time.process_time()
            index.search(query)
            spent.append(1_000 * (time.process_time() - started))
        yield Figure(f"index of {name}, {total} tools: a question", statistics.median(spent), "ms p50")


def figures() -> Iterator[Figure]:
    """Every figure whose data are there."""
    folder = os.environ.get("INTERLOCK_BENCH_BFCL")
    if folder:
        yield from bfcl(Path(folder))
    else:
        print("BFCL is left out: INTERLOCK_BENCH_BFCL names no folder (see tests/bench/retrieval.py).")
    if not corpus():
        return
    yield from documents("github.jsonl", [GITHUB])
    names = {str(line["document"]): None for line in _lines(QUESTIONS / "mixed.jsonl")}
    yield from documents("mixed.jsonl", list(names))
    yield from building()


def _missed(asked: Sequence[Asked], found: Sequence[list[str]], depth: int) -> float:
    right = sum(question.answered(names[:depth]) for question, names in zip(asked, found, strict=True))
    return 100 * (1 - right / len(asked))


def _functions(answer: JsonObject) -> list[str]:
    return [name for call in as_array(answer.get("ground_truth")) for name in as_object(call)]


def _half(question: Asked) -> str:
    return "dev" if hashlib.sha256(question.split.encode()).digest()[-1] % 2 else "test"


def _lines(path: Path) -> list[JsonObject]:
    with path.open(encoding="utf-8") as file:
        return [as_object(json.loads(line)) for line in file if line.strip()]


def _said(line: JsonObject) -> str:
    turns = [as_object(message) for turn in as_array(line.get("question")) for message in as_array(turn)]
    return " ".join(as_text(turn.get("content")) or "" for turn in turns if turn.get("role") == "user")


def _bfcl_tool(function: JsonObject) -> ToolSpec:
    return ToolSpec(
        name=f"bfcl.{function['name']}",
        description=as_text(function.get("description")) or "",
        parameters=as_object(_schema(function.get("parameters"))),
        namespace="bfcl",
    )


def _schema(value: Json) -> Json:
    """A schema in BFCL's words as JSON Schema."""
    if isinstance(value, list):
        return [_schema(part) for part in value]
    if not isinstance(value, dict):
        return value
    made = {key: _schema(part) for key, part in value.items()}
    kind = made.get("type")
    if isinstance(kind, str):
        made["type"] = _TYPES.get(kind, kind)
    return made


def _plain_words(text: str) -> list[str]:
    return _WORD.findall(_CAMEL.sub(r"\1 \2", text).lower())


def _plain_text(tool: ToolSpec) -> str:
    said = as_object(tool.parameters.get("properties")).items()
    parts = [f"{name} {as_text(as_object(schema).get('description')) or ''}" for name, schema in said]
    return " ".join((tool.name.partition(".")[2], tool.summary, tool.description, *parts))


def main() -> int:
    """Prints one row a figure as it comes."""
    for figure in figures():
        print(figure, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
