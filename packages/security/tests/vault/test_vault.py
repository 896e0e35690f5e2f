"""Secrets go in and come out only where they may, and nothing that was moved or changed opens."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core.call import Principal
from interlock_core.errors import (
    ConfigurationError,
    InvalidRequestError,
    NotFoundError,
    VerificationError,
)
from interlock_core.secret import Secret
from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_security import AuditLog, KnownSecretRedactor
from interlock_security.vault import SecretScope, Vault
from interlock_security.vault._seal import Place, new_key, padded, seal, unpadded, unseal

OpenVault = Callable[..., Vault]
USE = "tools.github.credential"


async def revealed(vault: Vault, name: str, setting: str = USE) -> str:
    """A secret's text."""
    return (await vault.read(name, setting=setting)).reveal()


def everything_in(folder: Path) -> bytes:
    """What the files of a folder hold."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


@pytest.mark.promise("O15")
async def test_a_secret_is_set_read_changed_and_removed(vault: Vault, admin: Principal) -> None:
    """The version before is read by its number until the next is set; a number never comes twice."""
    first = await vault.set("github", Secret("ghp-one-000000"), by=admin)
    assert (first.name, first.version, first.former) == ("github", 1, None)
    second = await vault.set("github", Secret("ghp-two-000000"), by=admin)
    assert (second.version, second.former) == (2, 1)
    assert [await revealed(vault, name) for name in ("github", "github@1", "github@2")] == [
        "ghp-two-000000",
        "ghp-one-000000",
        "ghp-two-000000",
    ]
    await vault.set("github", Secret("ghp-three-0000"), by=admin)
    with pytest.raises(NotFoundError, match="github@1"):
        await vault.read("github@1", setting=USE)
    await vault.remove("github", by=admin)
    with pytest.raises(NotFoundError):
        await vault.read("github", setting=USE)
    assert await vault.list() == []
    assert (await vault.set("github", Secret("ghp-four-00000"), by=admin)).version == 5


@pytest.mark.promise("O15")
async def test_a_former_version_can_be_removed_alone(vault: Vault, admin: Principal) -> None:
    """After a change elsewhere the old value need not stay; the current one is not removed by number."""
    await vault.set("k", Secret("value-one"), by=admin)
    await vault.set("k", Secret("value-two"), by=admin)
    await vault.remove("k@1", by=admin)
    with pytest.raises(NotFoundError):
        await vault.read("k@1", setting=USE)
    with pytest.raises(InvalidRequestError, match="current"):
        await vault.remove("k@2", by=admin)
    with pytest.raises(NotFoundError, match="version 7"):
        await vault.remove("k@7", by=admin)
    assert await revealed(vault, "k") == "value-two"


@pytest.mark.promise("O15")
async def test_the_store_the_log_and_the_list_hold_no_value(
    vault: Vault, admin: Principal, database: Path, log: AuditLog, home: Path
) -> None:
    """Neither the value nor its length; the change is in the log, with who and what."""
    short, long = "canary-7f3a9", "canary-7f3a9" + "x" * 200
    await vault.set("short", Secret(short), by=admin)
    await vault.set("long", Secret(long), by=admin, scope=SecretScope(uses=("tools.github",)))
    await vault.read("short", setting=USE)
    await vault.aclose()
    listed = [entry.as_json() for entry in await vault.list()]
    assert listed == [
        {
            "name": "long",
            "version": 1,
            "former": None,
            "scope": {"for": ["tools.github"], "hosts": []},
            "created_at": listed[0]["created_at"],
            "created_by": "local:root",
            "last_used_at": None,
        },
        {**listed[1], "name": "short", "last_used_at": listed[1]["created_at"]},
    ]
    assert b"canary" not in everything_in(home)
    changes = [record for record in await log.tail(20) if "vault.set" in str(record.data)]
    assert changes
    assert "canary" not in str([record.data for record in changes])
    assert len({len(padded(text)) for text in (short, long)}) == 1


async def test_a_change_is_seen_by_other_processes_within_a_second(
    new_vault: OpenVault, admin: Principal, redactor: KnownSecretRedactor
) -> None:
    """Read anew once a second has passed; a refresh tells the redactor without any reading."""
    clock = FakeClock()
    here, there = new_vault(), new_vault(clock=clock)
    told: list[bool] = []
    there.changed.append(lambda: told.append(True))
    await here.set("k", Secret("value-one-1"), by=admin)
    assert await revealed(there, "k") == "value-one-1"
    await here.set("k", Secret("value-two-2"), by=admin)
    assert await revealed(there, "k") == "value-one-1"
    clock.advance(1.0)
    assert await revealed(there, "k") == "value-two-2"
    assert told
    other = KnownSecretRedactor()
    third = new_vault()
    await third.refresh()
    assert redactor.text("value-two-2 value-one-1") == "[redacted:k] [redacted:k]"
    assert other.text("value-two-2") == "value-two-2"
    await asyncio.gather(here.aclose(), there.aclose(), third.aclose())


@pytest.mark.promise("O15")
async def test_a_secret_is_refused_where_its_scope_does_not_name_it(vault: Vault, admin: Principal) -> None:
    """By use and by host; a name that only begins alike is another."""
    scope = SecretScope(uses=("tools.github",), hosts=("*.githubusercontent.com", "api.github.com"))
    await vault.set("g", Secret("ghp-bound-0000"), by=admin, scope=scope)
    for setting in ("tools.github2.credential", "providers.openai.api_key", "tools", "vault:g", ""):
        with pytest.raises(ConfigurationError, match=r"bound to tools\.github"):
            await vault.read("g", setting=setting)
    secret = await vault.read("g", setting=USE)
    for host in ("api.github.com", "API.GitHub.com.", "raw.githubusercontent.com"):
        secret.require_host(host)
    for host in ("evil.example", "api.github.com.evil.example", "githubusercontent.com", ""):
        with pytest.raises(ConfigurationError, match=r"is bound to"):
            secret.require_host(host)
    kept = await vault.set("g", Secret("ghp-bound-1111"), by=admin)
    assert kept.scope == scope
    wide = await vault.set("g", Secret("ghp-bound-2222"), by=admin, scope=SecretScope())
    assert wide.scope == SecretScope()


@pytest.mark.parametrize(
    ("uses", "hosts"),
    [(("github",), ()), (("tools.github credential",), ()), ((), ("https://x.example",)), ((), ("*",))],
)
def test_a_scope_that_names_no_place_is_refused(uses: tuple[str, ...], hosts: tuple[str, ...]) -> None:
    """A misspelt bound is no bound, so it is none."""
    with pytest.raises(InvalidRequestError):
        SecretScope(uses=uses, hosts=hosts)


@pytest.mark.parametrize("name", ["", "a b", "../x", "a//b", "a@1", "x" * 129, "a#b", "-a"])
async def test_a_name_that_cannot_be_kept_is_refused(vault: Vault, admin: Principal, name: str) -> None:
    """Before anything is recorded or kept."""
    with pytest.raises(InvalidRequestError):
        await vault.set(name, Secret("some-value"), by=admin)


@pytest.mark.parametrize("value", ["", " \n", "x" * 65_537, "\ud800"])
async def test_a_value_that_cannot_be_kept_is_refused(vault: Vault, admin: Principal, value: str) -> None:
    """Empty, too long, or no text."""
    with pytest.raises(InvalidRequestError):
        await vault.set("k", Secret(value), by=admin)


# ---- attacks of someone who writes the store

SWAPS = {
    "the value of another secret": "UPDATE vault_secrets SET sealed = (SELECT sealed FROM vault_secrets"
    " WHERE name = 'b') WHERE name = 'a'",
    "the data key of another secret": "UPDATE vault_secrets SET wrapped = (SELECT wrapped FROM vault_secrets"
    " WHERE name = 'b') WHERE name = 'a'",
    "both": "UPDATE vault_secrets SET wrapped = o.wrapped, sealed = o.sealed FROM (SELECT wrapped, sealed"
    " FROM vault_secrets WHERE name = 'b') AS o WHERE name = 'a'",
    "the columns of each other": "UPDATE vault_secrets SET wrapped = sealed, sealed = wrapped"
    " WHERE name = 'a'",
    "another scope": """UPDATE vault_secrets SET scope = '{"for":[],"hosts":[]}' WHERE name = 'a'""",
    "another version": "UPDATE vault_secrets SET version = 9 WHERE name = 'a' AND version = 2",
    "another state": "UPDATE vault_secrets SET state = 'former' WHERE name = 'a' AND version = 2",
    "another tenant": "UPDATE vault_secrets SET tenant = 'default' WHERE tenant = 'other'",
    "a cut value": "UPDATE vault_secrets SET sealed = substr(sealed, 1, 40) WHERE name = 'a'",
    "an empty value": "UPDATE vault_secrets SET sealed = x'' WHERE name = 'a'",
    "a cut data key": "UPDATE vault_secrets SET wrapped = substr(wrapped, 1, 12) WHERE name = 'a'",
    "another key": "UPDATE vault_secrets SET key_id = 'kek_0000' WHERE name = 'a'",
    "the newest version taken away": "DELETE FROM vault_secrets WHERE name = 'a' AND version = 2",
    "a former version made the current": "UPDATE vault_secrets SET state = 'current', version = 2 WHERE"
    " name = 'a' AND version = 1 AND NOT EXISTS (SELECT 1 FROM vault_secrets AS n WHERE n.version = 3)",
}


@pytest.mark.promise("O15")
@pytest.mark.parametrize("attack", SWAPS)
async def test_what_is_moved_or_changed_does_not_open(
    new_vault: OpenVault, admin: Principal, store: Store, attack: str
) -> None:
    """For a process that runs and for a fresh one; other secrets go on."""
    vault, other = new_vault(), new_vault(tenant="other")
    await vault.set("a", Secret("value-a-old"), by=admin, scope=SecretScope(uses=("tools.github",)))
    await vault.set("a", Secret("value-a-new"), by=admin)
    await vault.set("b", Secret("value-of-b"), by=admin)
    await vault.set("c", Secret("value-of-c"), by=admin)
    await other.set("a2", Secret("value-of-other"), by=admin)
    if attack == "a former version made the current":
        await store.execute("DELETE FROM vault_secrets WHERE name = 'a' AND version = 2")
    await store.execute(SWAPS[attack])
    await store.execute("UPDATE vault_state SET generation = generation + 1")
    name = "a2" if attack == "another tenant" else "a"
    fresh = new_vault()
    await vault.refresh()
    for one in (vault, fresh):
        with pytest.raises(VerificationError, match=f"secret {name} is refused"):
            await one.read(name, setting=USE)
        assert await revealed(one, "c") == "value-of-c"
    assert (await vault.set(name, Secret("value-set-again"), by=admin)).version >= 2
    assert await revealed(new_vault(), name) == "value-set-again"
    for one in (vault, fresh, other):
        await one.aclose()


async def test_an_older_state_put_back_is_refused_by_a_process_that_saw_the_newer(
    vault: Vault, admin: Principal, store: Store
) -> None:
    """The old row is genuine in every bit: only memory tells that it is old."""
    await vault.set("a", Secret("value-one-1"), by=admin)
    columns = "tenant, kind, name, version, state, scope, key_id, wrapped, sealed, created_at, created_by"
    await store.execute(f"CREATE TABLE vault_copy AS SELECT {columns} FROM vault_secrets")
    await vault.set("a", Secret("value-two-2"), by=admin)
    await store.execute("DELETE FROM vault_secrets")
    await store.execute(f"INSERT INTO vault_secrets ({columns}) SELECT {columns} FROM vault_copy")
    await vault.refresh(now=True)
    with pytest.raises(VerificationError, match="newer version was here"):
        await vault.read("a", setting=USE)
    await store.execute("DELETE FROM vault_secrets")
    await vault.refresh(now=True)
    with pytest.raises(VerificationError, match="newer version was here"):
        await vault.read("a", setting=USE)


TEXTS = st.text(min_size=1, max_size=600).filter(lambda text: text.isprintable())
PLACES = st.builds(
    Place,
    tenant=st.text(max_size=8),
    kind=st.sampled_from(["secret", "token"]),
    name=st.text(max_size=8),
    version=st.integers(0, 3),
    scope=st.text(max_size=8),
)


@given(TEXTS, PLACES, PLACES, st.data())
def test_an_envelope_opens_at_its_own_place_and_unchanged_only(
    text: str, here: Place, there: Place, data: st.DataObject
) -> None:
    """For any two places, and any single byte."""
    key = new_key()
    sealed = seal(key, padded(text), here.of_value())
    assert unpadded(unseal(key, sealed, here.of_value())) == text
    assert (here.of_value() == there.of_value()) is (here == there)
    if here != there:
        with pytest.raises(VerificationError):
            unseal(key, sealed, there.of_value())
    with pytest.raises(VerificationError):
        unseal(key, sealed, here.of_key("current", "kek"))
    at = data.draw(st.integers(0, len(sealed) - 1))
    changed = bytes([*sealed[:at], sealed[at] ^ data.draw(st.integers(1, 255)), *sealed[at + 1 :]])
    for wrong in (changed, sealed[:at], sealed + b"\0"):
        with pytest.raises(VerificationError):
            unseal(key, wrong, here.of_value())
