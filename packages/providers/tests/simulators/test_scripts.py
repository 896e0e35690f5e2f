"""What a script says about a stream holds for every vendor alike."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx2
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from interlock_core import JsonObject
from interlock_core.jsontypes import as_array, as_object, parse_json
from interlock_providers.testing import (
    AnthropicServer,
    Citation,
    Declined,
    Failure,
    OpenAIChatServer,
    OpenAIServer,
    RawBlock,
    RawReply,
    Say,
    SimulatedVendor,
    Spoken,
    Thought,
    ToolUse,
)

if TYPE_CHECKING:
    from .conftest import Events, Strictly

MESSAGES: JsonObject = {"model": "sim-1", "messages": [{"role": "user", "content": "hi"}]}
BODIES: dict[type[SimulatedVendor], tuple[str, JsonObject]] = {
    OpenAIChatServer: ("/v1/chat/completions", MESSAGES),
    OpenAIServer: ("/v1/responses", {"model": "sim-1", "input": "hi"}),
    AnthropicServer: ("/v1/messages", {**MESSAGES, "max_tokens": 99}),
}
ENDS: dict[type[SimulatedVendor], bytes] = {
    OpenAIChatServer: b"[DONE]",
    OpenAIServer: b"response.completed",
    AnthropicServer: b"message_stop",
}


@pytest.fixture(params=BODIES, ids=lambda cls: cls.__name__)
async def vendor(request: pytest.FixtureRequest) -> AsyncGenerator[SimulatedVendor, None]:
    """Each vendor in turn."""
    async with request.param() as one:
        yield one


@asynccontextmanager
async def asking(vendor: SimulatedVendor, **changes: object) -> AsyncGenerator[AsyncIterator[bytes], None]:
    """The bytes of a streamed answer, as they come."""
    path, body = BODIES[type(vendor)]
    async with (
        httpx2.AsyncClient(headers={"anthropic-version": "2023-06-01"}) as client,
        client.stream("POST", vendor.origin + path, json={**body, "stream": True, **changes}) as answer,
    ):
        yield answer.aiter_bytes()


async def streamed(vendor: SimulatedVendor) -> bytes:
    """A streamed answer to its end."""
    async with asking(vendor) as pieces:
        return b"".join([piece async for piece in pieces])


async def read_until(pieces: AsyncIterator[bytes], words: bytes) -> None:
    """Read on until something was said."""
    seen = b""
    while words not in seen:
        seen += await anext(pieces)


async def test_a_stream_ends_as_the_vendor_ends_it(vendor: SimulatedVendor) -> None:
    """With its end mark, or without where the script says so."""
    vendor.then(Say("one two"), Say("one two", end_mark=False))
    whole, unmarked = await streamed(vendor), await streamed(vendor)
    assert ENDS[type(vendor)] in whole
    assert ENDS[type(vendor)] not in unmarked


async def test_a_stream_can_be_cut(vendor: SimulatedVendor) -> None:
    """After so many bytes: torn, or as if that were all."""
    vendor.then(Say("one two"), Say("one two", cut_after=200, clean_cut=True), Say("one", cut_after=200))
    whole = await streamed(vendor)
    cut = await streamed(vendor)
    assert len(cut) == 200
    assert len(whole) > 200
    with pytest.raises(httpx2.RemoteProtocolError):
        await streamed(vendor)


async def test_a_test_sets_the_pace(vendor: SimulatedVendor) -> None:
    """A piece waits for its gate; the second does not come before it opens."""
    gates = [asyncio.Event(), asyncio.Event()]
    gates[0].set()
    vendor.then(Say("first second", gates=gates))
    async with asking(vendor) as pieces:
        await read_until(pieces, b"first")
        waiting = asyncio.ensure_future(read_until(pieces, b"second"))
        assert await streamed(vendor)
        assert not waiting.done()
        gates[1].set()
        await waiting


async def test_a_stream_can_go_on_until_the_client_leaves(vendor: SimulatedVendor) -> None:
    """Saying its last piece again, or nothing at all."""
    for endless in (True, False):
        vendor.then(Say("one two", endless=endless, hold=not endless))
        vendor.client_left.clear()
        async with asking(vendor) as pieces:
            await read_until(pieces, b"two")
            if endless:
                await read_until(pieces, b"two")
            assert not vendor.client_left.is_set()
        assert await vendor.client_left.wait()


async def test_a_held_stream_says_its_pieces_and_nothing_more(vendor: SimulatedVendor) -> None:
    """What would close the answer does not come."""
    vendor.then(Say("one", hold=True))
    seen = b""
    async with asking(vendor) as pieces:
        while b"one" not in seen:
            seen += await anext(pieces)
        rest = asyncio.ensure_future(anext(pieces, b""))
        assert await streamed(vendor)
        assert not rest.done()
        rest.cancel()
    assert ENDS[type(vendor)] not in seen


async def test_pings_mean_nothing(vendor: SimulatedVendor) -> None:
    """They come before every piece, and add nothing to it."""
    vendor.then(Say("one two"), Say("one two", pings=True))
    plain, pinged = await streamed(vendor), await streamed(vendor)
    assert pinged.count(b"ping") >= plain.count(b"ping") + 2


async def test_a_stream_can_fail_at_once(vendor: SimulatedVendor) -> None:
    """With no piece before it: what opens the answer, then the error and nothing more."""
    for said in (Say(fail=Failure.server_error()), Say("one", fail=Failure.server_error(), fail_after=0)):
        vendor.then(said)
        seen = await streamed(vendor)
        assert b"one" not in seen
        assert b"error" in seen.strip().rpartition(b"\n\n")[2]
        assert ENDS[type(vendor)] not in seen


async def test_headers_and_anything_else_can_be_scripted(vendor: SimulatedVendor) -> None:
    """An answer's own headers, and bytes that no vendor would send."""
    path, body = BODIES[type(vendor)]
    vendor.then(Say("one", headers=(("x-own", "1"),)), RawReply(body=b"tea", status=418), Say("lost"))
    async with httpx2.AsyncClient(headers={"anthropic-version": "2023-06-01"}) as client:
        told = await client.post(vendor.origin + path, json=body)
        tea = await client.post(vendor.origin + path, json=body)
        vendor.forget()
        own = await client.post(vendor.origin + path, json=body)
        odd = await client.post(vendor.origin + path, content=b"{")
    assert (told.status_code, told.headers["x-own"]) == (200, "1")
    assert (tea.status_code, tea.content) == (418, b"tea")
    assert b"You said: hi" in own.content
    assert odd.status_code == 400
    assert b"could not parse" in odd.content
    assert vendor.connections == 1
    assert len(vendor.requests) == 4
    assert vendor.asked.is_set()


CHAT = TypeAdapter(ChatCompletion)
CHUNK = TypeAdapter(ChatCompletionChunk)


@pytest.mark.parametrize(
    "said",
    [
        Say("One two", service_tier="flex", finish="content_filter"),
        Say("One", citations=(Citation(end=3, url="https://x.test", title="T"), Citation(source="doc_1"))),
        Say(parts=(Spoken("a"), ToolUse("f", '{"n": 1}', pieces=("{", '"n": 1}')), Declined("b"))),
        Say(parts=(Thought(redacted=True), RawBlock({"type": "own"}), Spoken("a", pieces=("", "a")))),
        Say("One", logprobs={"content": [{"token": "One", "logprob": -0.5, "top_logprobs": []}]}),
    ],
    ids=repr,
)
async def test_chat_passes_the_types_of_its_sdk(strictly: "Strictly", events: "Events", said: Say) -> None:
    """Whole and streamed, without an unknown field; the pieces make the whole."""
    async with OpenAIChatServer() as vendor, httpx2.AsyncClient() as client:
        vendor.then(said, said)
        answer = await client.post(f"{vendor.url}/chat/completions", json=MESSAGES)
        whole = strictly(CHAT, answer.content)
        async with asking(vendor, stream_options={"include_usage": True}) as pieces:
            listed = [data for _, data in await events(pieces)]
    assert listed.pop() == "[DONE]"
    cited = any(block.citations for block in said.blocks() if isinstance(block, Spoken))
    chunks = [CHUNK.validate_json(data) if cited else strictly(CHUNK, data) for data in listed]
    texts = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(texts) == (whole.choices[0].message.content or "")
    assert chunks[-1].usage == whole.usage
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason


async def test_thoughts_are_told_in_the_extra_field_of_chat(events: "Events") -> None:
    """In several pieces, before the text; sealed ones are left out."""
    said = Say("Yes", reasoning=(Thought("hm hm", pieces=("hm", " hm")), Thought(redacted=True)))
    async with OpenAIChatServer(default=said) as vendor, httpx2.AsyncClient() as client:
        whole = as_object((await client.post(f"{vendor.url}/chat/completions", json=MESSAGES)).json())
        async with asking(vendor) as pieces:
            listed = [data for _, data in await events(pieces) if data != "[DONE]"]
    message = as_object(as_object(as_array(whole["choices"])[0])["message"])
    assert message["reasoning_content"] == "hm hm"
    choices = [as_object(as_array(as_object(parse_json(data))["choices"])[0]) for data in listed]
    deltas = [as_object(choice["delta"]) for choice in choices]
    assert [delta.get("reasoning_content") for delta in deltas] == [None, "hm", " hm", None, None]


async def test_pieces_alone_make_the_text(events: "Events") -> None:
    """A script that gives nothing but pieces says them whole as well, and counts them."""
    said = Say(pieces=("One t", "wo"))
    async with OpenAIChatServer(default=said) as vendor, httpx2.AsyncClient() as client:
        whole = CHAT.validate_json(
            (await client.post(f"{vendor.url}/chat/completions", json=MESSAGES)).content
        )
        async with asking(vendor) as pieces:
            listed = [data for _, data in await events(pieces) if data != "[DONE]"]
    chunks = [CHUNK.validate_json(data) for data in listed]
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["", "One t", "wo", None]
    assert whole.choices[0].message.content == "One two"
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 2


async def test_a_failure_comes_after_the_last_piece_of_every_choice() -> None:
    """The choices speak in turn, and none is cut short."""
    said = Say("one", others=(Say("two"),), fail=Failure.server_error())
    async with OpenAIChatServer(default=said) as vendor, asking(vendor, n=2) as pieces:
        seen = b"".join([piece async for piece in pieces])
    assert b'"one"' in seen
    assert b'"two"' in seen
    assert b"stop" not in seen


async def test_own_usage_goes_out_as_it_is() -> None:
    """And usage that is missing is nowhere."""
    async with OpenAIChatServer() as vendor, httpx2.AsyncClient() as client:
        vendor.then(Say("one", usage={"prompt_tokens": 7}), Say("one", usage="missing"))
        own = await client.post(f"{vendor.url}/chat/completions", json=MESSAGES)
        none = await client.post(f"{vendor.url}/chat/completions", json=MESSAGES)
    assert as_object(own.json())["usage"] == {"prompt_tokens": 7}
    assert "usage" not in as_object(none.json())


async def test_choices_can_differ(events: "Events") -> None:
    """Each choice has its own text and finish, whole and streamed."""
    said = Say("One", others=(Say("Two two", finish="length"),))
    async with OpenAIChatServer(default=said) as vendor, httpx2.AsyncClient() as client:
        answer = await client.post(f"{vendor.url}/chat/completions", json={**MESSAGES, "n": 3})
        async with asking(vendor, n=3) as pieces:
            listed = [data for _, data in await events(pieces) if data != "[DONE]"]
    whole = CHAT.validate_json(answer.content)
    assert [choice.message.content for choice in whole.choices] == ["One", "Two two", "Two two"]
    assert [choice.finish_reason for choice in whole.choices] == ["stop", "length", "length"]
    texts = {0: "", 1: "", 2: ""}
    for data in listed:
        for choice in CHUNK.validate_json(data).choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == {0: "One", 1: "Two two", 2: "Two two"}
