"""A vendor over real sockets, by both carriers: answers, streams, errors, retries, cancellation, models."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

import pytest

from interlock_core import (
    Capability,
    Chunk,
    CompletionRequest,
    FinishReason,
    Json,
    Money,
    Price,
    Provider,
    Secret,
    ToolCall,
    ToolChoice,
    ToolSpec,
    Usage,
)
from interlock_core.assembly import CompletionAssembler
from interlock_core.errors import (
    BillingError,
    ContextLengthError,
    CredentialError,
    EgressRefusedError,
    InterlockError,
    NotFoundError,
    OverloadedError,
    ProtocolError,
    UpstreamConnectionError,
    UpstreamRateLimitError,
    UpstreamTimeoutError,
)
from interlock_core.messages import system, user
from interlock_core.testing import FakeClock, LoopbackServer, StaticPrices, make_call
from interlock_providers import BundledPrices
from interlock_providers.provider import Timeouts
from interlock_providers.testing import Failure, OpenAIChatServer, RawReply, Say, ToolUse

ASKED = CompletionRequest(model="vendor/sim-1", messages=(system("Be brief."), user("Say hello to me")))
TOOLS = (
    ToolSpec(
        name="github.issues_create",
        parameters={"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
    ),
)


class MakeProvider(Protocol):
    """Makes a provider that asks a base URL."""

    def __call__(
        self,
        base_url: str,
        *,
        kind: str = ...,
        models: tuple[str, ...] = ...,
        key: Secret | None = ...,
        prices: object = ...,
        timeouts: Timeouts | None = ...,
    ) -> Provider:
        """Make it."""
        ...


async def collect(provider: Provider, request: CompletionRequest = ASKED) -> list[Chunk]:
    """All chunks of a stream."""
    async with aclosing(provider.stream(request)) as chunks:
        return [chunk async for chunk in chunks]


@pytest.mark.promise("P1")
async def test_an_answer_comes_whole(make: MakeProvider, vendor: OpenAIChatServer) -> None:
    """Text, usage and identity of the answer, asked under the vendor's own name of the model."""
    answer = await make(vendor.url).complete(ASKED)
    assert answer.text == "You said: Say hello to me"
    assert (answer.model, answer.finish, answer.attempts) == ("vendor/sim-1", FinishReason.STOP, 1)
    assert answer.usage == Usage(input_tokens=6, output_tokens=6)
    assert answer.cost is None
    assert vendor.requests[0].path == "/v1/chat/completions"


@pytest.mark.promise("P1")
async def test_an_answer_streams(make: MakeProvider, vendor: OpenAIChatServer) -> None:
    """Pieces come one by one, usage at the end although nobody asked for it."""
    chunks = await collect(make(vendor.url))
    assert "".join(chunk.text for chunk in chunks) == "You said: Say hello to me"
    assert [chunk.finish for chunk in chunks if chunk.finish] == [FinishReason.STOP]
    assert chunks[-1].usage == Usage(input_tokens=6, output_tokens=6)
    assert {chunk.model for chunk in chunks} == {"vendor/sim-1"}
    assert b'"include_usage":true' in vendor.requests[0].body


@pytest.mark.promise("P3")
@pytest.mark.parametrize("stream", [False, True])
async def test_tool_calls_come_back_under_their_own_names(
    make: MakeProvider, vendor: OpenAIChatServer, stream: bool
) -> None:
    """Parallel calls, dotted names and argument bytes survive the way there and back."""
    odd = '{ "title" : "a\\u00e9" , "n":1.0}'
    vendor.then(Say(calls=(ToolUse("github_issues_create", odd, "c1"), ToolUse("other", "not json", "c2"))))
    request = replace(ASKED, tools=TOOLS, tool_choice=ToolChoice(mode="required"))
    provider = make(vendor.url)
    if stream:
        assembler = CompletionAssembler()
        for chunk in await collect(provider, request):
            assembler.feed(chunk)
        answer = assembler.completion()
    else:
        answer = await provider.complete(request)
    assert answer.message.tool_calls == (
        ToolCall(id="c1", name="github.issues_create", arguments=odd),
        ToolCall(id="c2", name="other", arguments="not json"),
    )
    assert answer.finish is FinishReason.TOOL_CALLS


@pytest.mark.promise("P5")
@pytest.mark.parametrize("stream", [False, True])
async def test_the_price_of_an_answer_is_exact(
    make: MakeProvider, vendor: OpenAIChatServer, stream: bool
) -> None:
    """Cached input at its own price, to the micro-dollar, whole and streamed."""
    usage: dict[str, Json] = {
        "prompt_tokens": 1_000_001,
        "completion_tokens": 500_000,
        "prompt_tokens_details": {"cached_tokens": 400_000},
    }
    vendor.then(Say("ok", usage=usage))
    prices = StaticPrices({"vendor/sim-1": Price(input=2_000_000, output=8_000_000, cache_read=500_000)})
    provider = make(vendor.url, prices=prices)
    cost = (await collect(provider))[-1].cost if stream else (await provider.complete(ASKED)).cost
    assert cost == Money(1_200_002 + 200_000 + 4_000_000)


@pytest.mark.promise("P5")
@pytest.mark.parametrize(
    "say",
    [
        Say("ok", usage="missing"),
        Say("ok", usage={"prompt_tokens": "many"}),
        Say(
            "ok",
            usage={"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"audio_tokens": 2}},
        ),
    ],
)
async def test_a_price_that_is_not_known_is_not_zero(
    make: MakeProvider, vendor: OpenAIChatServer, say: Say
) -> None:
    """Without usage, with usage that cannot be, or with sound that has no price here, there is no cost."""
    prices = StaticPrices({"vendor/sim-1": Price(input=2_000_000, output=8_000_000)})
    vendor.then(say, say)
    provider = make(vendor.url, prices=prices)
    assert (await provider.complete(ASKED)).cost is None
    assert all(chunk.cost is None for chunk in await collect(provider))


@pytest.mark.promise("P4")
@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_that_can_pass_is_tried_again(
    make: MakeProvider, vendor: OpenAIChatServer, clock: FakeClock, stream: bool
) -> None:
    """Retry-After is honoured, the attempts are counted, and the answer is the last one's."""
    vendor.then(Failure.rate_limit(retry_after=7), Failure.overloaded(), Say("at last"))
    provider = make(vendor.url)
    if stream:
        chunks = await collect(provider)
        assert "".join(chunk.text for chunk in chunks) == "at last"
        assert {chunk.attempts for chunk in chunks} == {3}
    else:
        answer = await provider.complete(ASKED)
        assert (answer.text, answer.attempts) == ("at last", 3)
    assert clock.slept == [7.0, 1.0]
    assert len(vendor.requests) == 3


@pytest.mark.promise("P4")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("failure", "cls"),
    [
        (Failure.no_money(), BillingError),
        (Failure.bad_key(), CredentialError),
        (Failure.too_long(), ContextLengthError),
        (Failure(status=404, code="model_not_found"), NotFoundError),
        (Failure.rate_limit(retry_after=3600), UpstreamRateLimitError),
        (RawReply(body=b"<html>", content_type="text/html"), ProtocolError),
        (RawReply(body=b"", status=307, headers=(("location", "http://127.0.0.1:1/"),)), ProtocolError),
    ],
)
async def test_an_error_that_cannot_pass_is_not_tried_again(
    make: MakeProvider,
    vendor: OpenAIChatServer,
    failure: Failure | RawReply,
    cls: type[InterlockError],
    stream: bool,
) -> None:
    """Money, keys, sizes, unknown models, hour-long waits, broken formats and redirects end at once."""
    vendor.then(failure)
    provider = make(vendor.url)
    with pytest.raises(cls) as caught:
        await (collect(provider) if stream else provider.complete(ASKED))
    assert type(caught.value) is cls
    assert caught.value.vendor == "vendor"
    assert len(vendor.requests) == 1


async def test_retries_end_with_the_last_error(make: MakeProvider, vendor: OpenAIChatServer) -> None:
    """Three attempts, then whoever asked is told."""
    vendor.then(*[Failure.overloaded()] * 9)
    with pytest.raises(OverloadedError) as caught:
        await make(vendor.url).complete(ASKED)
    assert caught.value.request_id == "req_3"
    assert len(vendor.requests) == 3


async def test_a_call_without_time_is_not_made(
    make: MakeProvider, vendor: OpenAIChatServer, clock: FakeClock
) -> None:
    """A deadline that has passed is an answer by itself."""
    call = replace(make_call("vendor/sim-1"), deadline=clock.monotonic() - 1)
    with pytest.raises(UpstreamTimeoutError, match="No time was left"):
        await make(vendor.url).complete(ASKED, call)
    assert vendor.requests == []


async def test_retries_stop_at_the_deadline(
    make: MakeProvider, vendor: OpenAIChatServer, clock: FakeClock
) -> None:
    """No attempt is waited for that could not begin in time."""
    vendor.then(Failure.rate_limit(retry_after=60))
    call = replace(make_call("vendor/sim-1"), deadline=clock.monotonic() + 30)
    with pytest.raises(UpstreamRateLimitError):
        await make(vendor.url).complete(ASKED, call)
    assert clock.slept == []


@pytest.mark.parametrize(
    "body", [b'{"error":{"message":"busy","code":503}}', b'{"choices":[{"message":{}}]}']
)
async def test_an_answer_that_does_not_stream_is_an_error(
    make: MakeProvider, vendor: OpenAIChatServer, body: bytes
) -> None:
    """A server that ignores `stream` is told apart from one that reports an error that way."""
    vendor.then(*[RawReply(body=body)] * 3)
    with pytest.raises((OverloadedError, ProtocolError)) as caught:
        await collect(make(vendor.url))
    assert isinstance(caught.value, OverloadedError) == (b"busy" in body)


async def test_long_errors_are_cut(make: MakeProvider, vendor: OpenAIChatServer) -> None:
    """A server cannot fill memory or logs with its error."""
    vendor.then(RawReply(body=b"x" * 1_000_000, status=400, content_type="text/plain"))
    with pytest.raises(InterlockError) as caught:
        await collect(make(vendor.url))
    assert len(str(caught.value)) < 1_000


async def test_a_host_that_is_not_there_is_a_connection_error(make: MakeProvider) -> None:
    """With host and port in the message, and nothing else of the request."""
    async with LoopbackServer() as gone:
        url = gone.url
    with pytest.raises(UpstreamConnectionError) as caught:
        await make(f"{url}/v1").complete(ASKED)
    assert caught.value.vendor == "vendor"
    assert "Bearer" not in f"{caught.value!r} {caught.value.__cause__!r}"


async def test_the_key_goes_to_its_own_origin_and_nowhere_else(
    make: MakeProvider, vendor: OpenAIChatServer
) -> None:
    """A model's name cannot lead the key astray, nor can a path."""
    provider = make(vendor.url)
    await provider.complete(replace(ASKED, model="vendor/sim-1"))
    assert vendor.requests[0].header("authorization") == "Bearer sk-test-0123456789abcdef"
    with pytest.raises(NotFoundError):
        await provider.complete(replace(ASKED, model="vendor/../../@127.0.0.1:1/x"))
    assert {request.path for request in vendor.requests} == {"/v1/chat/completions"}


@pytest.mark.promise("P4")
async def test_a_key_that_the_vendor_repeats_is_hidden(make: MakeProvider, vendor: OpenAIChatServer) -> None:
    """Neither the error nor its JSON shows it."""
    key = "verysecretvalue"
    vendor.then(Failure(status=400, message=f"Wrong: {key}", code=key, param=key))
    with pytest.raises(CredentialError):
        await make(vendor.url, key=Secret(key)).complete(ASKED)
    async with OpenAIChatServer() as open_vendor:
        open_vendor.then(Failure(status=400, message=f"Wrong: {key}", code=key, param=key))
        with pytest.raises(InterlockError) as caught:
            await make(open_vendor.url, key=Secret(key)).complete(ASKED)
    assert key not in f"{caught.value} {caught.value!r} {caught.value.as_json()}"


@pytest.mark.promise("P4")
@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Wrong: abcdefgh01234567 here", "Wrong: [key] here"),
        ("Wrong: abcdefgh0123 here", "Wrong: [key] here"),
        ("It ends in gh01234567.", "It ends in [key]."),
        ("From cdefgh0123 on", "From [key] on"),
        ("Wrong: abc****567, sorry", "Wrong: [key], sorry"),
        ("abcdefgh01234567abcdefgh01234567", "[key][key]"),
        ("abcdefg is short", "abcdefg is short"),
    ],
)
async def test_what_a_vendor_leaves_of_a_key_is_hidden_too(make: MakeProvider, said: str, told: str) -> None:
    """Cut, masked, or only its end."""
    async with OpenAIChatServer(models=("sim-1",)) as open_vendor:
        open_vendor.then(Failure(status=400, message=said))
        with pytest.raises(InterlockError) as caught:
            await make(open_vendor.url, key=Secret("abcdefgh01234567")).complete(ASKED)
    assert told in caught.value.message


async def test_no_key_means_no_authorization(make: MakeProvider) -> None:
    """A server that wants no key is sent none."""
    async with OpenAIChatServer() as open_vendor:
        await make(open_vendor.url, key=None).complete(ASKED)
        assert open_vendor.requests[0].header("authorization") is None


async def test_streams_share_one_warm_connection(make: MakeProvider, vendor: OpenAIChatServer) -> None:
    """A stream that was read to its end gives its connection back."""
    provider = make(vendor.url)
    for _ in range(3):
        await collect(provider)
        await provider.complete(ASKED)
    assert vendor.connections == 1


async def test_models_are_those_that_the_vendor_lists(
    make: MakeProvider, vendor: OpenAIChatServer, clock: FakeClock
) -> None:
    """The list is asked for once in five minutes, and by one of those who want it at once."""
    provider = make(vendor.url)
    first, second = await asyncio.gather(provider.models(), provider.models())
    assert [model.id for model in first] == [
        "vendor/sim-1",
        "vendor/gpt-5.4-mini",
        "vendor/text-embedding-3-small",
    ]
    assert first == second
    assert [model.embedding for model in first] == [False, False, True]
    assert Capability.TOOLS in first[0].capabilities
    assert len(vendor.requests) == 1
    clock.advance(301)
    await provider.models()
    assert len(vendor.requests) == 2


async def test_a_vendor_that_stops_listing_is_remembered(
    make: MakeProvider, vendor: OpenAIChatServer, clock: FakeClock
) -> None:
    """The last list holds while there is no newer one."""
    provider = make(vendor.url)
    first = await provider.models()
    vendor.change_key("another")
    clock.advance(301)
    assert await provider.models() == first
    assert len(vendor.requests) == 2


async def test_a_vendor_that_never_listed_is_an_error(make: MakeProvider, vendor: OpenAIChatServer) -> None:
    """Nothing is made up."""
    with pytest.raises(CredentialError):
        await make(vendor.url, key=Secret("wrong")).models()


@pytest.mark.promise("P1")
async def test_configured_models_are_not_asked_for(make: MakeProvider, vendor: OpenAIChatServer) -> None:
    """What the operator wrote is the list; known models bring what is known of them."""
    provider = make(
        vendor.url,
        kind="openai",
        models=("gpt-5.4-mini", "vendor/gpt-4o-2024-08-06", "unheard-of"),
        prices=BundledPrices(kinds={"vendor": "openai"}),
    )
    mini, snapshot, unknown = await provider.models()
    assert (mini.id, mini.context_tokens, Capability.REASONING in mini.capabilities) == (
        "vendor/gpt-5.4-mini",
        400_000,
        True,
    )
    assert mini.price is not None
    assert mini.price.input == 750_000
    assert (snapshot.id, snapshot.context_tokens) == ("vendor/gpt-4o-2024-08-06", 128_000)
    assert (unknown.price, unknown.context_tokens) == (None, None)
    assert vendor.requests == []


async def test_what_answers_no_prompts_is_not_listed(make: MakeProvider) -> None:
    """A vendor's list holds models of other kinds, which are left out."""
    models = ("gpt-5.4-mini", "whisper-1", "tts-1-hd", "dall-e-3", "omni-moderation-latest")
    async with OpenAIChatServer(models=models) as vendor:
        listed = await make(vendor.url, kind="openai").models()
    assert [model.name for model in listed] == ["gpt-5.4-mini"]


@pytest.mark.promise("P1")
async def test_texts_become_vectors(make: MakeProvider, vendor: OpenAIChatServer) -> None:
    """One vector a text, with usage and price."""
    provider = make(vendor.url, kind="openai", prices=BundledPrices(kinds={"vendor": "openai"}))
    made = await provider.embed("vendor/text-embedding-3-small", ["a b", "c " * 49])
    assert [len(vector) for vector in made.vectors] == [8, 8]
    assert made.usage == Usage(input_tokens=51)
    assert made.cost == Money(1)
    vendor.then(Failure.overloaded())
    assert (await provider.embed("text-embedding-3-small", ["a b"])).vectors == made.vectors[:1]


async def test_a_carrier_refuses_to_carry_a_key_elsewhere(
    make: MakeProvider, vendor: OpenAIChatServer
) -> None:
    """The origin is checked at the last step, whatever built the request."""
    from interlock_core import HttpRequest
    from interlock_core.http import HttpClient
    from interlock_providers.carriers import Credential
    from interlock_providers.carriers.fast import FastCarrier
    from interlock_providers.carriers.sdk_openai import OpenAISdkCarrier

    del make
    credential = Credential(secret=Secret("k", name="key of vendor"), origin=vendor.origin)
    other = HttpRequest(method="POST", url="https://example.org/v1/chat/completions", body=b"{}")
    async with HttpClient() as client:
        for carrier in (
            FastCarrier(client, credential=credential),
            OpenAISdkCarrier(vendor.origin, credential=credential),
        ):
            with pytest.raises(EgressRefusedError, match="key of vendor is meant for"):
                await carrier.send(other)
            await carrier.aclose()
    assert vendor.requests == []
