"""Bodies go on the wire exactly as the document describes: every media type, captured from a real socket."""

import json
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from interlock_core import Json, JsonObject
from interlock_core.errors import InvalidRequestError
from interlock_core.testing import LoopbackServer, ReceivedRequest

Send: TypeAlias = Callable[..., Awaitable[ReceivedRequest]]


def body(schema: Json, media: str, **entry: Json) -> JsonObject:
    """An operation with a required body."""
    return {"requestBody": {"required": True, "content": {media: {"schema": schema, **entry}}}}


ANYTHING: JsonObject = {"type": "object", "properties": {name: {} for name in ("a", "b", "c", "d")}}


BODIES: list[tuple[JsonObject, str]] = [
    ({"a": None, "b": 0, "c": False, "d": ""}, '{"a":null,"b":0,"c":false,"d":""}'),
    ({"a": {"x": [None, {}]}, "b": []}, '{"a":{"x":[null,{}]},"b":[]}'),
    ({"a": "größe \"'\n"}, '{"a":"größe \\"\'\\n"}'),
    ({"a": 1.0, "b": 1e100, "c": -0.5}, '{"a":1.0,"b":1e+100,"c":-0.5}'),
    ({}, "{}"),
]


@pytest.mark.parametrize(("value", "expected"), BODIES)
async def test_json_bodies_are_the_arguments(send: Send, value: JsonObject, expected: str) -> None:
    """Null, zero, false and empty texts stay."""
    received = await send(body(ANYTHING, "application/json"), value)
    assert received.body.decode() == expected
    assert received.header("content-type") == "application/json"


@pytest.mark.parametrize("value", [None, 5, "text", [1, [2]], {"any": {"thing": None}}])
async def test_a_body_that_is_no_plain_object_is_one_argument(send: Send, value: Json) -> None:
    """Lists, scalars, free objects and null."""
    received = await send(body({}, "application/merge-patch+json"), {"body": value})
    assert json.loads(received.body) == value
    assert received.header("content-type") == "application/merge-patch+json"


async def test_an_optional_body_is_left_out_and_a_required_one_is_not(
    send: Send, server: LoopbackServer
) -> None:
    """Nothing given: nothing sent, or an empty object."""
    optional = body(ANYTHING, "application/json")
    optional["requestBody"] = {"content": {"application/json": {"schema": ANYTHING}}}
    received = await send(optional, {})
    assert (received.body, received.header("content-type")) == (b"", None)
    received = await send(body({"type": "object"}, "application/json"), {"body": {}})
    assert received.body == b"{}"


FORMS: list[tuple[JsonObject, JsonObject, str]] = [
    ({}, {"a": "x y&z", "b": 5, "c": True, "d": ""}, "a=x%20y%26z&b=5&c=true&d="),
    ({}, {"a": ["x", "y"], "b": None}, "a=x&a=y&b="),
    ({}, {"a": {"k": [1]}}, "a=%7B%22k%22%3A%5B1%5D%7D"),
    ({"a": {"style": "deepObject", "explode": True}}, {"a": {"k": ["v"]}}, "a%5Bk%5D%5B0%5D=v"),
    ({"a": {"style": "form", "explode": False}}, {"a": ["x", "y"]}, "a=x,y"),
    ({"a": {"explode": True}}, {"a": {"k": 1, "l": 2}}, "k=1&l=2"),
    ({"a": {"style": "pipeDelimited", "explode": False}}, {"a": ["x", "y"]}, "a=x%7Cy"),
    ({"a": {"allowReserved": True}}, {"a": "x/y&z"}, "a=x/y%26z"),
    ({"a": {"contentType": "application/json"}}, {"a": [1, 2]}, "a=%5B1%2C2%5D"),
]


@pytest.mark.parametrize(("encoding", "value", "expected"), FORMS)
async def test_forms_follow_their_encoding(
    send: Send, encoding: JsonObject, value: JsonObject, expected: str
) -> None:
    """By style where the document gives one, else objects as JSON and lists repeated."""
    operation = body(ANYTHING, "application/x-www-form-urlencoded", encoding=encoding)
    received = await send(operation, value)
    assert received.body.decode() == expected
    assert received.header("content-type") == "application/x-www-form-urlencoded"


async def test_a_form_that_is_one_argument_may_be_written_already(send: Send) -> None:
    """A text goes out as it is."""
    received = await send(body({}, "application/x-www-form-urlencoded"), {"body": "a=1&b=2"})
    assert received.body == b"a=1&b=2"


async def test_multipart_carries_texts_objects_lists_and_files(send: Send) -> None:
    """Each part with its disposition and media type, the same bytes each time."""
    schema: JsonObject = {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "meta": {"type": "object"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "file": {"type": "string", "format": "binary"},
            "more": {"type": "array", "items": {"type": "string", "format": "binary"}},
            "icon": {},
            "json": {"type": "array"},
        },
    }
    encoding: JsonObject = {
        "icon": {"contentType": "image/png, image/jpeg"},
        "json": {"contentType": "application/json"},
        "title": {"contentType": "text/markdown"},
    }
    arguments: JsonObject = {
        "title": "größe",
        "meta": {"a": 1},
        "tags": ["x", "y"],
        "file": "plain text",
        "more": [{"base64": "AAEC", "filename": 'a"b\r\n.bin', "content_type": "application/x-own"}],
        "icon": {"base64": "iVBO"},
        "json": [1, 2],
    }
    operation = body(schema, "multipart/form-data", encoding=encoding)
    received = await send(operation, arguments)
    media_type, _, boundary = (received.header("content-type") or "").partition("; boundary=")
    assert media_type == "multipart/form-data"
    parts = [
        (b'name="title"', b"text/markdown", "größe".encode()),
        (b'name="meta"', b"application/json", b'{"a":1}'),
        (b'name="tags"', b"", b"x"),
        (b'name="tags"', b"", b"y"),
        (b'name="file"; filename="file"', b"application/octet-stream", b"plain text"),
        (b'name="more"; filename="a%22b%0D%0A.bin"', b"application/x-own", b"\x00\x01\x02"),
        (b'name="icon"; filename="icon"', b"image/png", b"\x89PN"),
        (b'name="json"', b"application/json", b"[1,2]"),
    ]
    expected = b"".join(
        b"--%s\r\nContent-Disposition: form-data; %s\r\n%s\r\n%s\r\n"
        % (boundary.encode(), name, b"Content-Type: %s\r\n" % kind if kind else b"", content)
        for name, kind, content in parts
    )
    assert received.body == expected + b"--%s--\r\n" % boundary.encode()
    again = await send(operation, arguments)
    assert again.body == received.body


async def test_bytes_come_from_base64_or_text(send: Send) -> None:
    """An octet stream takes both; the file's own media type wins."""
    operation = body({"type": "string", "format": "binary"}, "application/octet-stream")
    received = await send(operation, {"body": {"base64": "AAEC"}})
    assert (received.body, received.header("content-type")) == (b"\x00\x01\x02", "application/octet-stream")
    received = await send(operation, {"body": {"base64": "AAEC", "content_type": "image/png"}})
    assert received.header("content-type") == "image/png"
    received = await send(operation, {"body": "text"})
    assert received.body == b"text"


@pytest.mark.parametrize("wrong", ["not base64!", "AAE", "ÄÖÜ="])
async def test_base64_that_is_none_is_refused(send: Send, server: LoopbackServer, wrong: str) -> None:
    """Before anything is sent."""
    operation = body({"type": "string", "format": "binary"}, "application/octet-stream")
    with pytest.raises(InvalidRequestError, match="base64"):
        await send(operation, {"body": {"base64": wrong}})
    with pytest.raises(InvalidRequestError, match="control character"):
        await send(operation, {"body": {"base64": "AAEC", "content_type": "a\r\nb: c"}})
    assert server.requests == []


@pytest.mark.parametrize(
    ("media", "schema", "value", "expected", "content_type"),
    [
        ("text/plain", {"type": "string"}, "größe", "größe", "text/plain; charset=utf-8"),
        ("text/csv; header=present", {"type": "string"}, "a,b", "a,b", "text/csv; header=present"),
        ("text/plain", {"type": "integer"}, 5, "5", "text/plain; charset=utf-8"),
        ("text/plain", {"type": "object"}, "as text", "as text", "text/plain; charset=utf-8"),
        ("text/plain", None, "as text", "as text", "text/plain; charset=utf-8"),
    ],
)
async def test_text_bodies(
    send: Send, media: str, schema: Json, value: Json, expected: str, content_type: str
) -> None:
    """Sent as they are, in UTF-8."""
    entry: JsonObject = {} if schema is None else {"schema": schema}
    operation: JsonObject = {"requestBody": {"required": True, "content": {media: entry}}}
    received = await send(operation, {"body": value})
    assert received.body.decode() == expected
    assert received.header("content-type") == content_type


async def test_xml_follows_the_hints_of_the_schema(send: Send) -> None:
    """Names, attributes, wrapped and plain lists, namespaces, and nothing that breaks out of its element."""
    pet: JsonObject = {
        "type": "object",
        "xml": {"name": "pet", "namespace": "https://x.example/pet", "prefix": "p"},
        "properties": {
            "id": {"type": "integer", "xml": {"attribute": True}},
            "name": {"type": "string", "xml": {"name": "given-name"}},
            "photos": {"type": "array", "items": {"type": "string", "xml": {"name": "photo"}}},
            "tags": {
                "type": "array",
                "xml": {"wrapped": True},
                "items": {"$ref": "#/components/schemas/Tag"},
            },
            "note": {"type": ["string", "null"]},
            "1 odd<name": {"type": "string"},
        },
    }
    tag: JsonObject = {"type": "object", "xml": {"name": "tag"}, "properties": {"label": {"type": "string"}}}
    received = await send(
        body({"$ref": "#/components/schemas/Pet"}, "application/xml"),
        {
            "id": 7,
            "name": "<Rex> & 'co'",
            "photos": ["a", "b"],
            "tags": [{"label": "x"}],
            "note": None,
            "1_odd_name": "y",
        },
        components={"schemas": {"Pet": pet, "Tag": tag}},
    )
    assert received.body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?><p:pet xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xmlns:p="https://x.example/pet" id="7">'
        "<given-name>&lt;Rex&gt; &amp; 'co'</given-name><photo>a</photo><photo>b</photo>"
        '<tags><tag><label>x</label></tag></tags><note xsi:nil="true"></note>'
        "<_1_odd_name>y</_1_odd_name></p:pet>"
    )
    assert received.header("content-type") == "application/xml"


async def test_xml_without_hints_and_as_text(send: Send) -> None:
    """The schema's name, else `root`; a text goes out as it is."""
    listed: Json = {"type": "object", "properties": {"a": {"type": "array", "items": {}}}, "minProperties": 0}
    received = await send(body(listed, "text/xml"), {"body": {"a": [1, [2]]}})
    assert received.body.decode().endswith("<root><a>1</a><a><a>2</a></a></root>")
    received = await send(body({"type": "string"}, "text/xml"), {"body": "<own/>"})
    assert received.body == b"<own/>"
    received = await send(
        body({"$ref": "#/components/schemas/Note"}, "text/xml"),
        {"body": [1]},
        components={"schemas": {"Note": {"type": "array"}}},
    )
    assert received.body.decode().endswith("<Note><Note>1</Note></Note>")


async def test_xml_that_never_ends_is_refused(send: Send) -> None:
    """A deep argument is not written."""
    deep: Json = 1
    for _ in range(80):
        deep = {"a": deep}
    with pytest.raises(InvalidRequestError, match="nested too deeply"):
        await send(body({}, "text/xml"), {"body": deep})


async def test_the_media_types_of_answers_are_asked_for(send: Send) -> None:
    """JSON where there is some, else what the document names; a declared Accept header decides itself."""
    answers: Json = {"200": {"content": {"text/html": {}, "application/vnd.own+json": {}}}}
    received = await send({"responses": answers}, {}, method="get")
    assert received.header("accept") == "application/vnd.own+json"
    received = await send({"responses": {"default": {"content": {"text/csv": {}}}}}, {}, method="get")
    assert received.header("accept") == "text/csv"
    received = await send({}, {}, method="get")
    assert received.header("accept") == "*/*"
    own: JsonObject = {"parameters": [{"name": "Accept", "in": "header", "schema": {"type": "string"}}]}
    received = await send({**own, "responses": answers}, {"Accept": "text/html"}, method="get")
    assert received.header("accept") == "text/html"


async def test_a_content_type_argument_chooses_among_the_documents_own(
    send: Send, server: LoopbackServer
) -> None:
    """Another JSON type of the operation is taken, anything else refused."""
    operation: JsonObject = {
        "parameters": [
            {"name": "Content-Type", "in": "header", "required": True, "schema": {"type": "string"}}
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ANYTHING}, "application/x+json": {"schema": ANYTHING}},
        },
    }
    received = await send(operation, {"a": 1, "Content-Type": "application/x+json"})
    assert received.header("content-type") == "application/x+json"
    received = await send(operation, {"a": 1, "Content-Type": "application/json; charset=utf-8"})
    assert received.header("content-type") == "application/json"
    with pytest.raises(InvalidRequestError, match="cannot be sent"):
        await send(operation, {"a": 1, "Content-Type": "text/plain"})


async def test_bytes_and_texts_take_any_content_type_that_the_document_lets_a_caller_name(send: Send) -> None:
    """Only the caller knows what the bytes are."""
    header: Json = {"name": "Content-Type", "in": "header", "schema": {"type": "string"}}
    for media, kind in (("application/octet-stream", "audio/l16; rate=16000"), ("text/plain", "text/x-own")):
        operation: JsonObject = {"parameters": [header], **body({"type": ["string", "null"]}, media)}
        received = await send(operation, {"body": "x", "Content-Type": kind})
        assert received.header("content-type") == kind


async def test_values_that_can_only_be_one_are_filled_in(send: Send) -> None:
    """A required constant need not be repeated by the model."""
    version: Json = {
        "name": "v",
        "in": "query",
        "required": True,
        "schema": {"type": "string", "enum": ["1.2"]},
    }
    schema: Json = {"type": "object", "properties": {"kind": {"const": "note"}}, "required": ["kind"]}
    received = await send({"parameters": [version], **body(schema, "application/json")}, {})
    assert received.target == "/x?v=1.2"
    assert received.body == b'{"kind":"note"}'


@pytest.mark.parametrize("media", ["application/json", "text/plain", "multipart/form-data"])
async def test_broken_unicode_is_refused(send: Send, server: LoopbackServer, media: str) -> None:
    """Half of a surrogate pair has no bytes."""
    arguments: JsonObject = {"body" if media == "text/plain" else "a": "\ud800"}
    with pytest.raises(InvalidRequestError):
        await send(body(ANYTHING, media), arguments)
    assert server.requests == []
