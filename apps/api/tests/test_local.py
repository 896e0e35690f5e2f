"""The embedded model behind a gateway in a process of its own, asked by the official client."""

import json
from typing import Any, cast

import pytest
from openai import AsyncOpenAI, AuthenticationError, BadRequestError, NotFoundError, OpenAI
from openai.types.chat import ChatCompletionToolParam
from openai.types.shared_params import ResponseFormatJSONSchema

from interlock_api.testing import GatewayProcess

LOCAL = "local/smollm2-135m"
ASKED: Any = [{"role": "user", "content": "Name the capital of France."}]
NOTE: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "note",
        "description": "Write a note.",
        "parameters": {
            "type": "object",
            "properties": {"text": {"type": "string", "maxLength": 40}},
            "required": ["text"],
            "additionalProperties": False,
        },
    },
}
PERSON: ResponseFormatJSONSchema = {
    "type": "json_schema",
    "json_schema": {
        "name": "person",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string", "maxLength": 20}, "old": {"type": "boolean"}},
            "required": ["name", "old"],
            "additionalProperties": False,
        },
    },
}


def sync_client(gateway: GatewayProcess, key: str | None = None) -> OpenAI:
    """The official client."""
    return OpenAI(base_url=f"{gateway.address}/v1", api_key=key or gateway.key, max_retries=0, timeout=120)


@pytest.mark.parametrize("model", [LOCAL, "auto", "auto/local-first", "smollm2-135m"])
def test_the_official_client_completes_and_streams_with_equal_text_and_usage(
    local_gateway: GatewayProcess, model: str
) -> None:
    """By its own name, by a bare one, and as the router's choice; usage is exact and equal both ways."""
    with sync_client(local_gateway) as client:
        whole = client.chat.completions.create(
            model=model, messages=ASKED, max_tokens=12, temperature=0, seed=1
        )
        with client.chat.completions.create(
            model=model,
            messages=ASKED,
            max_tokens=12,
            temperature=0,
            seed=1,
            stream=True,
            stream_options={"include_usage": True},
        ) as stream:
            events = list(stream)
    said = "".join(event.choices[0].delta.content or "" for event in events if event.choices)
    assert whole.choices[0].message.content == said
    assert said
    assert whole.model == events[0].model == LOCAL
    assert whole.usage is not None
    assert [event.usage for event in events if event.usage] == [whole.usage]
    assert 0 < whole.usage.completion_tokens <= 12
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens


async def test_the_official_async_client_completes_and_streams(local_gateway: GatewayProcess) -> None:
    """As the other one."""
    async with AsyncOpenAI(
        base_url=f"{local_gateway.address}/v1", api_key=local_gateway.key, max_retries=0, timeout=120
    ) as client:
        whole = await client.chat.completions.create(
            model=LOCAL, messages=ASKED, max_tokens=8, temperature=0, seed=1
        )
        stream = await client.chat.completions.create(
            model=LOCAL, messages=ASKED, max_tokens=8, temperature=0, seed=1, stream=True
        )
        said = "".join([event.choices[0].delta.content or "" async for event in stream])
        assert LOCAL in [model.id async for model in client.models.list()]
    assert whole.choices[0].message.content == said


def test_the_embedded_model_calls_a_tool_that_must_be_called(local_gateway: GatewayProcess) -> None:
    """With arguments that fit the tool's schema; its result is taken back."""
    with sync_client(local_gateway) as client:
        first = client.chat.completions.create(
            model=LOCAL,
            messages=[{"role": "user", "content": "Write the note: buy milk"}],
            tools=[NOTE],
            tool_choice="required",
            max_tokens=80,
            temperature=0,
        )
        message = first.choices[0].message
        assert message.tool_calls
        call = message.tool_calls[0]
        assert call.type == "function"
        assert call.function.name == "note"
        assert set(json.loads(call.function.arguments)) == {"text"}
        assert first.choices[0].finish_reason == "tool_calls"
        history = [
            {"role": "user", "content": "Write the note: buy milk"},
            message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": call.id, "content": "written"},
        ]
        second = client.chat.completions.create(
            model=LOCAL, messages=cast("Any", history), max_tokens=8, temperature=0
        )
    assert second.choices[0].message.content


def test_the_embedded_model_answers_in_the_form_that_is_asked(local_gateway: GatewayProcess) -> None:
    """JSON that fits the schema, whatever the model would like to say."""
    with sync_client(local_gateway) as client:
        answer = client.chat.completions.create(
            model=LOCAL, messages=ASKED, response_format=PERSON, max_tokens=60, temperature=0
        )
    person = json.loads(answer.choices[0].message.content or "")
    assert isinstance(person["name"], str)
    assert isinstance(person["old"], bool)


def test_errors_are_those_of_the_official_client(local_gateway: GatewayProcess) -> None:
    """A wrong key, an unknown model, a field that cannot be."""
    with sync_client(local_gateway, "ilk_wrong") as client, pytest.raises(AuthenticationError):
        client.chat.completions.create(model=LOCAL, messages=ASKED)
    with sync_client(local_gateway) as client:
        with pytest.raises(NotFoundError, match="smollm2"):
            client.chat.completions.create(model="local/smollm", messages=ASKED)
        with pytest.raises(BadRequestError):
            client.chat.completions.create(model=LOCAL, messages=[])


@pytest.mark.parametrize("model", ["local//etc/passwd", "local/../../etc/passwd", "local//proc/self/mem"])
def test_a_request_cannot_name_a_file_as_a_model(local_gateway: GatewayProcess, model: str) -> None:
    """Nor learn whether it is there."""
    with sync_client(local_gateway) as client, pytest.raises(NotFoundError) as caught:
        client.chat.completions.create(model=model, messages=ASKED)
    assert "GGUF" not in str(caught.value)
