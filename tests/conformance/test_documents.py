"""Real documents: whatever they declare, every vendor is sent all of it, in schemas that hold.

Counted by a census with a reading of its own. Every fourth document of at most 400 kB is taken, all of
them with `FULL=1`; `tests/bench/documents.py` runs the same census over many more.
"""

import json
import os
from pathlib import Path

import pytest

from interlock_core import JsonObject

from .census import Converted, Judge, Tally, counted
from .declared import Reading
from .rendering import DIALECTS, LARGEST, converted

SAMPLE_EVERY = 4
SAMPLE_BYTES = 400_000


def documents() -> list[Path]:
    """The documents of this run."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "corpus"
    folder = Path(os.environ.get("INTERLOCK_CORPUS", beside)) / "openapi" / "dev"
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    if os.environ.get("FULL") == "1":
        return found
    return [path for path in found[::SAMPLE_EVERY] if path.stat().st_size <= SAMPLE_BYTES]


@pytest.mark.promise("O3", "O4")
def test_every_vendor_is_sent_all_that_documents_declare() -> None:
    """Operations, parameters, bodies and what is required; every schema valid, closed and compilable."""
    found = documents()
    assert found, (
        "The corpus of OpenAPI documents is absent: set INTERLOCK_CORPUS, or put it at ../shared/corpus."
    )
    tally = Tally()
    for path in found:
        tally.add(counted(path, converted, largest=LARGEST))
    assert tally.faulty() == {}, tally.faults
    assert tally.counts["tools"] >= 0.999 * tally.counts["operations"]
    assert {f"tools of {dialect}": tally.counts[f"tools of {dialect}"] for dialect in DIALECTS} == {
        f"tools of {dialect}": tally.counts["tools"] for dialect in DIALECTS
    }


OPERATION: JsonObject = {
    "parameters": [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
        {"name": "kind", "in": "query", "required": True, "description": "Which sort of thing it is."},
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"required": ["a"], "properties": {"a": {"type": "string"}, "b": {}}}
            }
        },
    },
}
ARGUMENTS: JsonObject = {"id": {}, "kind": {"description": "Which sort of thing it is."}, "a": {}, "b": {}}
GOOD: JsonObject = {
    "type": "object",
    "properties": ARGUMENTS,
    "required": ["id", "kind", "a"],
}


def judged(schema: JsonObject, *, name: str = "t", said: str = "It.") -> dict[str, int]:
    """What the census finds wrong with a tool of the operation."""
    reading = Reading({"paths": {"/things/{id}": {"post": OPERATION}}})
    tool: JsonObject = {"name": name, "description": said, "parameters": schema}
    return (
        Judge("d", reading, largest=2_000)
        .judge(Converted(["POST /things/{id}"], [], {"openai-chat": [tool]}))
        .faulty()
    )


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, {}),
        ({"properties": {**ARGUMENTS, "kind": {}}}, {"undescribed": 1}),
        ({"properties": {"id": {}, "a": {}, "b": {}}}, {"parameter lost": 1}),
        ({"properties": {"id": {}, "kind": {"enum": [1]}}, "required": ["id", "kind"]}, {"body lost": 1}),
        ({"required": ["id", "a"]}, {"required parameter lost": 1}),
        ({"required": ["id", "kind"]}, {"required property lost": 1}),
        ({"minLength": -1}, {"invalid schema": 1, "does not compile": 1}),
        ({"allOf": [{"$ref": "#/$defs/No"}]}, {"dangling reference": 1, "does not compile": 1}),
        ({"nullable": True}, {"foreign keyword": 1}),
        ({"description": "x" * 2_000}, {"too large": 1}),
    ],
)
def test_the_census_sees_each_fault(change: JsonObject, fault: dict[str, int]) -> None:
    """A tool with one thing wrong is counted once, for that."""
    assert judged({**GOOD, **change}) == fault


def test_the_census_sees_names_words_and_operations_that_are_wrong() -> None:
    """Illegal and double names, a tool of nothing, and an operation that is nowhere."""
    assert judged(GOOD, name="a.b") == {"illegal name": 1}
    assert judged(GOOD, said=" ") == {"no description": 1}
    reading = Reading({"paths": {"/a": {"get": {}}, "/b": {"get": {"parameters": [{"$ref": "#/no"}]}}}})
    tool: JsonObject = {"name": "t", "parameters": {}, "description": "d"}
    skipped = [("GET /b", "points to nothing")]
    found = Judge("d", reading, largest=900).judge(
        Converted(["GET /c", "GET /d"], skipped, {"x": [tool, tool]})
    )
    assert found.faulty() == {"vanished": 1, "invented": 2, "duplicate name": 1}
    found = Judge("d", reading, largest=900).judge(Converted([], [("GET /a", "no"), *skipped], {}))
    assert found.faulty() == {"skipped without reason": 1}


def test_the_census_reads_what_documents_have(tmp_path: Path) -> None:
    """Parameters of paths, of references and of Swagger 2.0; YAML as texts."""
    written = tmp_path / "d.yaml"
    written.write_text(
        "swagger: '2.0'\n"
        "parameters: {page: {name: page, in: query, required: true}}\n"
        "paths:\n"
        "  /a:\n"
        "    parameters: [{$ref: '#/parameters/page'}]\n"
        "    post:\n"
        "      parameters: [{name: f, in: formData}, {name: X-A, in: header}]\n"
    )
    tally = counted(written, converted, largest=LARGEST)
    assert tally.faulty() == {}
    assert tally.counts["parameters"] == 3 * len(DIALECTS)
    assert json.dumps(tally.counts["required parameters"]) == str(len(DIALECTS))
