"""What a model sees of a long answer, what it is told of the rest, and who may read it."""

import json
from dataclasses import replace

import pytest

from interlock_core import Json, JsonObject, ToolCall, ToolResult
from interlock_core.call import Call, Principal
from interlock_core.jsontypes import as_array, as_object, dump_json, parse_json
from interlock_core.testing import Answer, LoopbackServer, json_answer, make_call
from interlock_tools import DocumentOptions, ExecutorLimits, ToolExecutor, ToolRegistry
from interlock_tools.execution._trim import trimmed

ROW: JsonObject = {
    "type": "object",
    "required": ["number", "weight"],
    "properties": {
        "number": {"type": "integer"},
        "weight": {"type": "number"},
        "note": {"type": "string", "description": "What people say of it."},
        "page_url": {"type": "string", "description": "Where people see it."},
        "plain": {"type": "string"},
        "owner": {"$ref": "#/components/schemas/Owner"},
    },
}
OWNER: JsonObject = {
    "allOf": [{"type": "object", "properties": {"login": {"type": "string"}, "hobby": {"type": "string"}}}]
}
DOCUMENT: JsonObject = {
    "openapi": "3.1.0",
    "info": {"title": "S"},
    "paths": {
        "/rows": {
            "get": {
                "operationId": "rows",
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {
                                "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Row"}}
                            }
                        }
                    }
                },
            }
        },
        "/any": {"get": {"operationId": "any"}},
    },
    "components": {"schemas": {"Row": ROW, "Owner": OWNER}},
}


def row(number: int) -> JsonObject:
    """One element with much that says little."""
    return {
        "number": number,
        "weight": number / 2,
        "note": f"note {number} " + "n" * 400,
        "page_url": f"https://example.org/{number}",
        "api_url": f"https://api.example.org/rows/{number}{{/part}}",
        "plain": "p" * 50,
        "undescribed": "u" * 300,
        "nothing": None,
        "node_id": "x" * 40,
        "owner": {"login": "ann", "hobby": "h" * 100, "avatar_url": "https://example.org/a.png"},
    }


ROWS: list[Json] = [row(number) for number in range(60)]


class Shortened:
    """An executor over a server that gives one answer.

    Args:
        url: Where the server is.
        limits: Bounds of calls.
        reader: Offer the tool that reads the rest.
    """

    def __init__(self, url: str, limits: ExecutorLimits, *, reader: bool = True) -> None:
        self.registry = ToolRegistry()
        self.registry.add_document(DOCUMENT, namespace="s", options=DocumentOptions(base_url=url))
        self.executor = ToolExecutor(self.registry, limits=limits)
        if reader:
            self.executor.offer_reader()

    async def call(
        self, name: str, arguments: JsonObject | None = None, context: Call | None = None
    ) -> ToolResult:
        """The result of a call."""
        call = ToolCall(id="c", name=name, arguments=json.dumps(arguments or {}))
        return await self.executor.execute(call, context or make_call())

    async def read(self, context: Call | None = None, /, **arguments: str | int) -> ToolResult:
        """A part of a kept result."""
        return await self.call("interlock.read_result", {"result": "r1", **arguments}, context)

    async def __aenter__(self) -> "Shortened":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.executor.aclose()


@pytest.mark.promise("O8")
async def test_what_says_little_goes_before_elements_go() -> None:
    """Every element is there, with what the schema calls important, and the cut is named."""
    limits = ExecutorLimits(max_shown=12_000)
    async with LoopbackServer(lambda _: json_answer(ROWS)) as server, Shortened(server.url, limits) as bench:
        result = await bench.call("s.rows")
    shown = as_array(json.loads(result.text.partition("\n")[0]))
    assert len(shown) == 60
    assert {"number", "weight", "note", "page_url", "owner"} == set(as_object(shown[7]))
    assert as_object(as_object(shown[7])["owner"]) == {"login": "ann"}
    assert result.structured == ROWS
    for left_out in ("api_url", "undescribed", "node_id", "plain"):
        assert left_out in result.text.partition("\n")[2]
    assert len(result.text) < 12_600


@pytest.mark.promise("O8")
async def test_the_note_says_how_the_rest_is_read() -> None:
    """With the call to make, and from where to go on."""
    limits = ExecutorLimits(max_shown=3_000)
    async with LoopbackServer(lambda _: json_answer(ROWS)) as server, Shortened(server.url, limits) as bench:
        result = await bench.call("s.rows")
        shown = len(as_array(json.loads(result.text.partition("\n")[0]))) - 1
        assert 5 < shown < 60
        assert f"{shown} of 60 elements" in result.text
        assert f'interlock.read_result {{"result": "r1", "offset": {shown}}}' in result.text
        rest = await bench.read(offset=shown, limit=2)
    assert as_array(rest.structured) == ROWS[shown : shown + 2]
    assert rest.untrusted
    assert rest.call_id == "c"
    assert f"[{shown} to {shown + 1} of 60. Next: offset {shown + 2}.]" in rest.text


@pytest.mark.promise("O8")
async def test_every_part_of_a_kept_answer_can_be_reached() -> None:
    """Elements, fields, pieces of a text."""
    limits = ExecutorLimits(max_shown=900)
    async with LoopbackServer(lambda _: json_answer(ROWS)) as server, Shortened(server.url, limits) as bench:
        await bench.call("s.rows")
        assert (await bench.read(pointer="/3/owner/login")).structured == "ann"
        assert (await bench.read(pointer="/3/note", offset=2, limit=4)).structured == "te 3"
        fields = await bench.read(pointer="/3", limit=2)
        assert fields.structured == {"number": 3, "weight": 1.5}
        assert "[0 to 1 of 10. Next: offset 2.]" in fields.text
        assert (await bench.read(pointer="/3/weight")).text == "1.5"
        whole = await bench.read()
        assert len(whole.text) < 1_300
        assert "characters)" in (await bench.read(limit=1)).text
        read: list[Json] = []
        while len(read) < 60:
            read += as_array((await bench.read(offset=len(read))).structured)
        assert read == ROWS


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"pointer": "/99"}, "has 60 elements"),
        ({"pointer": "/0/nix"}, "has fields number, weight"),
        ({"pointer": "/0/number/x"}, "has no parts"),
        ({"pointer": "nix"}, "leads nowhere"),
        ({"result": "r9"}, "Call the tool that gave it again"),
    ],
)
async def test_a_pointer_to_nothing_is_told_what_there_is(arguments: JsonObject, said: str) -> None:
    """So that the next one is right."""
    limits = ExecutorLimits(max_shown=900)
    async with LoopbackServer(lambda _: json_answer(ROWS)) as server, Shortened(server.url, limits) as bench:
        await bench.call("s.rows")
        result = await bench.call("interlock.read_result", {"result": "r1", **arguments})
    assert result.is_error
    assert said in result.text


@pytest.mark.promise("O11")
async def test_a_kept_answer_is_for_who_got_it_alone() -> None:
    """Not for another user, another key or another run, though they guess its id."""
    limits = ExecutorLimits(max_shown=900)
    mine = replace(make_call(), principal=Principal(user="one", key_id="k1"), run="run-1")
    async with LoopbackServer(lambda _: json_answer(ROWS)) as server, Shortened(server.url, limits) as bench:
        await bench.call("s.rows", context=mine)
        assert not (await bench.read(mine, pointer="/0")).is_error
        for other in (
            replace(mine, principal=Principal(user="two", key_id="k1")),
            replace(mine, principal=Principal(user="one", key_id="k2")),
            replace(mine, run="run-2"),
            replace(mine, run=None),
        ):
            result = await bench.read(other, pointer="/0")
            assert (result.is_error, result.error_code) == (True, "not_found")


async def test_only_the_last_answers_are_kept() -> None:
    """Memory is bounded."""
    limits = ExecutorLimits(max_shown=900, kept_bytes=150_000)
    async with LoopbackServer(lambda _: json_answer(ROWS)) as server, Shortened(server.url, limits) as bench:
        for _ in range(4):
            await bench.call("s.rows")
        assert (await bench.read()).is_error
        assert not (await bench.read(result="r4")).is_error


@pytest.mark.parametrize(
    "limits", [ExecutorLimits(max_shown=900, kept_bytes=0), ExecutorLimits(max_shown=900, kept_bytes=1_000)]
)
async def test_what_is_not_kept_is_not_promised(limits: ExecutorLimits) -> None:
    """Nothing is kept, or the answer is too long."""
    async with LoopbackServer(lambda _: json_answer(ROWS)) as server, Shortened(server.url, limits) as bench:
        result = await bench.call("s.rows")
    assert "read_result" not in result.text
    assert "Ask for less, or page by page." in result.text


async def test_without_the_tool_it_is_not_named() -> None:
    """A model is told of no tool that there is not."""
    limits = ExecutorLimits(max_shown=900)
    async with (
        LoopbackServer(lambda _: json_answer(ROWS)) as server,
        Shortened(server.url, limits, reader=False) as bench,
    ):
        assert "read_result" not in (await bench.call("s.rows")).text


async def test_a_list_inside_an_object_is_shortened_in_its_place() -> None:
    """What stands around it stays."""
    value: Json = {"total": 60, "kind_of": "k", "rows": ROWS, "next": None}
    limits = ExecutorLimits(max_shown=3_000)
    async with LoopbackServer(lambda _: json_answer(value)) as server, Shortened(server.url, limits) as bench:
        result = await bench.call("s.any")
        assert (await bench.read(pointer="/rows/4/number")).structured == 4
    shown = as_object(json.loads(result.text.partition("\n")[0]))
    assert (shown["total"], shown["kind_of"]) == (60, "k")
    assert 5 < len(as_array(shown["rows"])) < 60


@pytest.mark.parametrize("size", [1, 2, 3, 200])
@pytest.mark.parametrize("limit", [200, 1_000, 20_000])
def test_whatever_is_shown_is_json_and_fits(size: int, limit: int) -> None:
    """Any number of elements in any room."""
    rows: list[Json] = []
    for number in range(size):
        deep: list[Json] = [row(number)] * 3
        rows.append({**row(number), "more": {"deep": deep}})
    shown = trimmed(rows, limit=limit)
    assert len(shown.text) <= limit + 60
    if limit > 200:
        assert isinstance(json.loads(shown.text), list)


def test_a_recursive_schema_is_walked_once() -> None:
    """Schemas that refer to themselves end."""
    schema: JsonObject = {
        "$ref": "#/$defs/Node",
        "$defs": {
            "Node": {
                "anyOf": [
                    {"$ref": "#/$defs/Node"},
                    {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}},
                ]
            }
        },
    }
    value: Json = {"next": {"next": {"title": "t" * 5_000}}, "other": "o" * 5_000}
    assert "other" not in trimmed(value, limit=1_000, schema=schema).text


@pytest.mark.promise("O11")
async def test_what_must_not_be_seen_is_hidden_before_anything_is_cut() -> None:
    """Else half of it could be read at a time."""
    hidden = "another-tool's-secret-" + "0123456789" * 8

    def hide(value: Json) -> Json:
        return parse_json(dump_json(value).replace(hidden, "[hidden]"))

    rows: list[Json] = [{"a": "x" * number, "b": hidden} for number in range(200)]
    texts = f"{'x' * 950}{hidden}{'y' * 2_000}"
    one: JsonObject = {"a": texts, "b": [texts, texts]}
    for answer in (
        json_answer(rows),
        json_answer(one),
        json_answer({"message": texts[400:]}, status=422),
        Answer(headers=(("content-type", "text/plain"),), body=texts.encode()),
    ):
        async with LoopbackServer(lambda _, answer=answer: answer) as server:
            registry = ToolRegistry()
            registry.add_document(DOCUMENT, namespace="s", options=DocumentOptions(base_url=server.url))
            limits = ExecutorLimits(max_shown=1_000)
            executor = ToolExecutor(registry, limits=limits, hide=hide)
            executor.offer_reader()
            result = await executor.execute(ToolCall(id="c", name="s.any"), make_call())
            seen = repr(result)
            for offset in range(0, 3_000, 500):
                arguments = json.dumps({"result": "r1", "offset": offset})
                read = ToolCall(id="d", name="interlock.read_result", arguments=arguments)
                seen += repr(await executor.execute(read, make_call()))
            await executor.aclose()
        assert "secret" not in seen
