"""Access tokens are fetched once, from where the operator said, and kept from everybody else."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from interlock_core.call import Principal
from interlock_core.errors import ConfigurationError, CredentialError, InterlockError, UpstreamError
from interlock_core.http import Egress
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.secret import Secret
from interlock_core.store import Store
from interlock_core.testing import (
    Answer,
    FakeClock,
    LoopbackServer,
    MemorySecrets,
    ReceivedRequest,
    json_answer,
)
from interlock_security import AuditLog, EnvironmentSecrets, KnownSecretRedactor
from interlock_security.oauth import AccessTokens, OAuthClient
from interlock_security.vault import FileHolder, SecretScope, Vault

pytestmark = pytest.mark.promise("O11", "O15")

NAME = "tools.crm.oauth"
CLIENT_SECRET = "cs-canary:%/ 7f3a9c"
REFRESH = "rt-canary-11aa22"
SECRETS = {"s": CLIENT_SECRET, "r": REFRESH}


def ignore(secret: Secret) -> None:
    """Nobody hides anything here."""


class TokenServer:
    """An authorisation server: every token that it gives is another.

    Args:
        extra: What it says beside the token.
    """

    def __init__(self, extra: JsonObject | None = None) -> None:
        self.extra = {"token_type": "Bearer", "expires_in": 3600} if extra is None else extra
        self.asked: list[dict[str, str]] = []
        self.heads: list[ReceivedRequest] = []
        self.gate: asyncio.Event | None = None
        self.rotates = False

    async def __call__(self, request: ReceivedRequest) -> Answer:
        """Give a token."""
        self.asked.append(dict(parse_qsl(request.body.decode())))
        self.heads.append(request)
        if self.gate is not None:
            await self.gate.wait()
        count = len(self.asked)
        fields: JsonObject = {"access_token": f"at-canary-{count:04}", **self.extra}
        if self.rotates:
            fields["refresh_token"] = f"rt-canary-next-{count:04}"
        return json_answer(fields)


def client_of(server: LoopbackServer, **changes: str | tuple[str, ...]) -> OAuthClient:
    """A client of a server."""
    facts: dict[str, str | tuple[str, ...]] = {
        "name": NAME,
        "client_id": "house",
        "token_url": f"{server.url}/token",
        "client_secret": "s",
        "scopes": ("read", "list"),
    }
    return OAuthClient(**{**facts, **changes})  # pyright: ignore[reportArgumentType] - the table of changes has values of several types


async def test_two_hundred_who_wait_cost_one_fetch() -> None:
    """And whoever comes later uses the same, until it is nearly over."""
    issuer, clock = TokenServer(), FakeClock()
    issuer.gate = asyncio.Event()
    async with LoopbackServer(issuer) as server:
        tokens = AccessTokens([client_of(server)], secrets=MemorySecrets(SECRETS), clock=clock)
        waiting = [asyncio.create_task(tokens.get(NAME)) for _ in range(200)]
        await server.until(lambda: bool(server.requests))
        issuer.gate.set()
        got = {(await task).reveal() for task in waiting}
        assert got == {"at-canary-0001"}
        clock.advance(3_500)
        assert (await tokens.get(NAME)).reveal() == "at-canary-0001"
        clock.advance(50)
        assert (await tokens.get(NAME)).reveal() == "at-canary-0002"
        assert len(issuer.asked) == 2
        await tokens.aclose()


async def test_one_who_gives_up_leaves_the_others_waiting() -> None:
    """The fetch belongs to all."""
    issuer = TokenServer()
    issuer.gate = asyncio.Event()
    async with LoopbackServer(issuer) as server:
        tokens = AccessTokens([client_of(server)], secrets=MemorySecrets(SECRETS))
        first, second = asyncio.create_task(tokens.get(NAME)), asyncio.create_task(tokens.get(NAME))
        await server.until(lambda: bool(server.requests))
        first.cancel()
        issuer.gate.set()
        assert (await second).reveal() == "at-canary-0001"
        await tokens.aclose()
    assert len(issuer.asked) == 1


@pytest.mark.parametrize("authentication", ["basic", "post", "none"])
async def test_the_client_shows_who_it_is_as_configured(authentication: str) -> None:
    """In the header, in the body, or not at all; with what it asks for."""
    issuer = TokenServer()
    async with LoopbackServer(issuer) as server:
        client = client_of(server, authentication=authentication, audience="https://api.example")
        tokens = AccessTokens([client], secrets=MemorySecrets(SECRETS))
        await tokens.get(NAME)
        await tokens.aclose()
    asked, head = issuer.asked[0], issuer.heads[0]
    expected = {
        "grant_type": "client_credentials",
        "scope": "read list",
        "audience": "https://api.example",
    }
    if authentication == "basic":
        pair = base64.b64decode((head.header("authorization") or "").removeprefix("Basic ")).decode()
        assert pair == "house:cs-canary%3A%25%2F+7f3a9c"
    else:
        expected["client_id"] = "house"
        assert head.header("authorization") is None
    if authentication == "post":
        expected["client_secret"] = CLIENT_SECRET
    assert asked == expected


@pytest.mark.parametrize("kind", ["RS256", "ES256", "EdDSA"])
async def test_a_client_signs_an_assertion(kind: str) -> None:
    """The server checks it with the public key: who, for whom, and not for long."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    makers: dict[
        str, Callable[[], rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey]
    ]
    makers = {
        "RS256": lambda: rsa.generate_private_key(65537, 2048),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }
    key = makers[kind]()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    issuer, clock = TokenServer(), FakeClock()
    async with LoopbackServer(issuer) as server:
        client = client_of(server, authentication="private_key_jwt")
        tokens = AccessTokens([client], secrets=MemorySecrets({"s": pem}), clock=clock)
        await tokens.get(NAME)
        await tokens.aclose()
    signed, _, mark = issuer.asked[0]["client_assertion"].rpartition(".")
    signature = base64.urlsafe_b64decode(mark + "==")
    head, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in signed.split("."))
    if isinstance(key, rsa.RSAPrivateKey):
        key.public_key().verify(signature, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        whole = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
        key.public_key().verify(whole, signed.encode(), ec.ECDSA(hashes.SHA256()))
    else:
        key.public_key().verify(signature, signed.encode())
    assert head["alg"] == kind
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("house", "house", f"{server.url}/token")
    assert 0 < claims["exp"] - clock.now() <= 60


async def test_a_secret_that_is_no_key_is_said_to_be_and_not_shown() -> None:
    """Before anything is sent."""
    issuer = TokenServer()
    async with LoopbackServer(issuer) as server:
        client = client_of(server, authentication="private_key_jwt")
        tokens = AccessTokens([client], secrets=MemorySecrets(SECRETS))
        with pytest.raises(ConfigurationError, match="no private key") as caught:
            await tokens.get(NAME)
        await tokens.aclose()
    assert CLIENT_SECRET not in str(caught.value)
    assert issuer.asked == []


async def test_a_refused_token_is_replaced_once_for_all() -> None:
    """Who comes with one that was replaced already gets the new one."""
    issuer = TokenServer()
    async with LoopbackServer(issuer) as server:
        tokens = AccessTokens([client_of(server)], secrets=MemorySecrets(SECRETS))
        used = await tokens.get(NAME)
        told = await asyncio.gather(*(tokens.renew(NAME, used) for _ in range(50)))
        assert told == [True] * 50
        assert len(issuer.asked) == 2
        assert await tokens.renew("tools.other.credential", used) is False
        await tokens.aclose()


# ---- several processes


@pytest.fixture
async def vault(store: Store, home: Path, log: AuditLog) -> AsyncGenerator[Vault, None]:
    """The vault that processes share."""
    made = Vault(store, holder=FileHolder(home), changes=log, learn=ignore)
    yield made
    await made.aclose()


async def test_of_several_processes_one_fetches(
    vault: Vault, store: Store, home: Path, log: AuditLog
) -> None:
    """The others find the token in the vault, sealed; a refused one is replaced once for them too."""
    issuer = TokenServer()
    issuer.gate = asyncio.Event()
    async with LoopbackServer(issuer) as server:
        learnt: list[str] = []
        processes = [
            AccessTokens(
                [client_of(server)],
                secrets=MemorySecrets(SECRETS),
                keeper=Vault(store, holder=FileHolder(home), changes=log, learn=ignore),
                learn=lambda secret: learnt.append(secret.reveal()),
            )
            for _ in range(4)
        ]
        waiting = [asyncio.create_task(one.get(NAME)) for one in processes for _ in range(50)]
        await server.until(lambda: bool(server.requests))
        issuer.gate.set()
        assert {(await task).reveal() for task in waiting} == {"at-canary-0001"}
        used = await processes[0].get(NAME)
        await asyncio.gather(*(one.renew(NAME, used) for one in processes))
        assert {(await one.get(NAME)).reveal() for one in processes} == {"at-canary-0002"}
        assert len(issuer.asked) == 2
        for one in processes:
            await one.aclose()
    assert set(learnt) == {"at-canary-0001", "at-canary-0002"}
    assert await vault.list() == []
    rows = await store.fetch_all("SELECT sealed FROM vault_secrets WHERE kind = 'token'")
    assert rows
    assert b"canary" not in b"".join(row[0] for row in rows if isinstance(row[0], bytes))


async def test_a_process_that_died_with_the_lease_holds_nobody_up_for_long(vault: Vault) -> None:
    """The lease runs out; who waits looks again."""
    issuer, clock = TokenServer(), FakeClock()
    assert await vault.lease(NAME, "dead", 0.0)
    async with LoopbackServer(issuer) as server:
        tokens = AccessTokens([client_of(server)], secrets=MemorySecrets(SECRETS), keeper=vault, clock=clock)
        assert (await tokens.get(NAME)).reveal() == "at-canary-0001"
        await tokens.aclose()
    assert await vault.lease(NAME, "living", 600.0)

    async def waited(seconds: float) -> None:
        clock.advance(30)

    async with LoopbackServer(issuer) as server:
        other = AccessTokens(
            [client_of(server, client_id="other")],
            secrets=MemorySecrets(SECRETS),
            keeper=vault,
            clock=clock,
            sleep=waited,
        )
        with pytest.raises(UpstreamError, match="does not finish"):
            await other.get(NAME)
        await other.aclose()


async def test_a_refresh_token_that_the_server_replaces_is_kept_before_it_is_needed(
    vault: Vault, admin: Principal
) -> None:
    """The vault holds the newest, bound as before; the next process begins with it."""
    issuer = TokenServer({"token_type": "bearer"})
    issuer.rotates = True
    scope = SecretScope(uses=("tools.crm",), hosts=("127.0.0.1",))
    await vault.set("crm-refresh", Secret(REFRESH), by=admin, scope=scope)

    async def keep(name: str, value: Secret) -> None:
        await vault.set(name, value, by=admin)

    named = {f"{NAME}.refresh_token": "vault:crm-refresh"}
    async with LoopbackServer(issuer) as server:
        client = client_of(
            server,
            refresh_token=f"{NAME}.refresh_token",
            kept_in="crm-refresh",
            client_secret="",
            authentication="none",
        )
        for number in range(3):
            secrets = EnvironmentSecrets({}, named=named, vault=vault)
            tokens = AccessTokens([client], secrets=secrets, keep_refresh=keep)
            await tokens.get(NAME)
            await tokens.aclose()
            assert issuer.asked[number]["grant_type"] == "refresh_token"
    assert [asked["refresh_token"] for asked in issuer.asked] == [
        REFRESH,
        "rt-canary-next-0001",
        "rt-canary-next-0002",
    ]
    (entry,) = await vault.list()
    assert (entry.version, entry.scope) == (4, scope)


async def test_a_client_secret_bound_to_another_host_is_not_sent() -> None:
    """Its bound holds for the token endpoint too."""

    class Bound(MemorySecrets):
        async def get(self, name: str) -> Secret:
            return Secret(CLIENT_SECRET, name=name, hosts=("login.example",))

    issuer = TokenServer()
    async with LoopbackServer(issuer) as server:
        tokens = AccessTokens([client_of(server)], secrets=Bound())
        with pytest.raises(ConfigurationError, match="not sent to 127"):
            await tokens.get(NAME)
        await tokens.aclose()
    assert issuer.asked == []


# ---- OpenID Connect


def described(fields: JsonObject) -> Callable[[ReceivedRequest], Answer]:
    """An issuer that describes itself so, and gives tokens."""

    def answer(request: ReceivedRequest) -> Answer:
        if request.method == "GET":
            assert request.path == "/realm/.well-known/openid-configuration"
            return json_answer(fields)
        return json_answer({"access_token": "at-canary-oidc", "token_type": "Bearer"})

    return answer


async def test_an_issuer_names_the_token_endpoint_of_its_own_origin() -> None:
    """Asked once."""
    fields: JsonObject = {}
    async with LoopbackServer(described(fields)) as server:
        fields |= {"issuer": f"{server.url}/realm", "token_endpoint": f"{server.url}/token"}
        tokens = AccessTokens(
            [client_of(server, token_url="", issuer=f"{server.url}/realm")], secrets=MemorySecrets(SECRETS)
        )
        used = await tokens.get(NAME)
        await tokens.renew(NAME, used)
        assert [request.method for request in server.requests] == ["GET", "POST", "POST"]
        await tokens.aclose()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"token_endpoint": "https://evil.example/token"}, "names a token endpoint at https://evil.example"),
        ({"token_endpoint": "http://169.254.169.254/token"}, "is not https"),
        ({"token_endpoint": "HERE@evil.example/token"}, "names a token endpoint|is no address"),
        ({"token_endpoint": 7}, "is no address"),
        ({"issuer": "https://other.example", "token_endpoint": "HERE/token"}, "another name"),
        ({}, "is no address"),
    ],
)
async def test_an_issuer_that_leads_elsewhere_gets_no_secret(fields: JsonObject, said: str) -> None:
    """The client's secret stays here, and the error says how to allow the address."""
    told: JsonObject = {}
    async with LoopbackServer(described(told)) as server:
        told |= {"issuer": f"{server.url}/realm"}
        told |= {
            key: value.replace("HERE", server.url) if isinstance(value, str) else value
            for key, value in fields.items()
        }
        tokens = AccessTokens(
            [client_of(server, token_url="", issuer=f"{server.url}/realm")], secrets=MemorySecrets(SECRETS)
        )
        with pytest.raises(ConfigurationError, match=said) as caught:
            await tokens.get(NAME)
        await tokens.aclose()
        assert [request.method for request in server.requests] == ["GET"]
    assert "canary" not in f"{caught.value!r} {caught.value}"


# ---- hostile servers

ECHO = json.dumps({"error": "invalid_client", "error_description": CLIENT_SECRET, "error_uri": REFRESH})
HOSTILE: dict[str, Answer] = {
    "huge": Answer(body=b'{"access_token": "' + b"x" * 10_000_000 + b'"}'),
    "a long token": json_answer({"access_token": "x" * 20_000, "token_type": "Bearer"}),
    "a redirect to an inner address": Answer(
        status=307, headers=(("location", "http://169.254.169.254/latest/meta-data"),)
    ),
    "a redirect to another port": Answer(status=302, headers=(("location", "http://127.0.0.1:1/"),)),
    "another type": json_answer({"access_token": "at-canary", "token_type": "mac"}),
    "no type": json_answer({"access_token": "at-canary"}),
    "a line break": json_answer({"access_token": "at\r\nx-admin: 1", "token_type": "Bearer"}),
    "no token": json_answer({"token_type": "Bearer"}),
    "a number": json_answer({"access_token": 7, "token_type": "Bearer"}),
    "a list": json_answer(["at-canary"]),
    "no JSON": Answer(body=CLIENT_SECRET.encode()),
    "deep JSON": Answer(body=b"[" * 60_000),
    "a wrong refresh token": json_answer(
        {"access_token": "at", "token_type": "Bearer", "refresh_token": "a b"}
    ),
    "an echo": Answer(status=401, body=ECHO.encode()),
    "an echo as code": json_answer({"error": CLIENT_SECRET}, status=400),
    "no words": Answer(status=403),
    "an overload": Answer(status=503, body=CLIENT_SECRET.encode()),
    "broken": Answer(body=b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{", raw=True),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_hostile_server_gives_no_token_and_learns_no_more(what: str) -> None:
    """One request, one error that shows nothing of what either side said."""
    redactor = KnownSecretRedactor()
    async with LoopbackServer(lambda request: HOSTILE[what]) as server:
        client = client_of(server, refresh_token="r")
        tokens = AccessTokens([client], secrets=MemorySecrets(SECRETS), learn=redactor.learn)
        with pytest.raises(InterlockError) as caught:
            await tokens.get(NAME)
        assert len(server.requests) == 1
        await tokens.aclose()
    shown = f"{caught.value!r} {caught.value} {caught.value.as_json()} {caught.value.__cause__!r}"
    assert "canary" not in shown


@pytest.mark.parametrize(
    ("said", "lasts"),
    [
        (None, 240),
        (-5, 0),
        (0, 0),
        ("600", 540),
        ("never", 240),
        (10**12, 86_340),
        (True, 240),
        ({}, 240),
    ],
)
async def test_a_token_lives_as_long_as_is_sane(said: Json, lasts: int) -> None:
    """Some minutes where the server does not say, and a day at the most."""
    extra: JsonObject = (
        {"token_type": "BEARER"} if said is None else {"token_type": "BEARER", "expires_in": said}
    )
    issuer, clock = TokenServer(extra), FakeClock()
    async with LoopbackServer(issuer) as server:
        tokens = AccessTokens([client_of(server)], secrets=MemorySecrets(SECRETS), clock=clock)
        await tokens.get(NAME)
        clock.advance(max(0, lasts - 1))
        await tokens.get(NAME)
        assert len(issuer.asked) == (1 if lasts else 2)
        clock.advance(2)
        await tokens.get(NAME)
        assert len(issuer.asked) == (2 if lasts else 3)
        await tokens.aclose()


async def test_a_grant_that_ended_is_told_with_what_to_do() -> None:
    """The code of the standard is shown, and a new refresh token asked for."""
    answer = json_answer({"error": "invalid_grant"}, status=400)
    async with LoopbackServer(lambda request: answer) as server:
        client = client_of(server, refresh_token="r")
        tokens = AccessTokens([client], secrets=MemorySecrets(SECRETS))
        with pytest.raises(CredentialError, match="invalid_grant") as caught:
            await tokens.get(NAME)
        await tokens.aclose()
    assert "set a new one" in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://login.example/token", "ftp://login.example", "https://u:p@login.example", "x", "https://"]
)
async def test_an_address_that_is_not_safe_is_refused(url: str) -> None:
    """A secret goes over TLS, or stays on this machine."""
    client = OAuthClient(name=NAME, client_id="house", token_url=url, client_secret="s")
    tokens = AccessTokens([client], secrets=MemorySecrets(SECRETS), egress=Egress())
    with pytest.raises(ConfigurationError):
        await tokens.get(NAME)
    await tokens.aclose()
