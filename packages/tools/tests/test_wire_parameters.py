"""Parameters go on the wire exactly as the document describes: every style, captured from a real socket."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import Effect, Json, JsonObject, ToolCall
from interlock_core.errors import InvalidRequestError
from interlock_core.testing import LoopbackServer, ReceivedRequest, make_call
from interlock_tools import DocumentOptions, ToolExecutor, ToolRegistry
from interlock_tools.execution._path import filled_path
from interlock_tools.execution._styles import encoded, query_pairs
from interlock_tools.openapi._ir import Parameter, SchemaAt

Send: TypeAlias = Callable[..., Awaitable[ReceivedRequest]]
ARRAY: Json = ["blue", "black", "brown"]
OBJECT: Json = {"R": 100, "G": 200, "B": 150}


def parameter(where: str, style: str | None, explode: bool | None, **more: Json) -> JsonObject:
    """An operation with one parameter `color` that takes anything."""
    value: JsonObject = {"name": "color", "in": where, "schema": {}, **more}
    if style is not None:
        value["style"] = style
    if explode is not None:
        value["explode"] = explode
    return {"parameters": [value]}


PATHS: list[tuple[str | None, bool | None, Json, str]] = [
    ("simple", False, "blue", "blue"),
    ("simple", False, ARRAY, "blue,black,brown"),
    ("simple", False, OBJECT, "R,100,G,200,B,150"),
    ("simple", True, "blue", "blue"),
    ("simple", True, ARRAY, "blue,black,brown"),
    ("simple", True, OBJECT, "R=100,G=200,B=150"),
    ("label", False, "blue", ".blue"),
    ("label", False, ARRAY, ".blue,black,brown"),
    ("label", False, OBJECT, ".R,100,G,200,B,150"),
    ("label", True, "blue", ".blue"),
    ("label", True, ARRAY, ".blue.black.brown"),
    ("label", True, OBJECT, ".R=100.G=200.B=150"),
    ("matrix", False, "", ";color"),
    ("matrix", False, "blue", ";color=blue"),
    ("matrix", False, ARRAY, ";color=blue,black,brown"),
    ("matrix", False, OBJECT, ";color=R,100,G,200,B,150"),
    ("matrix", True, "", ";color"),
    ("matrix", True, "blue", ";color=blue"),
    ("matrix", True, ARRAY, ";color=blue;color=black;color=brown"),
    ("matrix", True, OBJECT, ";R=100;G=200;B=150"),
    (None, None, 0, "0"),
    (None, None, False, "false"),
    (None, None, 1.0, "1"),
    (None, None, 2.5, "2.5"),
    (None, None, "a/b c", "a%2Fb%20c"),
    (None, None, "größe", "gr%C3%B6%C3%9Fe"),
    (None, None, "a?b#c;d=e&f:g@h+i%j", "a%3Fb%23c%3Bd%3De%26f%3Ag%40h%2Bi%25j"),
    (None, None, ["a,b", "c"], "a%2Cb,c"),
    (None, None, [1, None, True], "1,true"),
    (None, None, {"a": {"b": 1}}, "a,%7B%22b%22%3A1%7D"),
    ("matrix", True, ["", "x"], ";color;color=x"),
    ("matrix", True, {"a": None, "b": ""}, ";b"),
]


@pytest.mark.parametrize(("style", "explode", "value", "expected"), PATHS)
async def test_path_parameters_follow_the_style_table(
    send: Send, style: str | None, explode: bool | None, value: Json, expected: str
) -> None:
    """simple, label and matrix, with and without explode, and edge values."""
    operation = parameter("path", style, explode)
    received = await send(operation, {"color": value}, path="/p/{color}/end", method="get")
    assert received.target == f"/p/{expected}/end"


async def test_an_empty_path_value_reads_but_never_changes(send: Send, server: LoopbackServer) -> None:
    """A read goes out as the table says; a write would reach the collection instead of the item."""
    received = await send(parameter("path", None, None), {"color": ""}, path="/p/{color}", method="get")
    assert received.target == "/p/"
    with pytest.raises(InvalidRequestError, match="change where the path leads"):
        await send(parameter("path", None, None), {"color": ""}, path="/p/{color}", method="delete")
    assert len(server.requests) == 1


QUERIES: list[tuple[str | None, bool | None, Json, str]] = [
    ("form", True, "", "color="),
    ("form", True, "blue", "color=blue"),
    ("form", True, ARRAY, "color=blue&color=black&color=brown"),
    ("form", True, OBJECT, "R=100&G=200&B=150"),
    ("form", False, "", "color="),
    ("form", False, "blue", "color=blue"),
    ("form", False, ARRAY, "color=blue,black,brown"),
    ("form", False, OBJECT, "color=R,100,G,200,B,150"),
    ("spaceDelimited", False, ARRAY, "color=blue%20black%20brown"),
    ("spaceDelimited", False, OBJECT, "color=R%20100%20G%20200%20B%20150"),
    ("spaceDelimited", True, ARRAY, "color=blue&color=black&color=brown"),
    ("pipeDelimited", False, ARRAY, "color=blue%7Cblack%7Cbrown"),
    ("pipeDelimited", False, OBJECT, "color=R%7C100%7CG%7C200%7CB%7C150"),
    ("pipeDelimited", True, ARRAY, "color=blue&color=black&color=brown"),
    ("deepObject", True, OBJECT, "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"),
    (
        "deepObject",
        True,
        {"a": {"b": [1, {"c": 2}]}},
        "color%5Ba%5D%5Bb%5D%5B0%5D=1&color%5Ba%5D%5Bb%5D%5B1%5D%5Bc%5D=2",
    ),
    ("deepObject", True, ["x", "y"], "color%5B0%5D=x&color%5B1%5D=y"),
    ("deepObject", True, {"a": None, "b": False}, "color%5Bb%5D=false"),
    (None, None, ARRAY, "color=blue&color=black&color=brown"),
    (None, None, 0, "color=0"),
    (None, None, False, "color=false"),
    (None, None, 1e21, "color=1e%2B21"),
    (None, None, None, ""),
    (None, None, [], ""),
    (None, None, {}, ""),
    (None, None, [None, "", 0], "color=&color=0"),
    (None, None, "a&b=c#d+e f%", "color=a%26b%3Dc%23d%2Be%20f%25"),
    (None, None, "日本", "color=%E6%97%A5%E6%9C%AC"),
    (None, False, ["a,b", "c"], "color=a%2Cb,c"),
    (None, None, [{"a": 1}], "color=%7B%22a%22%3A1%7D"),
]


@pytest.mark.parametrize(("style", "explode", "value", "expected"), QUERIES)
async def test_query_parameters_follow_the_style_table(
    send: Send, style: str | None, explode: bool | None, value: Json, expected: str
) -> None:
    """form, spaceDelimited, pipeDelimited and deepObject, and edge values."""
    received = await send(parameter("query", style, explode), {"color": value}, method="get")
    assert received.target == (f"/x?{expected}" if expected else "/x")


@pytest.mark.parametrize(
    ("more", "value", "expected"),
    [
        ({"allowReserved": True}, "a/b?c:d@e,f", "color=a/b?c:d@e,f"),
        ({"allowReserved": True}, "a&b#c+d[e]", "color=a%26b%23c%2Bd%5Be%5D"),
        ({"content": {"application/json": {}}}, {"a": [1, None]}, "color=%7B%22a%22%3A%5B1%2Cnull%5D%7D"),
        ({"content": {"text/plain": {}}}, "a b", "color=a%20b"),
    ],
)
async def test_reserved_characters_and_media_types_of_parameters(
    send: Send, more: JsonObject, value: Json, expected: str
) -> None:
    """Sent as the document allows, and never able to leave their place."""
    received = await send(parameter("query", None, None, **more), {"color": value}, method="get")
    assert received.target == f"/x?{expected}"


@pytest.mark.parametrize(
    ("value", "media", "expected"),
    [
        ({"a": 1, "b": [1, 2]}, "application/x-www-form-urlencoded", "a=1&b=1&b=2"),
        ({"a": 1}, "application/json", "%7B%22a%22%3A1%7D"),
        ("$.a[0]", "application/jsonpath", "%24.a%5B0%5D"),
    ],
)
async def test_the_whole_query_can_be_one_value(send: Send, value: Json, media: str, expected: str) -> None:
    """As OpenAPI 3.2 describes it, with its method of that name."""
    operation: JsonObject = {
        "parameters": [{"name": "all", "in": "querystring", "content": {media: {"schema": {}}}}]
    }
    received = await send(operation, {"all": value}, method="query")
    assert received.method == "QUERY"
    assert received.target == f"/x?{expected}"


@pytest.mark.parametrize(
    ("explode", "value", "expected"),
    [
        (False, "blue", "blue"),
        (False, ARRAY, "blue,black,brown"),
        (False, OBJECT, "R,100,G,200,B,150"),
        (True, OBJECT, "R=100,G=200,B=150"),
        (None, True, "true"),
        (None, 5, "5"),
        (None, "a, b%20", "a, b%20"),
        (None, "größe", "größe"),
    ],
)
async def test_headers_follow_the_style_table(
    send: Send, explode: bool | None, value: Json, expected: str
) -> None:
    """Simple style, without percent-encoding."""
    received = await send(parameter("header", None, explode), {"color": value}, method="get")
    assert (received.header("color") or "").encode("latin-1").decode() == expected


@pytest.mark.parametrize(
    ("style", "explode", "value", "expected"),
    [
        (None, False, "blue", "color=blue"),
        (None, False, ARRAY, "color=blue,black,brown"),
        (None, False, OBJECT, "color=R,100,G,200,B,150"),
        (None, True, ARRAY, "color=blue; color=black; color=brown"),
        (None, True, OBJECT, "R=100; G=200; B=150"),
        (None, None, "a;b c,d", "color=a%3Bb%20c%2Cd"),
        ("cookie", True, ARRAY, "color=blue; color=black; color=brown"),
        ("cookie", True, OBJECT, "R=100; G=200; B=150"),
        ("cookie", False, ARRAY, "color=blue,black,brown"),
        ("cookie", None, "a%20b", "color=a%20b"),
    ],
)
async def test_cookies_follow_the_style_table(
    send: Send, style: str | None, explode: bool | None, value: Json, expected: str
) -> None:
    """Form with percent-encoding, and the cookie style of 3.2 without."""
    received = await send(parameter("cookie", style, explode), {"color": value}, method="get")
    assert received.header("cookie") == expected


async def test_null_leaves_a_parameter_out(send: Send, server: LoopbackServer) -> None:
    """In a header and a cookie as in a query."""
    for where in ("header", "cookie"):
        received = await send(parameter(where, None, None), {"color": None}, method="get")
        assert received.header("color") is None
        assert received.header("cookie") is None


@pytest.mark.parametrize(
    ("collection", "expected"),
    [("csv", "a,b"), ("ssv", "a%20b"), ("tsv", "a%09b"), ("pipes", "a%7Cb"), ("multi", "a&q=b")],
)
async def test_collection_formats_of_2_0(server: LoopbackServer, collection: str, expected: str) -> None:
    """Each as Swagger 2.0 describes it."""
    registry = ToolRegistry()
    query: Json = {"name": "q", "in": "query", "type": "array", "items": {}, "collectionFormat": collection}
    registry.add_document(
        {
            "swagger": "2.0",
            "basePath": "/v1",
            "paths": {"/x": {"get": {"operationId": "x", "parameters": [query]}}},
        },
        namespace="w",
        options=DocumentOptions(base_url=f"{server.url}/v1/"),
    )
    executor = ToolExecutor(registry)
    await executor.execute(ToolCall(id="c", name="w.x", arguments='{"q": ["a", "b"]}'), make_call())
    await executor.aclose()
    assert server.requests[-1].target == f"/v1/x?q={expected}"


@pytest.mark.parametrize(
    ("path", "arguments", "target"),
    [
        ("/v1/{+name}:cancel", {"name": "projects/p 1/jobs/2"}, "/v1/projects/p%201/jobs/2:cancel"),
        ("/a/{x},{y}/b", {"x": "1", "y": "2"}, "/a/1,2/b"),
        ("/a/{x:[^/]+}", {"x": "1"}, "/a/1"),
        ("/a b/ö/{x}", {"x": "1"}, "/a%20b/%C3%B6/1"),
        ("/a?fixed=1&q={x}", {"x": "a&b"}, "/a?fixed=1&q=a%26b"),
        ("/#Action=Do", {}, "/"),
        ("a/{x}", {"x": "1"}, "/a/1"),
    ],
)
async def test_path_templates_as_they_are_really_written(
    send: Send, path: str, arguments: JsonObject, target: str
) -> None:
    """Reserved expansion, several names in a segment, patterns, queries, fragments."""
    parameters: Json = [{"name": n, "in": "path", "schema": {}} for n in arguments]
    received = await send({"parameters": parameters}, arguments, path=path)
    assert received.target == target


async def test_a_name_with_a_colon_is_a_name_where_a_parameter_has_it(send: Send) -> None:
    """Elsewhere a pattern follows the colon."""
    odd: Json = {"name": "x:", "in": "path", "required": True, "schema": {"type": "string"}}
    received = await send({"parameters": [odd]}, {"x": "1"}, path="/a/{x:}")
    assert received.target == "/a/1"


async def test_a_parameter_of_a_path_can_be_json(send: Send, server: LoopbackServer) -> None:
    """By `content`, as anywhere else."""
    operation = parameter("path", None, None, content={"application/json": {"schema": {}}})
    received = await send(operation, {"color": {"a": 1}}, path="/p/{color}", method="get")
    assert received.target == "/p/%7B%22a%22%3A1%7D"


async def test_broken_unicode_is_refused_everywhere(send: Send, server: LoopbackServer) -> None:
    """Half of a surrogate pair has no bytes."""
    for where in ("query", "path", "cookie", "header"):
        with pytest.raises(InvalidRequestError):
            await send(parameter(where, None, None), {"color": "\ud800"}, path="/p/{color}", method="get")
    reserved = parameter("query", None, None, allowReserved=True)
    with pytest.raises(InvalidRequestError):
        await send(reserved, {"color": "\ud800"}, method="get")
    assert server.requests == []


@given(st.text(max_size=40).filter(lambda text: text.isprintable()))
def test_an_encoded_text_holds_nothing_that_separates(text: str) -> None:
    """Only unreserved characters and percent signs."""
    written = encoded(text)
    assert all(c.isalnum() or c in "-._~%" for c in written)
    assert written.isascii()


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.integers(), max_size=4))
def test_a_query_has_exactly_the_pairs_it_was_given(value: dict[str, Json]) -> None:
    """However names and values look, none splits in two."""
    pairs = query_pairs("q", value, style="form", explode=True)
    assert len(pairs) == len(value)
    assert all(pair.count("=") == 1 and "&" not in pair and "#" not in pair for pair in pairs)
    deep = query_pairs("q", value, style="deepObject", explode=True)
    assert all(pair.startswith("q%5B") for pair in deep)


@given(st.text(max_size=30))
def test_a_path_keeps_its_segments_whatever_the_value(value: str) -> None:
    """The value stays inside its own segment, or is refused."""
    known = Parameter(
        name="id", location="path", required=True, style="simple", explode=False, schema=SchemaAt({}, "")
    )
    try:
        path, query = filled_path("/a/{id}/b", {"id": (known, value)}, effect=Effect.WRITE)
    except InvalidRequestError:
        return
    assert query == ""
    assert path.split("/")[:2] == ["", "a"]
    assert path.split("/")[3:] == ["b"]
    assert path.isascii()
