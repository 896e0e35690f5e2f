"""What the simulated Cohere refuses, as the vendor does."""

import inspect
from collections.abc import AsyncGenerator, Mapping

import cohere
import httpx
import pytest

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_object, as_text, dump_json, parse_json
from interlock_providers.testing import CohereServer, Failure
from interlock_providers.testing._cohere_rules import CHAT, EMBED

USER: JsonObject = {"role": "user", "content": "hello there"}
ASK: JsonObject = {"model": "sim-1", "messages": [USER]}
EMBEDDING: JsonObject = {"model": "sim-embed", "input_type": "search_query", "texts": ["a"]}
IMAGE = "data:image/png;base64,AAAA"


def tool(name: str) -> JsonObject:
    """A tool of that name."""
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


def shown(image: Json) -> JsonObject:
    """A question with an image."""
    return {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": image}]}]}


def answered(call: str, result: str) -> JsonObject:
    """A conversation with a call and a result of those ids."""
    made: JsonObject = {"id": call, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return {
        "messages": [
            USER,
            {"role": "assistant", "tool_plan": "I look.", "tool_calls": [made]},
            {"role": "tool", "tool_call_id": result, "content": "4"},
        ]
    }


@pytest.fixture
async def strict_cohere() -> AsyncGenerator[CohereServer, None]:
    """A vendor that wants no key."""
    async with CohereServer(models=("sim-1", "sim-embed")) as server:
        yield server


async def told(server: CohereServer, body: Mapping[str, Json], path: str = "/v2/chat") -> tuple[int, str]:
    """The status and the words of the answer to a body."""
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{server.url}{path}", content=dump_json({**body}))
    return answer.status_code, as_text(as_object(parse_json(answer.content)).get("message")) or ""


def test_it_knows_the_fields_that_the_sdk_knows() -> None:
    """No more and no fewer."""

    def names(method: object) -> set[str]:
        assert callable(method)
        return set(inspect.signature(method).parameters) - {"self", "request_options"}

    assert set(CHAT.fields) == names(cohere.AsyncClientV2.chat) | {"stream"}
    assert set(EMBED.fields) == names(cohere.AsyncClientV2.embed)


FULL: JsonObject = {
    "model": "sim-1",
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "be brief"}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "so"}],
            "tool_plan": "I look.",
            "tool_calls": [{"id": "f_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            "citations": [{"start": 0, "end": 1, "text": "s"}],
        },
        {
            "role": "tool",
            "tool_call_id": "f_1",
            "content": [
                {"type": "text", "text": "4"},
                {"type": "document", "document": {"data": {"a": 1}, "id": "d"}},
            ],
        },
    ],
    "tools": [tool("f_1")],
    "strict_tools": True,
    "documents": ["a", {"data": {"text": "b"}, "id": "c"}],
    "citation_options": {"mode": "ACCURATE"},
    "response_format": {"type": "text"},
    "safety_mode": "STRICT",
    "stop_sequences": ["a", "b", "c", "d", "e"],
    "temperature": 1,
    "k": 500,
    "p": 0.99,
    "thinking": {"type": "enabled", "token_budget": 10},
    "priority": 0,
    "seed": None,
}


async def test_it_takes_a_full_request(strict_cohere: CohereServer) -> None:
    """Every kind of message and block."""
    assert (await told(strict_cohere, FULL))[0] == 200


CHATS: list[tuple[JsonObject, int, str]] = [
    (
        {"max_completion_tokens": 5},
        422,
        "unknown field: parameter 'max_completion_tokens' is not a valid field",
    ),
    ({"stream_options": {}}, 422, "parameter 'stream_options'"),
    ({"parallel_tool_calls": True}, 422, "parameter 'parallel_tool_calls'"),
    ({"top_p": 0.5}, 422, "parameter 'top_p'"),
    ({"stop": ["a"]}, 422, "parameter 'stop'"),
    ({"messages": [{**USER, "name": "a"}]}, 422, "parameter 'name'"),
    (
        {"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "index": 0}]}]},
        422,
        "parameter 'index'",
    ),
    ({"response_format": {"type": "text", "json_schema": {}}}, 422, "parameter 'json_schema'"),
    ({"model": "sim-9"}, 404, "model 'sim-9' not found, make sure the correct model ID was used"),
    (
        {"messages": "hi"},
        400,
        "invalid type: parameter 'messages' is of type string but should be of type array",
    ),
    ({"max_tokens": 1.5}, 400, "'max_tokens' is of type number but should be of type integer"),
    ({"messages": [{"role": "developer", "content": "a"}]}, 400, "messages.role must be one of"),
    ({"messages": [{"content": "a"}]}, 400, "messages.role is required"),
    ({"messages": [{"role": "user"}]}, 400, "messages.content is required"),
    ({"messages": []}, 400, "messages must not be empty"),
    ({"messages": [{"role": "user", "content": ""}]}, 400, "message must not be empty in a turn"),
    ({"messages": [USER, {"role": "system", "content": "s"}]}, 400, "system turn must be the first"),
    (
        shown("https://example.com/a.png"),
        400,
        "'messages.content.image_url' is of type string but should be of",
    ),
    (shown({"detail": "low"}), 400, "messages.content.image_url.url is required"),
    (shown({"url": IMAGE, "detail": "original"}), 400, "image_url.detail must be one of auto, low, high."),
    (shown({"url": "AAAA"}), 400, "image_url.url must be a web address or an image in a data URI"),
    (shown({"url": "data:text/plain;base64,AAAA"}), 400, "image_url.url must be"),
    (answered("f_1", "f_2"), 400, "tool call id not found in previous tool calls"),
    ({"stop_sequences": [*"abcdef"]}, 400, "stop_sequences must have at most 5 elements"),
    ({"temperature": -1}, 400, "temperature must be between 0 and 1.0 inclusive."),
    ({"temperature": 1.5}, 400, "temperature must be between 0 and 1.0 inclusive."),
    ({"frequency_penalty": 1.5}, 400, "frequency_penalty must be between 0 and 1 inclusive"),
    ({"presence_penalty": -0.5}, 400, "presence_penalty must be between"),
    ({"k": 501}, 400, "k must be between 0 and 500"),
    ({"p": 1}, 400, "p must be between 0.01 and 0.99"),
    ({"max_tokens": 0}, 400, "max_tokens must be at least 1"),
    ({"thinking": {"type": "enabled", "token_budget": 0}}, 400, "token_budget must be a positive integer"),
    ({"thinking": {"token_budget": 5}}, 400, "thinking.type is required"),
    ({"tool_choice": "auto"}, 400, "tool_choice must be one of REQUIRED, NONE."),
    ({"tool_choice": "REQUIRED"}, 400, "tool_choice REQUIRED needs tools"),
    ({"tools": [tool("a-b")]}, 400, "tool names can only contain certain characters (A-Za-z0-9_)"),
    ({"tools": [tool("1a")]}, 400, "(provided name: '1a')."),
    ({"tools": [tool("é")]}, 400, "can't begin with a digit"),
    (
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        400,
        "tools.function.parameters is required",
    ),
    (
        {"tools": [{"type": "function", "function": {**as_object(tool("f")["function"]), "strict": True}}]},
        422,
        "strict",
    ),
    (
        {"response_format": {"type": "json_schema"}},
        400,
        "response_format.type must be one of text, json_object.",
    ),
    ({"response_format": "json"}, 400, "'response_format' is of type string but should be of type object"),
    (
        {"response_format": {"type": "json_object", "json_schema": {"name": "a", "schema": {}}}},
        400,
        "schema must be an object",
    ),
    (
        {"response_format": {"type": "json_object", "json_schema": {"type": "object", "required": ["a"]}}},
        400,
        "required field a not found in properties",
    ),
    ({"messages": [USER, {"role": "tool", "content": "4"}]}, 400, "tool call id must be provided"),
    (
        {"messages": [USER, {"role": "assistant", "tool_calls": [{"id": "a"}, {"id": "a"}]}]},
        400,
        "cannot have duplicate tool ids",
    ),
    ({"response_format": {"type": "json_object"}, "tools": [tool("f")]}, 400, "not supported with tools"),
    ({"response_format": {"type": "json_object"}, "documents": ["a"]}, 400, "not supported with RAG"),
    ({"citation_options": {"mode": "fast"}}, 400, "citation_options.mode must be one of"),
]


@pytest.mark.parametrize(
    ("change", "status", "words"), CHATS, ids=lambda value: value if isinstance(value, str) else ""
)
async def test_it_refuses_chats(
    strict_cohere: CohereServer, change: JsonObject, status: int, words: str
) -> None:
    """With the vendor's status, in words that say what is wrong."""
    given, message = await told(strict_cohere, {**ASK, **change})
    assert given == status
    assert words in message


async def test_it_takes_the_result_of_a_call(strict_cohere: CohereServer) -> None:
    """Where the ids are the same."""
    assert (await told(strict_cohere, {**ASK, **answered("f_1", "f_1")}))[0] == 200


EMBEDS: list[tuple[JsonObject, int, str]] = [
    ({"input_type": None}, 400, "invalid request: valid input_type must be provided with the provided model"),
    ({"input_type": "query"}, 400, "input_type must be one of search_document"),
    ({"texts": None}, 400, "exactly one of texts, images and inputs"),
    ({"images": [IMAGE]}, 400, "exactly one of texts, images and inputs"),
    ({"texts": []}, 400, "texts must not be empty"),
    ({"texts": [*"a" * 97]}, 400, "total number of texts must be at most 96 - received 97"),
    ({"texts": None, "images": [IMAGE]}, 400, "images must be used with input_type=image"),
    (
        {"texts": None, "input_type": "image", "images": ["https://example.com/a.png"]},
        400,
        "images must be data URIs",
    ),
    ({"embedding_types": ["int4"]}, 400, "embedding_types must be one of float"),
    ({"truncate": "AUTO"}, 400, "truncate must be one of NONE"),
    ({"dimensions": 4}, 422, "unknown field: parameter 'dimensions'"),
    ({"input": "a"}, 422, "parameter 'input'"),
    ({"model": "sim-9"}, 404, "model 'sim-9' not found"),
]


@pytest.mark.parametrize(
    ("change", "status", "words"), EMBEDS, ids=lambda value: value if isinstance(value, str) else ""
)
async def test_it_refuses_embeddings(
    strict_cohere: CohereServer, change: JsonObject, status: int, words: str
) -> None:
    """Before the script is asked."""
    strict_cohere.then(Failure.overloaded())
    given, message = await told(strict_cohere, {**EMBEDDING, **change}, "/v2/embed")
    assert given == status
    assert words in message


async def test_a_model_is_required(strict_cohere: CohereServer) -> None:
    """As are messages; the first is named."""
    assert await told(strict_cohere, {"messages": [USER]}) == (
        400,
        "a model parameter is required for this endpoint.",
    )
    assert await told(strict_cohere, {"model": "sim-1"}) == (400, "messages is required")


@pytest.mark.parametrize("path", ["/v2/chat", "/v2/embed"])
async def test_a_body_that_is_no_json_is_refused(strict_cohere: CohereServer, path: str) -> None:
    """In the vendor's shape."""
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{strict_cohere.url}{path}", content=b"{")
    assert answer.status_code == 400
    assert (as_text(as_object(parse_json(answer.content))["message"]) or "").startswith("invalid request: ")


async def test_limits_say_when_they_end() -> None:
    """And no more how many calls are left."""
    given = Failure(status=429, headers=(("x-ratelimit-reset", "9"),))
    async with CohereServer(reset_at=1_800_000_030) as server:
        server.then(Failure.rate_limit(1), given)
        async with httpx.AsyncClient() as plain:
            answers = [await plain.post(f"{server.url}/v2/chat", json=ASK) for _ in range(2)]
    assert [one.headers.get_list("x-ratelimit-reset") for one in answers] == [["1800000030"], ["9"]]
    assert answers[0].headers["retry-after"] == "1"
    assert answers[0].headers["x-trial-endpoint-call-limit"] == "20"
    assert all("x-trial-endpoint-call-remaining" not in one.headers for one in answers)
