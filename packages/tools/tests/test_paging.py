"""One call gathers pages within limits; a model is told what to ask for next; nothing leads astray."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from interlock_core import Json, JsonObject, ToolCall, ToolResult
from interlock_core.jsontypes import as_array, as_object, parse_json
from interlock_core.testing import (
    Answer,
    FakeClock,
    LoopbackServer,
    MemorySecrets,
    ReceivedRequest,
    json_answer,
    make_call,
)
from interlock_tools import DocumentOptions, ExecutorLimits, ToolExecutor, ToolRegistry, builtin_document
from interlock_tools.testing.github import GitHubStandIn

from .cases_of_paging import CASES, Case

LIST: JsonObject = {
    "operationId": "list",
    "parameters": [
        {"name": "page", "in": "query", "schema": {"type": "integer"}},
        {"name": "per_page", "in": "query", "schema": {"type": "integer"}},
    ],
}


class Pages:
    """An executor over a server, with the tools of one document.

    Args:
        url: Where the server is.
        paths: The paths of the document.
        limits: Bounds of calls.
    """

    def __init__(self, url: str, paths: JsonObject, limits: ExecutorLimits | None = None) -> None:
        self.clock = FakeClock()
        self.registry = ToolRegistry()
        self.registry.add_document(
            {"openapi": "3.1.0", "info": {"title": "P"}, "paths": paths},
            namespace="p",
            options=DocumentOptions(base_url=url),
        )
        self.executor = ToolExecutor(
            self.registry,
            limits=limits or ExecutorLimits(max_pages=20, check_answers="ignore"),
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    async def call(
        self, arguments: JsonObject | None = None, pages: int | None = None, deadline: float | None = None
    ) -> ToolResult:
        """The result of a call of the tool that lists."""
        context = replace(make_call(), max_pages=pages, deadline=deadline)
        call = ToolCall(id="c", name="p.list", arguments=json.dumps(arguments or {}))
        return await self.executor.execute(call, context)

    async def __aenter__(self) -> "Pages":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.executor.aclose()


def page_of(request: ReceivedRequest) -> str:
    """Which page a request asks for."""
    return dict(request.query).get("page", "1")


def numbered(last: int, size: int = 2, **extra: Json) -> Callable[[ReceivedRequest], Answer]:
    """A server with so many pages, which links to the next."""

    def serve(request: ReceivedRequest) -> Answer:
        page = int(page_of(request))
        rows: list[Json] = [{"n": page * size + i} for i in range(size)]
        following = (("link", f'<{request.path}?page={page + 1}>; rel="next"'),) if page < last else ()
        return json_answer({**extra, "rows": rows} if extra else rows, headers=following)

    return serve


def document_of(case: Case) -> JsonObject:
    """The one operation of a case."""
    if case.posts:
        schema: JsonObject = {"type": "object", "properties": {**case.takes}, "additionalProperties": False}
        body: JsonObject = {"content": {"application/json": {"schema": schema}}}
        return {"/x": {"post": {"operationId": "list", "requestBody": body, "x-interlock-effect": "read"}}}
    parameters: list[Json] = [
        {"name": name, "in": "query", "schema": schema, "description": case.described.get(name, "")}
        for name, schema in case.takes.items()
    ]
    return {"/x": {"get": {"operationId": "list", "parameters": parameters}}}


@pytest.mark.promise("O9")
@pytest.mark.parametrize("case", CASES, ids=[case.form for case in CASES])
async def test_the_next_page_is_found_in_the_form_in_which_an_api_says_it(case: Case) -> None:
    """The note names the arguments, gathering sends exactly them, and what leads astray leads nowhere."""
    asked: list[ReceivedRequest] = []

    def serve(request: ReceivedRequest) -> Answer:
        asked.append(request)
        if len(asked) % 2 == 0:
            return json_answer([])
        text = json.dumps(case.body).replace("{url}", server.url)
        headers = tuple((name, value.replace("{url}", server.url)) for name, value in case.headers)
        return json_answer(parse_json(text.encode()), headers=headers)

    async with LoopbackServer(serve) as server, Pages(server.url, document_of(case)) as bench:
        told = await bench.call(case.given, pages=1)
        if case.then is None:
            assert "There is more" not in told.text
        elif case.then:
            assert f"call again with {json.dumps(case.then, separators=(',', ':'))}" in told.text
        else:
            assert "no argument of this tool leads to" in told.text
        asked[:] = []
        await bench.call(case.given, pages=5)
        assert len(asked) == (1 if case.then is None else 2)
        if case.address:
            assert asked[1].target == case.address
        elif case.then is not None:
            wanted = {**case.given, **case.then}
            again = await bench.executor.prepare(
                ToolCall(id="c", name="p.list", arguments=json.dumps(wanted)), make_call()
            )
            assert again.request is not None
            assert (again.request.url, again.request.body or b"") == (
                server.url + asked[1].target,
                asked[1].body,
            )


@pytest.fixture
async def five() -> AsyncIterator[LoopbackServer]:
    """A server with five pages of two."""
    async with LoopbackServer(numbered(5)) as server:
        yield server


@pytest.mark.promise("O9")
async def test_one_page_is_the_default_and_the_next_is_named(five: LoopbackServer) -> None:
    """A model sees one page and what to say for the next; no tool has further arguments for it."""
    async with Pages(five.url, {"/x": {"get": LIST}}, ExecutorLimits()) as bench:
        result = await bench.call()
        properties = as_object(bench.registry.get("p.list").parameters["properties"])
    assert result.structured == [{"n": 2}, {"n": 3}]
    assert '[There is more. For the next page call again with {"page":2}.]' in result.text
    assert set(properties) == {"page", "per_page"}


@pytest.mark.promise("O9")
async def test_pages_are_one_list_for_who_asks_for_several(five: LoopbackServer) -> None:
    """To the end, or as many as were asked for, with what is left said."""
    async with Pages(five.url, {"/x": {"get": LIST}}, ExecutorLimits()) as bench:
        everything = await bench.call(pages=50)
        some = await bench.call(pages=3)
    assert everything.structured == [{"n": n} for n in range(2, 12)]
    assert "[10 elements of 5 pages.]" in everything.text
    assert "There is more" not in everything.text
    assert len(as_array(some.structured)) == 6
    assert 'call again with {"page":4}' in some.text


async def test_the_object_around_the_list_is_the_last_pages() -> None:
    """So that what it says of going on is true of the whole."""
    async with (
        LoopbackServer(numbered(3, total=6, rows=[])) as server,
        Pages(server.url, {"/x": {"get": LIST}}) as bench,
    ):
        value = as_object((await bench.call()).structured)
    assert (value["total"], len(as_array(value["rows"]))) == (6, 6)


@pytest.mark.promise("O9")
@pytest.mark.parametrize(
    ("limits", "pages"),
    [
        (ExecutorLimits(max_pages=2), 2),
        (ExecutorLimits(max_pages=50, max_items=5), 3),
        (ExecutorLimits(max_pages=50, max_answer_bytes=30), 2),
    ],
)
async def test_gathering_ends_at_each_limit(five: LoopbackServer, limits: ExecutorLimits, pages: int) -> None:
    """Pages, elements, bytes; the next page is named each time."""
    limits = replace(limits, check_answers="ignore")
    async with Pages(five.url, {"/x": {"get": LIST}}, limits) as bench:
        result = await bench.call()
        assert len(five.requests) == pages
    assert f'{{"page":{pages + 1}}}' in result.text


@pytest.mark.promise("O9")
async def test_what_came_before_a_page_that_fails_is_kept() -> None:
    """With the reason, and how to go on."""

    def serve(request: ReceivedRequest) -> Answer:
        if page_of(request) == "3":
            return json_answer({"message": "broken"}, status=500)
        return numbered(5)(request)

    async with LoopbackServer(serve) as server, Pages(server.url, {"/x": {"get": LIST}}) as bench:
        result = await bench.call()
    assert not result.is_error
    assert len(as_array(result.structured)) == 4
    assert "[No further pages: page 3 answered 500. What came before is here.]" in result.text
    assert '{"page":3}' in result.text


async def test_a_page_that_never_comes_is_said_too() -> None:
    """A broken connection in the middle is no lost answer."""
    limits = ExecutorLimits(max_pages=9, attempts=1, max_answer_bytes=200, check_answers="ignore")

    def serve(request: ReceivedRequest) -> Answer:
        if page_of(request) == "2":
            return json_answer(["x" * 1_000])
        return numbered(5)(request)

    async with LoopbackServer(serve) as server, Pages(server.url, {"/x": {"get": LIST}}, limits) as bench:
        result = await bench.call()
    assert len(as_array(result.structured)) == 2
    assert "The answer is longer than 200 bytes" in result.text


async def test_a_page_of_another_form_ends_the_walk() -> None:
    """An object where a list was is no page of it."""

    def serve(request: ReceivedRequest) -> Answer:
        return json_answer({"data": [1]}) if page_of(request) == "2" else numbered(5)(request)

    async with LoopbackServer(serve) as server, Pages(server.url, {"/x": {"get": LIST}}) as bench:
        result = await bench.call()
    assert "another form" in result.text
    assert len(as_array(result.structured)) == 2


@pytest.mark.promise("O9")
@pytest.mark.parametrize("same", [True, False])
async def test_an_api_that_goes_in_a_circle_is_left(*, same: bool) -> None:
    """By the same page again, or by the same elements under ever new cursors."""
    count = 0

    def serve(request: ReceivedRequest) -> Answer:
        nonlocal count
        count += 1
        following = 1 + count % 2 if same else count + 100
        rows: list[Json] = [{"n": count}] if same else [{"n": 1}]
        return json_answer(rows, headers=(("link", f'<{request.path}?page={following}>; rel="next"'),))

    async with LoopbackServer(serve) as server, Pages(server.url, {"/x": {"get": LIST}}) as bench:
        result = await bench.call({"page": 1})
        assert len(server.requests) <= 3
    assert "goes in a circle" in result.text


@pytest.mark.promise("O9")
async def test_each_page_is_repeated_and_waited_for_by_itself() -> None:
    """A limit that is hit in the middle is waited out, and the walk goes on."""
    refused: list[str] = []

    def serve(request: ReceivedRequest) -> Answer:
        page = page_of(request)
        if page == "3" and not refused:
            refused.append(page)
            return json_answer({}, status=429, headers=(("retry-after", "7"),))
        return numbered(4)(request)

    async with LoopbackServer(serve) as server, Pages(server.url, {"/x": {"get": LIST}}) as bench:
        result = await bench.call()
        assert bench.clock.slept[0] >= 7
    assert len(as_array(result.structured)) == 8


async def test_a_deadline_ends_the_walk_with_what_is_there() -> None:
    """A call that nobody waits for any more sends nothing more."""

    def serve(request: ReceivedRequest) -> Answer:
        bench.clock.advance(10)
        return numbered(9)(request)

    async with LoopbackServer(serve) as server, Pages(server.url, {"/x": {"get": LIST}}) as bench:
        result = await bench.call(deadline=bench.clock.monotonic() + 25)
        assert len(server.requests) <= 4
    assert not result.is_error
    assert "No further pages: page 4 failed" in result.text


ONE_REPO: JsonObject = {
    "/repos/{repo}/issues": {
        "parameters": [
            {"name": "repo", "in": "path", "required": True, "schema": {"type": "string"}},
            {"name": "x-tenant", "in": "header", "schema": {"type": "string"}},
        ],
        "get": {"operationId": "list"},
    },
    "/repositories/{id}/issues": {
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
        "get": {"operationId": "list_by_id"},
    },
    "/admin/export": {"get": {"operationId": "export"}},
}


@pytest.mark.promise("O11")
@pytest.mark.parametrize(
    ("link", "followed"),
    [
        ("/repositories/7/issues?after=1", True),
        ("/repos/r/issues?after=1", True),
        ("/repos/r/issues?x-tenant=other", True),
        ("/repos/other/issues", False),
        ("/admin/export", False),
        ("/admin/export?after=1", False),
        ("/repos/r/%2e%2e/%2e%2e/admin/export?after=1", False),
        ("/repos/%252e%252e/issues", False),
        ("/repos/r/..%2f..%2fadmin/export", False),
        ("http://other.test/repos/r/issues?after=1", False),
        ("http://[bad?after=1", False),
    ],
)
async def test_a_link_leads_to_no_other_call(link: str, *, followed: bool) -> None:
    """Its query is put behind the path that was asked for: no other path, no other tool, no header."""

    def serve(request: ReceivedRequest) -> Answer:
        if request.query:
            return json_answer([2])
        return json_answer([1], headers=(("link", f'<{link}>; rel="next"'),))

    async with LoopbackServer(serve) as server, Pages(server.url, ONE_REPO) as bench:
        result = await bench.call({"repo": "r"})
        assert {request.path for request in server.requests} == {"/repos/r/issues"}
        assert {request.header("x-tenant") for request in server.requests} == {None}
    assert result.structured == ([1, 2] if followed else [1])


@pytest.mark.promise("O9")
async def test_a_link_that_repeats_the_key_is_followed_without_it() -> None:
    """The credential in the query is put there anew."""

    def serve(request: ReceivedRequest) -> Answer:
        if "cursor" in dict(request.query):
            return json_answer([2])
        return json_answer([1], headers=(("link", f'<{request.target}&cursor=abc>; rel="next"'),))

    async with LoopbackServer(serve) as server:
        registry = ToolRegistry()
        registry.add_document(
            {"openapi": "3.1.0", "info": {"title": "P"}, "paths": {"/x": {"get": {"operationId": "list"}}}},
            namespace="p",
            options=DocumentOptions(base_url=server.url, credentials={"query:api_key": "mine"}),
        )
        executor = ToolExecutor(registry, secrets=MemorySecrets({"mine": "very-secret-key"}))
        context = replace(make_call(), max_pages=3)
        result = await executor.execute(ToolCall(id="c", name="p.list"), context)
        await executor.aclose()
        assert server.requests[1].target == "/x?cursor=abc&api_key=very-secret-key"
    assert result.structured == [1, 2]


async def test_a_call_that_changes_something_is_never_made_again_for_more() -> None:
    """Whatever its answer links to."""
    answer = json_answer([1], headers=(("link", '</x?page=2>; rel="next"'),))
    async with (
        LoopbackServer(lambda _: answer) as server,
        Pages(server.url, {"/x": {"post": {**LIST, "operationId": "list"}}}) as bench,
    ):
        result = await bench.call()
        assert len(server.requests) == 1
    assert "There is more" not in result.text


@pytest.mark.promise("O8")
async def test_pages_of_a_real_document_are_gathered() -> None:
    """The shipped document of GitHub, against the stand-in: its own links, its own parameters."""
    async with GitHubStandIn(owner="acme", repo="notes") as github:
        for number in range(7):
            github.add_issue(f"Issue {number}")
        registry = ToolRegistry()
        await registry.add(
            builtin_document("github")[0],
            namespace="github",
            options=DocumentOptions(base_url=github.url, credential="token"),
        )
        executor = ToolExecutor(registry, secrets=MemorySecrets({"token": github.token}))
        call = ToolCall(
            id="c",
            name="github.issues_list",
            arguments='{"owner": "acme", "repo": "notes", "per_page": 3}',
        )
        result = await executor.execute(call, replace(make_call(), max_pages=9))
        await executor.aclose()
    assert [as_object(row)["number"] for row in as_array(result.structured)] == [7, 6, 5, 4, 3, 2, 1]
