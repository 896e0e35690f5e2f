"""What an API says of its limits is kept to: waited for, told early, and no call is made twice in doubt."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import Json, JsonObject, ToolCall, ToolResult
from interlock_core.http import HttpResponse
from interlock_core.testing import (
    Answer,
    FakeClock,
    LoopbackServer,
    MemorySecrets,
    ReceivedRequest,
    json_answer,
    make_call,
)
from interlock_tools import DocumentOptions, ExecutorLimits, ToolExecutor, ToolRegistry
from interlock_tools.execution._allowance import Allowance, allowance, wait_asked

NOW = 1_800_000_000.0
KEY: JsonObject = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
BODY: JsonObject = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"amount": {"type": "integer"}, "idempotency_key": {"type": "string"}},
                "required": ["idempotency_key"],
                "additionalProperties": False,
            }
        }
    },
}
PATHS: JsonObject = {
    "/core": {"get": {"operationId": "read"}, "post": {"operationId": "change"}},
    "/search": {"get": {"operationId": "search"}},
    "/pay": {"post": {"operationId": "pay", "parameters": [KEY]}},
    "/square": {"post": {"operationId": "square", "requestBody": BODY}},
}


class Limited:
    """An executor over a server whose limits it is told.

    Args:
        url: Where the server is.
        limits: Bounds of calls.
    """

    def __init__(self, url: str, limits: ExecutorLimits | None = None) -> None:
        self.clock = FakeClock(now=NOW)
        self.registry = ToolRegistry()
        self.registry.add_document(
            {"openapi": "3.1.0", "info": {"title": "L"}, "paths": PATHS},
            namespace="l",
            options=DocumentOptions(base_url=url, credential="key"),
        )
        self.executor = ToolExecutor(
            self.registry,
            secrets=MemorySecrets({"key": "secret-key"}),
            limits=limits,
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    async def call(
        self, name: str, arguments: JsonObject | None = None, *, run: str | None = None, call: str = "c"
    ) -> ToolResult:
        """The result of a call."""
        asked = ToolCall(id=call, name=f"l.{name}", arguments=json.dumps(arguments or {}))
        return await self.executor.execute(asked, replace(make_call(), run=run))

    async def __aenter__(self) -> "Limited":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.executor.aclose()


def told(left: int, reset: int, resource: str = "") -> tuple[tuple[str, str], ...]:
    """Headers that tell a limit."""
    headers = (("X-RateLimit-Remaining", str(left)), ("X-RateLimit-Reset", str(int(NOW) + reset)))
    return (*headers, ("X-RateLimit-Resource", resource)) if resource else headers


@pytest.mark.promise("O9")
@pytest.mark.parametrize(
    ("headers", "known"),
    [
        ({"RateLimit": "limit=10, remaining=3, reset=7"}, Allowance("", 3, 7.0)),
        ({"RateLimit": '"default";r=5;t=30'}, Allowance("", 5, 30.0)),
        ({"RateLimit": '"a";r=5;t=30, "b";r=0;t=60'}, Allowance("", 0, 60.0)),
        ({"RateLimit": '"a";r=5'}, Allowance("", 5, None)),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "12"}, Allowance("", 0, 12.0)),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800000012"}, Allowance("", 0, 12.0)),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800000012500"}, Allowance("", 0, 12.5)),
        ({"X-Rate-Limit-Remaining": "1", "X-Rate-Limit-Reset": "1800000012"}, Allowance("", 1, 12.0)),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "1.5"}, Allowance("", 0, 1.5)),
        ({"X-RateLimit-Remaining": "0"}, Allowance("", 0, None)),
        ({"X-RateLimit-Remaining": "4", "X-RateLimit-Resource": "core"}, Allowance("core", 4, None)),
        ({"X-RateLimit-Remaining": "many"}, None),
        ({"RateLimit": "soon"}, None),
        ({}, None),
    ],
)
def test_limits_are_read_in_every_spelling(headers: dict[str, str], known: Allowance | None) -> None:
    """Drafts, standard and the spellings that APIs had before."""
    assert allowance(HttpResponse(200, tuple(headers.items()), b""), NOW) == known


@given(
    st.dictionaries(st.sampled_from(["ratelimit", "x-ratelimit-reset", "retry-after"]), st.text(max_size=40))
)
def test_no_header_about_limits_is_an_error(headers: dict[str, str]) -> None:
    """What cannot be read says nothing."""
    answer = HttpResponse(429, (*headers.items(), ("x-ratelimit-remaining", "0")), b"")
    wait = wait_asked(answer, NOW)
    assert wait is None or wait >= 0


@pytest.mark.promise("O9")
async def test_what_would_be_refused_is_not_sent() -> None:
    """A limit that is used up for longer than may be waited for is told at once, with the time."""
    answer = json_answer({}, headers=told(0, 600))
    async with LoopbackServer(lambda _: answer) as server, Limited(server.url) as bench:
        assert not (await bench.call("read")).is_error
        result = await bench.call("read")
        assert len(server.requests) == 1
    assert (result.is_error, result.error_code) == (True, "upstream_rate_limited")
    assert "free again in 600 s, at 08:10:00 UTC" in result.text
    assert bench.clock.slept == []


@pytest.mark.promise("O9")
async def test_a_short_wait_is_waited_before_sending() -> None:
    """And then the call is made, changes too: nothing had been sent."""
    answers = [json_answer({}, headers=told(0, 20)), json_answer({"done": True}, headers=told(9, 60))]
    async with LoopbackServer(lambda _: answers.pop(0)) as server, Limited(server.url) as bench:
        await bench.call("read")
        assert (await bench.call("change")).structured == {"done": True}
        assert 20 <= bench.clock.slept[0] < 22
        assert len(server.requests) == 2


@pytest.mark.promise("O9")
async def test_the_limit_of_one_resource_holds_no_other_back() -> None:
    """What searches used up does not stop reading."""

    def serve(request: ReceivedRequest) -> Answer:
        searching = request.path == "/search"
        return json_answer({}, headers=told(0 if searching else 50, 900, "search" if searching else "core"))

    async with LoopbackServer(serve) as server, Limited(server.url) as bench:
        for name in ("read", "search", "read", "search"):
            result = await bench.call(name)
        assert result.error_code == "upstream_rate_limited"
        assert "for search is used up" in result.text
        assert [request.path for request in server.requests] == ["/core", "/search", "/core"]
        bench.clock.advance(901)
        assert not (await bench.call("search")).is_error


@pytest.mark.promise("O9")
async def test_a_used_up_limit_does_not_speak_against_the_api() -> None:
    """The breaker stays closed: the API works, and says when."""
    limits = ExecutorLimits(breaker_failures=1)
    async with (
        LoopbackServer(lambda _: json_answer({}, headers=told(0, 600))) as server,
        Limited(server.url, limits) as bench,
    ):
        results = [await bench.call("read") for _ in range(4)]
        assert "left alone" not in results[-1].text
        bench.clock.advance(700)
        assert not (await bench.call("read")).is_error


@pytest.mark.promise("O13")
@pytest.mark.parametrize(
    ("status", "body", "headers", "slept"),
    [
        (403, "You have exceeded a secondary rate limit.", (), 60),
        (403, "You have exceeded a secondary rate limit.", (("retry-after", "9"),), 9),
        (429, "Too many requests", (("retry-after", "9"),), 9),
        (403, "API rate limit exceeded", told(0, 30), 30),
        (429, "slow", (("retry-after-ms", "1500"),), 1.5),
    ],
)
async def test_limits_of_every_kind_are_waited_out(
    status: int, body: str, headers: tuple[tuple[str, str], ...], slept: float
) -> None:
    """Primary by its reset, secondary by its time or a minute, and the change is made once."""
    said: JsonObject = {"message": body, "documentation_url": "https://docs.example.org/limits"}
    answers = [json_answer(said, status=status, headers=headers), json_answer({"ok": True})]
    async with LoopbackServer(lambda _: answers.pop(0)) as server, Limited(server.url) as bench:
        assert (await bench.call("change")).structured == {"ok": True}
        assert len(server.requests) == 2
        assert slept <= bench.clock.slept[0] < slept + 2


@pytest.mark.promise("O13")
@pytest.mark.parametrize(
    "said",
    [
        {"message": "Resource not accessible"},
        {"message": "You may not name an issue 'secondary rate limit'"},
        {"message": "rate limit is too low", "documentation_url": "https://docs.example.org"},
        {"note": "secondary rate limit", "documentation_url": "https://docs.example.org"},
        {"message": "abuse detection", "documentation_url": "u", "pad": "x" * 20_000},
        "secondary rate limit",
    ],
)
async def test_a_plain_refusal_is_no_limit(said: Json) -> None:
    """403 that is none by its form, whatever words it quotes, is not repeated."""
    answer = json_answer(said, status=403)
    async with LoopbackServer(lambda _: answer) as server, Limited(server.url) as bench:
        result = await bench.call("change")
        assert len(server.requests) == 1
    assert result.error_code == "credential_refused"


async def test_a_refusal_that_cannot_be_read_is_no_limit() -> None:
    """Words in something that is no JSON count for nothing."""
    answer = Answer(status=403, body=b"{secondary rate limit")
    async with LoopbackServer(lambda _: answer) as server, Limited(server.url) as bench:
        await bench.call("read")
        assert len(server.requests) == 1


@pytest.mark.promise("O13")
@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (429, (("retry-after", "99999999999999"),)),
        (429, (("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT"),)),
        (429, (("retry-after-ms", "99999999999999"),)),
        (200, (("ratelimit", "limit=1, remaining=0, reset=999999999999"),)),
        (200, (("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "99999999999999"))),
    ],
)
async def test_no_header_locks_a_credential_for_longer_than_a_day(
    status: int, headers: tuple[tuple[str, str], ...]
) -> None:
    """What a server writes is a result, and forgotten in a day."""
    answers = [json_answer({}, status=status, headers=headers), json_answer({"ok": True})]
    async with LoopbackServer(lambda _: answers.pop(0)) as server, Limited(server.url) as bench:
        await bench.call("read")
        told = await bench.call("read")
        assert told.error_code == "upstream_rate_limited"
        assert "86400 s" in told.text
        bench.clock.advance(86_401)
        assert (await bench.call("read")).structured == {"ok": True}


@pytest.mark.promise("O9")
@pytest.mark.parametrize("tool", ["pay", "square"])
async def test_an_idempotency_key_is_sent_where_the_document_has_one(tool: str) -> None:
    """The same on every repetition and in a second process, another for another call."""

    def key_of(request: ReceivedRequest) -> str:
        held = request.header("idempotency-key") or dict(json.loads(request.body or b"{}")).get(
            "idempotency_key"
        )
        assert isinstance(held, str)
        return held

    statuses = [502, 200, 200, 200, 200]
    async with LoopbackServer(lambda _: json_answer({}, status=statuses.pop(0))) as server:
        async with Limited(server.url) as bench:
            assert not (await bench.call(tool, run="run-1")).is_error
            assert not (await bench.call(tool, run="run-1", call="d")).is_error
            assert not (await bench.call(tool, run="run-2")).is_error
        async with Limited(server.url) as bench:
            await bench.call(tool, run="run-1")
        first, again, other, run_2, later = [key_of(request) for request in server.requests]
    assert first == again == later
    assert len({first, other, run_2}) == 3


@pytest.mark.promise("O9")
async def test_a_key_that_was_given_is_kept() -> None:
    """By the caller as an argument, or with the call."""
    async with LoopbackServer(lambda _: json_answer({})) as server, Limited(server.url) as bench:
        await bench.call("pay", {"Idempotency-Key": "mine"})
        call = ToolCall(id="c", name="l.pay")
        await bench.executor.execute(call, replace(make_call(), idempotency_key="the-caller's"))
        keys = [request.header("idempotency-key") for request in server.requests]
    assert keys == ["mine", "the-caller's"]


@pytest.mark.promise("O9")
@pytest.mark.parametrize(
    ("schema", "filled"),
    [
        ({"type": "string", "maxLength": 32}, True),
        ({"type": "string", "pattern": "^[0-9a-f]{32}$"}, True),
        ({"type": "string", "format": "uuid"}, True),
        ({"type": "string", "maxLength": 10}, False),
        ({"type": "integer"}, False),
    ],
)
async def test_a_key_is_filled_in_where_its_schema_takes_one(schema: JsonObject, *, filled: bool) -> None:
    """Else the call goes out without one, and counts as what it is."""
    statuses = [502, 200]
    async with LoopbackServer(lambda _: json_answer({}, status=statuses.pop(0))) as server:
        registry = ToolRegistry()
        parameter: JsonObject = {**KEY, "schema": schema}
        registry.add_document(
            {
                "openapi": "3.1.0",
                "info": {"title": "L"},
                "paths": {"/pay": {"post": {"operationId": "pay", "parameters": [parameter]}}},
            },
            namespace="l",
            options=DocumentOptions(base_url=server.url),
        )
        clock = FakeClock(now=NOW)
        executor = ToolExecutor(registry, clock=clock, sleep=clock.sleep)
        given = replace(make_call(), idempotency_key="the caller's own, longer than 36 characters")
        result = await executor.execute(ToolCall(id="c", name="l.pay"), given)
        await executor.aclose()
        keys = [request.header("idempotency-key") for request in server.requests]
    if filled:
        assert len(keys) == 2
        assert keys[0] == keys[1] is not None
    else:
        assert keys == [None]
        assert result.is_error


@pytest.mark.promise("O9")
@pytest.mark.parametrize(("status", "headers"), [(502, ()), (503, (("retry-after", "1"),))])
async def test_a_change_without_a_key_is_not_repeated_in_doubt(
    status: int, headers: tuple[tuple[str, str], ...]
) -> None:
    """502 may have done it, and 503 may come of something on the way."""
    answer = json_answer({}, status=status, headers=headers)
    async with LoopbackServer(lambda _: answer) as server, Limited(server.url) as bench:
        await bench.call("change")
        assert len(server.requests) == 1


@pytest.mark.promise("O9")
async def test_a_document_can_have_bounds_of_its_own() -> None:
    """Beside another document of the same executor."""
    own = ExecutorLimits(max_answer_bytes=10, attempts=1)
    async with LoopbackServer(lambda _: json_answer({"long": "x" * 100})) as server:
        registry = ToolRegistry()
        document: JsonObject = {"openapi": "3.1.0", "info": {"title": "L"}, "paths": PATHS}
        for name, limits in (("small", own), ("large", None)):
            options = DocumentOptions(base_url=server.url, limits=limits)
            registry.add_document(document, namespace=name, options=options)
        executor = ToolExecutor(registry)
        small, large = [
            await executor.execute(ToolCall(id="c", name=f"{name}.read"), make_call())
            for name in ("small", "large")
        ]
        await executor.aclose()
    assert "longer than 10 bytes" in small.text
    assert not large.is_error


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {
                "message": "Validation Failed",
                "errors": [{"resource": "Label", "field": "name", "code": "already_exists"}],
            },
            "Wrong: name exists already.",
        ),
        (
            {"message": "m", "errors": [{"field": "assignees", "code": "invalid", "value": "bob"}]},
            "Wrong: assignees is not valid (bob).",
        ),
        ({"message": "m", "errors": ["first", "second"]}, "Wrong: first; second."),
        (
            {"title": "t", "errors": [{"detail": "must be text", "source": {"pointer": "/data/name"}}]},
            "Wrong: /data/name must be text.",
        ),
        ({"message": "m", "errors": {"name": ["too long", "taken"]}}, 'Wrong: name: ["too long","taken"].'),
        (
            {"title": "t", "invalid-params": [{"name": "age", "reason": "must be positive"}]},
            "Wrong: age must be positive.",
        ),
        ({"message": "m", "errors": [{"odd": 1}]}, 'Wrong: {"odd":1}.'),
        ({"message": "m", "errors": []}, "answered 422: m"),
    ],
)
async def test_wrong_fields_are_said_one_by_one(body: Json, said: str) -> None:
    """In the forms in which APIs list them, so that a model can mend each."""
    async with (
        LoopbackServer(lambda _: json_answer(body, status=422)) as server,
        Limited(server.url) as bench,
    ):
        assert said in (await bench.call("change")).text


@pytest.mark.promise("O8")
async def test_an_operator_writes_headers_for_every_request() -> None:
    """A version's media type for answers, another writing of the body's, and headers of its own."""
    document: JsonObject = {
        "openapi": "3.1.0",
        "info": {"title": "L"},
        "paths": {"/square": PATHS["/square"]},
    }
    headers = {
        "Accept": "application/vnd.x+json",
        "Content-Type": "application/json; charset=utf-8",
        "X-Version": "3",
    }
    async with LoopbackServer(lambda _: json_answer({})) as server:
        registry = ToolRegistry()
        registry.add_document(
            document, namespace="h", options=DocumentOptions(base_url=server.url, headers=headers)
        )
        executor = ToolExecutor(registry)
        await executor.execute(ToolCall(id="c", name="h.square"), make_call())
        await executor.aclose()
        received = server.requests[0]
    assert [received.header(name) for name in ("accept", "content-type", "x-version")] == list(
        headers.values()
    )


@pytest.mark.promise("O11")
@pytest.mark.parametrize("name", ["Authorization", "cookie", "X-Api-Key", "Host", "content-length"])
async def test_a_header_of_the_operator_carries_no_credential(name: str) -> None:
    """They would be in every log of a prepared request."""
    registry = ToolRegistry()
    registry.add_document(
        {"openapi": "3.1.0", "info": {"title": "L"}, "paths": PATHS},
        namespace="h",
        options=DocumentOptions(base_url="http://127.0.0.1:9", headers={name: "secret-text"}),
    )
    result = await ToolExecutor(registry).execute(ToolCall(id="c", name="h.read"), make_call())
    assert (result.is_error, result.error_code) == (True, "configuration")
    assert "secret-text" not in result.text
