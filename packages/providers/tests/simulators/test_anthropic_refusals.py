"""The simulated Anthropic refuses what the vendor refuses."""

from collections.abc import AsyncGenerator

import anthropic
import pytest

from interlock_core import Json, JsonObject
from interlock_providers.testing import AnthropicServer, Say, Thought

OLD, NEW = "2023-06-01", "2026-10-21"
TOOL: JsonObject = {"name": "f", "input_schema": {"type": "object"}}
CALL: JsonObject = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
RESULT: JsonObject = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}
TEXT: JsonObject = {"type": "text", "text": "x"}
CACHED: JsonObject = {"cache_control": {"type": "ephemeral"}}
THINKING: JsonObject = {"type": "enabled", "budget_tokens": 1024}


def said(*contents: Json) -> JsonObject:
    """Messages of the user and the model in turn."""
    roles = ("user", "assistant")
    return {
        "messages": [{"role": roles[index % 2], "content": content} for index, content in enumerate(contents)]
    }


def marked(times: int) -> list[Json]:
    """So many texts, each with a breakpoint of the cache."""
    return [{**TEXT, **CACHED} for _ in range(times)]


@pytest.fixture
async def vendor() -> AsyncGenerator[AnthropicServer, None]:
    """A vendor that wants no key, and knows one thought."""
    async with AnthropicServer() as one:
        one.issued["s1"] = "hm"
        yield one


async def post(vendor: AnthropicServer, path: str, body: Json, **headers: str) -> object:
    """Ask with a body that the SDK would not let through."""
    async with anthropic.AsyncAnthropic(api_key="sk-x", base_url=vendor.url, max_retries=0) as client:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await client.post(path, body=body, cast_to=object, options={"headers": named})


async def ask(vendor: AnthropicServer, changes: JsonObject, version: str = NEW) -> object:
    """Ask with the smallest good body, changed; None leaves a field out."""
    body: JsonObject = {"model": "sim-1", "max_tokens": 2048, **said("hello"), **changes}
    kept: JsonObject = {name: value for name, value in body.items() if value is not None}
    return await post(vendor, "/v1/messages", kept, anthropic_version=version)


REFUSED: list[tuple[JsonObject, str]] = [
    ({"max_tokens": None}, "max_tokens: Field required"),
    ({"max_tokens": -1}, "max_tokens: Input should be"),
    ({"model": None}, "model: Field required"),
    ({"seed": 1}, "seed: Extra inputs are not permitted"),
    ({"mcp_servers": []}, "mcp_servers: Extra inputs"),
    ({"metadata": {"team": "x"}}, "metadata.team: Extra inputs"),
    ({"temperature": 1}, "`temperature` is not supported"),
    ({"top_k": 1}, "`top_k` is not supported"),
    ({"thinking": {"type": "deep"}}, "Input tag 'deep'"),
    ({"thinking": {"type": "enabled"}}, "thinking.enabled.budget_tokens: Field required"),
    ({"thinking": {"type": "enabled", "budget_tokens": 9}}, "greater than or equal to 1024"),
    ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, "`max_tokens` must be greater"),
    ({"stop_sequences": [" "]}, "non-whitespace"),
    ({"service_tier": "flex"}, "service_tier: Input should be"),
    ({"tools": [{**TOOL, "name": "a.b"}]}, "tools.0.custom.name: String should match"),
    ({"tools": [{"name": "f", "input_schema": {}}]}, "tools.0.custom.input_schema.type"),
    ({"tools": [{**TOOL, "parameters": {}}]}, "tools.0.custom.parameters: Extra inputs"),
    ({"tools": [TOOL, TOOL]}, "Tool names must be unique"),
    ({"tool_choice": {"type": "any"}}, "only be specified while providing tools"),
    ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "Tool 'g' not found"),
    ({"tools": [TOOL], "tool_choice": {"type": "required"}}, "Input tag 'required'"),
    ({"tools": [TOOL], "tool_choice": {"type": "any"}, "thinking": THINKING}, "Thinking may not be enabled"),
    ({"messages": []}, "at least one message"),
    ({"messages": [{"role": "tool", "content": "x"}]}, 'messages.0.role: Unexpected role "tool"'),
    ({"messages": [{"role": "assistant", "content": "x"}]}, 'first message must use the "user" role'),
    ({"messages": [{"role": "user", "content": "x", "name": "me"}]}, "messages.0.name: Extra inputs"),
    ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
    (said(""), "must have non-empty content"),
    (said([]), "must have non-empty content"),
    (said("x", "so "), "trailing whitespace"),
    (said("x", [{"type": "text", "text": "so\n"}]), "trailing whitespace"),
    (said([{"type": "text", "text": ""}]), "text content blocks must be non-empty"),
    (said([{"type": "text"}]), "messages.0.content.0.text.text: Field required"),
    (said([{**TEXT, "name": "x"}]), "messages.0.content.0.text.name: Extra inputs"),
    (said([{**TEXT, "citations": [{"type": "char_location"}]}]), "citations are not permitted in user"),
    (said([{"type": "image_url", "image_url": "x"}]), "Input tag 'image_url'"),
    (said("x", [{"type": "document", "source": {}}], "y"), "not permitted in assistant messages"),
    (said([CALL]), "Input tag 'tool_use'"),
    ({"system": [{"type": "text", "text": ""}]}, "system: text content blocks must be non-empty"),
    ({"system": [{"type": "image", "source": {}}]}, "system.0: Input tag 'image'"),
    (said([{"type": "image", "source": {"type": "data"}}]), "image.source: Input tag 'data'"),
    (said([{"type": "image", "source": {"type": "base64", "media_type": "image/bmp"}}]), "'image/webp'"),
    (said("x", [CALL], [{**RESULT, "content": [{"type": "json"}]}]), "tool_result.content.0: Input tag"),
    (said("x", [CALL], [{**RESULT, "content": [{"type": "text", "text": ""}]}]), "must be non-empty"),
    ({"tools": [{**TOOL, **CACHED}], **said(marked(4))}, "maximum of 4 blocks"),
    ({**CACHED, "system": marked(4)}, "cache_control may be provided. Found 5"),
    (said("x", [{**CALL, "id": "a b"}], [RESULT]), "tool_use.id: String should match"),
    (said("x", [{**CALL, "name": "a.b"}], [RESULT]), "tool_use.name: String should match"),
    (said("x", [{**CALL, "input": "{}"}], [RESULT]), "tool_use.input: Input should be a valid dictionary"),
    (said("x", [CALL], "y"), "ids were found without `tool_result` blocks immediately after: toolu_1"),
    (said("x", [CALL], [TEXT, RESULT]), "ids were found without `tool_result`"),
    (said([RESULT]), "unexpected `tool_use_id` found in `tool_result` blocks: toolu_1"),
    (said("x", [CALL, CALL], [RESULT]), "ids must be unique"),
    (said("x", [CALL], [RESULT], [CALL], [RESULT]), "ids must be unique"),
    (said("x", [{"type": "thinking", "thinking": "hm", "signature": "s2"}], "y"), "Invalid `signature`"),
    (said("x", [{"type": "thinking", "thinking": "ah", "signature": "s1"}], "y"), "Invalid `signature`"),
    (said("x", [{"type": "redacted_thinking", "data": "s2"}], "y"), "Invalid `data`"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED, ids=lambda value: str(value)[:60])
async def test_it_refuses(vendor: AnthropicServer, changes: JsonObject, words: str) -> None:
    """Each rule by itself, with the vendor's words."""
    with pytest.raises(anthropic.BadRequestError) as caught:
        await ask(vendor, changes)
    assert words in str(caught.value.api_message)


TAKEN: list[tuple[JsonObject, str]] = [
    ({"temperature": 0.5, "top_p": 0.9, "top_k": 4}, OLD),
    ({"temperature": 1, "thinking": THINKING}, OLD),
    ({"thinking": {"type": "adaptive"}, "tools": [TOOL], "tool_choice": {"type": "auto"}}, NEW),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 1}]}, NEW),
    (said("x", "so"), NEW),
    ({"system": marked(1), "tools": [{**TOOL, **CACHED}], **said(marked(2))}, NEW),
    (said([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}}]), NEW),
    (said("x", [CALL], [{**RESULT, "content": [TEXT]}]), NEW),
    (said("x", ""), NEW),
    ({"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}, NEW),
    ({"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]}, NEW),
    (said("x", [TEXT, CALL], [RESULT, TEXT]), NEW),
    (
        {
            "messages": [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s1"}]},
                {"role": "assistant", "content": [CALL, {**CALL, "id": "toolu_2"}]},
                {"role": "user", "content": [RESULT]},
                {"role": "user", "content": [{**RESULT, "tool_use_id": "toolu_2"}, TEXT]},
            ]
        },
        NEW,
    ),
    (said("x", [{"type": "document", "source": {}}], "y"), OLD),
    (
        said(
            "x",
            [
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
                TEXT,
            ],
            "y",
        ),
        NEW,
    ),
]


@pytest.mark.parametrize(("changes", "version"), TAKEN, ids=lambda value: str(value)[:60])
async def test_it_takes(vendor: AnthropicServer, changes: JsonObject, version: str) -> None:
    """What the vendor takes is answered."""
    answer = await ask(vendor, changes, version)
    assert isinstance(answer, dict)
    assert answer["type"] == "message"


async def test_older_versions_have_other_limits(vendor: AnthropicServer) -> None:
    """Sampling within its range, alone with thinking, and no role for the system."""
    refused: list[tuple[JsonObject, str]] = [
        ({"temperature": 1.5}, "temperature: range"),
        ({"temperature": 0.5, "thinking": THINKING}, "may only be set to 1"),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]}, "system"),
    ]
    for changes, words in refused:
        with pytest.raises(anthropic.BadRequestError, match=words):
            await ask(vendor, changes, OLD)


async def test_the_version_is_required(vendor: AnthropicServer) -> None:
    """A header without which nothing is answered, of a version that exists."""
    with pytest.raises(anthropic.BadRequestError, match="is not a valid version"):
        await ask(vendor, {}, "1")
    async with anthropic.DefaultAsyncHttpxClient() as client:
        answer = await client.post(f"{vendor.url}/v1/messages", json={})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "anthropic-version: header is required"


async def test_a_count_wants_fewer_fields(vendor: AnthropicServer) -> None:
    """No limit, and nothing that only an answer has."""
    good: JsonObject = {"model": "sim-1", **said("one two")}
    assert await post(vendor, "/v1/messages/count_tokens", good) == {"input_tokens": 2}
    for name in ("max_tokens", "temperature", "stream"):
        with pytest.raises(anthropic.BadRequestError, match=f"{name}: Extra inputs"):
            await post(vendor, "/v1/messages/count_tokens", {**good, name: 1})


async def test_a_beta_opens_fields(vendor: AnthropicServer) -> None:
    """Fields that are not generally available want their header."""
    body: JsonObject = {"model": "sim-1", "max_tokens": 9, **said("x"), "context_management": {}}
    with pytest.raises(anthropic.BadRequestError, match="context_management: Extra inputs"):
        await post(vendor, "/v1/messages", body)
    assert await post(vendor, "/v1/messages", body, anthropic_beta="context-management-2025-06-27")


async def test_unknown_models_and_paths_are_not_found(vendor: AnthropicServer) -> None:
    """Both are the vendor's not_found_error."""
    with pytest.raises(anthropic.NotFoundError, match="model: sim-9"):
        await ask(vendor, {"model": "sim-9"})
    with pytest.raises(anthropic.NotFoundError, match="Not found"):
        await post(vendor, "/v1/complete", {})


async def test_a_body_that_is_no_json_is_refused(vendor: AnthropicServer) -> None:
    """It is invalid, not a crash."""
    async with anthropic.AsyncAnthropic(api_key="sk-x", base_url=vendor.url, max_retries=0) as client:
        with pytest.raises(anthropic.BadRequestError, match="could not parse"):
            await client.post("/v1/messages", content=b'{"model"', cast_to=object)


async def test_thoughts_that_it_gave_out_may_come_back(vendor: AnthropicServer) -> None:
    """Whole or streamed, told or sealed, as they were."""
    vendor.then(Say("Yes", reasoning=(Thought("one two", pieces=("one", " two")), Thought(redacted=True))))
    async with anthropic.AsyncAnthropic(api_key="sk-x", base_url=vendor.url, max_retries=0) as client:
        async with client.messages.stream(
            model="sim-1", max_tokens=99, messages=[{"role": "user", "content": "x"}]
        ) as stream:
            first = await stream.get_final_message()
        again = await client.messages.create(
            model="sim-1",
            max_tokens=99,
            messages=[
                {"role": "user", "content": "x"},
                {"role": "assistant", "content": first.content},
                {"role": "user", "content": "y"},
            ],
        )
    assert again.stop_reason == "end_turn"
