"""The frame of the management interface: who may ask, what a body may be, how errors and lists are told."""

import json
import subprocess
import sys
from typing import TYPE_CHECKING, cast

import pytest
from fastapi import APIRouter
from hypothesis import given
from hypothesis import strategies as st

from interlock_api.manage._frame import ManagedRoute, PagingQuery, area, needs, signed_in
from interlock_api.testing import RawAnswer
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import JsonObject, as_array, as_object, parse_json
from interlock_runtime import KeyRequest

if TYPE_CHECKING:
    from .conftest import Gate, MakeGate

PROBLEM = "application/problem+json"


def told(answer: RawAnswer) -> JsonObject:
    """The object of an answer's body."""
    return as_object(parse_json(answer.body))


@pytest.mark.promise("G3")
async def test_the_interface_describes_itself_as_openapi_3_1(gate: "Gate") -> None:
    """With the ways to present a key, a summary and a description for every operation and every field."""
    found = told(await gate.ask("GET", "/openapi.json"))
    assert str(found["openapi"]).startswith("3.1")
    assert found["security"] == [{"bearer": []}, {"key": []}]
    operations = [
        as_object(operation)
        for entry in as_object(found["paths"]).values()
        for operation in as_object(entry).values()
    ]
    assert operations
    ids = [operation["operationId"] for operation in operations]
    assert len(set(map(str, ids))) == len(ids)
    for operation in operations:
        assert operation["summary"], operation
        assert operation["description"], operation
        assert {"4XX", "5XX"} <= set(as_object(operation["responses"])), operation
    for name, schema in as_object(as_object(found["components"])["schemas"]).items():
        for field, entry in as_object(as_object(schema).get("properties")).items():
            assert as_object(entry).get("description"), f"{name}.{field} has no description"


@pytest.mark.promise("G3")
async def test_a_parameter_that_nobody_knows_is_refused_with_the_nearest(gate: "Gate") -> None:
    """A filter that is written wrong would otherwise show everything, or change what was not meant."""
    for path, field, remedy in (
        ("/api/audit?usr=eve", "usr", "Did you mean user?"),
        ("/api/audit?user=eve&Limit=5", "Limit", "Did you mean limit?"),
        ("/api/audit/export?fromat=csv", "fromat", "Did you mean format?"),
        ("/api/keys?cursr=x", "cursr", "Did you mean cursor?"),
        ("/api/keys?zzz", "zzz", "Known: cursor, limit."),
        ("/api/session?verbose=1", "verbose", "This takes no parameters: leave it out."),
    ):
        answer = await gate.ask("GET", path)
        found = told(answer)
        assert (answer.status, found["field"], found["remedy"]) == (400, field, remedy), path
        assert (found["code"], repr(field) in str(found["detail"])) == ("invalid_request", True)
    assert (await gate.ask("POST", "/api/audit/verify?deep=1")).status == 400
    assert (await gate.ask("GET", "/api/audit?user=eve&limit=5")).status == 200
    assert (await gate.ask("GET", "/api/approvals?all=true")).status == 200
    assert (await gate.ask("GET", "/api/audit?usr=eve", key="ilk_none")).status == 401


async def test_who_may_not_ask_is_not_told_of_parameters(gate: "Gate") -> None:
    """Rights come first."""
    reader = await gate.runtime.access.create_key(KeyRequest(name="eve", user="eve", role="readonly"))
    assert (await gate.ask("POST", "/api/audit/erase?x=1", key=str(reader["key"]))).status == 403


@pytest.mark.promise("G3")
async def test_every_parameter_that_is_described_is_known(gate: "Gate") -> None:
    """None of them is refused as unknown."""
    found = told(await gate.ask("GET", "/openapi.json"))
    asked = 0
    for path, entry in as_object(found["paths"]).items():
        for parameter in map(as_object, as_array(as_object(as_object(entry).get("get")).get("parameters"))):
            if parameter["in"] == "query":
                asked += 1
                answer = await gate.ask("GET", f"{path}?{parameter['name']}=1")
                assert "There is no parameter" not in answer.body.decode(), (path, parameter["name"])
    assert asked > 20


async def test_a_key_says_whom_it_stands_for(gate: "Gate") -> None:
    """By either way of presenting it, and by HEAD without a body."""
    answer = await gate.ask("GET", "/api/session")
    assert answer.status == 200
    assert told(answer)["user"] == "admin"
    other = await gate.ask("GET", "/api/session", key=None, x_api_key=gate.key)
    assert told(other) == told(answer)
    head = await gate.ask("HEAD", "/api/session")
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize(
    ("request_line", "key", "status", "code"),
    [
        ("GET /api/session", None, 401, "unauthenticated"),
        ("GET /openapi.json", None, 401, "unauthenticated"),
        ("GET /api/nothing", None, 401, "unauthenticated"),
        ("GET /api/nothing", "", 404, "not_found"),
        ("GET /api", "", 404, "not_found"),
        ("GET /api/session/", "", 404, "not_found"),
        ("DELETE /api/session", "", 405, "method_not_allowed"),
    ],
)
async def test_every_error_is_a_problem(
    gate: "Gate", request_line: str, key: str | None, status: int, code: str
) -> None:
    """RFC 9457: media type, status, and a code for programs."""
    method, _, path = request_line.partition(" ")
    answer = await gate.ask(method, path, key=key)
    assert answer.status == status
    assert dict(answer.headers)["content-type"] == PROBLEM
    problem = told(answer)
    assert (problem["status"], problem["code"], problem["type"]) == (status, code, "about:blank")
    assert problem["title"]
    assert problem["detail"]


async def test_a_method_that_is_not_taken_is_told_which_are(gate: "Gate") -> None:
    """In the header `allow`."""
    answer = await gate.ask("POST", "/api/session")
    assert dict(answer.headers)["allow"] == "GET, HEAD"


async def test_a_body_is_bounded(make_gate: "MakeGate") -> None:
    """1 MiB, whatever models may be sent."""
    async with make_gate() as gate:
        answer = await gate.ask("POST", "/api/session", body=b" " * (1024 * 1024 + 1))
    assert (answer.status, told(answer)["code"]) == (413, "too_large")


def test_a_route_without_a_need_cannot_be_made() -> None:
    """Nor one with two, nor one of a router that does not check."""
    router = area("things")

    async def nothing() -> None:
        """Nothing."""

    with pytest.raises(TypeError, match="states 0 needs"):
        router.add_api_route("", nothing)
    with pytest.raises(TypeError, match="states 2 needs"):
        router.add_api_route("", nothing, dependencies=[signed_in, needs("things.read")])
    router.add_api_route("", nothing, dependencies=[needs("things.read")])
    with pytest.raises(TypeError, match="at least one area"):
        needs()


@given(
    names=st.sets(st.text(min_size=1).filter(lambda text: "\0" not in text and text.isprintable())),
    limit=st.integers(1, 7),
)
def test_pages_give_every_item_once_in_order(names: set[str], limit: int) -> None:
    """Whatever the keys are, and however short a page is."""
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = PagingQuery(limit, cursor).page(sorted(names), key=str)
        assert len(page.items) <= limit
        seen += page.items
        cursor = page.next
        if cursor is None:
            break
    assert seen == sorted(names)


@given(st.text())
def test_a_cursor_that_is_none_is_refused(text: str) -> None:
    """With the field named; whatever it is, nothing else is raised."""
    refused: str | None = None
    after: str | None = None
    try:
        after = PagingQuery(5, text).after
    except InvalidRequestError as error:
        refused = error.field
    assert bool(after) is (refused is None)
    assert refused in {None, "cursor"}


def test_the_web_framework_is_not_imported_before_it_is_needed() -> None:
    """Neither by the start of the server nor by the command line."""
    program = (
        "import sys, interlock_api, interlock_api._serve;"
        "print([name for name in ('fastapi', 'starlette', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert cast("list[str]", json.loads(done.stdout.replace("'", '"'))) == []


def test_every_router_checks_rights() -> None:
    """A router made otherwise is refused when the application is made."""
    assert area("things").route_class is ManagedRoute
    assert APIRouter().route_class is not ManagedRoute
