"""Runs over more tools than a prompt should hold, with every vendor's dialect and a user's permissions."""

import json
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from interlock_core import Effect, Event, EventKind, Json, JsonObject, RunResult
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import LoopbackServer, json_answer
from interlock_providers.testing import (
    AnthropicServer,
    CohereServer,
    MistralServer,
    OpenAIChatServer,
    OpenAIServer,
    Say,
    SimulatedVendor,
    ToolUse,
)
from interlock_runtime import Question, Runtime, Settings
from interlock_runtime._access import local_user
from interlock_runtime.settings import (
    ApprovalSettings,
    ModelSettings,
    PipelineSettings,
    ProviderKind,
    ProviderSettings,
    ToolSettings,
    UserSettings,
)

pytestmark = pytest.mark.promise("O7")

NOTHING: dict[str, str] = {}
KEY = "sk-vendor-4f9d2c71aa"
VENDORS: list[tuple[ProviderKind, type[SimulatedVendor]]] = [
    ("openai", OpenAIServer),
    ("openai-compatible", OpenAIChatServer),
    ("anthropic", AnthropicServer),
    ("mistral", MistralServer),
    ("cohere", CohereServer),
]


def harbour(url: str) -> JsonObject:
    """A document with a read and a change for each of seventy things."""
    done: JsonObject = {"200": {"description": "Done."}}
    paths: JsonObject = {}
    for number in range(69):
        paths[f"/things/{number}"] = {
            "get": {"operationId": f"get_thing_{number}", "summary": "Idles", "responses": done}
        }
    kite: JsonObject = {
        "name": "kite",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "description": "Its colour"},
    }
    paths["/kites/{kite}"] = {
        "parameters": [kite],
        "get": {"operationId": "show_kite", "summary": "Shows a kite", "responses": done},
        "put": {"operationId": "fly_kite", "summary": "Flies a kite", "responses": done},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Harbour", "version": "1"},
        "servers": [{"url": url}],
        "paths": paths,
    }


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """Where the document of the settings stands."""
    return tmp_path / "harbour.json"


def settings(home: Path, document: Path, url: str, acme: ProviderSettings) -> Settings:
    """Settings with the document and one vendor, and nobody asked."""
    document.write_text(json.dumps(harbour(url)), "utf-8")
    return Settings(
        home=home,
        providers={"acme": acme},
        tools={"harbour": ToolSettings(source=str(document), base_url=url, trusted=True)},
        approvals=ApprovalSettings(require="never"),
    )


async def run(made: Settings, prompt: str) -> tuple[list[Event], RunResult]:
    """Ask one thing over every tool of the document."""
    events: list[Event] = []
    question = Question(prompt=prompt, model="acme/small", tools=("harbour.*",))
    async with (
        Runtime.open(made, environment=NOTHING) as runtime,
        aclosing(runtime.ask_events(question)) as items,
    ):
        async for item in items:
            if isinstance(item, RunResult):
                return events, item
            events.append(item)
    raise AssertionError("a run ends in a result")


def use(name: str, arguments: str) -> Say:
    """An answer that is one call."""
    return Say(text=None, calls=(ToolUse(name, arguments),))


@pytest.mark.parametrize(("kind", "vendor"), VENDORS, ids=[kind for kind, _ in VENDORS])
async def test_a_model_of_any_vendor_finds_a_tool_asks_about_it_and_calls_it(
    home: Path, document: Path, kind: ProviderKind, vendor: type[SimulatedVendor]
) -> None:
    """The vendor takes every request, the API gets the call, and the trace shows each step."""
    async with (
        vendor(models=("small",), key=KEY) as server,
        LoopbackServer(lambda _: json_answer({"ok": True})) as api,
    ):
        server.then(
            use("find_tools", '{"query": "fly a kite", "limit": 2}'),
            use("describe_tool", '{"name": "harbour.fly_kite", "part": "/kite"}'),
            use("harbour_fly_kite", '{"kite": "red"}'),
            Say("It flies."),
        )
        acme = ProviderSettings(kind=kind, base_url=server.url, api_key=KEY, models=("small",))
        events, result = await run(settings(home, document, api.url, acme), "Go.")
        assert [(got.method, got.target) for got in api.requests] == [("PUT", "/kites/red")]
    assert result.text == "It flies."
    started = [str(event.data["tool"]) for event in events if event.kind is EventKind.TOOL_STARTED]
    assert started == ["find_tools", "describe_tool", "harbour.fly_kite"]
    assert events[0].data["tools_to_find"] == 71
    assert "Its colour" in result.steps[1].results[0].text


def told(server: SimulatedVendor, request: int) -> set[str]:
    """Names of the tools in a request, as the vendor was told them."""
    tools = as_array(as_object(server.requests[request].json()).get("tools"))
    return {str(as_object(as_object(tool)["function"])["name"]) for tool in tools}


async def test_a_user_who_may_only_read_finds_only_what_reads(home: Path, document: Path) -> None:
    """Neither the tools for the prompt nor those that are found hold what the user may not call."""
    async with (
        OpenAIChatServer(models=("small",), key=KEY) as server,
        LoopbackServer(lambda _: json_answer({"ok": True})) as api,
    ):
        server.then(use("find_tools", '{"query": "fly a kite"}'), Say("Done."))
        acme = ProviderSettings(kind="openai-compatible", base_url=server.url, api_key=KEY)
        made = settings(home, document, api.url, acme)
        users = {local_user(): UserSettings(roles=("readonly",))}
        _, result = await run(replace(made, users=users), "Fly the kite.")
        assert told(server, 0) == told(server, 1) == {"find_tools", "describe_tool", "harbour_show_kite"}
    assert "fly_kite" not in result.steps[0].results[0].text


@pytest.mark.parametrize(
    ("pipeline", "shown"),
    [
        (PipelineSettings(tool_search="never"), 71),
        (PipelineSettings(max_tools=100), 71),
        (PipelineSettings(max_tools=100, max_tool_tokens=100), 2),
        (PipelineSettings(pinned_tools=("harbour.get_thing_1*",)), 2 + 11),
    ],
)
async def test_the_settings_say_how_many_tools_are_shown(
    home: Path, document: Path, pipeline: PipelineSettings, shown: int
) -> None:
    """All of them, or those that find others and those that are pinned."""
    async with OpenAIChatServer(models=("small",), key=KEY) as server:
        server.then(Say("Done."))
        acme = ProviderSettings(kind="openai-compatible", base_url=server.url, api_key=KEY)
        made = settings(home, document, "https://harbour.example", acme)
        await run(replace(made, pipeline=pipeline), "Hm.")
        assert len(told(server, 0)) == shown


async def test_tools_are_found_by_words_and_narrowed(home: Path, document: Path) -> None:
    """By document, category and effect; each has its score."""
    made = settings(home, document, "https://harbour.example", ProviderSettings(kind="openai-compatible"))
    async with Runtime.open(replace(made, providers={}), environment=NOTHING) as runtime:
        found = await runtime.tools.find("kite", limit=5)
        assert {tool.name for tool, _ in found} == {"harbour.show_kite", "harbour.fly_kite"}
        assert found[0][1] >= found[1][1] > 0
        reads = await runtime.tools.find("kite", effect=Effect.READ, namespace="harb*")
        assert [tool.name for tool, _ in reads] == ["harbour.show_kite"]
        assert await runtime.tools.find("kite", category="boats") == []


async def test_a_route_is_explained_for_what_a_run_is_shown(home: Path, document: Path) -> None:
    """A model whose context holds no seventy tools is no worse for it where they are found."""
    made = settings(home, document, "https://harbour.example", ProviderSettings(kind="openai-compatible"))
    models = {"acme/small": ModelSettings(context_tokens=2_000)}
    async with OpenAIChatServer(models=("small",), key=KEY) as server:
        acme = ProviderSettings(kind="openai-compatible", base_url=server.url, api_key=KEY)
        made = replace(made, providers={"acme": acme}, models=models)
        async with Runtime.open(made, environment=NOTHING) as runtime:
            decision = await runtime.explain("Fly a kite.", tools=("harbour.*",))
        assert decision.chosen == "acme/small"
        never = replace(made, pipeline=PipelineSettings(tool_search="never"))
        async with Runtime.open(never, environment=NOTHING) as runtime:
            decision = await runtime.explain("Fly a kite.", tools=("harbour.*",))
        assert decision.chosen != "acme/small"


@pytest.mark.promise("O8")
@pytest.mark.parametrize("search", ["never", "always"])
async def test_what_was_cut_from_an_answer_can_be_read_on(
    home: Path, document: Path, search: Literal["never", "always"]
) -> None:
    """The tool for it is shown from the turn on in which an answer names it."""
    things: Json = [{"id": number, "note": f"note {number} " + "x" * 200} for number in range(60)]
    async with (
        OpenAIChatServer(models=("small",), key=KEY) as server,
        LoopbackServer(lambda _: json_answer(things)) as api,
    ):
        rest = use("interlock_read_result", '{"result": "r1", "pointer": "/59/note"}')
        server.then(use("harbour_get_thing_7", "{}"), rest, Say("Read."))
        acme = ProviderSettings(kind="openai-compatible", base_url=server.url, api_key=KEY)
        made = settings(home, document, api.url, acme)
        limits = PipelineSettings(tool_search=search, max_result_chars=2_000)
        _, result = await run(replace(made, pipeline=limits), "What is thing 7?")
        assert "interlock_read_result" not in told(server, 0)
        assert "interlock_read_result" in told(server, 1)
    assert "note 59" not in result.steps[0].results[0].text
    assert "note 59" in result.steps[1].results[0].text
