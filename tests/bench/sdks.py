"""The official SDKs, asked as their documentation shows, for `providers.py`."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import anthropic
    import cohere
    import openai
    from mistralai.client import Mistral

KEY = "sk-bench"
MODEL = "bench-1"
BRIEF = "You are brief."
ASKED = "Compare these two designs for an event log, and recommend one. " * 4


class Asked(ABC):
    """A way to ask one vendor."""

    @abstractmethod
    async def whole(self) -> str:
        """The text of a whole answer."""

    @abstractmethod
    async def streamed(self) -> int:
        """How many pieces of text a streamed answer has."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close connections."""


class OpenAIChat(Asked):
    """OpenAI's SDK, Chat Completions."""

    client: "openai.AsyncOpenAI"

    def __init__(self, base_url: str) -> None:
        import openai

        self.client = openai.AsyncOpenAI(api_key=KEY, base_url=f"{base_url}/v1", max_retries=0)

    async def whole(self) -> str:
        """The text of a whole answer."""
        made = await self.client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "system", "content": BRIEF}, {"role": "user", "content": ASKED}],
            max_completion_tokens=200,
        )
        return made.choices[0].message.content or ""

    async def streamed(self) -> int:
        """How many pieces of text a streamed answer has."""
        stream = await self.client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "system", "content": BRIEF}, {"role": "user", "content": ASKED}],
            max_completion_tokens=200,
            stream=True,
            stream_options={"include_usage": True},
        )
        pieces = 0
        async with stream:
            async for event in stream:
                pieces += bool(event.choices and event.choices[0].delta.content)
        return pieces

    async def aclose(self) -> None:
        """Close connections."""
        await self.client.close()


class OpenAIResponses(OpenAIChat):
    """OpenAI's SDK, Responses."""

    async def whole(self) -> str:
        """The text of a whole answer."""
        made = await self.client.responses.create(
            model=MODEL, instructions=BRIEF, input=ASKED, max_output_tokens=200
        )
        return made.output_text

    async def streamed(self) -> int:
        """How many pieces of text a streamed answer has."""
        stream = await self.client.responses.create(
            model=MODEL, instructions=BRIEF, input=ASKED, max_output_tokens=200, stream=True
        )
        pieces = 0
        async with stream:
            async for event in stream:
                pieces += event.type == "response.output_text.delta"
        return pieces


class AnthropicMessages(Asked):
    """Anthropic's SDK."""

    client: "anthropic.AsyncAnthropic"

    def __init__(self, base_url: str) -> None:
        import anthropic

        self.client = anthropic.AsyncAnthropic(api_key=KEY, base_url=base_url, max_retries=0)

    async def whole(self) -> str:
        """The text of a whole answer."""
        made = await self.client.messages.create(
            model=MODEL, system=BRIEF, messages=[{"role": "user", "content": ASKED}], max_tokens=200
        )
        return "".join(block.text for block in made.content if block.type == "text")

    async def streamed(self) -> int:
        """How many pieces of text a streamed answer has."""
        stream = await self.client.messages.create(
            model=MODEL,
            system=BRIEF,
            messages=[{"role": "user", "content": ASKED}],
            max_tokens=200,
            stream=True,
        )
        pieces = 0
        async with stream:
            async for event in stream:
                pieces += event.type == "content_block_delta"
        return pieces

    async def aclose(self) -> None:
        """Close connections."""
        await self.client.close()


class MistralChat(Asked):
    """Mistral's SDK."""

    client: "Mistral"

    def __init__(self, base_url: str) -> None:
        from mistralai.client import Mistral

        self.client = Mistral(api_key=KEY, server_url=base_url)

    async def whole(self) -> str:
        """The text of a whole answer."""
        made = await self.client.chat.complete_async(
            model=MODEL,
            messages=[{"role": "system", "content": BRIEF}, {"role": "user", "content": ASKED}],
            max_tokens=200,
        )
        message = made.choices[0].message
        return str(message.content) if message is not None else ""

    async def streamed(self) -> int:
        """How many pieces of text a streamed answer has."""
        stream = await self.client.chat.stream_async(
            model=MODEL,
            messages=[{"role": "system", "content": BRIEF}, {"role": "user", "content": ASKED}],
            max_tokens=200,
        )
        pieces = 0
        async with stream:
            async for event in stream:
                pieces += bool(event.data.choices[0].delta.content)
        return pieces

    async def aclose(self) -> None:
        """Close connections."""
        if self.client.sdk_configuration.async_client is not None:
            await self.client.sdk_configuration.async_client.aclose()


class CohereChat(Asked):
    """Cohere's SDK."""

    client: "cohere.AsyncClientV2"

    def __init__(self, base_url: str) -> None:
        import cohere
        import httpx

        self._messages: list[cohere.ChatMessageV2] = [
            cohere.SystemChatMessageV2(content=BRIEF),
            cohere.UserChatMessageV2(content=ASKED),
        ]
        self._http = httpx.AsyncClient(timeout=60)
        self.client = cohere.AsyncClientV2(
            api_key=KEY, base_url=base_url, max_retries=0, httpx_client=self._http
        )

    async def whole(self) -> str:
        """The text of a whole answer."""
        made = await self.client.chat(
            model=MODEL,
            messages=self._messages,
            max_tokens=200,
        )
        return "".join(item.text for item in made.message.content or [] if item.type == "text")

    async def streamed(self) -> int:
        """How many pieces of text a streamed answer has."""
        pieces = 0
        async for event in self.client.chat_stream(
            model=MODEL,
            messages=self._messages,
            max_tokens=200,
        ):
            pieces += event.type == "content-delta"
        return pieces

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()
