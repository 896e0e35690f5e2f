"""The attacks on tools, run: parameters, servers and redirects of a call, and documents that are loaded.

Each word of a case's `holds` is a check; a word without a check fails. `../integration/cases/attacks.md`
says what the words demand.
"""

import asyncio
import json
import socket
import sys
import tomllib
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, cast
from urllib.parse import parse_qsl, unquote

import pytest

from interlock_core import Json, JsonObject, ToolCall
from interlock_core.errors import EgressRefusedError, InterlockError
from interlock_core.http import Egress
from interlock_core.jsontypes import as_object
from interlock_core.testing import (
    Answer,
    LoopbackServer,
    MemorySecrets,
    ReceivedRequest,
    json_answer,
    make_call,
)
from interlock_tools import DocumentOptions, ToolExecutor, ToolRegistry

Case: TypeAlias = dict[str, object]

FILE = Path(__file__).parent / "cases.toml"
CASES = cast("list[Case]", tomllib.loads(FILE.read_text(encoding="utf-8"))["case"])
CANARY = "canary-90d1be5577aa"


def of(surface: str) -> list[object]:
    """The cases of a surface, by id."""
    return [pytest.param(case, id=str(case["id"])) for case in CASES if case["surface"] == surface]


def holds(case: Case) -> list[str]:
    """What must be true afterwards."""
    return cast("list[str]", case["holds"])


# ---- what is dialled


class Dialled:
    """Every address that this process connects to while it is watched; only loopback is let through."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.watching = False

    def hook(self, event: str, arguments: tuple[object, ...]) -> None:
        """Note a connection before it is made."""
        if not self.watching or event != "socket.connect" or not isinstance(arguments[1], tuple):
            return
        host = str(cast("tuple[object, ...]", arguments[1])[0])
        self.addresses.append(host)
        if host not in {"127.0.0.1", "::1"}:
            raise ConnectionRefusedError("no traffic leaves the machine in a test")


DIALLED = Dialled()
sys.addaudithook(DIALLED.hook)


@pytest.fixture(autouse=True)
def dialled() -> Iterator[Dialled]:
    """Watch what is dialled."""
    DIALLED.addresses.clear()
    DIALLED.watching = True
    yield DIALLED
    DIALLED.watching = False


class Listener:
    """Counts connections on a port of 127.0.0.1 and ::1, and keeps what they send."""

    def __init__(self) -> None:
        self.connections = 0
        self.received = b""
        self.port = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Count a connection."""
        self.connections += 1
        self.received += await reader.read(65536)
        writer.close()


@asynccontextmanager
async def listening() -> AsyncGenerator[Listener, None]:
    """A listener on a free port."""
    listener = Listener()
    serve = listener.connected
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    listener.port = int(server.sockets[0].getsockname()[1])
    try:
        six = await asyncio.start_server(serve, "::1", listener.port)
    except OSError:
        six = None
    async with server:
        yield listener
    if six is not None:
        six.close()


# ---- one call


@dataclass(slots=True, kw_only=True)
class Seen:
    """What came of one call.

    Attributes:
        requests: What the allowed server received.
        answer: What the caller was told.
        refused: It was refused before anything was sent.
        error: The error, if there was one.
        listener: What the listener counted.
    """

    requests: list[ReceivedRequest] = field(default_factory=list[ReceivedRequest])
    answer: str = ""
    refused: bool = False
    error: InterlockError | None = None
    listener: Listener = field(default_factory=Listener)


async def called(
    document: JsonObject,
    arguments: JsonObject,
    options: DocumentOptions,
    egress: Egress,
    *,
    credential: str = CANARY,
) -> Seen:
    """Load a document and call its one tool."""
    seen = Seen()
    registry = ToolRegistry()
    try:
        registry.add_document(document, namespace="api", options=options)
        (name,) = [tool.name for tool in registry.list()]
    except (InterlockError, ValueError) as error:
        seen.refused = True
        seen.error = error if isinstance(error, InterlockError) else None
        seen.answer = str(error)
        return seen
    executor = ToolExecutor(registry, secrets=MemorySecrets({"token": credential}), egress=egress)
    try:
        call = ToolCall(id="1", name=name, arguments=json.dumps(arguments))
        result = await executor.execute(call, make_call(name))
        seen.answer = result.text
        seen.refused = result.is_error and result.status is None
    except InterlockError as error:
        seen.error, seen.refused, seen.answer = error, True, str(error)
    finally:
        await executor.aclose()
    return seen


# ---- parameter


def parameter_document(case: Case, url: str) -> JsonObject:
    """One operation with the parameter where the case says."""
    where, name = str(case["in"]), str(case.get("parameter", "x"))
    path: Json = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    own: JsonObject = {"name": name, "in": where, "schema": {"type": "string"}}
    if "style" in case:
        own |= {"style": str(case["style"]), "explode": True, "schema": {"type": "object"}}
    operation: JsonObject = {"operationId": "one", "responses": {"200": {"description": "Done."}}}
    operation["parameters"] = [path] if where in {"path", "body"} else [path, own]
    if where == "body" or name == "Content-Length":
        schema: JsonObject = {
            "type": "object",
            "properties": {"title": {"type": "string"}},
            "additionalProperties": False,
        }
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    method = "post" if "requestBody" in operation else "get"
    return {
        "openapi": "3.1.0",
        "info": {"title": "API", "version": "1"},
        "servers": [{"url": url}],
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{"key": []}],
        "paths": {"/items/{id}": {method: operation}},
    }


def arguments_of(case: Case, value: Json) -> JsonObject:
    """The arguments that carry the value."""
    if case["in"] == "path":
        return {"id": value}
    if case["in"] == "body":
        return {"id": "1", **as_object(value)}
    base: JsonObject = {"id": "1", str(case.get("parameter", "x")): value}
    return base | ({"title": "t"} if case.get("parameter") == "Content-Length" else {})


async def parameter_call(case: Case, value: Json, *, plain: bool = False) -> Seen:
    """The call of one case; a plain one leaves the parameter out."""
    async with LoopbackServer(lambda _: json_answer({})) as server, listening() as listener:
        arguments = arguments_of(case, value)
        if plain and case["in"] not in {"path", "body"}:
            arguments.pop(str(case.get("parameter", "x")))
        options = DocumentOptions(base_url=server.url, credential="token")
        seen = await called(parameter_document(case, server.url), arguments, options, Egress())
        seen.requests, seen.listener = list(server.requests), listener
    return seen


def decoded_segments(request: ReceivedRequest) -> list[str]:
    """The segments of the path, each decoded once: an encoded slash is part of its segment."""
    return [unquote(segment) for segment in request.path.split("/")[1:]]


def names_of_headers(request: ReceivedRequest) -> set[str]:
    """Names of headers, lower case."""
    return {name.lower() for name, _ in request.headers}


def cookies(request: ReceivedRequest) -> list[str]:
    """Names of cookies."""
    line = request.header("cookie") or ""
    return [part.partition("=")[0].strip() for part in line.split(";") if part.strip()]


def parameter_word(word: str, case: Case, seen: Seen, plain: Seen) -> bool:
    """Whether one word holds for a call that was sent."""
    (request,), (usual,) = seen.requests, plain.requests
    own = str(case.get("parameter", "x")).lower()
    checks: dict[str, Callable[[], bool]] = {
        "same-origin": lambda: seen.listener.connections == 0 and set(DIALLED.addresses) <= {"127.0.0.1"},
        "same-segments": lambda: (
            len(decoded_segments(request)) == 2
            and decoded_segments(request)[0] == "items"
            and decoded_segments(request)[1] not in {".", ".."}
        ),
        "same-query": lambda: request.query == (),
        "same-query-names": lambda: names_in_query(request) <= {"x"},
        "same-cookies": lambda: cookies(request) in ([], ["x"]),
        "one-request": lambda: len(seen.requests) == 1,
        "no-new-header": lambda: names_of_headers(request) <= names_of_headers(usual) | {own, "cookie"},
        "credential-unchanged": lambda: values(request, "authorization") == [f"Bearer {CANARY}"],
        "host-unchanged": lambda: (
            len(values(request, "host")) == 1 and "evil" not in values(request, "host")[0]
        ),
        "body-unchanged": lambda: request.body == usual.body,
        "or-refused": lambda: True,
        "refused": lambda: False,
    }
    return checks[word]()


def names_in_query(request: ReceivedRequest) -> set[str]:
    """Names in the query; `x[key]` is the way of an object to be `x`."""
    pairs = parse_qsl(request.target.partition("?")[2], keep_blank_values=True)
    whole = {name for name, _ in pairs}
    return {"x" if name.startswith("x[") and len(whole) == 1 else name for name in whole}


def values(request: ReceivedRequest, name: str) -> list[str]:
    """Every value of a header."""
    return [value for key, value in request.headers if key.lower() == name]


@pytest.mark.parametrize("case", of("parameter"))
async def test_a_parameter_stays_where_its_document_puts_it(case: Case) -> None:
    """The value changes nothing but its own place, or is refused with nothing sent."""
    body = {"title": "t"} if case["in"] == "body" else "7"
    plain = await parameter_call(case, cast("Json", body), plain=True)
    assert len(plain.requests) == 1, plain.answer
    seen = await parameter_call(case, cast("Json", case["value"]))
    if not seen.requests:
        assert seen.refused
        assert {"refused", "or-refused"} & set(holds(case)) or "unchanged" in str(holds(case))
        assert "Traceback" not in seen.answer
        return
    assert {word: parameter_word(word, case, seen, plain) for word in holds(case)} == dict.fromkeys(
        holds(case), True
    )


# ---- server


def one_operation(server: JsonObject, *, method: str = "get") -> JsonObject:
    """A document with one operation without parameters."""
    operation: JsonObject = {"operationId": "one", "responses": {"200": {"description": "Done."}}}
    if method == "post":
        operation["requestBody"] = {"content": {"application/json": {"schema": {"type": "object"}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "API", "version": "1"},
        "servers": [server],
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{"key": []}],
        "paths": {"/one": {method: operation}},
    }


class Names:
    """A resolver double: what it answers, call by call, the last answer for ever."""

    def __init__(self, answers: Sequence[Sequence[str]]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The next answer."""
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if not answer:
            raise socket.gaierror(f"{host}:{port} is not known")
        return answer


def server_word(word: str, seen: Seen, names: Names) -> bool:
    """Whether one word holds for a call to a server of a document."""
    checks: dict[str, Callable[[], bool]] = {
        "no-connection": lambda: seen.listener.connections == 0 and DIALLED.addresses == [],
        "refused-as-egress": lambda: isinstance(seen.error, EgressRefusedError) and bool(seen.error.message),
        "no-connection-to-loopback": lambda: (
            seen.listener.connections == 0 and not {"127.0.0.1", "::1"} & set(DIALLED.addresses)
        ),
        "resolved-once": lambda: [*names.answers[0]] == DIALLED.addresses,
        "refused": lambda: seen.refused,
        "canary-not-sent": lambda: DIALLED.addresses == [] and seen.listener.received == b"",
    }
    return checks[word]()


@pytest.mark.parametrize("case", of("server"))
async def test_an_address_that_only_a_document_names_is_guarded(case: Case) -> None:
    """Nothing private is dialled, however it is written, and no credential goes where it does not belong."""
    names = Names(cast("list[list[str]]", case.get("resolves", [["127.0.0.1"]])))
    for raw in cast("list[str]", case.get("urls") or [case["url"]]):
        DIALLED.addresses.clear()
        async with listening() as listener:
            server: JsonObject = {"url": raw.replace("{port}", str(listener.port))}
            given = cast("dict[str, str]", case.get("variables", {}))
            if given:
                server["variables"] = {
                    name: {"default": value.replace("{port}", str(listener.port))}
                    for name, value in given.items()
                }
            options = DocumentOptions(credential="token" if "credential" in case else None)
            seen = await called(one_operation(server), {}, options, Egress(resolver=names))
            seen.listener = listener
        assert {word: server_word(word, seen, names) for word in holds(case)} == dict.fromkeys(
            holds(case), True
        ), (raw, seen.answer)
        assert CANARY not in seen.answer


# ---- redirect


def redirect_word(word: str, seen: Seen) -> bool:
    """Whether one word holds for a call that was redirected."""
    checks: dict[str, Callable[[], bool]] = {
        "no-connection": lambda: seen.listener.connections == 0 and set(DIALLED.addresses) <= {"127.0.0.1"},
        "refused-as-egress": lambda: isinstance(seen.error, EgressRefusedError),
        "canary-not-sent": lambda: CANARY.encode() not in seen.listener.received,
        "at-most-10-requests": lambda: len(seen.requests) <= 10,
        "refused": lambda: seen.refused or seen.error is not None,
        "body-not-sent-elsewhere": lambda: b"secret-body" not in seen.listener.received,
    }
    return checks[word]()


@pytest.mark.parametrize("case", of("redirect"))
async def test_a_redirect_is_judged_like_a_new_address(case: Case) -> None:
    """It reaches nothing private, and neither credential nor body goes to another origin."""
    method = str(case.get("method", "GET")).lower()
    async with listening() as listener:
        location = str(case["location"]).replace("{port}", str(listener.port))
        answer = Answer(status=cast("int", case["status"]), headers=(("location", location),))
        async with LoopbackServer(lambda _: answer) as server:
            options = DocumentOptions(base_url=server.url, credential="token")
            egress = Egress(resolver=Names([["127.0.0.1"]]))
            arguments: JsonObject = {"body": {"note": "secret-body"}} if method == "post" else {}
            document = one_operation({"url": server.url}, method=method)
            seen = await called(document, arguments, options, egress)
            seen.requests, seen.listener = list(server.requests), listener
    assert seen.requests, seen.answer
    assert {word: redirect_word(word, seen) for word in holds(case)} == dict.fromkeys(holds(case), True), (
        seen.answer
    )
    assert CANARY not in seen.answer
