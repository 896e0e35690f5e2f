"""What is wrong with a request is said in the shape of the dialect it came in, before anybody is asked."""

import json
from typing import TYPE_CHECKING

import anthropic
import openai
import pytest

from interlock_api.testing import RawAnswer
from interlock_core.jsontypes import Json, JsonObject, as_object, as_text, dump_json
from interlock_providers.testing import OpenAIChatServer

if TYPE_CHECKING:
    from .conftest import Gate, MakeGate

RESPONSES, MESSAGES, COUNT = "/v1/responses", "/v1/messages", "/v1/messages/count_tokens"
PATHS = ("/v1/chat/completions", RESPONSES, MESSAGES, COUNT)
HELLO: Json = [{"role": "user", "content": "hello"}]
GOOD: dict[str, JsonObject] = {
    "/v1/chat/completions": {"model": "acme/sim-1", "messages": HELLO},
    RESPONSES: {"model": "acme/sim-1", "input": "hello"},
    MESSAGES: {"model": "acme/sim-1", "max_tokens": 9, "messages": HELLO},
    COUNT: {"model": "acme/sim-1", "messages": HELLO},
}


def fault_of(path: str, answer: RawAnswer, status: int, kind: str) -> JsonObject:
    """The error of an answer, once its shape is the dialect's."""
    assert answer.status == status, answer.body
    assert answer.header("content-type") == "application/json"
    body = as_object(json.loads(answer.body))
    fault = as_object(body["error"])
    assert fault["type"] == kind
    assert as_text(fault["message"])
    if path in (MESSAGES, COUNT):
        assert body["type"] == "error"
        assert body.keys() <= {"type", "error", "request_id"}
    else:
        assert body.keys() == {"error"}
        assert fault.keys() >= {"message", "type", "param", "code"}
    return fault


async def asked(gate: "Gate", path: str, body: JsonObject | bytes, key: str | None = "") -> RawAnswer:
    """The answer to a body; JSON unless it is bytes."""
    data = body if isinstance(body, bytes) else dump_json(body).encode()
    return await gate.ask("POST", path, body=data, key=key, content_type="application/json")


@pytest.mark.promise("G1")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"[" * 5000, b"{} {}", b"data: {}"],
    ids=["half", "array", "null", "string", "bytes", "deep", "two", "event"],
)
async def test_what_is_no_json_object_is_said_to_be_none(
    gate: "Gate", vendor: OpenAIChatServer, path: str, body: bytes
) -> None:
    """400, whatever else it is."""
    fault = fault_of(path, await asked(gate, path, body), 400, "invalid_request_error")
    assert "JSON" in str(fault["message"])
    assert not vendor.requests


WRONG: list[tuple[str, JsonObject, str]] = [
    (RESPONSES, {"model": None}, "model"),
    (RESPONSES, {"model": 5}, "model"),
    (RESPONSES, {"input": None}, "input"),
    (RESPONSES, {"input": 5}, "input"),
    (RESPONSES, {"input": [{"role": "wizard", "content": "hi"}]}, "input[0].role"),
    (RESPONSES, {"input": [{"role": "user", "content": [{"type": "smell"}]}]}, "input[0].content[0].type"),
    (RESPONSES, {"max_output_tokens": "many"}, "max_output_tokens"),
    (RESPONSES, {"temperature": "warm"}, "temperature"),
    (RESPONSES, {"tools": [{"type": "function"}]}, "tools[0].name"),
    (RESPONSES, {"text": {"format": {"type": "poem"}}}, "text"),
    (MESSAGES, {"model": None}, "model"),
    (MESSAGES, {"max_tokens": None}, "max_tokens"),
    (MESSAGES, {"max_tokens": "many"}, "max_tokens"),
    (MESSAGES, {"messages": None}, "messages"),
    (MESSAGES, {"messages": "hi"}, "messages"),
    (MESSAGES, {"messages": [{"role": "wizard", "content": "hi"}]}, "messages[0].role"),
    (MESSAGES, {"messages": [{"role": "user", "content": [{"type": "smell"}]}]}, "smell"),
    (MESSAGES, {"tools": [{"input_schema": {}}]}, "tools[0].name"),
    (MESSAGES, {"tool_choice": {"type": "maybe"}}, "tool_choice.type"),
    (MESSAGES, {"stop_sequences": "END"}, "stop_sequences"),
    (COUNT, {"model": None}, "model"),
    (COUNT, {"messages": None}, "messages"),
    (COUNT, {"messages": [{"role": "user"}]}, "messages[0].content"),
]


@pytest.mark.promise("G1")
@pytest.mark.parametrize(
    ("path", "change", "field"), WRONG, ids=[f"{path[4:]}-{dump_json(c)}" for path, c, _ in WRONG]
)
async def test_a_field_that_is_wrong_or_missing_is_named(
    gate: "Gate", vendor: OpenAIChatServer, path: str, change: JsonObject, field: str
) -> None:
    """As the client wrote it: in its own field where the dialect has one, and in the words."""
    body: JsonObject = {name: value for name, value in {**GOOD[path], **change}.items() if value is not None}
    fault = fault_of(path, await asked(gate, path, body), 400, "invalid_request_error")
    assert field in str(fault["message"])
    if path == RESPONSES:
        assert fault["param"] == field
    assert not vendor.requests


@pytest.mark.promise("G1")
@pytest.mark.parametrize("path", PATHS)
async def test_a_key_that_is_wrong_or_missing_is_an_authentication_error(gate: "Gate", path: str) -> None:
    """And is not repeated."""
    key = "ilk_" + "A" * 43
    for shown in (key, None):
        answer = await asked(gate, path, GOOD[path], key=shown)
        fault = fault_of(path, answer, 401, "authentication_error")
        assert key not in str(fault)


@pytest.mark.promise("G1")
@pytest.mark.parametrize("path", PATHS)
async def test_a_model_that_nobody_has_is_not_found_and_the_nearest_named(gate: "Gate", path: str) -> None:
    """404 in the dialect's word."""
    kind = "not_found_error" if path in (MESSAGES, COUNT) else "invalid_request_error"
    # Counting asks no vendor, who alone knows the models that it does not list.
    name = "sim-11" if path == COUNT else "acme/sim-11"
    answer = await asked(gate, path, {**GOOD[path], "model": name})
    fault = fault_of(path, answer, 404, kind)
    assert "acme/sim-1" in str(fault["message"]).replace("sim-11", "")


@pytest.mark.promise("G1")
@pytest.mark.parametrize("path", PATHS)
async def test_a_body_that_is_too_large_is_said_to_be(make_gate: "MakeGate", path: str) -> None:
    """413 in the dialect's word, before the whole of it was read."""
    kind = "request_too_large" if path in (MESSAGES, COUNT) else "invalid_request_error"
    async with make_gate(max_body_bytes=1000) as gate:
        answer = await asked(gate, path, {**GOOD[path], "user": "x" * 2000})
    fault_of(path, answer, 413, kind)


@pytest.mark.promise("G1")
async def test_the_official_clients_raise_their_own_classes(gate: "Gate") -> None:
    """What a program catches is what it would catch of the vendor."""
    async with (
        openai.AsyncOpenAI(base_url=f"{gate.address}/v1", api_key="ilk_no", max_retries=0) as stranger,
        anthropic.AsyncAnthropic(base_url=gate.address, api_key="ilk_no", max_retries=0) as other,
        gate.client() as known,
        anthropic.AsyncAnthropic(base_url=gate.address, api_key=gate.key, max_retries=0) as friend,
    ):
        with pytest.raises(openai.AuthenticationError):
            await stranger.responses.create(model="acme/sim-1", input="hello")
        with pytest.raises(anthropic.AuthenticationError):
            await other.messages.count_tokens(
                model="acme/sim-1", messages=[{"role": "user", "content": "hi"}]
            )
        with pytest.raises(openai.NotFoundError) as lost:
            await known.responses.create(model="sim-11", input="hello")
        with pytest.raises(anthropic.NotFoundError, match="sim-1"):
            await friend.messages.create(
                model="sim-11", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
            )
        with pytest.raises(openai.BadRequestError) as wrong:
            await known.responses.create(model="acme/sim-1", input="hello", max_output_tokens=-1)
        with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
            await friend.messages.create(
                model="acme/sim-1", max_tokens=-1, messages=[{"role": "user", "content": "hi"}]
            )
    assert (lost.value.code, wrong.value.param) == ("model_not_found", "max_output_tokens")
