"""By which names a gateway may be called, from which pages, and when a network has guessed enough."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from interlock_api.testing import talk
from interlock_core.errors import OperatorError
from interlock_core.jsontypes import as_object, parse_json
from interlock_runtime import KeyRequest

if TYPE_CHECKING:
    from .conftest import Gate, MakeGate

PATHS = ("/", "/healthz", "/readyz", "/metrics", "/v1/models", "/api/session", "/openapi.json", "/mcp", "/no")


async def status(gate: "Gate", path: str, *headers: str, key: str | None = None) -> int:
    """How a bare request is answered."""
    lines = [f"GET {path} HTTP/1.1", "connection: close", *headers]
    lines += [f"x-api-key: {key or gate.key}"]
    (answer,) = await talk(gate.port, "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
    assert "access-control-allow-origin" not in dict(answer.headers)
    return answer.status


@pytest.mark.promise("A10")
@pytest.mark.parametrize("path", PATHS)
async def test_on_every_path_the_host_must_be_this_server(gate: "Gate", path: str) -> None:
    """Also where no key is needed, and before anything is said of the path."""
    for host in ("evil.example", "localhost.evil.example", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433"):
        assert await status(gate, path, f"host: {host}") == 421
        assert await status(gate, path, f"host: {host}:{gate.port}") == 421
    for host in (
        "localhost/x",
        "localhost?x",
        "x@localhost",
        "localhost#",
        "localhost\\x",
        "a,b",
        "",
        "local host",
    ):
        assert await status(gate, path, f"host: {host}") == 400
    for host in ("localhost", "LOCALHOST:1", f"127.0.0.1:{gate.port}", "[::1]:1"):
        assert await status(gate, path, f"host: {host}") not in {400, 421} or path == "/mcp"


@pytest.mark.promise("A10")
async def test_the_operator_names_further_hosts(make_gate: "MakeGate") -> None:
    """On loopback beside this machine's own names; elsewhere they are the only ones."""
    async with make_gate(hosts=("Gateway.example",)) as gate:
        assert await status(gate, "/healthz", "host: gateway.example:443") == 200
        assert await status(gate, "/healthz", "host: localhost") == 200
        assert await status(gate, "/healthz", "host: evil.example") == 421
    async with make_gate(host="192.0.2.1") as gate:
        assert await status(gate, "/healthz", "host: anything.example") == 200
        assert await status(gate, "/healthz", "host: any@thing") == 400
    async with make_gate(host="192.0.2.1", hosts=("gateway.example",)) as gate:
        assert await status(gate, "/healthz", "host: gateway.example") == 200
        assert await status(gate, "/healthz", "host: localhost") == 421


async def test_a_client_of_http_1_0_needs_no_host(gate: "Gate") -> None:
    """Such as what asks whether the server is well."""
    (answer,) = await talk(gate.port, b"GET /healthz HTTP/1.0\r\n\r\n")
    assert answer.status == 200


@pytest.mark.promise("A10")
@pytest.mark.parametrize("path", PATHS)
async def test_pages_of_strangers_are_refused_on_every_path(make_gate: "MakeGate", path: str) -> None:
    """With a good key as well; the server's own pages and the operator's origins are answered."""
    async with make_gate(origins=("app://desk", "https://desk.example/")) as gate:
        host = f"host: 127.0.0.1:{gate.port}"
        for origin in (
            *(
                "https://evil.example",
                "null",
                "file://",
                "http://localhost",
                f"https://127.0.0.1:{gate.port}",
            ),
            *(f"http://127.0.0.1:{gate.port}.evil.example", "https://desk.example.evil.example", ""),
            *("http://desk.example", "https://desk.example:444", "chrome-extension://abc"),
        ):
            assert await status(gate, path, host, f"origin: {origin}") == 403
        for origin in (f"http://127.0.0.1:{gate.port}", "app://desk", "https://desk.example"):
            assert await status(gate, path, host, f"origin: {origin}") != 403
        twice = (host, "origin: app://desk", "origin: app://desk")
        assert await status(gate, path, *twice) == 403


@pytest.mark.promise("A9")
async def test_a_network_that_guesses_is_told_when_to_come_back(make_gate: "MakeGate") -> None:
    """In the dialect of each endpoint; a key that was right from there before goes on working."""
    async with make_gate(max_wrong_keys=3) as gate:
        assert (await gate.ask("GET", "/v1/models")).status == 200
        other = str((await gate.runtime.access.create_key(KeyRequest(name="new")))["key"])
        wrong = "ilk_" + "A" * 43
        assert [(await gate.ask("GET", "/v1/models", key=wrong)).status for _ in range(3)] == [401] * 3
        for path in ("/v1/models", "/v1/messages", "/api/session", "/mcp"):
            for key in (wrong, other, "nonsense"):
                answer = await gate.ask("GET", path, key=key)
                assert answer.status == 429
                assert 0 < int(dict(answer.headers)["retry-after"]) <= 30
        assert (await gate.ask("GET", "/v1/models")).status == 200
        assert (await gate.ask("GET", "/healthz", key=None)).status == 200


@pytest.mark.promise("A9")
@pytest.mark.parametrize(
    "fault", [RuntimeError("broken"), MemoryError(), OperatorError("broken"), KeyError("x")]
)
async def test_whatever_fails_while_a_key_is_looked_up_nobody_is_let_in(
    gate: "Gate", monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """503 on every path that needs a key, without a word of the fault."""

    async def failing(*args: object, **more: object) -> None:
        raise fault

    monkeypatch.setattr(gate.runtime.access, "authenticate", failing)
    for path in ("/v1/models", "/api/session", "/api/keys", "/mcp", "/metrics", "/openapi.json"):
        answer = await gate.ask("GET", path)
        assert answer.status == 503
        assert b"broken" not in answer.body


@pytest.mark.promise("A9")
async def test_a_key_revoked_at_one_gateway_is_refused_by_another(make_gate: "MakeGate") -> None:
    """Two on one store, both with the key in memory; a disabled user likewise.

    That it takes less than a second is a test of the keys themselves, on a clock that stands still.
    """
    async with make_gate() as first, make_gate() as second:
        made = await first.runtime.access.create_key(KeyRequest(name="k", user="bob"))
        again = await first.runtime.access.create_key(KeyRequest(name="k2", user="eve"))
        for key in (str(made["key"]), str(again["key"])):
            for gate in (first, second):
                assert (await gate.ask("GET", "/v1/models", key=key)).status == 200
        await first.runtime.access.revoke_key(str(made["id"]))
        await first.runtime.access.people.disable("eve")
        async with asyncio.timeout(20):
            for key in (str(made["key"]), str(again["key"])):
                assert (await first.ask("GET", "/v1/models", key=key)).status == 401
                while (await second.ask("GET", "/v1/models", key=key)).status != 401:
                    pass
        assert as_object(parse_json((await second.ask("GET", "/api/session")).body))["user"] == "admin"
