"""What the simulated Mistral refuses, as the vendor does."""

from collections.abc import AsyncGenerator, Mapping, Sequence

import httpx2
import pytest
from mistralai.client import errors, models
from mistralai.client.types import BaseModel

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_object, as_text, dump_json, parse_json
from interlock_providers.testing import Failure, MistralServer
from interlock_providers.testing._mistral_rules import CHAT, EMBEDDING

ASK: JsonObject = {"model": "sim-1", "messages": [{"role": "user", "content": "hello there"}]}


@pytest.fixture
async def strict_mistral() -> AsyncGenerator[MistralServer, None]:
    """A vendor that wants no key."""
    async with MistralServer(models=("sim-1", "sim-embed")) as server:
        yield server


async def send(
    server: MistralServer, body: Mapping[str, Json], path: str = "/v1/chat/completions"
) -> httpx2.Response:
    """Send a body as it is."""
    async with httpx2.AsyncClient() as client:
        return await client.post(f"{server.url}{path}", content=dump_json({**body}))


def test_it_knows_the_fields_that_the_sdk_knows() -> None:
    """No more and no fewer."""

    def names(model: type[BaseModel]) -> set[str]:
        return {field.alias or name for name, field in model.model_fields.items()}

    assert set(CHAT.fields) == names(models.ChatCompletionRequest)
    assert set(EMBEDDING.fields) == names(models.EmbeddingRequest)


FULL: JsonObject = {
    "model": "sim-1",
    "messages": [
        {"role": "system", "content": "be brief"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
                {"type": "image_url", "image_url": "https://example.com/a.png"},
                {"type": "document_url", "document_url": "https://example.com/a.pdf"},
                {"type": "input_audio", "input_audio": "AAAA"},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {
                    "type": "thinking",
                    "thinking": [{"type": "text", "text": "hm"}],
                    "signature": "s",
                    "closed": True,
                }
            ],
            "tool_calls": [
                {
                    "id": "abcdef012",
                    "type": "function",
                    "index": 0,
                    "function": {"name": "f", "arguments": {"a": 1}},
                }
            ],
            "prefix": False,
        },
        {"role": "tool", "tool_call_id": "abcdef012", "name": "f", "content": "4"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}],
    "tool_choice": "auto",
    "random_seed": 3,
    "temperature": 1,
    "stop": ["a"],
    "response_format": {"type": "text"},
    "reasoning_effort": "high",
    "max_tokens": None,
}


async def test_it_takes_a_full_request(strict_mistral: MistralServer) -> None:
    """Every kind of message and chunk; the tokens of all texts are counted."""
    answer = await send(strict_mistral, FULL)
    assert answer.status_code == 200, answer.text
    assert models.ChatCompletionResponse.model_validate_json(answer.content).usage.prompt_tokens == 4


WRONG_FIELDS: list[tuple[JsonObject, list[str | int], str]] = [
    ({"seed": 1}, ["body", "seed"], "extra_forbidden"),
    ({"stream_options": {"include_usage": True}}, ["body", "stream_options"], "extra_forbidden"),
    ({"max_completion_tokens": 5}, ["body", "max_completion_tokens"], "extra_forbidden"),
    ({"store": False}, ["body", "store"], "extra_forbidden"),
    ({"messages": "hi"}, ["body", "messages"], "list_type"),
    ({"model": 3}, ["body", "model"], "string_type"),
    ({"n": 1.5}, ["body", "n"], "int_type"),
    ({"stream": "yes"}, ["body", "stream"], "bool_type"),
    ({"temperature": "hot"}, ["body", "temperature"], "float_type"),
    ({"tool_choice": "maybe"}, ["body", "tool_choice"], "literal_error"),
    ({"tool_choice": {"type": "function"}}, ["body", "tool_choice", "function"], "missing"),
    ({"prompt_mode": "x"}, ["body", "prompt_mode"], "literal_error"),
    ({"response_format": "text"}, ["body", "response_format"], "dict_type"),
    ({"response_format": {"type": "xml"}}, ["body", "response_format", "type"], "literal_error"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
        ["body", "response_format", "json_schema", "schema"],
        "missing",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        ["body", "tools", 0, "function", "parameters"],
        "missing",
    ),
    (
        {"messages": [{"role": "user", "content": "a", "name": "b"}]},
        ["body", "messages", 0, "user", "name"],
        "extra_forbidden",
    ),
    (
        {"messages": [{"role": "developer", "content": "a"}]},
        ["body", "messages", 0, "role"],
        "literal_error",
    ),
    ({"messages": [{"content": "a"}]}, ["body", "messages", 0, "role"], "missing"),
    ({"messages": [{"role": "user"}]}, ["body", "messages", 0, "user", "content"], "missing"),
    (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
        ["body", "messages", 0, "user", "content", 0, "file", "file_id"],
        "missing",
    ),
    (
        {"messages": [{"role": "assistant", "content": "a", "reasoning_content": "b"}]},
        ["body", "messages", 0, "assistant", "reasoning_content"],
        "extra_forbidden",
    ),
]


@pytest.mark.parametrize(("change", "place", "kind"), WRONG_FIELDS, ids=repr)
async def test_it_refuses_fields_that_are_wrong(
    strict_mistral: MistralServer, change: JsonObject, place: list[str | int], kind: str
) -> None:
    """422, and a detail that says where, in the SDK's own type."""
    answer = await send(strict_mistral, {**ASK, **change})
    assert answer.status_code == 422
    read = errors.HTTPValidationErrorData.model_validate_json(answer.content, strict=True)
    assert read.detail is not None
    assert (read.detail[0].loc, read.detail[0].type) == (place, kind)
    assert read.detail[0].msg


async def test_it_names_every_field_that_is_missing(strict_mistral: MistralServer) -> None:
    """All at once."""
    answer = await send(strict_mistral, {})
    read = errors.HTTPValidationErrorData.model_validate_json(answer.content, strict=True)
    assert [detail.loc for detail in read.detail or []] == [["body", "messages"], ["body", "model"]]


def called(*calls: str, results: Sequence[str] = ()) -> list[Json]:
    """A conversation with tool calls and results of those ids."""
    listed: list[Json] = [{"id": one, "function": {"name": "f", "arguments": "{}"}} for one in calls]
    told: list[Json] = [{"role": "tool", "tool_call_id": one, "content": "4"} for one in results]
    return [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": listed}, *told]


USER: JsonObject = {"role": "user", "content": "a"}
SAID: JsonObject = {"role": "assistant", "content": "b"}


SENSELESS: list[tuple[JsonObject, str | None, str]] = [
    ({"model": "sim-9"}, "1500", "Invalid model: sim-9"),
    ({"messages": []}, None, "at least one message"),
    ({"messages": [USER, SAID]}, "3230", "but got assistant"),
    ({"messages": [USER, {"role": "system", "content": "s"}]}, "3230", "but got system"),
    (
        {"messages": [*called("abcdef012", results=["abcdef012"]), USER]},
        "3230",
        "Unexpected role 'user' after role 'tool'",
    ),
    ({"messages": [USER, SAID, {"role": "system", "content": "s"}, USER]}, "3230", "role 'system' after"),
    ({"messages": called("abcdef012", results=["abcdef012"])[2:]}, "3230", "first message"),
    ({"messages": [*called("abcdef012"), USER]}, "3230", "same number of function calls"),
    ({"messages": called("abcdef012", results=["abcdef012", "x"])}, "3230", "same number"),
    (
        {"messages": called("call_1", results=["call_1"])},
        "3280",
        "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.",
    ),
    ({"messages": called("null", results=["abcdef012"])}, "3280", "has to be defined"),
    ({"messages": called("abcdef012", results=["call-1"])}, "3280", "Tool call id was call-1"),
    (
        {"messages": [USER, {"role": "assistant", "content": ""}, USER]},
        None,
        "either content or tool_calls",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "a.b", "parameters": {}}}]},
        None,
        "Function name was a.b but must be",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "a" * 65, "parameters": {}}}]},
        None,
        "maximum length of 64",
    ),
]


@pytest.mark.parametrize(
    ("change", "code", "words"), SENSELESS, ids=lambda value: value if isinstance(value, str) else ""
)
async def test_it_refuses_what_makes_no_sense(
    strict_mistral: MistralServer, change: JsonObject, code: str | None, words: str
) -> None:
    """400, with the code and the words that the vendor has for it."""
    answer = await send(strict_mistral, {**ASK, **change})
    body = as_object(parse_json(answer.content))
    assert (answer.status_code, body["code"]) == (400, code)
    assert words in (as_text(body["message"]) or "")


async def test_it_refuses_illegal_names_of_calls(strict_mistral: MistralServer) -> None:
    """In the history too."""
    history = called("abcdef012", results=["abcdef012"])
    spoilt = parse_json(dump_json(history).replace('"name":"f"', '"name":"f g"'))
    body = as_object(parse_json((await send(strict_mistral, {**ASK, "messages": spoilt})).content))
    assert (body["code"], body["type"]) == ("3280", "invalid_function_call")


async def test_a_prefix_may_end_a_conversation(strict_mistral: MistralServer) -> None:
    """The one assistant message that may come last."""
    prefixed: list[Json] = [USER, {"role": "assistant", "content": "b", "prefix": True}]
    assert (await send(strict_mistral, {**ASK, "messages": prefixed})).status_code == 200


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"dimensions": 4}, 422),
        ({"input": None}, 422),
        ({"model": "sim-9"}, 400),
        ({"output_dtype": "x"}, 422),
    ],
)
async def test_it_refuses_embeddings_that_are_wrong(
    strict_mistral: MistralServer, change: JsonObject, status: int
) -> None:
    """Unknown fields and models, and no input; before the script is asked."""
    strict_mistral.then(Failure.overloaded())
    body: JsonObject = {"model": "sim-embed", "input": "a", **change}
    assert (await send(strict_mistral, body, "/v1/embeddings")).status_code == status
