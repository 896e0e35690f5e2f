"""Commands against a running server: it is asked as an OpenAI-compatible provider."""

import asyncio
import os
from contextlib import aclosing
from typing import TYPE_CHECKING

from interlock_cli._screen import Screen
from interlock_core import CompletionRequest, ResponseFormat
from interlock_core.assembly import CompletionAssembler
from interlock_core.errors import ConfigurationError, UnsupportedError
from interlock_core.jsontypes import Json

if TYPE_CHECKING:
    from interlock_core import Completion, Provider
    from interlock_runtime import Question

_NAME = "server"


def ask_server(server: str, question: "Question", screen: Screen, *, stream: bool) -> None:
    """Ask a question through a running server.

    Raises:
        UnsupportedError: The question carries tools, which only a local run executes.
    """
    if question.tools:
        raise UnsupportedError(
            "Tools are run by the machine that holds their credentials.",
            field="--tools",
            remedy="Leave --server away, or ask without tools.",
        )
    asyncio.run(_ask(server, question, screen, stream=stream))


def list_server(server: str, screen: Screen) -> None:
    """List the models of a running server."""
    asyncio.run(_list(server, screen))


def _provider(server: str) -> "Provider":
    from interlock_runtime.remote import remote_provider

    key = os.environ.get("INTERLOCK_KEY")
    if not key:
        raise ConfigurationError(
            f"There is no key for {server}.",
            field="INTERLOCK_KEY",
            remedy="Set INTERLOCK_KEY to a key from 'interlock keys create'.",
        )
    return remote_provider(_NAME, server, key)


async def _ask(server: str, question: "Question", screen: Screen, *, stream: bool) -> None:
    provider = _provider(server)
    request = CompletionRequest(
        model=f"{_NAME}/{question.model}",
        messages=question.messages,
        max_tokens=question.max_tokens,
        temperature=question.temperature,
        response_format=None if question.schema is None else ResponseFormat(schema=question.schema),
    )
    assembler = CompletionAssembler()
    try:
        async with aclosing(provider.stream(request)) as chunks:
            async for chunk in chunks:
                assembler.feed(chunk)
                if stream and chunk.text:
                    screen.result(chunk.text, end="")
    finally:
        await provider.aclose()
    _show(screen, assembler.completion(), streamed=stream)


def _show(screen: Screen, completion: "Completion", *, streamed: bool) -> None:
    usage: Json = None
    if completion.usage is not None:
        usage = {
            "input_tokens": completion.usage.input_tokens,
            "output_tokens": completion.usage.output_tokens,
        }
    if screen.as_json:
        screen.json({"text": completion.text, "finish": completion.finish, "usage": usage})
    screen.result("" if streamed else completion.text)


async def _list(server: str, screen: Screen) -> None:
    provider = _provider(server)
    try:
        found = await provider.models()
    finally:
        await provider.aclose()
    names = sorted(model.name for model in found)
    if screen.as_json:
        rows: list[Json] = [{"id": name} for name in names]
        screen.json({"models": rows})
    screen.table(["MODEL"], [[name] for name in names])
