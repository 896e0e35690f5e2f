"""The document of the tools for developers and the handlers behind it agree, operation by operation."""

from pathlib import Path
from typing import cast

import pytest
import yaml

from interlock_core import Effect
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object
from interlock_core.schema import validator
from interlock_tools.openapi import load_file, openapi_to_tool_specs

from .dev_ground import PROJECT, Ground, described, write

pytestmark = pytest.mark.promise("O12")

FILE = Path(__file__).parents[1] / "src" / "interlock_tools" / "specs" / "ai-dev-tools.yaml"
DOCUMENT = as_object(cast("Json", yaml.safe_load(FILE.read_bytes())))
OPERATIONS = {
    str(as_object(operation)["operationId"]): as_object(operation)
    for item in as_object(DOCUMENT["paths"]).values()
    for method, operation in as_object(item).items()
    if method != "parameters"
}
PROMISED = {
    *("createIssues", "createPR", "reviewPR", "updateIssue", "mergePR", "commentOnIssue"),
    *("analyzeCode", "generateTests", "refactorCode", "formatCode", "lintCode"),
    *("runTests", "deployPreview", "createWorkflow"),
}
READS = {"analyzeCode", "lintCode", "runTests", "listPreviews"}


def body_examples() -> list[tuple[str, str, JsonObject]]:
    """Every example of a request: operation, name, value."""
    found: list[tuple[str, str, JsonObject]] = []
    for name, operation in OPERATIONS.items():
        content = as_object(as_object(operation.get("requestBody")).get("content"))
        examples = as_object(as_object(content.get("application/json")).get("examples"))
        found += [(name, title, as_object(as_object(one)["value"])) for title, one in examples.items()]
    return found


EXAMPLES = body_examples()


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """A folder with a program."""
    return Ground(write(tmp_path / "notes", PROJECT))


def test_every_promised_operation_is_described_and_every_described_one_has_a_handler(ground: Ground) -> None:
    """Both ways: nothing is only written, nothing is only built."""
    assert OPERATIONS.keys() >= PROMISED
    assert ground.tools.handlers().keys() == OPERATIONS.keys()
    offered = {tool.name for tool in ground.registry.list(["dev.*"])}
    assert offered == {f"dev.{name}" for name in OPERATIONS}


def test_effects_are_those_that_a_permission_needs(ground: Ground) -> None:
    """Reading is read, merging is destructive, everything else writes; every result may hold others' text."""
    effects = {tool.name.removeprefix("dev."): tool.effect for tool in ground.registry.list(["dev.*"])}
    wanted = {name: Effect.READ if name in READS else Effect.WRITE for name in OPERATIONS}
    assert effects == wanted | {"mergePR": Effect.DESTRUCTIVE}
    assert all(tool.untrusted for tool in ground.registry.list(["dev.*"]))


@pytest.mark.parametrize(("operation", "title", "value"), EXAMPLES, ids=[f"{o}-{t}" for o, t, _ in EXAMPLES])
def test_an_example_fits_its_schema(operation: str, title: str, value: JsonObject, tmp_path: Path) -> None:
    """What a model copies from the document is accepted."""
    assert title
    ground = Ground(write(tmp_path / "notes", PROJECT))
    ground.registry.validator(f"dev.{operation}").check(value, what=title)


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_every_operation_says_what_it_does_shortly_and_what_it_answers(operation: str) -> None:
    """A description for a model, an answer with a schema, errors with an example."""
    described_as = OPERATIONS[operation]
    assert 20 <= len(str(described_as["description"])) <= 450
    assert str(described_as["summary"])
    assert described_as["x-interlock-effect"] in {"read", "write", "destructive"}
    responses = as_object(described_as["responses"])
    assert "200" in responses
    assert described(operation, {"nonsense": []}) != ()
    problem = as_object(as_object(DOCUMENT["components"])["schemas"])["Problem"]
    for response in as_object(as_object(DOCUMENT["components"])["responses"]).values():
        media = as_object(as_object(as_object(response)["content"])["application/json"])
        for example in as_object(media["examples"]).values():
            assert validator(as_object(problem)).problems(as_object(example)["value"]) == ()


def test_the_document_converts_without_a_problem() -> None:
    """Our own converter has nothing to say, and no tool is long."""
    conversion = openapi_to_tool_specs(load_file(FILE), namespace="dev")
    assert (conversion.problems, conversion.skipped, conversion.folded) == ((), (), 0)
    assert len(conversion) == len(OPERATIONS)


FORBIDDEN: list[tuple[str, JsonObject]] = [
    ("createIssues", {"owner": "a", "repo": "b", "issues": []}),
    ("createIssues", {"owner": "a/b", "repo": "b", "issues": [{"title": "t"}]}),
    ("mergePR", {"owner": "a", "repo": "b", "number": 1}),
    ("mergePR", {"owner": "a", "repo": "b", "number": 1, "sha": "main"}),
    ("reviewPR", {"owner": "a", "repo": "b", "number": 0, "event": "APPROVE"}),
    ("lintCode", {"path": "src", "select": ["--config=/etc/passwd"]}),
    ("runTests", {"path": ".", "filter": "x; rm -rf /"}),
    ("runTests", {"path": ".", "filter": "--config"}),
    ("refactorCode", {"path": ".", "kind": "delete"}),
    ("refactorCode", {"path": ".", "kind": "rename", "name": "a b"}),
    ("deployPreview", {"path": ".", "expiresInMinutes": 100_000}),
    ("stopPreview", {"id": "../x"}),
    ("createWorkflow", {"file": "../x.yml", "name": "x", "triggers": {"manual": True}, "jobs": [{}]}),
]


@pytest.mark.parametrize(("operation", "value"), FORBIDDEN)
async def test_what_the_schema_forbids_is_not_tried(
    operation: str, value: JsonObject, ground: Ground
) -> None:
    """The arguments are refused before the handler sees them."""
    result = await ground.result(operation, value)
    assert result.is_error
    assert result.error_code == "schema_invalid"


def test_only_the_operations_that_are_allowed_are_offered(tmp_path: Path) -> None:
    """An operator can offer a part."""
    ground = Ground(write(tmp_path / "notes", PROJECT))
    ground.registry.remove("dev")
    ground.tools.register(ground.registry, namespace="mine", allow=lambda name: name.startswith("lint"))
    assert [tool.name for tool in ground.registry.list()] == ["mine.lintCode"]


def test_the_tags_are_the_categories(ground: Ground) -> None:
    """Permissions can name a whole group."""
    tags = {str(as_object(tag)["name"]) for tag in as_array(DOCUMENT["tags"])}
    assert {tool.category for tool in ground.registry.list(["dev.*"])} == tags
