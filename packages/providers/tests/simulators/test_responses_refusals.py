"""The simulated Responses API refuses what the vendor refuses."""

from collections.abc import AsyncGenerator

import openai
import pytest

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object
from interlock_providers.testing import OpenAIServer, Say, Thought, ToolUse

FUNCTION: JsonObject = {"type": "function", "name": "f", "parameters": {}, "strict": True}
USER: JsonObject = {"role": "user", "content": "x"}
CALL: JsonObject = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
OUTPUT: JsonObject = {"type": "function_call_output", "call_id": "call_1", "output": "y"}
THOUGHT: JsonObject = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "s1"}
ANSWER: JsonObject = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "z", "annotations": []}],
}


@pytest.fixture
async def vendor() -> AsyncGenerator[OpenAIServer, None]:
    """A vendor that wants no key, and knows one payload."""
    async with OpenAIServer() as one:
        one.memory.payloads.add("s1")
        yield one


async def ask(vendor: OpenAIServer, changes: JsonObject) -> JsonObject:
    """Ask with the smallest good body, changed; None leaves a field out."""
    body: JsonObject = {"model": "sim-1", "input": "hello", **changes}
    kept: JsonObject = {name: value for name, value in body.items() if value is not None}
    async with openai.AsyncOpenAI(api_key="sk-x", base_url=vendor.url, max_retries=0) as client:
        return as_object(await client.post("/responses", body=kept, cast_to=object))


def content(role: str, *parts: Json) -> JsonObject:
    """An input of one message."""
    return {"input": [{"role": role, "content": [*parts]}]}


REFUSED: list[tuple[JsonObject, str, str | None]] = [
    ({"model": None}, "Missing required parameter: 'model'", "missing_required_parameter"),
    ({"input": None}, "Missing required parameter: 'input'", "missing_required_parameter"),
    ({"messages": []}, "has moved to 'input'", "unsupported_parameter"),
    ({"max_tokens": 99}, "has moved to 'max_output_tokens'", "unsupported_parameter"),
    ({"response_format": {}}, "has moved to 'text.format'", "unsupported_parameter"),
    ({"stop": "x"}, "Unknown parameter: 'stop'", "unknown_parameter"),
    ({"max_output_tokens": 15}, "Expected a value >= 16, but got 15", "integer_below_min_value"),
    ({"stream_options": {}}, "only allowed when 'stream' is enabled", None),
    ({"include": ["reasoning"]}, "Invalid value: 'reasoning'", "invalid_value"),
    ({"previous_response_id": "resp_9"}, "id 'resp_9' not found", "previous_response_not_found"),
    ({"text": {"format": {"type": "xml"}}}, "Invalid value: 'xml'", "invalid_value"),
    ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "'text.format.name'", None),
    ({"tools": [{"name": "f"}]}, "'tools[0].type'", "missing_required_parameter"),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "'tools[0].name'", None),
    ({"tools": [{**FUNCTION, "name": "a.b"}]}, "does not match pattern", "invalid_value"),
    ({"tool_choice": "any"}, "Invalid value: 'any'", "invalid_value"),
    ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "'tool_choice.name'", None),
    ({"tool_choice": {"type": "function", "name": "f"}}, "not found in 'tools'", None),
    ({"input": [{"type": "tool", "output": "x"}]}, "Invalid value: 'tool'", "invalid_value"),
    ({"input": [{**USER, "name": "me"}]}, "Unknown parameter: 'input[0].name'", "unknown_parameter"),
    ({"input": [{"role": "user"}]}, "'input[0].content'", "missing_required_parameter"),
    ({"input": [{"role": "tool", "content": "x"}]}, "Invalid value: 'tool'", "invalid_value"),
    ({"input": [{**ANSWER, "id": "chatcmpl-1"}]}, "begins with 'msg'", "invalid_value"),
    ({"input": [{**CALL, "id": "call_1"}, OUTPUT]}, "begins with 'fc'", "invalid_value"),
    (content("user", {"type": "text", "text": "x"}), "Invalid value: 'text'", "invalid_value"),
    (content("assistant", {"type": "input_text", "text": "x"}), "Invalid value: 'input_text'", None),
    ({"input": [CALL, {**OUTPUT, "output": {}}]}, "Invalid type for 'input[1].output'", "invalid_type"),
    ({"input": [USER, OUTPUT]}, "No tool call found for function call output with call_id call_1", None),
    ({"input": [OUTPUT, CALL]}, "No tool call found", None),
    ({"input": [USER, CALL]}, "No tool output found for function call call_1", None),
    (
        {"input": [{**THOUGHT, "encrypted_content": "s2"}, ANSWER]},
        "content for item rs_1 could not be verified",
        "invalid_encrypted_content",
    ),
    ({"input": [THOUGHT, USER]}, "without its required following item", None),
    ({"input": [THOUGHT]}, "without its required following item", None),
]


@pytest.mark.parametrize(("changes", "words", "code"), REFUSED, ids=lambda value: str(value)[:60])
async def test_it_refuses(vendor: OpenAIServer, changes: JsonObject, words: str, code: str | None) -> None:
    """Each rule by itself, with the vendor's words."""
    with pytest.raises(openai.BadRequestError) as caught:
        await ask(vendor, changes)
    assert words in caught.value.message
    assert code in (caught.value.code, None)


@pytest.mark.parametrize(
    "items",
    [
        [USER],
        [{"role": "developer", "content": [{"type": "input_text", "text": "x"}]}, USER],
        [USER, ANSWER, USER],
        [USER, THOUGHT, ANSWER, USER],
        [USER, THOUGHT, THOUGHT, CALL, OUTPUT],
        [USER, CALL, {**CALL, "call_id": "call_2"}, {**OUTPUT, "call_id": "call_2"}, OUTPUT],
        [USER, CALL, {**OUTPUT, "output": [{"type": "input_text", "text": "x"}]}],
        [USER, {"type": "web_search_call", "id": "ws_1", "status": "completed"}, ANSWER, USER],
    ],
    ids=repr,
)
async def test_it_takes(vendor: OpenAIServer, items: list[Json]) -> None:
    """What the vendor takes is answered."""
    assert (await ask(vendor, {"input": items}))["status"] == "completed"


async def test_items_that_are_not_stored_are_not_found(vendor: OpenAIServer) -> None:
    """Reasoning without its payload comes back by its id, which is gone where nothing is stored."""
    for store in (True, False):
        vendor.then(Say("Yes", reasoning="hm"))
        made = await ask(vendor, {"store": store})
        again: JsonObject = {"input": [USER, *as_array(made["output"]), USER]}
        if store:
            assert (await ask(vendor, again))["status"] == "completed"
        else:
            with pytest.raises(openai.NotFoundError, match="Items are not persisted"):
                await ask(vendor, again)


async def test_what_it_thought_belongs_to_what_it_did(vendor: OpenAIServer) -> None:
    """A call that reasoning led to is not taken without it, unless the vendor has it."""
    vendor.then(Say(reasoning=(Thought("hm", sealed="s2"),), calls=(ToolUse("f", id="call_1"),)))
    made = await ask(vendor, {"include": ["reasoning.encrypted_content"]})
    thought, call = as_array(made["output"])
    with pytest.raises(openai.BadRequestError, match="without its required 'reasoning' item"):
        await ask(vendor, {"input": [USER, call, OUTPUT]})
    bare: JsonObject = {name: value for name, value in as_object(call).items() if name != "id"}
    taken: list[list[Json]] = [[USER, thought, call, OUTPUT], [USER, bare, OUTPUT]]
    for items in taken:
        assert (await ask(vendor, {"input": items}))["status"] == "completed"
    on: JsonObject = {"previous_response_id": made["id"], "input": [OUTPUT]}
    assert (await ask(vendor, on))["status"] == "completed"


async def test_unknown_models_and_paths_are_not_found(vendor: OpenAIServer) -> None:
    """As for chat."""
    with pytest.raises(openai.NotFoundError, match="`gpt-9` does not exist"):
        await ask(vendor, {"model": "gpt-9"})
    async with openai.AsyncOpenAI(api_key="sk-x", base_url=vendor.url, max_retries=0) as client:
        with pytest.raises(openai.NotFoundError, match="Invalid URL"):
            await client.responses.retrieve("resp_1")
        with pytest.raises(openai.NotFoundError, match="`gpt-9` does not exist"):
            await client.responses.input_tokens.count(model="gpt-9", input="x")
