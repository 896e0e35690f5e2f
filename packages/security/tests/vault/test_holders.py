"""The key of keys in a file, the environment and the system's key store."""

import base64
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import ClassVar

import keyring
import keyring.backend
import keyring.errors
import pytest
from typing_extensions import override

from interlock_core.call import Principal
from interlock_core.errors import ConfigurationError, InterlockError
from interlock_core.secret import Secret
from interlock_core.store import Store
from interlock_security import AuditLog
from interlock_security.vault import EnvironmentHolder, FileHolder, KeyHolder, KeyringHolder, Vault

OpenVault = Callable[..., Vault]
USE = "tools.x.credential"
DUMPABLE = """
import ctypes, resource
from interlock_security.vault import forbid_core_dumps
forbid_core_dumps()
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


def ignore(secret: Secret) -> None:
    """Nobody hides anything here."""


def key_files(home: Path) -> list[Path]:
    """The files with keys."""
    return list(home.glob("vault.*.key"))


def key_file(home: Path) -> Path:
    """The one file with a key."""
    (path,) = key_files(home)
    return path


def text_of(number: int) -> str:
    """A key as text."""
    return base64.b64encode(bytes([number]) * 32).decode()


@pytest.mark.promise("O15")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o620])
async def test_a_key_file_that_others_may_read_is_refused(
    new_vault: OpenVault, admin: Principal, home: Path, mode: int
) -> None:
    """It is made 0600; once it is not, the vault does not open, and the list still shows its names."""
    await new_vault().set("k", Secret("value-one"), by=admin)
    path = key_file(home)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(mode)
    vault = new_vault()
    with pytest.raises(ConfigurationError, match="may be read by others"):
        await vault.read("k", setting=USE)
    with pytest.raises(ConfigurationError, match="may be read by others"):
        await new_vault().set("other", Secret("value-two"), by=admin)
    assert [entry.name for entry in await vault.list()] == ["k"]


@pytest.mark.parametrize("content", ["", "short\n", "%%%%", text_of(1) + text_of(1), "é" * 32])
async def test_a_key_that_is_none_is_refused_without_being_shown(
    new_vault: OpenVault, admin: Principal, home: Path, content: str
) -> None:
    """Damaged, cut or doubled."""
    await new_vault().set("k", Secret("value-one"), by=admin)
    path = key_file(home)
    path.write_text(content)
    with pytest.raises(ConfigurationError, match="is no key") as caught:
        await new_vault().read("k", setting=USE)
    assert content == "" or content.strip() not in str(caught.value)


async def test_a_key_that_is_lost_or_another_is_said_to_be(
    new_vault: OpenVault, admin: Principal, home: Path
) -> None:
    """Nothing is made anew over secrets that another key seals."""
    await new_vault().set("k", Secret("value-one"), by=admin)
    path = key_file(home)
    kept = path.read_text()
    path.write_text(text_of(7))
    with pytest.raises(ConfigurationError, match="not the one that the vault was made with"):
        await new_vault().read("k", setting=USE)
    path.unlink()
    with pytest.raises(ConfigurationError, match="is not in the folder"):
        await new_vault().set("k", Secret("value-two"), by=admin)
    path.write_text(kept)
    path.chmod(0o600)
    assert (await new_vault().read("k", setting=USE)).reveal() == "value-one"


@pytest.mark.promise("O15")
async def test_a_key_of_the_environment_is_replaced_by_a_new_variable(
    store: Store, log: AuditLog, admin: Principal
) -> None:
    """The new one is named, the old one as former, until the change is done."""
    environment = {"OLD": text_of(1), "NEW": base64.b64decode(text_of(2)).hex(), "BAD": "secret-that-is-none"}
    old, new = EnvironmentHolder(environment, "OLD"), EnvironmentHolder(environment, "NEW")

    def opened(holder: KeyHolder, *former: KeyHolder) -> Vault:
        return Vault(store, holder=holder, former=former, changes=log, learn=ignore)

    await opened(old).set("k", Secret("value-one"), by=admin)
    with pytest.raises(ConfigurationError, match="holds the key that the vault has already"):
        await opened(old).rotate_key(by=admin)
    with pytest.raises(ConfigurationError, match="is not in the environment variable NEW"):
        await opened(new).read("k", setting=USE)
    assert (await opened(new, old).read("k", setting=USE)).reveal() == "value-one"
    assert (await opened(new, old).rotate_key(by=admin)).rewrapped == 1
    assert (await opened(new).read("k", setting=USE)).reveal() == "value-one"
    for wrong, why in (("BAD", "is no key"), ("NONE", "is not set")):
        with pytest.raises(ConfigurationError, match=why) as caught:
            await opened(EnvironmentHolder(environment, wrong)).read("k", setting=USE)
        assert "secret-that-is-none" not in str(caught.value)


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A key store of the kind that systems have."""

    priority = 1  # pyright: ignore[reportAssignmentType] - the base declares a property for the class
    held: ClassVar[dict[tuple[str, str], str]] = {}
    locked = False
    forgetful = False

    @override
    def set_password(self, service: str, username: str, password: str) -> None:
        self._check()
        if not self.forgetful:
            self.held[service, username] = password

    @override
    def get_password(self, service: str, username: str) -> str | None:
        self._check()
        return self.held.get((service, username))

    @override
    def delete_password(self, service: str, username: str) -> None:
        self._check()
        del self.held[service, username]

    def _check(self) -> None:
        if self.locked:
            raise keyring.errors.KeyringLocked("it is locked")


@pytest.fixture
def keys() -> Generator[MemoryKeyring, None, None]:
    """The system's key store for the length of a test."""
    before, made = keyring.get_keyring(), MemoryKeyring()
    made.held.clear()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.mark.promise("O15")
async def test_the_system_keeps_the_key(
    store: Store, log: AuditLog, admin: Principal, home: Path, keys: MemoryKeyring
) -> None:
    """Moved there from the file by a change of the key; locked, it refuses in words."""
    await Vault(store, holder=FileHolder(home), changes=log, learn=ignore).set(
        "k", Secret("value-one"), by=admin
    )

    def opened(*former: KeyHolder) -> Vault:
        return Vault(store, holder=KeyringHolder(), former=former, changes=log, learn=ignore)

    await opened(FileHolder(home)).rotate_key(by=admin)
    assert not key_files(home)
    assert len(keys.held) == 1
    assert (await opened().read("k", setting=USE)).reveal() == "value-one"
    await opened().rotate_key(by=admin)
    assert len(keys.held) == 1
    keys.locked = True
    with pytest.raises(ConfigurationError, match="cannot be used"):
        await opened().read("k", setting=USE)
    keys.locked, keys.forgetful = False, True
    with pytest.raises(InterlockError, match="did not keep"):
        await opened().rotate_key(by=admin)
    keys.forgetful = False
    assert (await opened().rotate_key(by=admin)).resumed
    assert (await opened().read("k", setting=USE)).reveal() == "value-one"


@pytest.mark.promise("A10")
def test_a_process_with_keys_leaves_no_core_dump() -> None:
    """The limit is zero, and the process cannot be dumped at all."""
    told = subprocess.run(
        [sys.executable, "-c", DUMPABLE], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert told.stdout.split() == ["(0,", "0)", "0"]
