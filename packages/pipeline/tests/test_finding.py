"""Runs with more tools than a prompt should hold: the model finds what it needs."""

import pytest

from interlock_core import (
    CompletionRequest,
    Effect,
    Event,
    EventKind,
    Json,
    Permit,
    Principal,
    RunRequest,
    RunResult,
    ToolCall,
    ToolSpec,
)
from interlock_core.jsontypes import JsonObject, dump_json
from interlock_core.messages import user
from interlock_core.testing import (
    DenyPermit,
    MemoryCatalog,
    OpenPermit,
    ScriptedExecutor,
    ScriptedProvider,
    completion,
)
from interlock_core.tokens import EstimatingCounter
from interlock_pipeline import META_TOOLS, ToolCallingPipeline, ToolOffering

pytestmark = pytest.mark.promise("O7")

KITE = ToolSpec(name="toys.kite_fly", description="Flies a kite", effect=Effect.READ)
BOAT = ToolSpec(name="toys.boat_sail", description="Sails a boat", effect=Effect.WRITE)
CROWD = [ToolSpec(name=f"crowd.thing_{number:03}", description="Idles") for number in range(100)]
EVERY = [*CROWD, KITE, BOAT]


def call(name: str, number: int = 1, /, **arguments: Json) -> ToolCall:
    """A call of a model."""
    return ToolCall(id=f"call_{number}", name=name, arguments=dump_json({**arguments}))


class Table:
    """A run over tools, and what its model was sent."""

    def __init__(
        self,
        *script: ToolCall | str,
        tools: list[ToolSpec] | None = None,
        offering: ToolOffering | None = None,
    ) -> None:
        chosen = EVERY if tools is None else tools
        answers = [item if isinstance(item, str) else completion("", item) for item in script]
        self.provider = ScriptedProvider(answers)
        self.executor = ScriptedExecutor({tool.name: "done" for tool in chosen}, tools=chosen)
        self.pipeline = ToolCallingPipeline(
            provider=self.provider,
            catalog=MemoryCatalog(chosen),
            executor=self.executor,
            offering=offering or ToolOffering(seeds=0),
        )
        self.events: list[Event] = []

    async def run(self, prompt: str = "Go.", patterns: tuple[str, ...] = ("*",)) -> RunResult:
        """Run to the end."""
        request = RunRequest(messages=(user(prompt),), tools=patterns, principal=Principal(user="ann"))
        last: RunResult | None = None
        async for item in self.pipeline.events(request):
            if isinstance(item, Event):
                self.events.append(item)
            else:
                last = item
        assert last is not None
        return last

    def shown(self, turn: int) -> set[str]:
        """Names of the tools in a request."""
        return {tool.name for tool in self.provider.requests[turn].tools}

    def told(self, turn: int) -> str:
        """What the results before a request say."""
        return " ".join(result.text for result in self.provider.requests[turn].messages[-1].tool_results)


async def test_few_tools_are_shown_all_together() -> None:
    """Nothing is to be found then."""
    table = Table(call(KITE.name), "Done.", tools=[KITE, BOAT])
    await table.run()
    assert table.told(1) == "done"
    assert table.shown(0) == {KITE.name, BOAT.name}
    assert "tools_to_find" not in table.events[0].data


async def test_a_model_finds_a_tool_and_calls_it_in_its_next_turn() -> None:
    """What was found is shown with its schema from then on, and every step is an event."""
    table = Table(call("find_tools", query="kite"), call(KITE.name, 2), "Done.")
    result = await table.run()
    assert table.shown(0) == META_TOOLS
    assert table.shown(1) == table.shown(2) == {*META_TOOLS, KITE.name}
    assert KITE in table.provider.requests[1].tools
    assert table.told(1) == "toys.kite_fly: Flies a kite"
    assert [made.name for made, _ in table.executor.executed] == [KITE.name]
    assert result.text == "Done."
    started = [event.data["tool"] for event in table.events if event.kind is EventKind.TOOL_STARTED]
    assert started == ["find_tools", KITE.name]
    assert table.events[0].data["tools_to_find"] == len(EVERY)
    assert not result.steps[0].results[0].untrusted


async def test_the_tools_that_fit_the_prompt_are_shown_from_the_first_turn_on() -> None:
    """That saves the model a turn."""
    table = Table(call(BOAT.name), "Done.", offering=ToolOffering())
    await table.run("sail the boat home")
    assert table.shown(0) == {*META_TOOLS, BOAT.name}
    assert [made.name for made, _ in table.executor.executed] == [BOAT.name]


@pytest.mark.parametrize(
    ("offering", "tools", "searched"),
    [
        (ToolOffering(max_tools=2), [KITE, BOAT], False),
        (ToolOffering(max_tools=1), [KITE, BOAT], True),
        (ToolOffering(max_tokens=30), [KITE, BOAT], True),
        (ToolOffering(search="always"), [KITE], True),
        (ToolOffering(search="never", max_tools=1), [KITE, BOAT], False),
    ],
)
async def test_the_bounds_decide_whether_a_model_finds_tools_itself(
    offering: ToolOffering, tools: list[ToolSpec], searched: bool
) -> None:
    """The number of the tools, their tokens, or the operator's word."""
    table = Table("Done.", tools=tools, offering=offering)
    await table.run()
    assert (table.shown(0) >= META_TOOLS) is searched


async def test_a_run_without_tools_is_shown_none() -> None:
    """Not even the ones that find others."""
    table = Table("Done.", offering=ToolOffering(search="always"))
    await table.run(patterns=())
    assert table.shown(0) == set()


async def test_only_what_may_be_called_is_found() -> None:
    """Neither found, described nor named as near is what is forbidden; who asks is judged with the agent."""
    permit = DenyPermit("toys.kite*")
    table = Table(
        call("find_tools", query="kite boat"),
        call("describe_tool", 2, name=KITE.name),
        call("describe_tool", 3, name="toys.kite_fl"),
        "Done.",
        offering=ToolOffering(permit=permit),
    )
    await table.run("fly the kite")
    assert table.shown(0) == META_TOOLS
    assert table.shown(1) == {*META_TOOLS, BOAT.name}
    assert table.told(1) == "toys.boat_sail: Sails a boat"
    for turn in (2, 3):
        assert "There is no tool" in table.told(turn)
    assert "Did you mean toys.boat_sail?" in table.told(3)
    asked = [one for one in permit.asked if one.name == KITE.name]
    assert {(one.principal.user, one.agent, one.effect) for one in asked} == {("ann", "agent", Effect.READ)}


async def test_a_forbidden_crowd_hides_no_permitted_tool() -> None:
    """The search goes on until it has enough that may be called."""
    twins = [ToolSpec(name=f"a.kite_{number:03}", description="A kite") for number in range(90)]
    table = Table(
        call("find_tools", query="kite"),
        "Done.",
        tools=[*twins, KITE],
        offering=ToolOffering(permit=DenyPermit("a.*"), seeds=0),
    )
    await table.run()
    assert table.told(1) == "toys.kite_fly: Flies a kite"


async def test_tools_outside_the_patterns_of_a_run_are_neither_found_nor_called() -> None:
    """The patterns bound the run, whatever the model searches for."""
    table = Table(
        call("find_tools", query="kite"),
        call(KITE.name, 2),
        "Done.",
        offering=ToolOffering(permit=OpenPermit(), seeds=0),
    )
    await table.run(patterns=("crowd.*",))
    assert "No tool fits" in table.told(1)
    assert "No tool 'toys.kite_fly' is offered" in table.told(2)
    assert table.executor.executed == []


@pytest.mark.parametrize("name", [KITE.name, "toys_kite_fly", "Toys-Kite-Fly"])
async def test_a_tool_that_exists_may_be_called_without_being_shown(name: str) -> None:
    """By its name, or as a vendor would write it; it is shown from then on."""
    table = Table(call(name), "Done.")
    result = await table.run()
    assert [made.name for made, _ in table.executor.executed] == [KITE.name]
    assert [answer.name for answer in result.steps[0].results] == [name]
    assert KITE.name in table.shown(1)


async def test_a_name_that_may_mean_two_tools_means_none() -> None:
    """The model is told what is near."""
    twins = [ToolSpec(name="a.b_c"), ToolSpec(name="a_b.c"), *CROWD]
    table = Table(call("a_b_c"), "Done.", tools=twins)
    await table.run()
    assert table.executor.executed == []
    assert "a.b_c" in table.told(1)


async def test_an_unknown_name_gets_the_nearest() -> None:
    """Among all that the run may use, shown or not."""
    table = Table(call("toys.kite_flies"), "Done.")
    await table.run()
    assert "Did you mean toys.kite_fly" in table.told(1)


async def test_what_was_not_used_for_longest_makes_way() -> None:
    """What was called lately stays, whatever is found meanwhile."""
    table = Table(
        call("find_tools", query="kite"),
        call("find_tools", 2, query="boat"),
        call(KITE.name, 3),
        call("find_tools", 4, query="crowd.thing_007"),
        "Done.",
        offering=ToolOffering(seeds=0, found_tools=2),
    )
    await table.run()
    assert table.shown(2) == {*META_TOOLS, KITE.name, BOAT.name}
    assert table.shown(4) == {*META_TOOLS, KITE.name, "crowd.thing_007"}


async def test_a_tool_that_makes_way_can_be_called_all_the_same() -> None:
    """A model is told so where not all that it found can be shown."""
    table = Table(
        call("find_tools", query="kite boat", limit=2),
        call(BOAT.name, 2),
        "Done.",
        offering=ToolOffering(seeds=0, found_tokens=1),
    )
    await table.run()
    assert len(table.shown(1)) == len(META_TOOLS) + 1
    assert "each can be called by its name" in table.told(1)
    assert [made.name for made, _ in table.executor.executed] == [BOAT.name]


async def test_pinned_tools_are_always_shown() -> None:
    """Once, even when they are found too."""
    table = Table(
        call("find_tools", query="boat"), "Done.", offering=ToolOffering(seeds=0, pinned=("toys.boat*",))
    )
    await table.run()
    assert table.shown(0) == table.shown(1) == {*META_TOOLS, BOAT.name}
    assert len(table.provider.requests[1].tools) == 3


def large_tool() -> ToolSpec:
    """A tool with more arguments than its room holds."""
    said: Json = {"type": "string", "description": "What is said of it " * 20}
    listed: Json = {"type": "array", "items": said, "description": "Many of them " * 20}
    properties: JsonObject = {f"argument_{number:02}": said for number in range(60)}
    properties |= {"listed": listed, "anything": {"description": "Whatever it is " * 20}, "wanted": said}
    required: list[Json] = ["wanted", "anything", "listed"]
    schema: JsonObject = {"type": "object", "properties": properties, "required": required}
    return ToolSpec(name="big.machine", description="A machine. " * 50, parameters=schema, strict=True)


async def test_a_large_tool_is_shown_small_and_told_whole_on_demand() -> None:
    """All that is required is there; the arguments are checked against the whole by its executor."""
    big = large_tool()
    table = Table(
        call("find_tools", query="machine"),
        call("describe_tool", 2, name=big.name),
        call(big.name, 3, wanted="x", argument_59="y"),
        "Done.",
        tools=[*CROWD, big],
    )
    await table.run()
    small = next(tool for tool in table.provider.requests[1].tools if tool.name == big.name)
    shown = small.parameters["properties"]
    assert isinstance(shown, dict)
    assert shown["wanted"] == {"type": "string"}
    assert shown["anything"] == {}
    assert shown["listed"] == {"type": "array", "items": {}}
    assert small.parameters["required"] == ["wanted", "anything", "listed"]
    assert len(dump_json(small.parameters)) < 2_400
    assert "describe_tool tells more" in small.description
    assert small.strict is None
    assert table.told(2) == dump_json(big.parameters)
    assert table.executor.executed[0][0].parsed() == {"wanted": "x", "argument_59": "y"}


async def test_parts_of_a_schema_are_told_by_whoever_knows_them() -> None:
    """The pointer goes on as the model wrote it."""
    asked: list[tuple[str, str]] = []

    def describe(name: str, part: str) -> JsonObject:
        asked.append((name, part))
        return {"type": "string"}

    table = Table(
        call("describe_tool", name=KITE.name, part="/string/length"),
        "Done.",
        offering=ToolOffering(seeds=0, describe=describe),
    )
    await table.run()
    assert asked == [(KITE.name, "/string/length")]
    assert table.told(1) == '{"type":"string"}'


async def test_an_unknown_tool_is_not_described() -> None:
    """What is near is named, else the way to find it."""
    table = Table(call("describe_tool", name="toys.kite"), call("describe_tool", 2, name="zzzzzzzz"), "Done.")
    await table.run()
    assert "Did you mean toys.kite_fly" in table.told(1)
    assert "Ask find_tools." in table.told(2)


@pytest.mark.parametrize("arguments", [{}, {"query": 3}, {"query": "x", "limit": 99}, {"query": "x", "y": 1}])
async def test_a_wrong_search_is_told_to_the_model(arguments: JsonObject) -> None:
    """In words that it can act on; nothing is found."""
    table = Table(call("find_tools", 1, **arguments), "Done.")
    await table.run()
    assert "arguments of find_tools" in table.told(1)
    assert table.shown(1) == META_TOOLS
    assert any(event.kind is EventKind.TOOL_REJECTED for event in table.events)


async def test_a_thousand_tools_cost_a_prompt_little() -> None:
    """Search, description and call of a run, together, in tokens of the estimate."""
    text: Json = {"type": "string", "description": "One of the things that a call is told, in a sentence"}
    schema: JsonObject = {"type": "object", "properties": {f"argument_{number}": text for number in range(6)}}
    many = [
        ToolSpec(name=f"api.thing_{number:04}_change", description="Changes a thing " * 6, parameters=schema)
        for number in range(1_200)
    ]
    name = many[7].name
    table = Table(
        call("find_tools", query="thing change"),
        call("describe_tool", 2, name=name),
        call(name, 3),
        "Done.",
        tools=many,
        offering=ToolOffering(),
    )
    await table.run("change a thing")
    counter, bare = EstimatingCounter(), CompletionRequest(model="", messages=(user("change a thing"),))
    for request in table.provider.requests:
        assert counter.count(request).tokens - counter.count(bare).tokens <= 1_700
        tools = CompletionRequest(model="", messages=(), tools=request.tools)
        assert counter.count(tools).tokens <= 1_200


async def test_a_permit_that_allows_everything_changes_nothing() -> None:
    """The same is found with it as without."""
    permit: Permit = OpenPermit()
    with_it = Table(call("find_tools", query="boat"), "Done.", offering=ToolOffering(permit=permit, seeds=0))
    without = Table(call("find_tools", query="boat"), "Done.")
    await with_it.run()
    await without.run()
    assert with_it.told(1) == without.told(1)


@pytest.mark.parametrize("wrong", ["toys.boat_sai", BOAT.name])
async def test_a_forbidden_tool_is_neither_suggested_nor_shown_nor_pinned(wrong: str) -> None:
    """Whoever guesses at its name learns nothing of it."""
    offering = ToolOffering(permit=DenyPermit("toys.boat*"), seeds=0, pinned=("toys.*",))
    table = Table(call(wrong), "Done.", offering=offering)
    await table.run()
    assert table.shown(0) == table.shown(1) == {*META_TOOLS, KITE.name}
    assert BOAT.name not in table.told(1)
