"""Functions of this process are tools: their annotations are the schema, their values are checked."""

import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pytest

from interlock_core import Call, Effect, Json, JsonObject, Text, ToolCall, ToolResult
from interlock_core.errors import ConfigurationError, InvalidRequestError, PermissionDeniedError
from interlock_core.testing import make_call
from interlock_tools import ToolExecutor, ToolRegistry
from interlock_tools._handlers import Handler

POINT: JsonObject = {
    "type": "object",
    "properties": {
        "x": {"type": "integer"},
        "y": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "additionalProperties": False,
    "required": ["x"],
}


class Colour(enum.Enum):
    """A colour."""

    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    """A place."""

    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list[str])


async def call(handler: Handler, arguments: Json = None, name: str = "code.run") -> ToolResult:
    """The result of one call of a function."""
    registry = ToolRegistry()
    registry.register(handler, name=name)
    written = json.dumps({} if arguments is None else arguments)
    return await ToolExecutor(registry).execute(
        ToolCall(id="c", name=name, arguments=written), make_call("m")
    )


def test_annotations_become_a_schema_and_the_docstring_a_description() -> None:
    """Parameters with a default need not be given."""

    async def run(
        count: int,
        ratio: float | None,
        kind: Literal["a", "b"],
        colour: Colour,
        place: Point,
        *,
        text: str = "",
        flag: bool = False,
    ) -> Json:
        """Do it all.

        More that no model needs.
        """
        return None

    spec = ToolRegistry().register(run, name="code.run", effect=Effect.READ)
    assert (spec.description, spec.effect, spec.category, spec.untrusted) == (
        "Do it all.",
        Effect.READ,
        "code",
        False,
    )
    assert spec.parameters == {
        "type": "object",
        "properties": {
            "count": {"type": "integer"},
            "ratio": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "kind": {"enum": ["a", "b"]},
            "colour": {"enum": ["red", "blue"]},
            "place": POINT,
            "text": {"type": "string"},
            "flag": {"type": "boolean"},
        },
        "additionalProperties": False,
        "required": ["count", "ratio", "kind", "colour", "place"],
    }


def test_containers_become_lists_and_objects() -> None:
    """Whatever they hold."""

    async def run(
        places: list[Point],
        pair: tuple[int, ...],
        table: dict[str, int],
        anything: Json,
        many: list[Json],
        *,
        words: Sequence[str] = (),
        facts: Mapping[str, Point] | None = None,
    ) -> Json:
        return None

    assert ToolRegistry().register(run, name="code.run").parameters["properties"] == {
        "places": {"type": "array", "items": POINT},
        "pair": {"type": "array", "items": {"type": "integer"}},
        "table": {"type": "object", "additionalProperties": {"type": "integer"}},
        "anything": {},
        "many": {"type": "array", "items": {}},
        "words": {"type": "array", "items": {"type": "string"}},
        "facts": {"anyOf": [{"type": "object", "additionalProperties": POINT}, {"type": "null"}]},
    }


async def test_values_arrive_as_they_are_annotated() -> None:
    """Enums and dataclasses are made, also inside lists, tuples, mappings and unions; the call is given."""
    got: list[object] = []

    async def run(
        colour: Colour,
        place: Point | None,
        places: list[Point],
        pair: tuple[Point, ...],
        table: dict[str, Colour],
        context: Call,
    ) -> str:
        got.extend([colour, place, places, pair, table, context.name])
        return "done"

    arguments: Json = {
        "colour": "red",
        "place": {"x": 1},
        "places": [{"x": 2, "y": 3}],
        "pair": [{"x": 4, "tags": ["t"]}],
        "table": {"k": "blue"},
    }
    result = await call(run, arguments)
    assert result.content == (Text("done"),)
    assert got == [Colour.RED, Point(1), [Point(2, 3)], (Point(4, 0, ["t"]),), {"k": Colour.BLUE}, "m"]


async def test_null_for_an_optional_dataclass_stays_null() -> None:
    """A union takes each of its kinds."""

    async def run(place: Point | None) -> Json:
        return place is None

    assert (await call(run, {"place": None})).structured is True


async def test_arguments_are_checked_before_the_function_runs() -> None:
    """It never sees what its annotations do not allow."""
    ran: list[int] = []

    async def run(count: int) -> Json:
        ran.append(count)
        return {"count": count}

    result = await call(run, {"count": "many"})
    assert (result.is_error, result.error_code, ran) == (True, "schema_invalid", [])
    result = await call(run, {"count": 2})
    assert (result.structured, result.text) == ({"count": 2}, '{"count":2}')


async def test_a_function_may_give_a_whole_result() -> None:
    """It is passed on as it is."""
    whole = ToolResult(call_id="own", name="own", is_error=True)

    async def run() -> ToolResult:
        return whole

    assert await call(run) is whole


async def test_a_function_that_fails_gives_a_result_without_its_secrets() -> None:
    """Our own errors say what to change, foreign ones their kind alone, refusals are refusals."""

    async def typed() -> Json:
        raise InvalidRequestError("The note is gone.", remedy="List the notes.")

    async def foreign() -> Json:
        raise RuntimeError("password=hunter2")

    async def refused() -> Json:
        raise PermissionDeniedError("No.")

    assert (await call(typed)).text == "The note is gone. List the notes."
    result = await call(foreign)
    assert (result.is_error, result.error_code) == (True, "error")
    assert "RuntimeError" in result.text
    assert "hunter2" not in result.text
    with pytest.raises(PermissionDeniedError):
        await call(refused)


async def test_a_tool_with_its_own_schema_takes_its_arguments_whole() -> None:
    """For tools that are described elsewhere."""
    registry = ToolRegistry()

    async def run(arguments: JsonObject, context: Call) -> Json:
        return {"got": arguments, "by": context.name}

    schema: JsonObject = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    spec = registry.register_raw(
        run, name="mcp.echo", description="Echo\n  it.", parameters=schema, category="other"
    )
    assert (spec.description, spec.category) == ("Echo it.", "other")
    executor = ToolExecutor(registry)
    prepared = await executor.prepare(ToolCall(id="c", name="mcp.echo", arguments='{"a": 1}'), make_call("m"))
    assert (prepared.arguments, prepared.request) == ({"a": 1}, None)
    result = await executor.execute(ToolCall(id="c", name="mcp.echo", arguments='{"a": 1}'), make_call("m"))
    assert result.structured == {"got": {"a": 1}, "by": "m"}


def test_an_annotation_that_is_not_known_is_an_error_at_once() -> None:
    """As is a parameter without one."""

    async def odd(value: set[str]) -> Json:
        return None

    with pytest.raises(ConfigurationError, match="not known"):
        ToolRegistry().register(odd, name="code.odd")
    bare: Handler = eval("lambda value: None")
    with pytest.raises(ConfigurationError, match="no annotation"):
        ToolRegistry().register(bare, name="code.bare")
