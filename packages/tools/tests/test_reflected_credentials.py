"""A server that gives a credential back wherever it can: nobody sees it again, in no writing of it."""

import base64
import gzip
import html
import json
import logging
import re
import zlib
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from interlock_core import JsonObject, ToolCall
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import dump_json
from interlock_core.testing import Answer, LoopbackServer, MemorySecrets, make_call
from interlock_tools import DocumentOptions, ToolExecutor, ToolRegistry

SECRET = "sk-live/9f+Ü\"7&a'=<zz>42\\end"

WRITINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda s: s,
    "percent": lambda s: quote(s, safe=""),
    "percent, slashes kept": quote,
    "percent in lower case": lambda s: re.sub(r"%..", lambda match: match[0].lower(), quote(s, safe="")),
    "percent twice": lambda s: quote(quote(s, safe=""), safe=""),
    "form": quote_plus,
    "json": lambda s: dump_json(s)[1:-1],
    "json in ascii": lambda s: json.dumps(s)[1:-1],
    "json in json": lambda s: dump_json(dump_json({"k": s}))[1:-1],
    "html": html.escape,
    "hexadecimal": lambda s: s.encode().hex(),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 of more, 1": lambda s: base64.b64encode(b"u" + s.encode() + b":x").decode(),
    "base64 of more, 2": lambda s: base64.b64encode(b"user:" + s.encode() + b"!!").decode(),
    "base64 for urls": lambda s: base64.urlsafe_b64encode(b"ab" + s.encode()).decode(),
}


def held(text: str) -> list[str]:
    """The writings of the credential that stand in a text, longer pieces of them included."""
    found = [name for name, write in WRITINGS.items() if write(SECRET) in text]
    inner = base64.b64encode(SECRET.encode()).decode()[4:24]
    return [*found, *(["base64"] if inner in text else [])]


def answers(said: str) -> dict[str, Answer]:
    """The same in every place of an answer."""
    as_text, as_json = ("content-type", "text/plain; charset=utf-8"), ("content-type", "application/json")
    body = f"your key {said} is bad".encode()
    whole = json.dumps({"message": said, said: [said, {"deep": said}], "errors": [{"field": said}]}).encode()
    plain = said.encode().decode("latin-1") if said.isprintable() else "x"
    line = plain.encode("latin-1", "replace")
    return {
        "text": Answer(headers=(as_text,), body=body),
        "text of an error": Answer(status=401, headers=(as_text,), body=body),
        "json": Answer(headers=(as_json,), body=whole),
        "json of an error": Answer(status=422, headers=(as_json,), body=whole),
        "broken json": Answer(headers=(as_json,), body=whole[:-3]),
        "gzip": Answer(headers=(as_json, ("content-encoding", "gzip")), body=gzip.compress(whole)),
        "deflate": Answer(headers=(as_text, ("content-encoding", "deflate")), body=zlib.compress(body)),
        "html": Answer(headers=(("content-type", "text/html"),), body=b"<p>" + body + b"</p>"),
        "image": Answer(headers=(("content-type", "image/png"),), body=b"\x89PNG" + body),
        "file": Answer(headers=(("content-type", "application/pdf"),), body=body),
        "headers": Answer(
            status=429,
            headers=(as_text, ("x-note", plain), ("link", f'<{plain}>; rel="next"'), ("retry-after", "0")),
            body=body,
        ),
        "media type": Answer(headers=(("content-type", plain),), body=body),
        "redirect": Answer(status=302, headers=(("location", f"https://evil.test/{quote(said)}"),)),
        "redirect to a wrong address": Answer(status=302, headers=(("location", f"http://{plain}/"),)),
        "redirect at home": Answer(status=302, headers=(("location", f"/x?again={quote(said, safe='')}"),)),
        "status line": Answer(raw=True, body=b"HTTP/1.1 500 " + line + b"\r\ncontent-length: 0\r\n\r\n"),
        "no HTTP": Answer(raw=True, body=line + b"\r\n\r\n"),
        "wrong length": Answer(raw=True, body=b"HTTP/1.1 200 OK\r\ncontent-length: " + line + b"\r\n\r\n"),
        "wrong coding": Answer(headers=(as_text, ("content-encoding", plain)), body=body),
    }


async def at_once(seconds: float) -> None:
    """Wait for nothing."""


async def told(answer: Answer, scheme: JsonObject, stored: str) -> str:
    """Everything that a call says of such an answer: result, error, causes."""
    document: JsonObject = {
        "openapi": "3.1.0",
        "info": {"title": "R", "version": "1"},
        "paths": {"/x": {"get": {"operationId": "x", "security": [{"s": []}]}}},
        "components": {"securitySchemes": {"s": scheme}},
    }
    async with LoopbackServer(lambda _: answer) as server:
        registry = ToolRegistry()
        options = DocumentOptions(base_url=server.url, credentials={"s": "stored"})
        registry.add_document(document, namespace="n", options=options)
        executor = ToolExecutor(registry, secrets=MemorySecrets({"stored": stored}), sleep=at_once)
        call = ToolCall(id="c", name="n.x")
        prepared = await executor.dry_run(call, make_call())
        try:
            result = await executor.execute(call, make_call())
            said = f"{result!r} {result.text} {dump_json(result.structured)}"
        except InterlockError as error:
            said = f"{error!r} {error} {error.__cause__!r} {error.__context__!r} {error.remedy}"
        finally:
            await executor.aclose()
        assert server.requests, "the credential never left"
        return f"{said} {prepared!r} {executor!r} {registry!r} {options!r}"


@pytest.mark.promise("O11")
@pytest.mark.parametrize("writing", WRITINGS)
async def test_a_credential_that_comes_back_is_seen_nowhere(
    writing: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Every place of an answer, each writing: results, errors, causes, logs and reprs are clean."""
    caplog.set_level(logging.DEBUG)
    scheme: JsonObject = {"type": "apiKey", "in": "query", "name": "key"}
    for place, answer in answers(WRITINGS[writing](SECRET)).items():
        said = await told(answer, scheme, SECRET)
        assert not held(said), f"{place}: {said[:800]}"
        assert not held(caplog.text), place


@pytest.mark.promise("O11")
async def test_both_halves_of_a_password_and_its_header_are_seen_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Basic: the pair, the base64 of it, and the password alone."""
    caplog.set_level(logging.DEBUG)
    pair = "ann:" + SECRET
    header = base64.b64encode(pair.encode()).decode()
    for said in (pair, header, SECRET):
        for place, answer in answers(said).items():
            seen = await told(answer, {"type": "http", "scheme": "basic"}, pair)
            assert not held(seen), place
            assert header not in seen, place
    assert not held(caplog.text)


@pytest.mark.promise("O13")
@pytest.mark.parametrize("levels", [150, 900])
async def test_an_answer_of_any_depth_is_a_result(levels: int) -> None:
    """Deeper than anybody means, it is text, and the credential in it is taken out all the same."""
    body = b'{"a":' * levels + json.dumps(SECRET).encode() + b"}" * levels
    answer = Answer(headers=(("content-type", "application/json"),), body=body)
    seen = await told(answer, {"type": "http", "scheme": "bearer"}, SECRET)
    assert held(seen) == []
    assert "[redacted]" in seen or levels == 150
