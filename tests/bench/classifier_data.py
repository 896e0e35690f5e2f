"""Public data sets whose name fixes the class of task, read from a folder of checked-out repositories.

The folder holds one checkout a repository, at `OWNER/NAME`. Nothing of it is kept in this project but
weights. `SETS` names each set, its class, its repository, its licence, and whether it may be trained on;
a set whose licence does not say so, or that forbids commercial use, only judges.
"""

import ast
import csv
import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias, cast

from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, as_text

CODE, REVIEW, DEBUG, PLAN, ANALYSE = "code_generation", "code_review", "debugging", "planning", "analysis"
EXTRACT, SUM, TRANSLATE, ASK = "extraction", "summarisation", "translation", "question_answering"
MATHS, WRITE, TALK = "mathematics", "writing", "conversation"
MOST = 240

Read: TypeAlias = Callable[[Path], Iterator[str]]
"""Reads the prompts of a set from its repository's folder."""


@dataclass(frozen=True, slots=True)
class Source:
    """One data set.

    Attributes:
        name: What it is called.
        family: The sets that share its texts; a family is left out as a whole.
        task: The class that its name fixes.
        repository: Where it stands.
        licence: As its repository or its card states it.
        read: Gives its prompts.
        trained: Whether its licence lets weights made from it be shipped.
    """

    name: str
    family: str
    task: str
    repository: str
    licence: str
    read: Read
    trained: bool = True

    def prompts(self, folder: Path) -> list[str]:
        """At most `MOST` prompts, drawn by their hash; none when the repository is not there."""
        home = folder / self.repository
        if not home.exists():
            return []
        found = {prompt.strip()[:20_000] for prompt in self.read(home)} - {""}
        return sorted(found, key=_rank)[:MOST]


def _rank(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _rows(path: Path) -> Iterator[JsonObject]:
    packed = path.suffix == ".gz"
    text = gzip.decompress(path.read_bytes()).decode() if packed else path.read_text(encoding="utf-8")
    if text.lstrip().startswith("["):
        yield from (as_object(row) for row in cast("list[Json]", json.loads(text)))
        return
    for line in text.split("\n"):
        if line.strip():
            yield as_object(cast("Json", json.loads(line)))


def lines(path: str, form: str) -> Read:
    """The rows of JSON files (`path` may have stars), each laid into `form`, whose {fields} are its keys."""

    def read(home: Path) -> Iterator[str]:
        for file in sorted(home.glob(path)):
            for row in _rows(file):
                yield form.format(**row)

    return read


def turns(path: str, category: str) -> Read:
    """The first turns of questions of one category, as FastChat keeps them."""

    def read(home: Path) -> Iterator[str]:
        for row in _rows(home / path):
            if row.get("category") == category:
                yield as_text(as_array(row.get("turns"))[0]) or ""

    return read


def instructed(names: str, besides: str = "$^") -> Read:
    """The prompts of T0's training sample whose template's name begins with one of `names`."""

    def read(home: Path) -> Iterator[str]:
        for file in sorted((home / "data/finetuning/t0_train_50k/data_per_template").glob("*.jsonl")):
            if re.match(names, file.stem) and not re.search(besides, file.stem):
                for row in _rows(file):
                    yield as_text(row.get("prompt")) or ""

    return read


def natural(category: str, part: str = "") -> Read:
    """The definitions of Natural Instructions of one category, each with its example's input.

    Of every three, one has the definition first, one last, and one is the definition in the first line.
    """

    def read(home: Path) -> Iterator[str]:
        with (home / "flan/v2/flan_collection_info.csv").open(encoding="utf-8") as file:
            wanted = {
                row["Specific Task Category"]
                for row in csv.DictReader(file)
                if row["Generic Task Category"] == category and part in row["Specific Task Category"]
            }
        tasks = _definitions(home / "flan/v2/constants_niv2.py")
        for number, name in enumerate(sorted(wanted & tasks.keys())):
            task = as_object(tasks[name])
            definition = as_text(task.get("definition")) or ""
            given = as_text(as_object(task.get("positive_examples")).get("input")) or ""
            yield f"{given}\n\n{definition}" if number % 3 == 1 else f"{definition}\n\n{given}"

    return read


@cache
def _definitions(file: Path) -> JsonObject:
    source = file.read_text(encoding="utf-8").partition("NATINST_META_DATA = ")[2]
    tree = ast.parse(source)
    return as_object(cast("Json", ast.literal_eval(cast("ast.Expr", tree.body[0]).value)))


def evaluations(path: str, form: str = "{said}") -> Read:
    """The rows of llm-foundry's local evaluations: `context` or `query`."""

    def read(home: Path) -> Iterator[str]:
        for row in _rows(home / "scripts/eval/local_data" / path):
            said = as_text(row.get("context")) or as_text(row.get("query")) or ""
            yield form.format(said=said.removeprefix("Question: ") if "Question: " in form else said)

    return read


def patterns(names: str) -> Read:
    """The system prompts of fabric's patterns with such names."""

    def read(home: Path) -> Iterator[str]:
        for file in sorted(home.glob("data/patterns/*/system.md")):
            if re.fullmatch(names, file.parent.name):
                yield file.read_text(encoding="utf-8")

    return read


def outcomes(task: str) -> Read:
    """The prompts of one task in a table of outcomes."""

    def read(home: Path) -> Iterator[str]:
        for row in _rows(home):
            if (as_text(row.get("task")) or "").split("/")[0] == task:
                yield as_text(row.get("prompt")) or ""

    return read


def table(path: str, column: str, form: str = "{}") -> Read:
    """One column of tables with commas or tabs."""

    def read(home: Path) -> Iterator[str]:
        csv.field_size_limit(10_000_000)
        for file in sorted(home.glob(path)):
            with file.open(encoding="utf-8", newline="") as opened:
                tabs = file.suffix == ".tsv"
                for row in csv.DictReader(opened, delimiter="\t" if tabs else ",", quoting=3 if tabs else 0):
                    yield form.format(re.sub("</?v>", "", row[column] or ""))

    return read


def bugs(form: str) -> Read:
    """DebugBench's faulty programs with their tasks."""

    def read(home: Path) -> Iterator[str]:
        for file in sorted(home.glob("dataset_construction/raw_bugs/*.json")):
            for row in list(_rows(file))[:30]:
                yield form.format(task=row.get("description"), code=row.get("buggy_code"))

    return read


def files(path: str, form: str) -> Read:
    """Whole files, each laid into a form."""

    def read(home: Path) -> Iterator[str]:
        for file in sorted(home.glob(path)):
            yield form.format(file.read_text(encoding="utf-8", errors="replace")[:6_000])

    return read


def asked_of_text(path: str) -> Read:
    """UniversalNER's questions: a text, then what is to be found in it."""

    def read(home: Path) -> Iterator[str]:
        for file in sorted(home.glob(path)):
            for row in list(_rows(file))[::7]:
                said = [
                    as_text(as_object(turn).get("value")) or "" for turn in as_array(row["conversations"])
                ]
                yield f"{said[0]}\n{said[2]}"

    return read


def intents(*names: str) -> Read:
    """CLINC's requests with these intents."""

    def read(home: Path) -> Iterator[str]:
        data = as_object(cast("Json", json.loads((home / "data/data_full.json").read_text(encoding="utf-8"))))
        for row in as_array(data.get("train")):
            said, intent = (as_text(part) or "" for part in as_array(row))
            if intent in names:
                yield said

    return read


def issues(home: Path) -> Iterator[str]:
    """The problem statements of a set of issues."""
    text = (home / "src/data/suite_instances.json").read_text(encoding="utf-8")
    for row in as_array(as_object(cast("Json", json.loads(text))).get("instances")):
        yield as_text(as_object(row).get("problem_statement")) or ""


def hard(name: str) -> Read:
    """One task of BIG-Bench Hard."""

    def read(home: Path) -> Iterator[str]:
        data = as_object(cast("Json", json.loads((home / f"bbh/{name}.json").read_text(encoding="utf-8"))))
        for row in as_array(data.get("examples")):
            yield as_text(as_object(row).get("input")) or ""

    return read


def chat(home: Path) -> Iterator[str]:
    """Topical-Chat's opening messages and a few later ones."""
    for file in sorted(home.glob("conversations/*.json")):
        data = as_object(cast("Json", json.loads(file.read_text(encoding="utf-8"))))
        for talk in list(data.values())[:150]:
            said = as_array(as_object(talk).get("content"))
            for number in (0, 5):
                if len(said) > number:
                    yield as_text(as_object(said[number]).get("message")) or ""


def talks(home: Path) -> Iterator[str]:
    """The beginnings of Topical-Chat's conversations, the speakers before their words."""
    for file in sorted(home.glob("conversations/*.json")):
        data = as_object(cast("Json", json.loads(file.read_text(encoding="utf-8"))))
        for talk in list(data.values())[:100]:
            said = [as_object(turn) for turn in as_array(as_object(talk).get("content"))[:8]]
            yield "\n".join(f"{'AB'[number % 2]}: {turn.get('message')}" for number, turn in enumerate(said))


def meetings(home: Path) -> Iterator[str]:
    """QMSum's questions before and after their meetings."""
    for file in sorted(home.glob("data/ALL/jsonl/*.jsonl")):
        for number, row in enumerate(_rows(file)):
            said = [as_object(turn) for turn in as_array(row.get("meeting_transcripts"))]
            text = "\n".join(f"{turn.get('speaker')}: {turn.get('content')}" for turn in said[:60])
            for query in as_array(row.get("general_query_list"))[:1]:
                asked = as_text(as_object(query).get("query")) or ""
                yield f"{asked}\n\n{text}" if number % 2 else f"{text}\n\n{asked}"


def abstracts(home: Path) -> Iterator[str]:
    """SciTLDR's abstracts."""
    for row in _rows(home / "SciTLDR-Data/SciTLDR-A/test.jsonl"):
        text = " ".join(as_text(part) or "" for part in as_array(row.get("source")))
        yield f"Write a TLDR of this abstract.\n\n{text}" if len(text) % 2 else f"{text}\n\nTL;DR:"


def stories(home: Path) -> Iterator[str]:
    """SQuALITY's stories, to be summarised."""
    for row in _rows(home / "data/v1-3/txt/test.jsonl"):
        text = (as_text(row.get("document")) or "")[:8_000]
        yield (
            f"{text}\n\nWhat is the plot of the story? Answer in a few sentences."
            if len(text) % 2
            else f"Write a summary of the story.\n\n{text}"
        )


def travel(home: Path) -> Iterator[str]:
    """TravelPlanner's requests without their tables."""
    for row in _rows(home / "finetuning_data/std_travelplanner.jsonl"):
        said = as_text(as_object(as_array(row.get("messages"))[1]).get("content")) or ""
        found = re.search(r"Query:\s*(.+)", said)
        if found:
            yield found[1]


def scenes(home: Path) -> Iterator[str]:
    """The creative writing prompts of EQ-Bench."""
    text = (home / "data/creative_writing_prompts_v3.json").read_text(encoding="utf-8")
    for row in as_object(cast("Json", json.loads(text))).values():
        yield as_text(as_object(row).get("writing_prompt")) or ""


def sentences(path: str, *forms: str) -> Read:
    """The lines of text files, each laid into one of the forms in turn."""

    def read(home: Path) -> Iterator[str]:
        for file in sorted(home.glob(path)):
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines()[:300]):
                yield forms[number % len(forms)].format(line)

    return read


def pieces(path: str, key: str, pattern: str) -> Read:
    """A part of one field of the rows of JSON files."""

    def read(home: Path) -> Iterator[str]:
        for file in sorted(home.glob(path)):
            for row in _rows(file):
                found = re.search(pattern, as_text(row.get(key)) or "", re.DOTALL)
                if found:
                    yield found[1]

    return read


def foreign(home: Path) -> Iterator[str]:
    """The inputs of Natural Instructions' translations that are not English letters."""
    for prompt in natural("Translation")(home):
        text = max(prompt.split("\n\n"), key=lambda part: sum(not letter.isascii() for letter in part))
        if not text.isascii():
            yield text
