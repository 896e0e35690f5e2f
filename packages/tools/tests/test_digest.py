"""Digest access authentication: examples of its standards, a server that checks, hostile challenges."""

import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import JsonObject, ToolCall, ToolResult
from interlock_core.errors import ProtocolError
from interlock_core.testing import (
    Answer,
    LoopbackServer,
    MemorySecrets,
    ReceivedRequest,
    json_answer,
    make_call,
)
from interlock_core.toolspec import HttpRequest
from interlock_tools import DocumentOptions, ToolExecutor, ToolRegistry
from interlock_tools.execution._digest import authorization, challenge_of

pytestmark = pytest.mark.promise("O11", "O15")

USER, PASSWORD, REALM = "ann", "pass word:7f3a9c", "things"
RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
RFC_2617 = (
    'Digest realm="testrealm@host.com", qop="auth,auth-int", '
    'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def fields_of(header: str) -> dict[str, str]:
    """What an Authorization header says."""
    found = re.findall(r'([a-z*]+)=(?:"((?:[^"\\\\]|\\\\.)*)"|([^",\s]+))', header)
    return {name: quoted or plain for name, quoted, plain in found}


@pytest.mark.parametrize(
    ("challenge", "address", "pair", "own", "response"),
    [
        (
            RFC_2617,
            "/dir/index.html",
            "Mufasa:Circle Of Life",
            "0a4f113b",
            "6629fae49393a05397450978507c4ef1",
        ),
        (
            RFC_7616.format(algorithm="MD5"),
            "/dir/index.html",
            "Mufasa:Circle of Life",
            CNONCE,
            "8ca523f5e9506fed4657c9700eebdbec",
        ),
        (
            RFC_7616.format(algorithm="SHA-256"),
            "/dir/index.html",
            "Mufasa:Circle of Life",
            CNONCE,
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ],
)
def test_the_examples_of_the_standards_come_out(
    challenge: str, address: str, pair: str, own: str, response: str
) -> None:
    """RFC 2617, section 3.5; RFC 7616, section 3.9.1."""
    made = challenge_of([challenge])
    assert made is not None
    request = HttpRequest(method="GET", url=f"http://www.example.org{address}")
    header = authorization(request, made, pair=pair, count=1, own=own)
    assert fields_of(header)["response"] == response
    assert pair.partition(":")[2] not in header


def test_a_user_is_hashed_where_the_server_wants_it() -> None:
    """RFC 7616, section 3.9.2, with its erratum 4897."""
    made = challenge_of(['Digest realm="api@example.org", nonce="n", algorithm=SHA-512-256, userhash=true'])
    assert made is not None
    request = HttpRequest(method="GET", url="http://api.example.org/doe.json")
    header = authorization(request, made, pair="J\u00e4s\u00f8n Doe:Secret, or not?", count=1)
    user = "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    assert fields_of(header)["username"] == user


class Guarded:
    """A server that lets in by Digest, and checks it with arithmetic of its own.

    Args:
        algorithm: As it stands in the challenge.
        name: The same for hashlib.
        quality: What it offers.
        serves: How often a nonce holds.
    """

    def __init__(
        self, algorithm: str = "SHA-256", name: str = "sha256", quality: str = "auth", serves: int = 99
    ) -> None:
        self.algorithm = algorithm
        self.name = name
        self.quality = quality
        self.serves = serves
        self.nonce = 0
        self.used: list[str] = []

    def __call__(self, request: ReceivedRequest) -> Answer:
        """Let in, or ask."""
        header = request.header("authorization")
        if header is not None and header.startswith("Digest ") and self._right(request, fields_of(header)):
            return json_answer({"ok": True, "seen": header})
        self.nonce += 1
        self.used = []
        stale = "true" if header is not None else "false"
        quality = f', qop="{self.quality}"' if self.quality else ""
        value = (
            f'Basic realm="x", Digest realm="{REALM}", nonce="n{self.nonce}"{quality}, '
            f"algorithm={self.algorithm}, stale={stale}"
        )
        return json_answer({"ok": False}, status=401, headers=(("www-authenticate", value),))

    def _right(self, request: ReceivedRequest, fields: dict[str, str]) -> bool:
        if fields["nonce"] != f"n{self.nonce}" or len(self.used) >= self.serves:
            return False
        if fields.get("nc", f"{len(self.used) + 1:08x}") != f"{len(self.used) + 1:08x}":
            return False
        first = self._hash(f"{USER}:{REALM}:{PASSWORD}")
        if self.algorithm.endswith("-sess"):
            first = self._hash(f"{first}:{fields['nonce']}:{fields['cnonce']}")
        second = f"{request.method}:{request.target}"
        if fields.get("qop") == "auth-int":
            second += f":{self._hash(request.body.decode())}"
        middle = f":{fields['nc']}:{fields['cnonce']}:{fields['qop']}" if self.quality else ""
        wanted = self._hash(f"{first}:{fields['nonce']}{middle}:{self._hash(second)}")
        if fields["response"] != wanted or fields["uri"] != request.target or fields["username"] != USER:
            return False
        self.used.append(wanted)
        return True

    def _hash(self, text: str) -> str:
        return hashlib.new(self.name, text.encode()).hexdigest()


def executor_for(server: LoopbackServer, secret: str) -> ToolExecutor:
    """An executor of a document whose API wants Digest."""
    operation: JsonObject = {
        "operationId": "x",
        "parameters": [{"name": "q", "in": "query", "schema": {"type": "string"}}],
    }
    post: JsonObject = {
        "operationId": "y",
        "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}},
    }
    document: JsonObject = {
        "openapi": "3.1.0",
        "paths": {"/x": {"get": operation, "post": post}},
        "components": {"securitySchemes": {"d": {"type": "http", "scheme": "Digest"}}},
        "security": [{"d": []}],
    }
    registry = ToolRegistry()
    options = DocumentOptions(base_url=server.url, credential="pair")
    registry.add_document(document, namespace="n", options=options)
    return ToolExecutor(registry, secrets=MemorySecrets({"pair": secret}))


async def call(executor: ToolExecutor, name: str, arguments: JsonObject) -> ToolResult:
    """One call."""
    return await executor.execute(ToolCall(id="c", name=name, arguments=json.dumps(arguments)), make_call())


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [
        *(("MD5", "md5"), ("MD5-sess", "md5"), ("SHA-256", "sha256"), ("SHA-256-sess", "sha256")),
        ("SHA-512-256", "sha512_256"),
    ],
)
@pytest.mark.parametrize("quality", ["auth", "auth-int", "auth-int,auth", ""])
async def test_a_server_that_asks_lets_in(algorithm: str, name: str, quality: str) -> None:
    """With the query in the hash, the body where it is asked for, and the nonce counted on."""
    guard = Guarded(algorithm, name, quality)
    if algorithm.endswith("-sess") and not quality:
        return  # a session has no meaning without a quality of protection
    async with LoopbackServer(guard) as server:
        executor = executor_for(server, f"{USER}:{PASSWORD}")
        first = await call(executor, "n.x", {"q": "a b&c"})
        second = await call(executor, "n.y", {"body": {"name": "\u00e4"}})
        await executor.aclose()
        seen = [request.header("authorization") is not None for request in server.requests]
    assert not first.is_error
    assert not second.is_error
    assert seen == [False, True, True]


async def test_a_nonce_that_ended_is_replaced() -> None:
    """At the next request, without a failure that anybody sees."""
    guard = Guarded(serves=1)
    async with LoopbackServer(guard) as server:
        executor = executor_for(server, f"{USER}:{PASSWORD}")
        results = [await call(executor, "n.x", {"q": str(number)}) for number in range(3)]
        await executor.aclose()
    assert [result.is_error for result in results] == [False, False, False]
    assert guard.nonce == 3


async def test_a_wrong_password_is_tried_once_and_never_shown() -> None:
    """One question, one answer; the refusal is the result."""
    async with LoopbackServer(Guarded()) as server:
        executor = executor_for(server, f"{USER}:other-{PASSWORD}")
        result = await call(executor, "n.x", {})
        assert len(server.requests) == 2
        await executor.aclose()
    assert result.is_error
    assert PASSWORD not in repr(result)


@pytest.mark.parametrize(
    "value",
    [
        'Basic realm="x"',
        'Digest realm="x", nonce="n", algorithm=SHA3-512',
        'Digest realm="x", nonce="n", qop="auth-conf"',
        'Digest realm="x"',
        "Digest",
        "",
        'Digest nonce="\u00e9"',
    ],
)
async def test_what_is_not_understood_gets_nothing(value: str) -> None:
    """No other scheme is fallen back to: a password that Basic would show stays here."""
    answer = json_answer({}, status=401, headers=(("www-authenticate", value.encode().decode("latin-1")),))
    async with LoopbackServer(lambda request: answer) as server:
        executor = executor_for(server, f"{USER}:{PASSWORD}")
        result = await call(executor, "n.x", {})
        await executor.aclose()
        assert len(server.requests) == 1
        assert server.requests[0].header("authorization") is None
    assert result.is_error


def test_the_strongest_of_several_challenges_counts() -> None:
    """Wherever they stand: one header or several, among others."""
    made = challenge_of(
        [
            'Bearer error="invalid, \\"Digest", Digest realm="a", nonce="1", algorithm=MD5',
            'Digest realm="b\\"c", nonce="2", algorithm=SHA-256, qop="auth", Negotiate',
        ]
    )
    assert made is not None
    assert (made.algorithm, made.nonce, made.realm) == ("SHA-256", "2", 'b"c')


@given(st.text(max_size=300) | st.from_regex(r'(Digest )?([a-z]+="?[^"]*"?,? ?)*', fullmatch=True))
def test_any_challenge_is_read_without_harm(value: str) -> None:
    """It is a challenge or none; what is answered fits one header line and holds no password."""
    made = challenge_of([value, f"Digest {value}"])
    if made is None:
        return
    request = HttpRequest(method="GET", url="http://h.example/x?y")
    try:
        header = authorization(request, made, pair=f"{USER}:{PASSWORD}", count=1)
    except ProtocolError:
        return
    assert header.isprintable()
    assert header.isascii()
    assert PASSWORD not in header


def test_a_long_row_of_challenges_is_read_quickly() -> None:
    """Linear in what is read, which is bounded."""
    for filler in ('Digest a="' + "\\" * 100_000, "a=" * 50_000, " " * 100_000, ",\t" * 50_000):
        assert challenge_of([filler]) is None
