"""Documents come from files, folders, URLs and objects, within limits, and reach no further than they may."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import Json, JsonObject
from interlock_core.errors import InterlockError, InvalidRequestError, NotFoundError
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest, client_for
from interlock_tools import LoadLimits, find_documents, load_document, load_file, load_object, load_text
from interlock_tools import openapi_to_tool_specs as converted
from interlock_tools.openapi._deep_json import parse_deep_json

MINIMAL: JsonObject = {
    "openapi": "3.1.0",
    "info": {"title": "Notes"},
    "paths": {"/notes": {"get": {"operationId": "listNotes"}}},
}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)


def written(folder: Path, name: str, value: "Json | bytes") -> Path:
    """A file with this content."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(value, bytes):
        path.write_bytes(value)
    else:
        path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def referring(reference: str) -> JsonObject:
    """A document whose one operation takes a parameter from elsewhere."""
    return {
        "openapi": "3.0.3",
        "paths": {"/notes": {"get": {"parameters": [{"$ref": reference}]}, "post": {}}},
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_every_unicode_encoding_of_json_is_read(tmp_path: Path, encoding: str) -> None:
    """With and without a byte order mark."""
    path = written(tmp_path, "notes.json", json.dumps(MINIMAL).encode(encoding))
    assert load_file(path).root == MINIMAL


def test_json_and_yaml_of_the_same_document_give_the_same_tools(tmp_path: Path) -> None:
    """The form of the file makes no difference."""
    text = "openapi: 3.1.0\ninfo: {title: Notes}\npaths:\n  /notes:\n    get: {operationId: listNotes}\n"
    from_yaml = converted(load_file(written(tmp_path, "notes.yaml", text)))
    assert from_yaml.tools == converted(load_object(MINIMAL)).tools


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no object"),
        ("[]", "no object"),
        ("{}", "no `openapi` key"),
        ('{"openapi": "4.0.0"}', "version 4.0.0"),
        ('{"swaggerVersion": "1.2"}', "swaggerVersion"),
        ('{"openapi": "3.0.0",', "is no JSON"),
        ("openapi: [", "neither JSON nor YAML"),
        (b"\xff\xfe\x00\x01\x02", "no text"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "no text"),
        (b"text \x00\x00 text", "binary"),
        (b"PK\x03\x04\x00\x00 text", "damaged archive"),
    ],
)
def test_what_is_no_document_is_named_with_a_remedy(tmp_path: Path, content: str | bytes, said: str) -> None:
    """The error names the file, says what is wrong and what to do."""
    path = written(tmp_path, "bad.json", content)
    with pytest.raises(InvalidRequestError, match=said) as caught:
        load_file(path)
    assert "bad.json" in str(caught.value)
    assert caught.value.remedy


def test_a_missing_file_and_an_empty_folder_are_told_apart(tmp_path: Path) -> None:
    """Each has its own remedy."""
    with pytest.raises(NotFoundError, match="no file"):
        load_file(tmp_path / "absent.json")
    with pytest.raises(NotFoundError, match="no OpenAPI document in"):
        load_file(tmp_path)


def test_large_files_are_refused_before_they_are_read(tmp_path: Path) -> None:
    """The limit is named in bytes; YAML has its own."""
    path = written(tmp_path, "large.json", MINIMAL)
    with pytest.raises(InvalidRequestError, match="at most 10"):
        load_file(path, limits=LoadLimits(max_bytes=10))
    path = written(tmp_path, "large.yaml", "openapi: 3.0.0\n")
    with pytest.raises(InvalidRequestError, match="as YAML larger than 5"):
        load_file(path, limits=LoadLimits(max_yaml_bytes=5))


def test_a_folder_gives_its_documents_and_nothing_else(tmp_path: Path) -> None:
    """Files that only others point to are no documents."""
    first = written(tmp_path, "a.json", MINIMAL)
    second = written(tmp_path, "deep/er/b.yaml", "swagger: '2.0'\n")
    written(tmp_path, "common.yaml", "Name: {type: string}\n")
    written(tmp_path, "notes.txt", "openapi: 3.0.0")
    assert find_documents(tmp_path) == (first, second)
    with pytest.raises(NotFoundError, match="no folder"):
        find_documents(tmp_path / "absent")


def test_references_into_files_below_are_followed(tmp_path: Path) -> None:
    """Relative paths, one file pointing to the next."""
    parameter: JsonObject = {"name": "q", "in": "query", "schema": {"$ref": "types.yaml#/Name"}}
    written(tmp_path, "parts/parameters.json", {"Query": parameter})
    written(tmp_path, "parts/types.yaml", "Name: {type: string, minLength: 2}\n")
    path = written(tmp_path, "api.json", referring("./parts/parameters.json#/Query"))
    tool = converted(load_file(path)).tools[0]
    assert tool.parameters["properties"] == {"q": {"type": "string", "minLength": 2}}


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("file:///etc/passwd", "relative paths"),
        ("/etc/passwd", "relative paths"),
        ("../../../../../../etc/passwd", "JSON or YAML file by its name"),
        ("../outside.json#/Query", "lies outside"),
        ("http://169.254.169.254/schema.json#/x", "not fetched for a file"),
        ("absent.json#/Query", "no file"),
        ("#/components/parameters/Absent", "nothing at that place"),
        ("#Anchor", "no such anchor"),
    ],
)
def test_a_reference_that_may_not_or_cannot_be_followed_costs_its_operation(
    tmp_path: Path, reference: str, said: str
) -> None:
    """The other operation becomes a tool; the reason names file, place, cause and remedy."""
    parameter: Json = {"Query": {"name": "q", "in": "query", "schema": {"type": "string"}}}
    written(tmp_path, "outside.json", parameter)
    path = written(tmp_path, "inside/api.json", referring(reference))
    conversion = converted(load_file(path))
    assert [tool.endpoint for tool in conversion] == ["POST /notes"]
    skipped = conversion.skipped[0]
    assert skipped.operation == "GET /notes"
    assert said in skipped.reason
    assert "api.json#/paths/~1notes/get/parameters/0" in skipped.reason
    assert "root:" not in skipped.reason


def test_a_wider_folder_can_be_named_for_references(tmp_path: Path) -> None:
    """What lies beside the document's own folder is reached when the operator says so."""
    written(tmp_path, "shared.json", {"Query": {"name": "q", "in": "query", "schema": {"type": "string"}}})
    path = written(tmp_path, "inside/api.json", referring("../shared.json#/Query"))
    assert len(converted(load_file(path, limits=LoadLimits(within=tmp_path)))) == 2


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    """Where a symbolic link leads counts, not where it stands."""
    written(tmp_path, "outside.json", {"Query": {"name": "q", "in": "query"}})
    path = written(tmp_path, "inside/api.json", referring("link.json#/Query"))
    (tmp_path / "inside" / "link.json").symlink_to(tmp_path / "outside.json")
    assert "lies outside" in converted(load_file(path)).skipped[0].reason


def test_a_document_may_not_be_spread_over_too_many_files(tmp_path: Path) -> None:
    """What lies beyond the limit is not read, and that is the reason given."""
    path = written(tmp_path, "api.json", referring("other.json#/Query"))
    written(tmp_path, "other.json", {"Query": {"name": "q", "in": "query"}})
    conversion = converted(load_file(path, limits=LoadLimits(max_files=1)))
    assert "more than 1 files" in conversion.skipped[0].reason


def test_an_object_and_a_text_may_point_only_into_themselves() -> None:
    """They have no address that anything could be relative to."""
    for conversion in (
        converted(referring("other.json#/Query")),
        converted(load_text(json.dumps(referring("other.json#/Query")))),
    ):
        assert "no address to start from" in conversion.skipped[0].reason


async def test_a_url_is_fetched_with_what_it_points_to_on_the_same_server() -> None:
    """Relative references become requests to the same origin; redirects are followed."""

    def serve(request: ReceivedRequest) -> Answer:
        match request.path:
            case "/old":
                return Answer(status=302, headers=(("location", "/api/openapi.json"),))
            case "/api/openapi.json":
                return Answer(body=json.dumps(referring("common.json#/Query")).encode())
            case "/api/common.json":
                return Answer(body=b'{"Query": {"name": "q", "in": "query", "schema": {"type": "string"}}}')
            case _:
                return Answer(status=404)

    async with LoopbackServer(serve) as server, client_for(server) as client:
        loaded = await load_document(f"{server.url}/old", client=client)
        assert loaded.uri == f"{server.url}/api/openapi.json"
        assert len(converted(loaded)) == 2


async def test_a_url_may_not_point_to_another_server() -> None:
    """A reference elsewhere is not requested; it costs its operation."""
    async with LoopbackServer() as other:
        document = json.dumps(referring(f"{other.url}/common.json#/Query")).encode()
        async with (
            LoopbackServer(lambda _: Answer(body=document)) as server,
            client_for(server, other) as client,
        ):
            conversion = converted(await load_document(f"{server.url}/api.json", client=client))
        assert "another server" in conversion.skipped[0].reason
        assert other.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=404),
        Answer(status=302, headers=(("location", "/again"),)),
        Answer(body=b"<html>"),
    ],
)
async def test_a_url_that_gives_no_document_is_an_error(answer: Answer) -> None:
    """Not found, a circle of redirects, or a page for people."""
    async with LoopbackServer(lambda _: answer) as server, client_for(server) as client:
        with pytest.raises(InterlockError) as caught:
            await load_document(f"{server.url}/api.json?token=hidden", client=client)
        assert "hidden" not in str(caught.value)
        assert len(server.requests) <= 10


async def test_a_url_on_this_machine_is_refused_unless_the_operator_allows_it() -> None:
    """The guard stands below the loader."""
    async with LoopbackServer() as server:
        with pytest.raises(InterlockError, match="loopback"):
            await load_document(f"{server.url}/api.json")
        assert server.requests == []


def test_json_deeper_than_the_standard_parser_goes_is_read() -> None:
    """A schema of three thousand levels costs its operation, not the document."""
    depth = 3_000
    schema = '{"type":"array","items":' * depth + '{"type":"string"}' + "}" * depth
    body = '{"content":{"application/json":{"schema":' + schema + "}}}"
    text = '{"openapi":"3.0.0","paths":{"/a":{"post":{"requestBody":' + body + '},"get":{}}}}'
    conversion = converted(load_text(text))
    assert [tool.endpoint for tool in conversion] == ["GET /a"]
    assert "nested deeper" in conversion.skipped[0].reason


def test_brackets_without_end_are_refused() -> None:
    """A hundred thousand of them are refused at the limit."""
    with pytest.raises(InvalidRequestError, match="nested deeper than 5000"):
        load_text("[" * 100_000)


@given(JSON_VALUES)
def test_the_parser_for_deep_json_agrees_with_the_standard_one(value: Json) -> None:
    """On every value, with and without white space."""
    assert parse_deep_json(json.dumps(value), max_depth=100) == value
    assert parse_deep_json(json.dumps(value, indent=2), max_depth=100) == value


@given(st.text(alphabet='{}[]:,"\\ 0123456789.eE+-truefalsn', max_size=60))
def test_the_parser_for_deep_json_refuses_what_the_standard_one_refuses(text: str) -> None:
    """Broken texts of every kind."""
    try:
        expected: Json = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            parse_deep_json(text, max_depth=100)
        return
    assert parse_deep_json(text, max_depth=100) == expected


def test_the_files_of_a_document_have_a_limit_together(tmp_path: Path) -> None:
    """What is beyond it is not read, and costs the operations that need it."""
    written(tmp_path, "large.json", {"Query": {"name": "q", "in": "query"}, "x": "x" * 2_000})
    path = written(tmp_path, "api.json", referring("large.json#/Query"))
    conversion = converted(load_file(path, limits=LoadLimits(max_total_bytes=1_000)))
    assert "more than 1000 bytes" in conversion.skipped[0].reason


def test_files_that_point_to_each_other_are_read_once(tmp_path: Path) -> None:
    """However often they are named, in whatever order."""
    parameter: Json = {"name": "q", "in": "query", "schema": {"$ref": "b.json#/Q"}}
    written(tmp_path, "a.json", {"P": parameter, "more": [{"$ref": "b.json"}, {"$ref": "#/P"}]})
    written(
        tmp_path, "b.json", {"Q": {"type": "integer"}, "back": [{"$ref": "a.json"}, {"$ref": "api.json"}]}
    )
    path = written(tmp_path, "api.json", {**referring("a.json#/P"), "x": {"$ref": "b.json#/Q"}})
    loaded = load_file(path)
    assert len(loaded.files) == 3
    assert converted(loaded).skipped == ()


def test_a_broken_file_costs_only_what_needs_it(tmp_path: Path) -> None:
    """The reason says what is wrong with it; what is tolerated in another is told with its name."""
    written(tmp_path, "broken.json", "{")
    path = written(tmp_path, "api.json", referring("broken.json#/Query"))
    assert "is no JSON" in converted(load_file(path)).skipped[0].reason
    written(tmp_path, "twice.json", '{"Q": 1, "Q": {"name": "q", "in": "query"}}')
    written(tmp_path, "api.json", referring("twice.json#/Q"))
    assert "twice.json" in load_file(path).problems[0].source


@pytest.mark.parametrize(
    ("reference", "said"),
    [("a%00b.json#/Q", "lies outside"), ("http://[#/Q", "points to nothing"), ("pipe.json#/Q", "is no file")],
)
def test_a_name_that_no_file_can_have_costs_its_operation(tmp_path: Path, reference: str, said: str) -> None:
    """And reading never waits for a pipe."""
    os.mkfifo(tmp_path / "pipe.json")
    path = written(tmp_path, "api.json", referring(reference))
    assert said in converted(load_file(path)).skipped[0].reason


def test_a_source_that_no_file_can_be_is_refused(tmp_path: Path) -> None:
    """A name with a NUL in it, and a device."""
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        load_file("a\0b.json")
    with pytest.raises(InvalidRequestError, match="is no file"):
        load_file("/dev/null")
    assert find_documents(tmp_path) == ()


def test_half_a_character_is_replaced_and_that_is_said() -> None:
    """It could neither be sent nor stored; whole pairs and escaped backslashes stay."""
    text = r'{"openapi": "3.1.0", "info": {"title": "a\ud800b \ud83d\ude00 \\ud800"}}'
    loaded = load_text(text)
    assert loaded.root["info"] == {"title": "a\ufffdb \U0001f600 \\ud800"}
    assert "half of a character" in loaded.problems[0].message
    assert load_text(text.replace(r"a\ud800b ", "")).problems == ()


@pytest.mark.promise("O2")
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(alphabet="openapi: 3.1.0{}[]\"'&*!|>-#~%@,\n\t\\ud8", max_size=120).map(str.encode),
        JSON_VALUES.map(lambda value: json.dumps(value).encode()),
        JSON_VALUES.map(lambda value: json.dumps({"openapi": "3.1.0", "paths": {"/x": value}}).encode()),
        JSON_VALUES.map(
            lambda value: json.dumps({"swagger": "2.0", "paths": {"/x": {"get": value}}}).encode()
        ),
    )
)
def test_whatever_the_bytes_are_they_are_read_or_refused(data: bytes) -> None:
    """Nothing else comes of them: no crash, and a remedy with each refusal."""
    refusal: InterlockError | None = None
    try:
        converted(load_text(data))
    except InterlockError as error:
        refusal = error
    assert refusal is None or refusal.remedy
