"""Who may use the gateway, and what a path answers."""

import json
import logging
import sqlite3
from typing import TYPE_CHECKING

import pytest

from interlock_api.testing import RawAnswer, talk
from interlock_core.jsontypes import as_object, as_text
from interlock_providers.testing import OpenAIChatServer
from interlock_runtime import KeyRequest
from interlock_runtime.settings import ProviderSettings

if TYPE_CHECKING:
    from .conftest import Gate, MakeGate

CLOSED = [
    ("GET", "/v1/models"),
    ("GET", "/v1/models/acme/sim-1"),
    ("GET", "/metrics"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/embeddings"),
    ("GET", "/v1/nothing"),
    ("DELETE", "/anything"),
    ("OPTIONS", "/v1/models"),
]


def error_of(answer: RawAnswer) -> str:
    """The words of an error."""
    return as_text(as_object(as_object(json.loads(answer.body))["error"])["message"]) or ""


async def bare(gate: "Gate", method: str, path: str, *lines: str) -> RawAnswer:
    """One request with exactly these headers."""
    head = [f"{method} {path} HTTP/1.1", "host: localhost", "connection: close", *lines]
    (answer,) = await talk(gate.port, "\r\n".join(head).encode("latin-1") + b"\r\n\r\n")
    return answer


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz"])
async def test_three_paths_need_no_key(gate: "Gate", path: str) -> None:
    """And say nothing that is worth one."""
    answer = await bare(gate, "GET", path)
    assert answer.status == 200
    assert b"/home" not in answer.body


@pytest.mark.parametrize(("method", "path"), CLOSED)
async def test_every_other_path_needs_a_key_before_anything_is_said_of_it(
    gate: "Gate", vendor: OpenAIChatServer, method: str, path: str
) -> None:
    """Also one that is not there, also to ask what it allows; the body is not awaited."""
    answer = await bare(gate, method, path, "content-length: 1000000")
    assert answer.status == 401
    assert answer.header("www-authenticate") == "Bearer"
    assert vendor.requests == []


async def test_a_key_is_taken_from_both_headers(gate: "Gate") -> None:
    """Either of them, or both when they are the same."""
    for lines in (
        [f"authorization: Bearer {gate.key}"],
        [f"authorization: bearer   {gate.key}"],
        [f"x-api-key: {gate.key}"],
        [f"x-api-key: {gate.key}", f"authorization: Bearer {gate.key}"],
        [f"x-api-key: {gate.key}", "authorization: Basic cHJveHk6cHJveHk="],
    ):
        assert (await bare(gate, "GET", "/v1/models", *lines)).status == 200


async def test_a_key_that_is_none_opens_nothing(gate: "Gate") -> None:
    """Nor does it come back in an answer."""
    wrong = gate.key[:-1] + ("A" if gate.key[-1] != "A" else "B")
    for lines in (
        [f"authorization: Bearer {wrong}"],
        [f"authorization: Basic {gate.key}"],
        [f"authorization: {gate.key}"],
        [f"authorization: Bearer {gate.key} {gate.key}"],
        [f"authorization: Bearer {gate.key}", "x-api-key: ilk_wrong"],
        [f"authorization: Bearer {gate.key}", f"authorization: Bearer {wrong}"],
        ["authorization: Bearer"],
        ["authorization: Bearer null"],
        ["x-api-key:"],
        [f"cookie: key={gate.key}"],
    ):
        answer = await bare(gate, "GET", "/v1/models", *lines)
        assert answer.status == 401, lines
        assert gate.key.encode() not in answer.body
        assert wrong.encode() not in answer.body


async def test_a_key_in_the_address_opens_nothing_and_is_not_logged(
    gate: "Gate", caplog: pytest.LogCaptureFixture
) -> None:
    """Addresses end up in logs and histories."""
    caplog.set_level(logging.DEBUG)
    path = f"/v1/models?key={gate.key}&api_key={gate.key}&access_token={gate.key}"
    assert (await bare(gate, "GET", path)).status == 401
    assert gate.key not in caplog.text


async def test_a_revoked_key_opens_nothing_on_a_connection_that_it_opened(gate: "Gate") -> None:
    """The next request on the same connection is refused."""
    made = await gate.runtime.access.create_key(KeyRequest(name="short"))
    key = as_text(made["key"]) or ""
    request = f"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nx-api-key: {key}\r\n".encode()
    assert (await talk(gate.port, request + b"connection: close\r\n\r\n"))[0].status == 200
    await gate.runtime.access.revoke_key(as_text(made["id"]) or "")
    (answer,) = await talk(gate.port, request + b"connection: close\r\n\r\n")
    assert answer.status == 401
    assert "revoked" in error_of(answer)


async def test_a_key_asks_and_sees_only_the_models_of_its_scopes(gate: "Gate") -> None:
    """Permission is not authentication: 403, with the reason."""
    wish = KeyRequest(name="narrow", role="developer", scopes=("model:acme/sim-2",))
    key = as_text((await gate.runtime.access.create_key(wish))["key"])
    body = json.dumps({"model": "acme/sim-1", "messages": [{"role": "user", "content": "Hi"}]}).encode()
    answer = await gate.ask("POST", "/v1/chat/completions", body=body, key=key)
    assert answer.status == 403
    assert "scopes" in error_of(answer)
    allowed = await gate.ask("POST", "/v1/chat/completions", body=body.replace(b"sim-1", b"sim-2"), key=key)
    assert allowed.status == 200
    async with gate.client(key) as client:
        listed = {model.id async for model in client.models.list()}
    assert "acme/sim-2" in listed
    assert "acme/sim-1" not in listed
    counting = body.replace(b'"messages"', b'"max_tokens": 1, "messages"')
    assert (await gate.ask("POST", "/v1/messages/count_tokens", body=counting, key=key)).status == 403
    counted = await gate.ask(
        "POST", "/v1/messages/count_tokens", body=counting.replace(b"sim-1", b"sim-2"), key=key
    )
    assert counted.status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/healthz/../v1/models",
        "/healthz%2f..%2fv1/models",
        "//v1/models",
        "//healthz",
        "/v1/models/",
        "/V1/models",
        "/readyz;/v1/models",
        "/healthz/",
        "/v1/chat/completions%00",
        "/%ff%fe",
        "/v1/models%0d%0ax: y",
    ],
)
async def test_a_path_that_only_looks_like_another_is_not_it(gate: "Gate", path: str) -> None:
    """Without a key 401, with one 404."""
    path = path.replace(" ", "%20")
    assert (await bare(gate, "GET", path)).status == 401
    assert (await bare(gate, "GET", path, f"x-api-key: {gate.key}")).status == 404


async def test_a_path_that_is_not_there_names_the_nearest(gate: "Gate") -> None:
    """In the dialect."""
    answer = await gate.ask("GET", "/v1/model")
    assert answer.status == 404
    assert "/v1/models" in error_of(answer)
    later = await gate.ask("POST", "/v1/batches")
    assert later.status == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/healthz", "GET, HEAD"),
        ("OPTIONS", "/", "GET, HEAD"),
        ("DELETE", "/v1/models", "GET, HEAD"),
        ("PUT", "/v1/models/acme/sim-1", "GET, HEAD"),
        ("GET", "/v1/chat/completions", "POST"),
        ("OPTIONS", "/v1/chat/completions", "POST"),
    ],
)
async def test_a_method_that_a_path_does_not_take_is_told_which_it_does(
    gate: "Gate", method: str, path: str, allowed: str
) -> None:
    """In the header that is meant for it."""
    answer = await gate.ask(method, path)
    assert (answer.status, answer.header("allow")) == (405, allowed)


async def test_no_other_origin_is_let_in(gate: "Gate") -> None:
    """No answer bears a header that would let a page of another origin read it."""
    asking = "access-control-request-method: POST"
    for method, path in (("OPTIONS", "/v1/chat/completions"), ("GET", "/v1/models"), ("GET", "/")):
        answer = await bare(gate, method, path, "origin: https://evil.example", asking)
        assert [name for name, _ in answer.headers if name.startswith("access-control")] == []


async def test_models_are_listed_with_the_routers_choices(gate: "Gate") -> None:
    """By the official client, one by one too."""
    async with gate.client() as client:
        found = {model.id: model.owned_by async for model in client.models.list()}
        one = await client.models.retrieve("acme/sim-1")
    assert {"acme/sim-1", "acme/sim-2", "auto", "auto/cheap"} <= set(found)
    assert (found["acme/sim-1"], found["auto"]) == ("acme", "interlock")
    assert (one.id, one.owned_by) == ("acme/sim-1", "acme")
    assert (await gate.ask("GET", "/v1/models/acme%2Fsim-2")).status == 200
    missing = await gate.ask("GET", "/v1/models/acme/sim-3")
    assert missing.status == 404
    assert "acme/sim-" in error_of(missing)


async def test_embeddings_come_back_in_both_forms(gate: "Gate", vendor: OpenAIChatServer) -> None:
    """As numbers, and as the packed bytes that the official client asks for by itself."""
    async with gate.client() as client:
        packed = await client.embeddings.create(model="acme/sim-1", input=["one two", "three"])
        plain = await client.embeddings.create(
            model="acme/sim-1", input=["one two", "three"], encoding_format="float"
        )
    assert [round(number, 4) for number in packed.data[0].embedding] == [
        round(number, 4) for number in plain.data[0].embedding
    ]
    assert packed.usage.prompt_tokens == 3
    answer = await gate.ask(
        "POST", "/v1/embeddings", body=json.dumps({"model": "acme/sim-1", "input": "one"}).encode()
    )
    assert answer.header("x-interlock-model") == "acme/sim-1"
    refused = await gate.ask(
        "POST", "/v1/embeddings", body=json.dumps({"model": "auto", "input": "one"}).encode()
    )
    assert refused.status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[[[[",
        b"[" * 100_000,
        b"null",
        b'{"model": "a", "model": "b"}',
        b'{"model": "acme/sim-1", "messages": [], "temperature": NaN}',
        b'{"model": "acme/sim-1", "messages": [{"role": "user", "content": "x"}], "max_tokens": 1e999}',
        b"\xef\xbb\xbf{}",
        b'{"model": "\\ud800", "messages": [{"role": "user", "content": "x"}]}',
        b'{"model": 7}',
        b'{"model": "acme/sim-1", "messages": "x"}',
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings"])
async def test_a_body_that_cannot_be_meant_is_refused_and_never_a_fault_of_ours(
    gate: "Gate", body: bytes, path: str
) -> None:
    """400, or the vendor's answer where the vendor can make sense of it."""
    answer = await gate.ask("POST", path, body=body)
    assert answer.status in {200, 400, 404}
    assert b"Traceback" not in answer.body


@pytest.mark.parametrize("depth", [100, 900, 960, 980, 990, 1_100, 100_000])
async def test_json_of_any_depth_is_passed_on_or_refused(gate: "Gate", depth: int) -> None:
    """And never a fault of ours, also where the vocabulary reads it and a later step could not."""
    deep = "[" * depth + "]" * depth
    body = f'{{"model": "acme/sim-1", "messages": [{{"role": "user", "content": "x"}}], "odd": {deep}}}'
    answer = await gate.ask("POST", "/v1/chat/completions", body=body.encode())
    assert answer.status in {200, 400}


async def test_a_model_that_would_break_a_header_breaks_none(gate: "Gate") -> None:
    """Line ends and other signs in names stay in the body."""
    body = json.dumps({"model": "acme/é\r\nx-evil: 1", "messages": [{"role": "user", "content": "x"}]})
    answer = await gate.ask("POST", "/v1/chat/completions", body=body.encode())
    assert answer.status == 404
    assert answer.header("x-evil") is None


async def test_metrics_are_for_those_who_may_see_statistics(gate: "Gate") -> None:
    """In Prometheus' format, with what was asked before."""
    body = json.dumps({"model": "acme/sim-1", "messages": [{"role": "user", "content": "Hi"}]}).encode()
    assert (await gate.ask("POST", "/v1/chat/completions", body=body)).status == 200
    answer = await gate.ask("GET", "/metrics")
    assert (answer.header("content-type") or "").startswith("text/plain; version=0.0.4")
    assert b"interlock_requests_total" in answer.body
    made = await gate.runtime.access.create_key(KeyRequest(name="agent", role="agent"))
    assert (await gate.ask("GET", "/metrics", key=as_text(made["key"]))).status == 403


async def test_not_being_ready_is_said_without_the_reason(
    make_gate: "MakeGate", caplog: pytest.LogCaptureFixture
) -> None:
    """503 for whoever asks; the reason stands in the log."""
    async with make_gate(providers={"local": ProviderSettings(kind="local", enabled=False)}) as gate:
        answer = await gate.ask("GET", "/readyz", key=None)
        again = await gate.ask("GET", "/readyz", key=None)
    assert (answer.status, json.loads(answer.body)) == (503, {"status": "not ready"})
    assert again.status == 503
    assert caplog.text.count("not ready: ") == 1


async def test_a_database_that_fails_lets_nobody_in_and_says_nothing_of_itself(
    gate: "Gate", caplog: pytest.LogCaptureFixture
) -> None:
    """503 without its path or its words; the log has them."""
    path = gate.runtime.settings.home / "interlock.db"
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE keys_api")
    answer = await gate.ask("GET", "/v1/models")
    assert answer.status == 503
    assert b"keys_api" not in answer.body
    assert "keys_api" in caplog.text
