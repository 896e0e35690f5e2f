"""The key of keys changes while everything can be read, whoever dies meanwhile."""

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from interlock_core.call import Principal
from interlock_core.errors import VerificationError
from interlock_core.secret import Secret
from interlock_core.store import Store
from interlock_security import BRANCH, WITNESS_FILE, AuditLog, FileWitness
from interlock_security.vault import FileHolder, Vault

OpenVault = Callable[..., Vault]
ROTATOR = Path(__file__).with_name("rotator.py")
USE = "tools.x.credential"
MANY = 70


def ignore(secret: Secret) -> None:
    """Nobody hides anything here."""


def key_files(home: Path) -> list[str]:
    """The files with keys."""
    return sorted(path.name for path in home.glob("vault.*.key"))


async def filled(url: str, home: Path, count: int, by: Principal) -> None:
    """A vault with secrets of two versions each."""
    async with await Store.open(url, branches=[BRANCH]) as store:
        log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE))
        vault = Vault(store, holder=FileHolder(home), changes=log, learn=ignore)
        await vault.set("s0", Secret("former-of-0"), by=by)
        for number in range(count):
            await vault.set(f"s{number}", Secret(f"value-of-{number}"), by=by)
        await log.aclose()


async def readable(url: str, home: Path, count: int) -> None:
    """Every secret and the former version read as they were set, by a fresh process's eyes."""
    async with await Store.open(url, branches=[BRANCH]) as store:
        log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE))
        vault = Vault(store, holder=FileHolder(home), changes=log, learn=ignore)
        for number in range(count):
            assert (await vault.read(f"s{number}", setting=USE)).reveal() == f"value-of-{number}"
        assert (await vault.read("s0@1", setting=USE)).reveal() == "former-of-0"
        await vault.aclose()
        await log.aclose()


async def finished(url: str, home: Path, by: Principal) -> None:
    """The change of the key that somebody died over, finished."""
    async with await Store.open(url, branches=[BRANCH]) as store:
        log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE))
        await Vault(store, holder=FileHolder(home), changes=log, learn=ignore).rotate_key(by=by)
        await log.aclose()


async def rotator(url: str, home: Path, fatal: int) -> asyncio.subprocess.Process:
    """A process that changes the key, and dies at a step."""
    return await asyncio.create_subprocess_exec(
        sys.executable, str(ROTATOR), url, str(home), str(fatal), stdout=asyncio.subprocess.PIPE
    )


async def ended(forking: asyncio.subprocess.Process, fatal: int) -> int:
    """How a process ended that was forked to change the key and die at a step."""
    assert forking.stdin is not None
    assert forking.stdout is not None
    forking.stdin.write(f"{fatal}\n".encode())
    while line := await forking.stdout.readline():
        if line.startswith(b"ended "):
            return int(line.split()[1])
    raise AssertionError("the process that forks is gone")


@pytest.mark.promise("O15")
async def test_a_change_of_the_key_leaves_every_secret_readable(
    new_vault: OpenVault, admin: Principal, home: Path, store: Store
) -> None:
    """A process that held the old key goes on; one key and its file are left."""
    vault = new_vault()
    for number in range(MANY):
        await vault.set(f"s{number}", Secret(f"value-of-{number}"), by=admin)
    (before,) = key_files(home)
    running, rotating = new_vault(), new_vault()
    await running.refresh()
    rotation = await rotating.rotate_key(by=admin)
    assert (rotation.rewrapped, rotation.resumed) == (MANY, False)
    assert key_files(home) == [f"vault.{rotation.key_id}.key"] != [before]
    rows = await store.fetch_all("SELECT DISTINCT key_id FROM vault_secrets")
    assert rows == [(rotation.key_id,)]
    for one in (running, rotating, new_vault()):
        for number in range(MANY):
            assert (await one.read(f"s{number}", setting=USE)).reveal() == f"value-of-{number}"
        await one.aclose()
    assert (await running.set("s0", Secret("value-after"), by=admin)).version == 2
    await running.aclose()


@pytest.mark.promise("O15")
async def test_killed_at_any_step_the_change_is_finished_by_the_next(
    home: Path, database: Path, admin: Principal
) -> None:
    """At every step everything can be read, and the next run ends with one key."""
    url = f"sqlite:///{database}"
    await filled(url, home, 3, admin)
    forking = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROTATOR), url, str(home)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    killed = 0
    while code := await ended(forking, killed + 1):
        assert code == -signal.SIGKILL
        killed += 1
        await readable(url, home, 3)
        await finished(url, home, admin)
        assert len(key_files(home)) == 1
    await forking.communicate(b"")
    assert killed >= 10
    await readable(url, home, 3)


@pytest.mark.promise("O15")
async def test_several_processes_change_the_key_at_once(home: Path, url: str, admin: Principal) -> None:
    """They help each other or follow one another: one key is left, nothing is lost."""
    await filled(url, home, 20, admin)
    processes = [await rotator(url, home, 0) for _ in range(3)]
    await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(key_files(home)) == 1
    await readable(url, home, 20)


async def test_several_processes_make_the_first_key_together(
    new_vault: OpenVault, admin: Principal, home: Path
) -> None:
    """One key, whoever comes first."""
    vaults = [new_vault() for _ in range(6)]
    await asyncio.gather(
        *(
            vault.set(f"s{number}", Secret(f"value-of-{number}"), by=admin)
            for number, vault in enumerate(vaults)
        )
    )
    assert len(key_files(home)) == 1
    reader = new_vault()
    for number in range(6):
        assert (await reader.read(f"s{number}", setting=USE)).reveal() == f"value-of-{number}"
    await reader.aclose()


async def test_a_secret_that_does_not_open_stops_the_change_until_it_is_set_again(
    new_vault: OpenVault, admin: Principal, store: Store, home: Path
) -> None:
    """The key that it is under stays, so nothing is lost that could be mended."""
    vault = new_vault()
    await vault.set("good", Secret("value-good"), by=admin)
    await vault.set("bad", Secret("value-bad-1"), by=admin)
    await store.execute("UPDATE vault_secrets SET wrapped = substr(wrapped, 1, 20) WHERE name = 'bad'")
    with pytest.raises(VerificationError, match="secret bad does not open"):
        await vault.rotate_key(by=admin)
    assert len(key_files(home)) == 2
    assert (await new_vault().read("good", setting=USE)).reveal() == "value-good"
    await vault.set("bad", Secret("value-bad-2"), by=admin)
    rotation = await vault.rotate_key(by=admin)
    assert rotation.resumed
    assert len(key_files(home)) == 1
