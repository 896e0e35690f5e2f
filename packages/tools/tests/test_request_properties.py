"""Whatever a value is, a request keeps the shape that its template has, and says the value where it can.

What arrives is read by the standard library alone: a server of `http.server`, and `urllib`.
"""

import asyncio
import json
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from interlock_core import Json, JsonObject, ToolCall, ToolResult
from interlock_core.errors import RefusedError
from interlock_core.jsontypes import as_object
from interlock_core.testing import make_call
from interlock_tools import DocumentOptions, ToolExecutor, ToolRegistry

PATH_STYLES = ("simple", "label", "matrix")
QUERY_STYLES = ("form", "spaceDelimited", "pipeDelimited", "deepObject")
SEPARATORS = {"form": ",", "spaceDelimited": "%20", "pipeDelimited": "%7C"}
NASTY = (
    *(
        "..",
        ".",
        "/",
        "\\",
        "%2e%2e",
        "%2E",
        "%252e%252e",
        "\uff0e\uff0e",
        "‥",
        "…",
        "/..",
        "a/../b",
        "..\\..",
        "..;",
    ),
    *("\r\nX-Evil: 1", "\n", "\r", "\0", "\x85", "\u2028", "\x7f", "%0d%0a", " HTTP/1.1\r\n\r\nGET /admin"),
    *(
        "?x=1",
        "#f",
        "&b=2",
        ";p=2",
        ",",
        "=",
        "+",
        " ",
        "%",
        "%00",
        "//evil.test",
        "@evil.test",
        "https://e/",
    ),
    *("[", "]", "p[q]", "{p}", "|", "", "é", "漢", "\U0001f642", "\ud800", "\udfff", "a\u0301", "null"),
)


@dataclass(frozen=True)
class Arrived:
    """A request as the standard library's server read it."""

    line: str
    headers: tuple[tuple[str, str], ...]


class Handler(BaseHTTPRequestHandler):
    """Keeps the requests."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[Arrived]] = []

    def do_GET(self) -> None:
        """Keep the request, and answer with nothing."""
        self.seen.append(Arrived(self.requestline, tuple(self.headers.items())))
        self.send_response(204)
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Where the server is."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True)
class Given:
    """One parameter and its value."""

    name: str
    location: str
    style: str
    explode: bool
    value: Json

    @property
    def parameter(self) -> JsonObject:
        """As a document says it."""
        return {
            "name": self.name,
            "in": self.location,
            "required": True,
            "style": self.style,
            "explode": self.explode,
            "schema": {},
        }


@dataclass(frozen=True)
class Shot:
    """A template with its values.

    Attributes:
        segments: Literals, and parameters of the path.
        others: Parameters of elsewhere.
    """

    segments: tuple[str | Given, ...]
    others: tuple[Given, ...] = field(default=())

    @property
    def parameters(self) -> list[Given]:
        """All of them."""
        return [*(one for one in self.segments if isinstance(one, Given)), *self.others]

    @property
    def document(self) -> JsonObject:
        """A document with the one operation."""
        steps = (one if isinstance(one, str) else f"{{{one.name}}}" for one in self.segments)
        parameters: list[Json] = [one.parameter for one in self.parameters]
        operation: JsonObject = {"operationId": "op", "parameters": parameters}
        return {
            "openapi": "3.1.0",
            "info": {"title": "P", "version": "1"},
            "paths": {f"/{'/'.join(steps)}": {"get": operation}},
        }

    def called(self, origin: str) -> tuple[ToolResult | None, list[Arrived]]:
        """What became of the call, None for a refusal by rule, and what arrived."""
        Handler.seen.clear()
        return asyncio.run(self._called(origin)), list(Handler.seen)

    async def _called(self, origin: str) -> ToolResult | None:
        registry = ToolRegistry()
        registry.add_document(self.document, namespace="n", options=DocumentOptions(base_url=f"{origin}/v1"))
        found = registry.tool("n.op")
        assert isinstance(found, tuple)
        names = {(s.parameter.name, s.parameter.location): s.argument for s in found[1].plan.slots}
        arguments = {names[one.name, one.location]: one.value for one in self.parameters}
        executor = ToolExecutor(registry)
        try:
            call = ToolCall(id="c", name="n.op", arguments=json.dumps(arguments))
            return await executor.execute(call, make_call())
        except RefusedError:
            return None
        finally:
            await executor.aclose()


texts = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=()), max_size=6),
    st.lists(st.sampled_from(NASTY), min_size=2, max_size=3).map("".join),
)
scalars = st.one_of(texts, st.integers(-(10**9), 10**9), st.booleans())
lists = st.lists(scalars, min_size=1, max_size=3)
objects = st.dictionaries(texts.filter(bool), scalars, min_size=1, max_size=3)


def as_json(value: object) -> Json:
    """The same value, known to be JSON."""
    return cast("Json", value)


values = st.one_of(scalars, lists, objects).map(as_json)
literals = st.text(string.ascii_letters + "-_~:@é ", min_size=1, max_size=5).filter(lambda text: text.strip())


@st.composite
def shots(draw: st.DrawFn) -> Shot:
    """A random template with random values."""
    segments: list[str | Given] = [draw(literals)]
    for number in range(draw(st.integers(1, 3))):
        style = draw(st.sampled_from(PATH_STYLES))
        segments.append(Given(f"p{number}", "path", style, draw(st.booleans()), draw(values)))
        segments += draw(st.lists(literals, max_size=2))
    others: list[Given] = []
    if draw(st.booleans()):
        style = draw(st.sampled_from(QUERY_STYLES))
        value = draw(objects.map(as_json) if style == "deepObject" else values)
        others.append(Given("q", "query", style, style == "deepObject" or draw(st.booleans()), value))
    if draw(st.integers(0, 3)) == 0:
        others.append(Given("X-H", "header", "simple", draw(st.booleans()), draw(values)))
    if draw(st.integers(0, 3)) == 0:
        others.append(Given("c", "cookie", "form", draw(st.booleans()), draw(values)))
    return Shot(tuple(segments), tuple(others))


def plain(value: Json) -> str:
    """A scalar as text."""
    return value if isinstance(value, str) else json.dumps(value)


def plain_all(value: Json) -> Json:
    """A value whose scalars are texts, as styles write them."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else plain(value)


def pairs_of(pieces: list[str], *, explode: bool) -> JsonObject:
    """An object of its pieces: `name=value` each, or names and values in turn."""
    if explode:
        return {unquote(key): unquote(text) for key, _, text in (piece.partition("=") for piece in pieces)}
    return {unquote(key): unquote(text) for key, text in zip(pieces[::2], pieces[1::2], strict=True)}


def by_kind(one: Given, pieces: list[str], whole: str) -> Json:
    """What pieces say, by the kind of the value that was sent."""
    if isinstance(one.value, dict):
        return pairs_of(pieces, explode=one.explode)
    return [unquote(piece) for piece in pieces] if isinstance(one.value, list) else unquote(whole)


def path_value(one: Given, segment: str) -> Json:
    """What a segment says, by the rules of its style."""
    if one.style == "simple":
        return by_kind(one, segment.split(","), segment)
    if one.style == "label":
        assert segment.startswith(".")
        inner = segment[1:]
        return by_kind(one, inner.split("." if one.explode else ","), inner)
    assert segment.startswith(";")
    pieces = [piece.partition("=") for piece in segment[1:].split(";")]
    if one.explode and isinstance(one.value, dict):
        return {unquote(key): unquote(text) for key, _, text in pieces}
    assert {key for key, _, _ in pieces} == {one.name}
    if one.explode and isinstance(one.value, list):
        return [unquote(text) for _, _, text in pieces]
    ((_, _, text),) = pieces
    return by_kind(Given(one.name, one.location, one.style, False, one.value), text.split(","), text)


def query_value(one: Given, query: str) -> Json:
    """What a query says, by the rules of its style."""
    pieces = [piece.partition("=") for piece in query.split("&")]
    value = one.value
    if one.style == "deepObject":
        for key, _, _ in pieces:
            assert key.startswith("q%5B")
            assert key.endswith("%5D")
        return {unquote(key[4:-3]): unquote(text) for key, _, text in pieces}
    if one.explode and one.style == "form" and isinstance(value, dict):
        return {unquote(key): unquote(text) for key, _, text in pieces}
    assert {key for key, _, _ in pieces} == {"q"}
    if one.explode and isinstance(value, list):
        return [unquote(text) for _, _, text in pieces]
    ((_, _, text),) = pieces
    joined = Given(one.name, one.location, one.style, False, value)
    return by_kind(joined, text.split(SEPARATORS[one.style]), text)


def invertible(one: Given) -> bool:
    """Whether the style has a way back: what stands between its pieces must not stand in them unencoded."""
    between = {"label": "." if one.explode else "", "spaceDelimited": " ", "pipeDelimited": "|"}
    mark = between.get(one.style, "")
    if not mark or not isinstance(one.value, list | dict):
        return True
    held = one.value if isinstance(one.value, list) else [*one.value, *one.value.values()]
    return not any(mark in plain(item) for item in held)


def check_shape(shot: Shot, arrived: Arrived, origin: str) -> list[str]:
    """Judge the request line and the headers; gives the segments behind the prefix."""
    words = arrived.line.split(" ")
    assert len(words) == 3
    method, target, version = words
    assert (method, version) == ("GET", "HTTP/1.1")
    assert target.isascii()
    found = urlsplit(f"{origin}{target}")
    assert (f"{found.scheme}://{found.netloc}", found.fragment) == (origin, "")
    assert bool(found.query) == any(one.location == "query" for one in shot.others) or not found.query
    segments = found.path.split("/")
    assert segments[:2] == ["", "v1"]
    segments = segments[2:]
    assert len(segments) == len(shot.segments)
    for wanted, got in zip(shot.segments, segments, strict=True):
        assert unquote(got) not in {".", ".."}
        if isinstance(wanted, str):
            assert unquote(got) == wanted
    names = [name.lower() for name, _ in arrived.headers]
    assert len(names) == len(set(names))
    sent = {one.name.lower() for one in shot.others if one.location == "header"}
    cookies = {"cookie"} if any(one.location == "cookie" for one in shot.others) else set[str]()
    assert set(names) <= {"host", "user-agent", "accept", "accept-encoding", *sent, *cookies}
    assert dict(arrived.headers)["Host"] == origin.removeprefix("http://")
    return segments


@pytest.mark.promise("O3", "O8")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(shot=shots())
def test_no_value_changes_the_shape_of_a_request_and_what_has_a_way_back_comes_back(
    shot: Shot, origin: str
) -> None:
    """As many segments, the same literals, origin and headers; or nothing leaves, and the reason is said."""
    result, requests = shot.called(origin)
    event(f"{len(requests)} arrived")
    if result is None or result.is_error:
        assert not requests
        assert result is None or result.error_code in {"invalid_request", "schema_invalid"}
        assert result is None or len(result.text) > 20
        return
    (arrived,) = requests
    segments = check_shape(shot, arrived, origin)
    for one, segment in zip(shot.segments, segments, strict=True):
        if isinstance(one, Given) and invertible(one):
            assert path_value(one, segment) == plain_all(one.value)
    query = arrived.line.split(" ")[1].partition("?")[2]
    for one in shot.others:
        if one.location == "query" and invertible(one):
            assert query_value(one, query) == plain_all(one.value)
        if one.location == "header" and isinstance(one.value, str):
            got = dict(arrived.headers).get("X-H", "")
            assert got.encode("latin-1").decode() == one.value.strip(" \t")


@pytest.mark.promise("O8")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(value=st.dictionaries(texts, scalars, min_size=1, max_size=4).map(as_json))
def test_every_form_reads_back_as_it_was_meant(value: Json, origin: str) -> None:
    """The pairs of a free-form object in a query, by the standard library's parser of forms."""
    one = Given("q", "query", "form", True, value)
    result, requests = Shot(("x",), (one,)).called(origin)
    if result is None or result.is_error:
        assert not requests
        return
    (arrived,) = requests
    pairs = parse_qsl(arrived.line.split(" ")[1].partition("?")[2], keep_blank_values=True)
    assert dict(pairs) == as_object(plain_all(value))
    assert len(pairs) == len(as_object(value))
