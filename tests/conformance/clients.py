"""The official clients, pointed at a gateway: each asks, and tells what it read in one shape."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anthropic
import openai
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.responses import Response

from .neutral import Body


@dataclass(kw_only=True)
class Heard:
    """What a client read.

    Attributes:
        text: The answer's text.
        calls: Id, name and arguments of each call; the arguments as the SDK has them, objects as JSON.
        finish: Why it ended, in the dialect's word; in Responses the status, and after a colon the reason.
        refusal: The words of a refusal.
        usage: Tokens: `input`, `cached`, `written`, `output`, `reasoning`; what the dialect tells.
        headers: Of the answer, names in lower case.
        said: The answer as the dialect wants it back in the next request.
        raw: The SDK's object as JSON.
    """

    text: str
    calls: list[tuple[str, str, str]]
    finish: str
    refusal: str = ""
    usage: dict[str, int] = field(default_factory=dict[str, int])
    headers: Mapping[str, str]
    said: list[Body]
    raw: Body


class Client(ABC):
    """One dialect's official client."""

    name: str
    """`chat`, `responses` or `messages`."""

    @abstractmethod
    async def ask(self, body: Body, *, stream: bool) -> Heard:
        """Ask, and read the answer to its end."""


class ChatClient(Client):
    """OpenAI's Chat Completions.

    Args:
        sdk: The official client.
    """

    name = "chat"

    def __init__(self, sdk: openai.AsyncOpenAI) -> None:
        self.sdk = sdk

    async def ask(self, body: Body, *, stream: bool) -> Heard:
        """Ask for a chat completion; streamed ones are put together by the SDK."""
        create: Any = self.sdk.chat.completions.with_raw_response.create
        if not stream:
            reply = await create(**body)
            made = reply.parse().model_dump(exclude_none=True)
        else:
            reply = await create(**body, stream=True, stream_options={"include_usage": True})
            state = ChatCompletionStreamState()
            async with reply.parse() as chunks:
                async for chunk in chunks:
                    state.handle_chunk(chunk)
            made = state.current_completion_snapshot.model_dump(exclude_none=True)
        return _chat_heard(made, reply.headers)


def _chat_heard(made: Body, headers: Mapping[str, str]) -> Heard:
    (choice, *_) = made["choices"]
    message = choice["message"]
    calls: list[Body] = message.get("tool_calls") or []
    usage: Body = made["usage"]
    repeated = [{key: value for key, value in call.items() if key != "index"} for call in calls]
    said: Body = {"role": "assistant", "content": message.get("content")}
    return Heard(
        text=message.get("content") or "",
        calls=[(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls],
        finish=choice["finish_reason"],
        refusal=message.get("refusal") or "",
        usage=_tokens(
            usage["prompt_tokens"],
            usage["completion_tokens"],
            usage.get("prompt_tokens_details") or {},
            usage.get("completion_tokens_details") or {},
        ),
        headers=headers,
        said=[{**said, "tool_calls": repeated} if calls else said],
        raw=made,
    )


def _tokens(into: int, out: int, read: Body, told: Body) -> dict[str, int]:
    return {
        "input": into,
        "output": out,
        "cached": read.get("cached_tokens") or 0,
        "written": read.get("cache_write_tokens") or 0,
        "reasoning": told.get("reasoning_tokens") or 0,
    }


class ResponsesClient(Client):
    """OpenAI's Responses.

    Args:
        sdk: The official client.
    """

    name = "responses"

    def __init__(self, sdk: openai.AsyncOpenAI) -> None:
        self.sdk = sdk

    async def ask(self, body: Body, *, stream: bool) -> Heard:
        """Ask for a response; the pieces of a streamed one are held against its end."""
        create: Any = self.sdk.responses.with_raw_response.create
        if not stream:
            reply = await create(**body)
            return _responses_heard(reply.parse(), reply.headers)
        reply = await create(**body, stream=True)
        texts: dict[int, str] = {}
        arguments: dict[int, str] = {}
        numbers: list[int] = []
        last: Any = None
        async with reply.parse() as events:
            async for event in events:
                numbers.append(event.sequence_number)
                if event.type == "response.output_text.delta":
                    texts[event.output_index] = texts.get(event.output_index, "") + event.delta
                elif event.type == "response.function_call_arguments.delta":
                    arguments[event.output_index] = arguments.get(event.output_index, "") + event.delta
                last = event
        assert last is not None
        assert last.type in ("response.completed", "response.incomplete", "response.failed"), last.type
        assert numbers == sorted(set(numbers))
        heard = _responses_heard(last.response, reply.headers)
        assert "".join(texts.values()) == heard.text, "pieces and whole differ"
        # A call without arguments may come without a piece.
        assert list(arguments.values()) == [call[2] for call in heard.calls if call[2]]
        return heard


def _responses_heard(made: Response, headers: Mapping[str, str]) -> Heard:
    raw: Body = made.model_dump(exclude_none=True)
    calls = [item for item in raw["output"] if item["type"] == "function_call"]
    parts = [part for item in raw["output"] if item["type"] == "message" for part in item.get("content", ())]
    details: Body = raw.get("incomplete_details") or {}
    reason: str = details.get("reason", "")
    usage: Body = raw.get("usage") or {}
    return Heard(
        text=made.output_text,
        calls=[(call["call_id"], call["name"], call["arguments"]) for call in calls],
        finish=f"{raw['status']}:{reason}" if reason else raw["status"],
        refusal="".join(part["refusal"] for part in parts if part["type"] == "refusal"),
        usage=_tokens(
            usage["input_tokens"],
            usage["output_tokens"],
            usage["input_tokens_details"],
            usage["output_tokens_details"],
        )
        if usage
        else {},
        headers=headers,
        said=raw["output"],
        raw=raw,
    )


class MessagesClient(Client):
    """Anthropic's Messages.

    Args:
        sdk: The official client.
    """

    name = "messages"

    def __init__(self, sdk: anthropic.AsyncAnthropic) -> None:
        self.sdk = sdk

    async def ask(self, body: Body, *, stream: bool) -> Heard:
        """Ask for a message; streamed ones are put together by the SDK."""
        if not stream:
            create: Any = self.sdk.messages.with_raw_response.create
            reply = await create(**body)
            made = await reply.parse()
            return _messages_heard(made.model_dump(exclude_none=True), reply.headers)
        opened: Any = self.sdk.messages.stream(**body)
        async with opened as events:
            made = await events.get_final_message()
            return _messages_heard(made.model_dump(exclude_none=True), events.response.headers)


def _messages_heard(made: Body, headers: Mapping[str, str]) -> Heard:
    blocks: list[Body] = made["content"]
    usage: Body = made["usage"]
    told: Body = usage.get("output_tokens_details") or {}
    read = usage.get("cache_read_input_tokens") or 0
    written = usage.get("cache_creation_input_tokens") or 0
    for block in blocks:
        block.pop("parsed_output", None)
    return Heard(
        text="".join(block["text"] for block in blocks if block["type"] == "text"),
        calls=[
            (block["id"], block["name"], json.dumps(block["input"], ensure_ascii=False))
            for block in blocks
            if block["type"] == "tool_use"
        ],
        finish=made["stop_reason"],
        usage={
            "input": usage["input_tokens"] + read + written,
            "output": usage["output_tokens"],
            "cached": read,
            "written": written,
            "reasoning": told.get("thinking_tokens") or 0,
        },
        headers=headers,
        said=[{"role": "assistant", "content": blocks}],
        raw=made,
    )
