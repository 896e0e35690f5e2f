"""Secrets of the vault at work: wherever one may stand, and nowhere else."""

import asyncio
import json
import logging
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from interlock_core import JsonObject, Principal, Secret
from interlock_core.errors import (
    ConfigurationError,
    InterlockError,
    NotFoundError,
    PermissionDeniedError,
    UnsupportedError,
)
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest, json_answer
from interlock_providers.testing import OpenAIChatServer
from interlock_runtime import Runtime, Settings, load_settings
from interlock_runtime.configuration import settings_json
from interlock_runtime.settings import ProviderSettings, ToolSettings, VaultSettings

pytestmark = pytest.mark.promise("O11", "O15")

KEY = "sk-vendor-4f9d2c71aa"
CANARY = "canary-7f3a9c51/=+"
PAIR = f"ann:{CANARY}-basic"
SCHEMES: JsonObject = {
    "header": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "query": {"type": "apiKey", "in": "query", "name": "key"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "session"},
    "basic": {"type": "http", "scheme": "basic"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "digest": {"type": "http", "scheme": "digest"},
    "flow": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "https://evil.example/token"}}},
    "oidc": {"type": "openIdConnect", "openIdConnectUrl": "https://evil.example"},
}
PLACED = ("header", "query", "cookie", "basic", "bearer", "digest")
HOWS = ("fine", "echo", "refused", "forbidden", "failing", "moved", "broken", "odd", "long", "busy")
# A broken answer to what may be repeated is asked for again, after a pause: one to a change is not.
ENDS = (
    *(("get", how) for how in HOWS if how != "broken"),
    ("post", "broken"),
    ("post", "refused"),
    ("post", "echo"),
)
FETCHES = ("given", "refusing", "moving", "telling", "none")


def api(request: ReceivedRequest) -> Answer:
    """An API that repeats whatever it was sent, in each way in which a call can end."""
    how = request.path.rpartition("/")[2]
    if request.path.startswith("/token/"):
        return token_endpoint(request, how)
    told = json.dumps([request.target, request.headers, request.body.decode()])
    challenge = ("www-authenticate", 'Digest realm="x", nonce="n", qop="auth", algorithm=SHA-256')
    answers = {
        "fine": json_answer({"ok": True}),
        "echo": json_answer({"told": told, told: 1}),
        "refused": json_answer({"error": told}, status=401, headers=(challenge,)),
        "forbidden": Answer(status=403, body=told.encode()),
        "failing": json_answer({"error": told}, status=500),
        "moved": Answer(status=302, headers=(("location", f"https://evil.example/?{request.target}"),)),
        "broken": Answer(raw=True, body=b"HTTP/1.1 200 OK\r\n" + told.encode() + b"\r\n\r\n"),
        "odd": Answer(headers=(("content-type", "application/json"),), body=told.encode() + b"]"),
        "long": json_answer({"told": told * 2_000}),
        "busy": json_answer({"error": told}, status=429, headers=(("retry-after", "3600"),)),
    }
    return answers[how]


def token_endpoint(request: ReceivedRequest, how: str) -> Answer:
    """A token endpoint that gives one, or repeats what it was sent."""
    told = f"{request.headers} {request.body.decode()} {CANARY}-token"
    answers = {
        "given": json_answer({"access_token": f"{CANARY}-token", "token_type": "Bearer"}),
        "refusing": json_answer({"error": told, "error_description": told}, status=400),
        "moving": Answer(status=307, headers=(("location", f"http://169.254.169.254/{CANARY}"),)),
        "telling": Answer(body=told.encode()),
        "none": json_answer({"access_token": f"{CANARY}\n", "token_type": "Bearer"}),
    }
    return answers[how]


@pytest_asyncio.fixture
async def server() -> AsyncGenerator[LoopbackServer, None]:
    """That API."""
    async with LoopbackServer(api) as made:
        yield made


@pytest.fixture
def settings(server: LoopbackServer, home: Path, tmp_path: Path) -> Settings:
    """A document with every scheme, and one for each way in which a token can fail to come."""
    paths: JsonObject = {
        f"/{scheme}/{{how}}": {
            method: {
                "operationId": f"{scheme}_{method}",
                "security": [{scheme: []}],
                "parameters": [{"name": "how", "in": "path", "required": True, "schema": {"type": "string"}}],
            }
            for method in ("get", "post")
        }
        for scheme in SCHEMES
    }
    document = tmp_path / "api.json"
    document.write_text(
        json.dumps(
            {
                "openapi": "3.1.0",
                "info": {"title": "t", "version": "1"},
                "paths": paths,
                "components": {"securitySchemes": SCHEMES},
            }
        )
    )
    plain = ToolSettings(
        source=str(document),
        base_url=server.url,
        credentials={
            scheme: "vault:pair" if scheme in {"basic", "digest"} else "vault:key" for scheme in PLACED
        },
        oauth=oauth(server, "given", "flow"),
    )
    tools = {"all": plain}
    for how in FETCHES:
        tools[how] = ToolSettings(source=str(document), base_url=server.url, oauth=oauth(server, how, "oidc"))
    return Settings(home=home, tools=tools)


def oauth(server: LoopbackServer, how: str, scheme: str) -> dict[str, str]:
    """A client of the token endpoint."""
    return {
        "client_id": "house",
        "client_secret": "vault:client",
        "token_url": f"{server.url}/token/{how}",
        "scheme": scheme,
    }


async def keep(
    runtime: Runtime,
    name: str,
    value: str,
    *,
    uses: tuple[str, ...] | None = None,
    hosts: tuple[str, ...] | None = None,
) -> None:
    """Set a secret as the local user."""
    await runtime.vault.set(name, Secret(value), by=runtime.principal, uses=uses, hosts=hosts)


async def outcome(runtime: Runtime, name: str, how: str) -> str:
    """Everything that a call shows."""
    try:
        result = await runtime.tools.call(name, json.dumps({"how": how}))
    except InterlockError as error:
        return f"{error!r} {error} {error.as_json()} {error.__cause__!r} {error.__context__!r}"
    return repr(result)


def kept_in(home: Path) -> str:
    """Everything that the store keeps, in words."""
    with closing(sqlite3.connect(home / "interlock.db")) as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [database.execute(f'SELECT * FROM "{table}"').fetchall() for table in tables]
    return repr(rows)


async def test_credentials_reach_no_result_log_error_or_record(
    settings: Settings, server: LoopbackServer, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every scheme, every way in which a call or the fetch of a token ends, every place where text goes."""
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    async with Runtime.open(settings, environment={}) as runtime:
        await keep(runtime, "key", CANARY)
        await keep(runtime, "pair", PAIR)
        await keep(runtime, "client", f"{CANARY}-client")
        schemes = (*PLACED, "flow")
        calls = [(f"all.{scheme}_{method}", how) for scheme in schemes for method, how in ENDS]
        calls += [(f"{fetch}.oidc_get", "echo") for fetch in FETCHES]
        for name, how in calls:
            shown.append(await outcome(runtime, name, how))
        shown.append(json.dumps(list(await runtime.vault.list(by=runtime.principal))))
        shown.append(json.dumps(settings_json(settings)))
        shown += [repr(record) for record in await runtime.trail.tail(5_000)]
    assert len(calls) == 89
    sent = [f"{request.target} {request.headers}" for request in server.requests]
    reached = {scheme for scheme in (*PLACED, "flow") if any(text.startswith(f"/{scheme}/") for text in sent)}
    assert reached == {*PLACED, "flow"}
    assert any(CANARY in text for text in sent)
    everything = "\n".join([*shown, caplog.text, kept_in(home)])
    assert "canary-7f3a9c51" not in everything


async def test_a_secret_of_the_vault_stands_wherever_one_may(
    vendor: OpenAIChatServer, settings: Settings, server: LoopbackServer
) -> None:
    """For a provider and a document; a new value is used without a restart."""
    acme = ProviderSettings(kind="openai-compatible", base_url=vendor.url, api_key="vault:acme")
    async with Runtime.open(replace(settings, providers={"acme": acme}), environment={}) as runtime:
        with pytest.raises(ConfigurationError, match="has no secret acme"):
            await runtime.ask("Hello", model="acme/small")
        await keep(runtime, "acme", "sk-wrong-000000")
        with pytest.raises(InterlockError):
            await runtime.ask("Hello", model="acme/small")
        await keep(runtime, "acme", KEY)
        assert (await runtime.ask("Hello", model="acme/small")).text
        await keep(runtime, "key", "first-value")
        await outcome(runtime, "all.bearer_get", "fine")
        await keep(runtime, "key", "second-value")
        await outcome(runtime, "all.bearer_get", "fine")
    sent = [request.header("authorization") for request in server.requests]
    assert sent == ["Bearer first-value", "Bearer second-value"]


async def test_a_bound_secret_goes_nowhere_else(settings: Settings, server: LoopbackServer) -> None:
    """Neither to another document nor to another host; nothing is sent."""
    async with Runtime.open(settings, environment={}) as runtime:
        await keep(runtime, "key", CANARY, uses=("tools.other",))
        assert "bound to tools.other" in await outcome(runtime, "all.bearer_get", "fine")
        await keep(runtime, "key", CANARY, hosts=("api.example.com",))
        assert "bound to api.example.com" in await outcome(runtime, "all.bearer_get", "fine")
        assert server.requests == []
        await keep(runtime, "key", CANARY, uses=("tools.all",), hosts=("127.0.0.1",))
        assert "ok" in await outcome(runtime, "all.bearer_get", "fine")
    assert len(server.requests) == 1


async def test_a_running_process_hides_what_another_sets(settings: Settings) -> None:
    """Within a second or so, though it never read it."""
    async with (
        Runtime.open(settings, environment={}) as here,
        Runtime.open(settings, environment={}) as there,
    ):
        await keep(here, "late", "late-canary-value")
        assert here.redactor.text("late-canary-value") == "[redacted:late]"
        learnt = asyncio.Event()
        there.vault.changed.append(learnt.set)
        async with asyncio.timeout(30):
            await learnt.wait()
        assert there.redactor.text("late-canary-value") == "[redacted:late]"


async def test_who_may_not_manage_the_vault_is_refused(settings: Settings) -> None:
    """Neither reading names nor changing."""
    nobody = Principal(user="ann", roles=frozenset({"agent"}))
    async with Runtime.open(settings, environment={}) as runtime:
        with pytest.raises(PermissionDeniedError):
            await runtime.vault.list(by=nobody)
        with pytest.raises(PermissionDeniedError):
            await runtime.vault.set("k", Secret("some-value"), by=nobody)
        with pytest.raises(PermissionDeniedError):
            await runtime.vault.remove("k", by=nobody)
        with pytest.raises(PermissionDeniedError):
            await runtime.vault.rotate_key(by=nobody)
        with pytest.raises(NotFoundError):
            await runtime.vault.set("k", Secret("some-value"), by=runtime.principal, new=False)


async def test_a_hashicorp_vault_gives_secrets_and_takes_none(
    settings: Settings, server: LoopbackServer
) -> None:
    """`vault:` leads there; its own tools change it."""

    def answer(request: ReceivedRequest) -> Answer:
        if request.path.startswith("/v1/"):
            assert request.header("x-vault-token") == "hvs.canary"
            return json_answer({"data": {"data": {"value": "from-hashicorp"}}})
        return api(request)

    server.handler = answer
    vault = VaultSettings(secrets="hashicorp", address=server.url, key="transit:house")
    async with Runtime.open(
        replace(settings, vault=vault), environment={"VAULT_TOKEN": "hvs.canary"}
    ) as runtime:
        assert "ok" in await outcome(runtime, "all.bearer_get", "fine")
        with pytest.raises(UnsupportedError, match="its own tools"):
            await keep(runtime, "k", "some-value")
        assert runtime.redactor.text("from-hashicorp hvs.canary").count("redacted") == 2
    assert server.requests[-1].header("authorization") == "Bearer from-hashicorp"


@pytest.mark.parametrize(
    ("vault", "said"),
    [
        (VaultSettings(key="nowhere"), "no place for its key"),
        (VaultSettings(key="transit:house"), "lacks the address"),
        (VaultSettings(secrets="hashicorp"), "lacks the address"),
        (VaultSettings(secrets="hashicorp", token="vault:token"), "in that vault"),
    ],
)
async def test_a_vault_that_is_nowhere_is_refused_at_the_start(
    settings: Settings, vault: VaultSettings, said: str
) -> None:
    """Before anything is kept under a key that nobody finds again."""
    with pytest.raises(ConfigurationError, match=said):
        async with Runtime.open(replace(settings, vault=vault), environment={}):
            pass


@pytest.mark.parametrize(
    ("oauth", "said"),
    [
        ('{ client_id = "x", client_secret = "vault:s" }', "token_url"),
        (
            '{ client_id = "x", client_secret = "vault:s", token_url = "https://a", issuer = "https://b" }',
            "either",
        ),
        ('{ client_secret = "vault:s", token_url = "https://a" }', "client_id"),
        ('{ client_id = "x", token_url = "https://a" }', "client_secret"),
        ('{ client_id = "x", token_url = "https://a", tokn = "y" }', "no key 'tokn'"),
        ('{ client_id = "x", token_url = "https://a", authentication = "magic" }', "authentication"),
    ],
)
def test_a_client_that_cannot_fetch_a_token_is_refused_by_its_place(
    tmp_path: Path, oauth: str, said: str
) -> None:
    """With file and line; a token endpoint that only a document names is never used."""
    file = tmp_path / "config.toml"
    file.write_text(f'[tools.crm]\nsource = "api.json"\noauth = {oauth}\n')
    with pytest.raises(ConfigurationError, match=said) as caught:
        load_settings({"INTERLOCK_HOME": str(tmp_path)}, config=str(file))
    assert "config.toml:3" in str(caught.value)
