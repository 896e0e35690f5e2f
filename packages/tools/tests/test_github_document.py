"""The OpenAPI document of GitHub's issues and the stand-in for GitHub agree, operation by operation."""

import http.client
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import cast
from urllib.parse import urlencode, urlsplit

import pytest
import yaml

from interlock_core.jsontypes import Json, JsonObject, as_array, as_object
from interlock_core.schema import validator
from interlock_tools.testing.github import GitHubStandIn

DOCUMENT = as_object(
    cast("Json", yaml.safe_load((files("interlock_tools") / "specs" / "github-issues.yaml").read_bytes()))
)
VALUES = {"owner": "acme", "repo": "notes", "issue_number": "1"}
OPERATIONS = [
    (path, method, as_object(operation))
    for path, item in as_object(DOCUMENT["paths"]).items()
    for method, operation in as_object(item).items()
    if method != "parameters"
]
NAMES = [str(operation["operationId"]) for _, _, operation in OPERATIONS]


def resolve(node: Json) -> JsonObject:
    """An object of the document, a reference to one followed."""
    found = as_object(node)
    while isinstance(found.get("$ref"), str):
        target: Json = DOCUMENT
        for part in str(found["$ref"]).removeprefix("#/").split("/"):
            target = as_object(target)[part]
        found = as_object(target)
    return found


def json_schema(content: JsonObject) -> JsonObject:
    """The schema of a JSON body, made whole with the document's components."""
    media = as_object(as_object(content["content"])["application/json"])
    return {**as_object(media["schema"]), "components": DOCUMENT["components"]}


def example_of(operation: JsonObject) -> Json:
    """The first example of an operation's body, or None when it takes none."""
    if "requestBody" not in operation:
        return None
    media = as_object(as_object(resolve(operation["requestBody"])["content"])["application/json"])
    return as_object(next(iter(as_object(media["examples"]).values())))["value"]


def query_of(path: str, operation: JsonObject) -> str:
    """The query that the required parameters' examples make."""
    shared = as_array(as_object(as_object(DOCUMENT["paths"])[path]).get("parameters"))
    parameters = [resolve(entry) for entry in [*shared, *as_array(operation.get("parameters"))]]
    wanted = {
        str(entry["name"]): str(entry["example"])
        for entry in parameters
        if entry["in"] == "query" and entry.get("required")
    }
    return f"?{urlencode(wanted)}" if wanted else ""


def call(github: GitHubStandIn, method: str, target: str, value: Json, token: str) -> tuple[int, Json]:
    """Send one request and read its JSON."""
    connection = http.client.HTTPConnection(urlsplit(github.url).netloc, timeout=30)
    headers = {"user-agent": "test", "authorization": f"Bearer {token}"}
    try:
        connection.request(method.upper(), target, json.dumps(value) if value is not None else None, headers)
        response = connection.getresponse()
        return response.status, cast("Json", json.loads(response.read()))
    finally:
        connection.close()


@pytest.fixture
def github() -> Iterator[GitHubStandIn]:
    """A stand-in with one issue, one comment to come, and one milestone."""
    with GitHubStandIn(owner="acme", repo="notes") as running:
        running.add_milestone("Earlier")
        running.add_issue("Export as a file", body="text", labels=["bug"])
        yield running


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=NAMES)
def test_the_stand_in_answers_each_operation_as_the_document_says(
    github: GitHubStandIn, path: str, method: str, operation: JsonObject
) -> None:
    """The documented example succeeds, and the answer fits the documented schema."""
    target = path.format_map(VALUES) + query_of(path, operation)
    status, answer = call(github, method, target, example_of(operation), github.token)
    responses = as_object(operation["responses"])
    success = next(code for code in responses if code.startswith("2"))
    assert str(status) == success
    assert validator(json_schema(resolve(responses[success]))).problems(answer) == ()


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=NAMES)
def test_a_refusal_is_one_that_the_document_names(
    github: GitHubStandIn, path: str, method: str, operation: JsonObject
) -> None:
    """401 without the token and 404 for another repository are documented and fit their schema."""
    responses = as_object(operation["responses"])
    elsewhere = path.format_map({**VALUES, "repo": "other"}) + query_of(path, operation)
    answers = [call(github, method, path.format_map(VALUES), None, "wrong")]
    if "{repo}" in path:
        answers.append(call(github, method, elsewhere, example_of(operation), github.token))
    for status, answer in answers:
        assert status in {401, 404}
        assert validator(json_schema(resolve(responses[str(status)]))).problems(answer) == ()


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=NAMES)
def test_the_example_of_a_body_fits_its_own_schema(path: str, method: str, operation: JsonObject) -> None:
    """An example that a model copies is accepted."""
    assert path.startswith("/")
    assert (method in {"post", "patch"}) == ("requestBody" in operation)
    if "requestBody" in operation:
        schema = json_schema(resolve(operation["requestBody"]))
        assert validator(schema).problems(example_of(operation)) == ()


def test_what_the_stand_in_refuses_does_not_fit_the_schema() -> None:
    """The limits of the document are those of the API: what would be a 422 is caught before it is sent."""
    create = next(operation for _, _, operation in OPERATIONS if operation["operationId"] == "issues/create")
    check = validator(json_schema(resolve(create["requestBody"])))
    bad: list[Json] = [
        {},
        {"title": ""},
        {"title": 7},
        {"title": "t" * 257},
        {"title": "t", "body": "b" * 65_537},
        {"title": "t", "labels": "bug"},
        {"title": "t", "labels": ["l" * 51]},
        {"title": "t", "milestone": "soon"},
        {"title": "t", "unknown": 1},
    ]
    assert all(check.problems(value) for value in bad)


def test_the_operations_are_those_that_the_product_uses() -> None:
    """Names of tools are made from these ids, so a change here is a change of names."""
    assert sorted(NAMES) == [
        "issues/add-labels",
        "issues/create",
        "issues/create-comment",
        "issues/create-label",
        "issues/create-milestone",
        "issues/get",
        "issues/list",
        "issues/list-comments",
        "issues/list-labels",
        "issues/list-milestones",
        "issues/update",
        "repos/get",
        "search/issues",
    ]


def test_every_operation_says_what_it_does_in_one_short_text() -> None:
    """A model reads these: none is missing, none is long."""
    for _, _, operation in OPERATIONS:
        assert 10 <= len(str(operation["description"])) <= 200
