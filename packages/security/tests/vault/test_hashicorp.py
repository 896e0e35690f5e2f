"""HashiCorp Vault as holder of the key and as the place of secrets, over a server that speaks as it does.

Paths, headers and answers are those of its HTTP API: the key-value engine, version 2, and the transit engine.
"""

import asyncio
import base64
import os
from collections.abc import AsyncGenerator

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from interlock_core.call import Principal
from interlock_core.errors import (
    ConfigurationError,
    InterlockError,
    NotFoundError,
    ProtocolError,
    UpstreamError,
)
from interlock_core.http import Egress, HttpClient
from interlock_core.jsontypes import JsonObject, as_object
from interlock_core.secret import Secret
from interlock_core.store import Store
from interlock_core.testing import Answer, FakeClock, LoopbackServer, ReceivedRequest, json_answer
from interlock_security import AuditLog, EnvironmentSecrets, KnownSecretRedactor
from interlock_security.vault import (
    Hashicorp,
    HashicorpAddress,
    HashicorpSecrets,
    KeyHolder,
    KeyValueHolder,
    TransitHolder,
    Vault,
)

pytestmark = pytest.mark.promise("O15")

TOKEN = "hvs.canary-token"
USE = "tools.x.credential"


def ignore(secret: Secret) -> None:
    """Nobody hides anything here."""


class VaultServer:
    """A HashiCorp Vault: key-value version 2 at `secret`, transit at `transit`, one token."""

    def __init__(self) -> None:
        self.kept: dict[str, JsonObject] = {}
        self.key = os.urandom(32)
        self.sealed = False

    def __call__(self, request: ReceivedRequest) -> Answer:
        """Answer as it does."""
        if self.sealed:
            return json_answer({"errors": ["Vault is sealed"]}, status=503)
        if request.header("x-vault-token") != TOKEN or request.header("x-vault-namespace") != "team":
            return json_answer({"errors": ["permission denied"]}, status=403)
        path = request.path.removeprefix("/v1/")
        if path.startswith("transit/"):
            return self._transit(path, as_object(request.json()))
        if path.startswith("secret/metadata/") and request.method == "DELETE":
            self.kept.pop(path.removeprefix("secret/metadata/"), None)
            return Answer(status=204)
        name = path.removeprefix("secret/data/")
        if request.method == "POST":
            self.kept[name] = as_object(as_object(request.json()).get("data"))
            return json_answer({"data": {"version": 1}})
        if name not in self.kept:
            return json_answer({"errors": []}, status=404)
        return json_answer({"data": {"data": self.kept[name], "metadata": {"version": 1}}})

    def _transit(self, path: str, fields: JsonObject) -> Answer:
        _, action, name = path.split("/")
        if name != "house":
            return json_answer({"errors": ["encryption key not found"]}, status=400)
        context = base64.b64decode(str(fields.get("associated_data", "")))
        if action == "encrypt":
            nonce = os.urandom(12)
            made = nonce + AESGCM(self.key).encrypt(
                nonce, base64.b64decode(str(fields["plaintext"])), context
            )
            return json_answer({"data": {"ciphertext": f"vault:v1:{base64.b64encode(made).decode()}"}})
        raw = base64.b64decode(str(fields["ciphertext"]).removeprefix("vault:v1:"))
        try:
            plain = AESGCM(self.key).decrypt(raw[:12], raw[12:], context)
        except InvalidTag:
            return json_answer({"errors": ["cipher: message authentication failed"]}, status=400)
        return json_answer({"data": {"plaintext": base64.b64encode(plain).decode()}})


async def token() -> Secret:
    """The token."""
    return Secret(TOKEN, name="vault.token")


@pytest.fixture
async def remote() -> AsyncGenerator[tuple[VaultServer, LoopbackServer, Hashicorp], None]:
    """A server and what speaks to it."""
    handler = VaultServer()
    async with LoopbackServer(handler) as server:
        client = HttpClient(egress=Egress().allow(server.url))
        address = HashicorpAddress(url=f"{server.url}/", namespace="team")
        yield handler, server, Hashicorp(address, token=token, client=client)
        await client.aclose()


@pytest.mark.parametrize("kind", ["transit", "kv"])
async def test_it_holds_the_key_of_the_vault(
    remote: tuple[VaultServer, LoopbackServer, Hashicorp],
    store: Store,
    log: AuditLog,
    admin: Principal,
    kind: str,
) -> None:
    """Made, found again by a fresh process, changed; without it nothing opens."""
    handler, server, hashicorp = remote
    holder: KeyHolder = (
        TransitHolder(hashicorp, "house")
        if kind == "transit"
        else KeyValueHolder(hashicorp, "interlock/keys")
    )

    def opened() -> Vault:
        return Vault(store, holder=holder, changes=log, learn=ignore)

    await opened().set("k", Secret("value-one"), by=admin)
    assert (await opened().read("k", setting=USE)).reveal() == "value-one"
    rotation = await opened().rotate_key(by=admin)
    assert (await opened().read("k", setting=USE)).reveal() == "value-one"
    assert list(handler.kept) == ([] if kind == "transit" else [f"interlock/keys/{rotation.key_id}"])
    sent = b"".join(request.body for request in server.requests)
    assert b"value-one" not in sent
    if kind == "transit":
        await store.execute(
            "UPDATE vault_keys SET wrapped = ?", (b"vault:v1:" + base64.b64encode(b"x" * 60),)
        )
        with pytest.raises(InterlockError):
            await opened().read("k", setting=USE)
    else:
        handler.kept.clear()
        with pytest.raises(ConfigurationError, match="is not in HashiCorp Vault"):
            await opened().read("k", setting=USE)


async def test_several_processes_make_one_key_in_it(
    remote: tuple[VaultServer, LoopbackServer, Hashicorp], store: Store, log: AuditLog, admin: Principal
) -> None:
    """Though a wrapped key is another each time that it is asked for."""
    _, _, hashicorp = remote
    vaults = [
        Vault(store, holder=TransitHolder(hashicorp, "house"), changes=log, learn=ignore) for _ in range(4)
    ]
    await asyncio.gather(
        *(vault.set(f"s{number}", Secret(f"value-{number}"), by=admin) for number, vault in enumerate(vaults))
    )
    for vault in vaults:
        for number in range(4):
            assert (await vault.read(f"s{number}", setting=USE)).reveal() == f"value-{number}"
    assert len(await store.fetch_all("SELECT id FROM vault_keys")) == 1


async def test_vault_names_lead_to_its_secrets(
    remote: tuple[VaultServer, LoopbackServer, Hashicorp],
) -> None:
    """By path and field; known to the redactor; read again after half a minute."""
    handler, server, hashicorp = remote
    redactor, clock = KnownSecretRedactor(), FakeClock()
    handler.kept["apps/github"] = {"value": "ghp-canary-1", "other": "other-canary", "number": 7}
    secrets = EnvironmentSecrets({}, vault=HashicorpSecrets(hashicorp, learn=redactor.learn, clock=clock))
    assert (await secrets.get("vault:apps/github")).reveal() == "ghp-canary-1"
    assert (await secrets.get("vault:apps/github#other")).reveal() == "other-canary"
    assert len(server.requests) == 1
    assert "canary" not in redactor.text("ghp-canary-1 other-canary")
    handler.kept["apps/github"] = {"value": "ghp-canary-2"}
    clock.advance(30)
    assert (await secrets.get("vault:apps/github")).reveal() == "ghp-canary-2"
    for wrong in ("vault:apps/none", "vault:apps/github#number", "vault:../sys/x", "vault:a//b", "vault:"):
        with pytest.raises(ConfigurationError):
            await secrets.get(wrong)


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (json_answer({"errors": [TOKEN]}, status=403), ConfigurationError, "answered 403"),
        (json_answer({"errors": [TOKEN]}, status=503), ProtocolError, "answered 503"),
        (Answer(status=307, headers=(("location", "http://169.254.169.254/"),)), ConfigurationError, "307"),
        (Answer(body=TOKEN.encode()), ProtocolError, "not JSON"),
        (json_answer([]), NotFoundError, "no text in its field"),
        (json_answer({"data": {"data": {"value": 7}}}), NotFoundError, "no text in its field"),
        (Answer(body=b'{"data": "' + b"x" * 2_000_000 + b'"}'), UpstreamError, "long|large|limit|bytes"),
    ],
)
async def test_what_it_says_wrongly_is_an_error_without_the_token(
    answer: Answer, error: type[InterlockError], said: str
) -> None:
    """Refused, sealed, redirected, damaged or too long."""
    async with LoopbackServer(lambda request: answer) as server:
        client = HttpClient(egress=Egress().allow(server.url))
        hashicorp = Hashicorp(HashicorpAddress(url=server.url), token=token, client=client)
        with pytest.raises(error, match=said) as caught:
            await HashicorpSecrets(hashicorp, learn=ignore).read("a", setting=USE)
        assert len(server.requests) == 1
        await client.aclose()
    assert TOKEN not in f"{caught.value!r} {caught.value} {caught.value.as_json()}"
