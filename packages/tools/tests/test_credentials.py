"""Credentials are placed as documents say, only at addresses the operator named, and never come back."""

import base64
import json
from collections.abc import Mapping

import pytest

from interlock_core import Json, JsonObject, ToolCall, ToolResult
from interlock_core.errors import EgressRefusedError
from interlock_core.http import Egress, HttpClient
from interlock_core.testing import (
    Answer,
    LoopbackServer,
    MemorySecrets,
    ReceivedRequest,
    json_answer,
    make_call,
)
from interlock_tools import (
    DocumentBundle,
    DocumentOptions,
    ToolExecutor,
    ToolRegistry,
    gather_document,
    load_document,
)

pytestmark = pytest.mark.promise("O11", "O15")

SECRET = "s3cr3t-value/with+odd=characters"
SECRETS = {"one": SECRET, "two": "second-secret", "pair": "user:pass", "broken": "a\nb", "empty": " "}
SECRETS["half"] = "abc\udcffdefgh"
SCHEMES: JsonObject = {
    "header": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "query": {"type": "apiKey", "in": "query", "name": "key"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "session"},
    "basic": {"type": "http", "scheme": "Basic"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "flow": {"type": "oauth2", "flows": {}},
    "oidc": {"type": "openIdConnect", "openIdConnectUrl": "https://x.example"},
    "cert": {"type": "mutualTLS"},
    "hawk": {"type": "http", "scheme": "Hawk"},
    "odd": {"type": "own"},
    "nowhere": {"type": "apiKey"},
}


async def at_once(seconds: float) -> None:
    """Wait for nothing."""


async def called(
    server: LoopbackServer,
    security: Json,
    *,
    credential: str | None = None,
    credentials: Mapping[str, str] | None = None,
    operation: JsonObject | None = None,
    arguments: JsonObject | None = None,
    schemes: JsonObject | None = None,
) -> ToolResult:
    """The result of one call with these credentials."""
    own: JsonObject = {"operationId": "x", **(operation or {})}
    if security is not None:
        own["security"] = security
    document: JsonObject = {
        "openapi": "3.1.0",
        "paths": {"/x": {"get": own}},
        "components": {"securitySchemes": SCHEMES if schemes is None else schemes},
    }
    registry = ToolRegistry()
    options = DocumentOptions(base_url=server.url, credential=credential, credentials=credentials or {})
    registry.add_document(document, namespace="n", options=options)
    executor = ToolExecutor(registry, secrets=MemorySecrets(SECRETS), sleep=at_once)
    try:
        call = ToolCall(id="c", name="n.x", arguments=json.dumps(arguments or {}))
        return await executor.execute(call, make_call())
    finally:
        await executor.aclose()


@pytest.mark.parametrize(
    ("scheme", "secret", "where", "expected"),
    [
        ("header", "one", "x-key", SECRET),
        ("basic", "pair", "authorization", "Basic " + base64.b64encode(b"user:pass").decode()),
        ("basic", "two", "authorization", "Basic " + base64.b64encode(b"second-secret:").decode()),
        ("bearer", "one", "authorization", f"Bearer {SECRET}"),
        ("flow", "one", "authorization", f"Bearer {SECRET}"),
        ("oidc", "one", "authorization", f"Bearer {SECRET}"),
        ("cookie", "one", "cookie", "session=s3cr3t-value%2Fwith%2Bodd%3Dcharacters"),
        ("query", "one", "", "/x?key=s3cr3t-value%2Fwith%2Bodd%3Dcharacters"),
    ],
)
async def test_every_scheme_is_placed_as_it_says(scheme: str, secret: str, where: str, expected: str) -> None:
    """By its name, and as the only credential of the document."""
    for given in ({"credentials": {scheme: secret}}, {"credential": secret}):
        async with LoopbackServer() as server:
            named = given.get("credentials")
            one = given.get("credential")
            result = await called(
                server,
                [{scheme: []}],
                credential=one if isinstance(one, str) else None,
                credentials=named if isinstance(named, dict) else None,
            )
            request = server.requests[0]
        assert not result.is_error
        assert (request.header(where) if where else request.target) == expected
        assert SECRETS[secret] not in repr(result)


ALTERNATIVES: list[tuple[Json, dict[str, str], set[str]]] = [
    ([{"header": [], "query": []}], {"header": "one", "query": "two"}, {"header", "query"}),
    ([{"header": [], "query": []}, {"bearer": []}], {"query": "two", "bearer": "one"}, {"bearer"}),
    ([{"header": []}, {"bearer": []}], {"header": "one", "bearer": "two"}, {"header"}),
    ([{}, {"header": []}], {"header": "one"}, {"header"}),
    ([{"cert": []}, {"header": []}], {"header": "one"}, {"header"}),
    ([{"header": []}], {}, set()),
    ([], {"header": "one"}, set()),
    (None, {"header": "one"}, {"header"}),
    (None, {"bearer": "one"}, {"bearer"}),
    (None, {"header:X-Key": "one"}, {"header"}),
    ([{"bearer": []}], {"query:key": "one"}, {"query"}),
    ([{"flow": ["read", "write"]}, {"header": []}], {"flow": "one", "header": "two"}, {"header"}),
    (
        [{"flow": ["write", "read"]}, {"oidc": ["read"], "header": []}],
        {"flow": "one", "header": "two"},
        {"bearer"},
    ),
    (
        [{"header": [], "query": []}, {"bearer": []}],
        {"header": "one", "query": "two", "bearer": "one"},
        {"bearer"},
    ),
]


@pytest.mark.parametrize(("security", "credentials", "placed"), ALTERNATIVES)
async def test_of_the_alternatives_that_are_whole_the_least_counts(
    security: Json, credentials: dict[str, str], placed: set[str]
) -> None:
    """Fewest scopes, then fewest schemes, then the first; what the operator places himself comes on top."""
    async with LoopbackServer() as server:
        result = await called(server, security, credentials=credentials)
        request = server.requests[0]
    found = {
        name
        for name, there in (
            ("header", request.header("x-key")),
            ("query", "key=" in request.target),
            ("bearer", request.header("authorization")),
        )
        if there
    }
    assert not result.is_error
    assert found == placed


OVERRIDES: list[tuple[Json, str | None, bool]] = [
    (None, SECRET, False),
    ([], None, False),
    ([{"query": []}], None, True),
    ([{}], None, False),
]


@pytest.mark.parametrize(("own", "key", "query"), OVERRIDES)
async def test_an_operation_says_otherwise_than_its_document(own: Json, key: str | None, query: bool) -> None:
    """Its own requirements take the place of the document's; an empty list means that it is open to all."""
    operation: JsonObject = {"operationId": "x"}
    if own is not None:
        operation["security"] = own
    document: JsonObject = {
        "openapi": "3.1.0",
        "paths": {"/x": {"get": operation}},
        "components": {"securitySchemes": SCHEMES},
        "security": [{"header": []}],
    }
    async with LoopbackServer() as server:
        registry = ToolRegistry()
        options = DocumentOptions(base_url=server.url, credentials={"header": "one", "query": "two"})
        registry.add_document(document, namespace="n", options=options)
        executor = ToolExecutor(registry, secrets=MemorySecrets(SECRETS))
        await executor.execute(ToolCall(id="c", name="n.x"), make_call())
        await executor.aclose()
        (request,) = server.requests
    assert request.header("x-key") == key
    assert ("key=" in request.target) == query


async def test_one_credential_is_not_used_for_two_things() -> None:
    """For two schemes together it is no guess; for a document without security it is the first scheme's."""
    async with LoopbackServer() as server:
        await called(server, [{"header": [], "query": []}], credential="one")
        await called(server, None, credential="one")
    assert [request.header("x-key") for request in server.requests] == [None, SECRET]


async def test_a_document_without_schemes_gets_a_bearer_token() -> None:
    """Because that is what most such APIs take."""
    async with LoopbackServer() as server:
        await called(server, None, credential="one", schemes={})
        assert server.requests[0].header("authorization") == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        ("cert", "mutualTLS"),
        ("hawk", "HTTP scheme hawk"),
        ("odd", "unknown type"),
        ("nowhere", "does not say where"),
    ],
)
async def test_a_scheme_that_cannot_be_placed_is_refused_with_a_reason(scheme: str, said: str) -> None:
    """Nothing is sent."""
    async with LoopbackServer() as server:
        result = await called(server, [{scheme: []}], credential="one")
        assert server.requests == []
    assert (result.is_error, result.error_code) == (True, "unsupported")
    assert said in result.text


@pytest.mark.parametrize(
    ("credentials", "code"),
    [
        ({"bearer": "absent"}, "configuration"),
        ({"bearer": "broken"}, "configuration"),
        ({"bearer": "empty"}, "configuration"),
        ({"unknown": "one"}, "configuration"),
        ({"header:": "one"}, "configuration"),
    ],
)
async def test_a_credential_that_cannot_stand_in_a_request_is_the_operators_error(
    credentials: dict[str, str], code: str
) -> None:
    """The secret itself is not repeated."""
    async with LoopbackServer() as server:
        result = await called(server, [{"bearer": []}], credentials=credentials)
        assert server.requests == []
    assert (result.is_error, result.error_code) == (True, code)
    assert "a\nb" not in result.text


async def test_a_credential_takes_the_place_of_an_argument_of_the_same_name() -> None:
    """In header, query and cookie."""
    names = {"X-Key": "header", "key": "query", "session": "cookie"}
    parameters: list[Json] = [
        {"name": name, "in": where, "schema": {"type": "string"}} for name, where in names.items()
    ]
    parameters.append({"name": "other", "in": "cookie", "schema": {"type": "string"}})
    parameters.append({"name": "q", "in": "query", "schema": {"type": "string"}})
    arguments: JsonObject = {**dict.fromkeys(names, "forged"), "other": "kept", "q": "kept"}
    async with LoopbackServer() as server:
        await called(
            server,
            [{"header": [], "query": [], "cookie": []}],
            credentials=dict.fromkeys(("header", "query", "cookie"), "two"),
            operation={"parameters": parameters},
            arguments=arguments,
        )
        request = server.requests[0]
    assert request.header("x-key") == "second-secret"
    assert request.target == "/x?q=kept&key=second-secret"
    assert request.header("cookie") == "other=kept; session=second-secret"
    assert "forged" not in repr(request)


async def test_an_answer_that_repeats_the_credential_is_cleaned() -> None:
    """In keys, values, texts and errors, plain, percent-encoded and escaped."""
    forms: JsonObject = {
        "plain": SECRET,
        SECRET: [SECRET],
        "percent": "s3cr3t-value%2Fwith%2Bodd%3Dcharacters",
    }
    for answer in (
        json_answer(forms),
        json_answer({"message": f"bad key {SECRET}", "errors": [SECRET]}, status=401),
        Answer(status=500, body=SECRET.encode()),
        Answer(headers=(("content-type", "text/html"),), body=f"<p>{SECRET}</p>".encode()),
        Answer(headers=(("content-type", "image/png"),), body=b"\x89" + SECRET.encode()),
        Answer(headers=(("content-type", "application/pdf"),), body=SECRET.encode()),
    ):
        async with LoopbackServer(lambda _, answer=answer: answer) as server:
            result = await called(server, [{"bearer": []}], credential="one")
        assert SECRET not in repr(result)
        assert "s3cr3t-value%2F" not in repr(result)


async def test_an_error_of_the_connection_names_no_credential() -> None:
    """A key in the query does not reach a message."""
    async with LoopbackServer() as server:
        url = server.url
    closed = LoopbackServer()
    closed.port = int(url.rpartition(":")[2])
    result = await called(closed, [{"query": []}], credential="one")
    assert result.is_error
    assert "s3cr3t" not in result.text


async def test_the_dry_run_shows_no_credential() -> None:
    """It is not part of what is prepared."""
    registry = ToolRegistry()
    document: JsonObject = {"openapi": "3.0.0", "paths": {"/x": {"get": {"operationId": "x"}}}}
    options = DocumentOptions(base_url="https://api.example", credential="one")
    registry.add_document(document, namespace="n", options=options)
    executor = ToolExecutor(registry, secrets=MemorySecrets(SECRETS))
    prepared = await executor.dry_run(ToolCall(id="c", name="n.x"), make_call())
    assert "s3cr3t" not in repr(prepared)


async def test_a_credential_goes_only_where_the_operator_named_the_address() -> None:
    """What a document says of its servers names nothing; what the operator lists does."""
    document: JsonObject = {
        "openapi": "3.0.0",
        "paths": {"/x": {"get": {"operationId": "x"}}},
        "servers": [{"url": "https://evil.example"}],
    }
    registry = ToolRegistry()
    registry.add_document(document, namespace="n", options=DocumentOptions(credential="one"))
    listed = DocumentOptions(credential="one", credential_origins=("https://evil.example",))
    registry.add_document(document, namespace="m", options=listed)
    executor = ToolExecutor(registry)
    result = await executor.execute(ToolCall(id="c", name="n.x"), make_call())
    assert result.error_code == "configuration"
    assert "only the document names it" in result.text
    result = await executor.execute(ToolCall(id="c", name="m.x"), make_call())
    assert "no store of secrets" in result.text


async def test_the_address_of_a_document_is_one_that_the_operator_named() -> None:
    """A relative server lives there, and gets the credential."""
    document: JsonObject = {
        "openapi": "3.0.0",
        "paths": {"/x": {"get": {"operationId": "x"}}},
        "servers": [{"url": "/api"}],
    }

    def serve(request: ReceivedRequest) -> Answer:
        return json_answer(document if request.path == "/docs/openapi.json" else {})

    from interlock_core.http import Egress
    from interlock_core.testing import client_for

    async with LoopbackServer(serve) as server, client_for(server) as client:
        registry = ToolRegistry(client=client)
        options = DocumentOptions(credential="one")
        await registry.add(f"{server.url}/docs/openapi.json", namespace="n", options=options)
        egress = Egress(allowed_origins=[server.url])
        executor = ToolExecutor(registry, secrets=MemorySecrets(SECRETS), egress=egress)
        await executor.execute(ToolCall(id="c", name="n.x"), make_call())
        await executor.aclose()
        assert server.requests[-1].path == "/api/x"
        assert server.requests[-1].header("authorization") == f"Bearer {SECRET}"


async def test_an_answer_that_wants_a_credential_says_that_none_is_configured() -> None:
    """So that the operator knows what to do."""
    async with LoopbackServer(lambda _: Answer(status=401)) as server:
        result = await called(server, [{"bearer": []}])
    assert "No credential is configured for n" in result.text


@pytest.mark.parametrize("location", ["http://169.254.169.254/", "file:///etc/passwd", "{other}/x"])
async def test_a_credential_does_not_follow_a_redirect_to_another_origin(location: str) -> None:
    """The redirect is refused as what it is, by name of the host."""
    async with LoopbackServer() as other:
        target = location.format(other=other.url)
        answer = Answer(status=307, headers=(("location", target),))
        async with LoopbackServer(lambda _: answer) as server:
            with pytest.raises(EgressRefusedError):
                await called(server, [{"bearer": []}], credential="one")
        assert other.requests == []
        assert other.connections == 0


async def test_a_document_that_was_moved_does_not_say_where_its_credential_goes() -> None:
    """The operator named the address that was asked, not the one that its server led on to."""
    document: JsonObject = {
        "openapi": "3.1.0",
        "info": {"title": "D"},
        "servers": [{"url": "/"}],
        "paths": {"/x": {"get": {"operationId": "x"}}},
    }
    async with LoopbackServer(lambda _: json_answer(document)) as other:
        moved = Answer(status=302, headers=(("location", f"{other.url}/doc.json"),))
        async with LoopbackServer(lambda _: moved) as asked:
            egress = Egress(allowed_origins=[asked.url, other.url])
            source = f"{asked.url}/doc.json"
            async with HttpClient(egress=egress) as client:
                bundle = await gather_document(source, client=client)
                loaded = await load_document(source, client=client)
                registry = ToolRegistry(client=client)
                options = DocumentOptions(credential="one")
                await registry.add(source, namespace="url", options=options)
            stored = DocumentBundle.unpacked(bundle.packed())
            registry.add_bundle(stored, namespace="bundle", options=options)
            registry.add_document(loaded, namespace="loaded", options=options)
            executor = ToolExecutor(registry, secrets=MemorySecrets(SECRETS), egress=egress)
            for namespace in ("url", "bundle", "loaded"):
                result = await executor.execute(ToolCall(id="c", name=f"{namespace}.x"), make_call())
                assert (result.is_error, result.error_code) == (True, "configuration")
            await executor.aclose()
        assert {request.path for request in other.requests} == {"/doc.json"}


@pytest.mark.parametrize("scheme", ["header", "query", "basic", "cookie"])
async def test_a_secret_with_half_a_character_is_refused_without_being_told(scheme: str) -> None:
    """As one is that was read as something else than UTF-8."""
    async with LoopbackServer() as server:
        result = await called(server, [{scheme: []}], credential="half")
        assert server.requests == []
    assert (result.is_error, result.error_code) == (True, "configuration")
    assert "abc" not in repr(result)
