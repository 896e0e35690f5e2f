"""Client certificates: shown to the servers that the operator named, over real TLS, and to nobody else."""

import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interlock_core import Json, JsonObject, ToolCall, ToolResult
from interlock_core.errors import EgressRefusedError
from interlock_core.testing import Answer, LoopbackServer, MemorySecrets, json_answer, make_call
from interlock_tools import DocumentOptions, ToolExecutor, ToolRegistry

from .certificates import Authority, authority

SCHEMES: JsonObject = {
    "cert": {"type": "mutualTLS"},
    "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
}


@pytest.fixture
def signer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that this process trusts."""
    one = authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(one.file))
    return one


@pytest.fixture
async def strict(signer: Authority) -> AsyncIterator[LoopbackServer]:
    """A server that speaks only with clients whose certificate the authority signed."""
    async with LoopbackServer(tls=signer.serving("127.0.0.1", asks_clients=True)) as running:
        yield running


def mounted(url: str, security: Json, credentials: dict[str, str], **more: Json) -> ToolRegistry:
    """A document with one operation under these security requirements."""
    registry = ToolRegistry()
    operation: JsonObject = {"operationId": "x", "security": security}
    document: JsonObject = {
        "openapi": "3.1.0",
        "info": {"title": "C", "version": "1"},
        "paths": {"/x": {"get": operation}},
        "components": {"securitySchemes": SCHEMES},
        **more,
    }
    options = DocumentOptions(base_url=url, credentials=credentials)
    registry.add_document(document, namespace="n", options=options)
    return registry


async def called(registry: ToolRegistry, secrets: dict[str, str], *, times: int = 1) -> ToolResult:
    """The result of the last of some calls by one executor."""
    executor = ToolExecutor(registry, secrets=MemorySecrets(secrets))
    try:
        for _ in range(times - 1):
            await executor.execute(ToolCall(id="c", name="n.x"), make_call())
        return await executor.execute(ToolCall(id="c", name="n.x"), make_call())
    finally:
        await executor.aclose()


@pytest.mark.promise("O15")
@pytest.mark.parametrize("scheme", ["cert", "mutualTLS"])
async def test_a_server_that_demands_a_certificate_gets_it(
    scheme: str, signer: Authority, strict: LoopbackServer
) -> None:
    """By the document's name of the scheme, and where the document says nothing of it; one connection."""
    security: Json = [{"cert": []}] if scheme == "cert" else []
    result = await called(
        mounted(strict.url, security, {scheme: "pem"}), {"pem": signer.pem("client").decode()}, times=2
    )
    assert not result.is_error, result.text
    assert len(strict.requests) == 2
    assert strict.connections == 1


@pytest.mark.promise("O15")
async def test_where_there_are_no_files_in_memory_none_stays_on_the_disk(
    signer: Authority, strict: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library reads certificates from files alone; the one that it read is gone."""
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    result = await called(
        mounted(strict.url, [{"cert": []}], {"cert": "pem"}), {"pem": signer.pem("client").decode()}
    )
    assert not result.is_error, result.text
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.promise("O15")
async def test_a_certificate_and_a_key_can_be_needed_together(
    signer: Authority, strict: LoopbackServer
) -> None:
    """Both of one alternative are there, or the next alternative is taken."""
    secrets = {"pem": signer.pem("client").decode(), "key": "k-1234"}
    both: Json = [{"cert": [], "key": []}]
    result = await called(mounted(strict.url, both, {"cert": "pem", "key": "key"}), secrets)
    assert not result.is_error, result.text
    assert strict.requests[0].header("x-key") == "k-1234"


@pytest.mark.promise("O15")
async def test_without_a_certificate_the_server_says_no_and_the_result_says_why(
    strict: LoopbackServer,
) -> None:
    """The other side closes; no request was read."""
    result = await called(mounted(strict.url, [], {}), {})
    assert result.is_error
    assert result.error_code == "upstream_connection"
    assert strict.requests == []


@pytest.mark.promise("O11", "O15")
@pytest.mark.parametrize(
    "kind", ["nothing", "words", "key alone", "certificate alone", "password", "other key"]
)
async def test_a_secret_that_is_no_certificate_is_the_operators_error(
    kind: str, signer: Authority, strict: LoopbackServer
) -> None:
    """It is named, and nothing of it is repeated."""
    pem = signer.pem("client").decode()
    key, mark, certificate = pem.partition("-----BEGIN CERTIFICATE-----")
    broken = {
        "nothing": "",
        "words": "hush-hush",
        "key alone": key,
        "certificate alone": mark + certificate,
        "password": signer.pem("client", password=b"hush").decode(),
        "other key": key + mark + signer.pem("client").decode().partition(mark)[2],
    }[kind]
    result = await called(mounted(strict.url, [{"cert": []}], {"cert": "pem"}), {"pem": broken})
    assert (result.is_error, result.error_code) == (True, "configuration")
    assert "secret pem" in result.text
    assert not any(line in result.text for line in broken.splitlines() if line)
    assert strict.requests == []


@pytest.mark.promise("O15")
async def test_a_changed_certificate_is_used_from_the_next_call_on(
    signer: Authority, strict: LoopbackServer
) -> None:
    """Rotation needs no restart, and connections under the old one are not used for the new one."""
    secrets = {"pem": signer.pem("old").decode()}
    store = MemorySecrets(secrets)
    registry = mounted(strict.url, [{"cert": []}], {"cert": "pem"})
    executor = ToolExecutor(registry, secrets=store)
    for name in ("old", "new"):
        store.__init__({"pem": signer.pem(name).decode()})
        result = await executor.execute(ToolCall(id="c", name="n.x"), make_call())
        assert not result.is_error, result.text
    await executor.aclose()
    assert strict.connections == 2


@pytest.mark.promise("O11", "O15")
async def test_a_certificate_is_shown_to_no_other_origin(signer: Authority, strict: LoopbackServer) -> None:
    """Neither to one that only the document names, nor after a redirect."""
    pem = {"pem": signer.pem("client").decode()}
    registry = mounted("", [{"cert": []}], {"cert": "pem"}, servers=[{"url": strict.url}])
    result = await called(registry, pem)
    assert result.error_code == "configuration"
    assert "only the document names it" in result.text
    elsewhere = Answer(status=307, headers=(("location", f"{strict.url}/x"),))
    async with LoopbackServer(lambda _: elsewhere, tls=signer.serving("127.0.0.1")) as first:
        with pytest.raises(EgressRefusedError):
            await called(mounted(first.url, [{"cert": []}], {"cert": "pem"}), pem)
    assert strict.requests == []
    assert strict.connections == 0


@pytest.mark.promise("O9", "O15")
async def test_what_was_answered_under_one_certificate_is_not_kept_for_another(signer: Authority) -> None:
    """The cache tells them apart, as it tells keys apart."""
    said: list[JsonObject] = [{"who": "first"}, {"who": "second"}]
    answers = iter(said)
    fresh = (("cache-control", "max-age=600"),)

    async with LoopbackServer(
        lambda _: json_answer(next(answers), headers=fresh),
        tls=signer.serving("127.0.0.1", asks_clients=True),
    ) as server:
        store = MemorySecrets({})
        executor = ToolExecutor(mounted(server.url, [{"cert": []}], {"cert": "pem"}), secrets=store)
        got: list[Json] = []
        for pem in (signer.pem("a").decode(), signer.pem("b").decode()):
            store.__init__({"pem": pem})
            for _ in range(2):
                result = await executor.execute(ToolCall(id="c", name="n.x"), make_call())
                got.append(result.structured)
        await executor.aclose()
    assert got == [said[0], said[0], said[1], said[1]]
