"""The witness: what it keeps, what it refuses, and what happens without it."""

import json
import sqlite3
from pathlib import Path

import pytest

from interlock_core.call import Principal
from interlock_core.errors import AuditUnavailableError, VerificationError
from interlock_core.store import Store
from interlock_security import WITNESS_FILE, AuditLog, FileWitness
from interlock_security.audit import FileKeys, ProblemKind, Sighting
from interlock_security.audit.merkle import CompactRange, leaf_hash
from interlock_security.audit.notes import Checkpoint, SigningKey

USER = Principal(user="u")
KEY = SigningKey("example.test/log", bytes(32))


def sighting(size: int) -> Sighting:
    """A log of that size, seen."""
    tree = CompactRange()
    tree.extend([leaf_hash(str(number).encode()) for number in range(size)])
    return Sighting(KEY.sign(Checkpoint("example.test/log", size, tree.root()).text()), tree.to_bytes())


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return [path.name for path in folder.iterdir()]


async def unproved(old: int, size: int) -> list[bytes]:
    """No proof: what keeps everything that it is given asks for none."""
    raise AssertionError


def sizes(path: Path) -> list[int]:
    """What a witness's file holds."""
    return [int(json.loads(line)["checkpoint"].split("\n")[1]) for line in path.read_text().splitlines()]


async def test_a_witness_keeps_what_it_is_shown_and_knows_the_largest(home: Path) -> None:
    """Whatever the order in which processes write."""
    witness = FileWitness(home / WITNESS_FILE)
    assert await witness.sightings() is None
    assert await witness.latest() is None
    for size in (1, 3, 2):
        await witness.record(sighting(size), prove=unproved, found=True)
    latest = await witness.latest()
    assert latest is not None
    assert latest == sighting(3)
    assert latest.opened([KEY.verifier])[0].size == 3
    assert [item.note for item in (await witness.sightings()) or ()] == [
        sighting(size).note for size in (1, 3, 2)
    ]
    assert witness.path.stat().st_mode & 0o777 == 0o600


async def test_a_witness_is_not_begun_by_the_way(home: Path) -> None:
    """A file that went away is not made anew unless someone says so."""
    with pytest.raises(FileNotFoundError):
        await FileWitness(home / WITNESS_FILE).record(sighting(1), prove=unproved)


async def test_a_torn_line_vouches_for_nothing_and_hides_nothing(home: Path) -> None:
    """The power went while it was written."""
    witness = FileWitness(home / WITNESS_FILE)
    await witness.record(sighting(5), prove=unproved, found=True)
    with witness.path.open("a") as file:
        file.write('{"checkpoint": "interl')
    assert await witness.latest() == sighting(5)
    witness.path.write_bytes(b'\xff\xfe\n{"checkpoint": 5, "nodes": "?"}\n[]\n')
    assert [item.note for item in (await witness.sightings()) or ()] == [""]
    assert await witness.latest() == Sighting("", b"")


async def test_a_witness_does_not_grow_without_end(home: Path) -> None:
    """Past a mebibyte it begins anew with its latest line."""
    witness = FileWitness(home / WITNESS_FILE)
    await witness.record(sighting(9), prove=unproved, found=True)
    with witness.path.open("ab") as file:
        file.write((b" " * 1_000 + b"\n") * 1_100)
    await witness.record(sighting(10), prove=unproved)
    assert sizes(witness.path) == [10]
    assert names(home) == [WITNESS_FILE]


async def test_the_latest_is_found_in_a_long_file(home: Path) -> None:
    """Only its end is read."""
    witness = FileWitness(home / WITNESS_FILE)
    for size in range(1, 400):
        await witness.record(sighting(size), prove=unproved, found=True)
    assert witness.path.stat().st_size > 64 * 1024
    assert await witness.latest() == sighting(399)


def test_a_sighting_whose_nodes_are_not_its_trees_is_refused() -> None:
    """The checkpoint is signed, the nodes beside it are not."""
    other = Sighting(sighting(3).note, sighting(5).nodes)
    with pytest.raises(VerificationError, match="nodes"):
        other.opened([KEY.verifier])


async def test_the_witness_sees_the_end_when_the_log_is_closed(log: AuditLog, home: Path) -> None:
    """However fast the records came."""
    for _ in range(30):
        await log.note("test.note", USER, {})
    await log.aclose()
    seen = sizes(home / WITNESS_FILE)
    assert seen[0] == 0
    assert max(seen) == 30
    assert (await log.verify()).ok


async def test_a_witness_is_never_shown_a_log_that_does_not_continue_what_it_saw(
    log: AuditLog, store: Store, home: Path, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Records that it has not seen yet were changed before it could be shown them."""
    for _ in range(3):
        await log.note("test.note", USER, {})
    await log.checkpoint()
    path = home / WITNESS_FILE
    before = path.read_bytes()
    path.rename(home / "away")
    await log.note("test.note", USER, {})
    with sqlite3.connect(database) as raw:
        raw.execute("UPDATE audit_records SET leaf = zeroblob(32) WHERE idx = 3")
    raw.close()
    (home / "away").rename(path)
    await log.note("test.note", USER, {})
    await log.aclose()
    assert path.read_bytes() == before
    assert "does not continue what its witness saw" in caplog.text
    with pytest.raises(VerificationError, match="does not continue"):
        await log.checkpoint()
    with sqlite3.connect(database) as raw:
        raw.execute("DELETE FROM audit_records WHERE idx = 3")
    raw.close()
    with pytest.raises(VerificationError, match="missing"):
        await log.checkpoint()


async def test_a_lost_witness_is_reported_until_someone_begins_a_new_one(
    log: AuditLog, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log goes on, says so, and does not make one by itself."""
    await log.note("test.note", USER, {})
    await log.checkpoint()
    (home / WITNESS_FILE).unlink()
    await log.note("test.note", USER, {})
    await log.aclose()
    assert caplog.text.count("was not shown the log") == 1
    assert [problem.kind for problem in (await log.verify()).problems] == [ProblemKind.WITNESS_MISSING]
    with pytest.raises(VerificationError, match="missing"):
        await log.checkpoint()
    await log.checkpoint(begin=True)
    assert (await log.verify()).ok
    assert sizes(home / WITNESS_FILE) == [2]


async def test_a_backup_restored_on_purpose_can_be_continued(log: AuditLog, store: Store, home: Path) -> None:
    """The witness of the other history is moved away, and a new one begun."""
    await log.note("test.note", USER, {})
    await log.aclose()
    (key,) = FileKeys(home / "audit.key").load().signing
    ahead = Checkpoint(key.verifier.name, 9, b"x" * 32)
    tree = CompactRange(9, [b"x" * 32, b"y" * 32])
    note = key.sign(Checkpoint(ahead.origin, 9, tree.root()).text())
    await FileWitness(home / WITNESS_FILE).record(Sighting(note, tree.to_bytes()), prove=unproved)
    restored = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE))
    with pytest.raises(AuditUnavailableError, match="its witness saw 9"):
        await restored.note("test.note", USER, {})
    (home / WITNESS_FILE).rename(home / "other-history")
    await restored.checkpoint(begin=True)
    await restored.note("test.note", USER, {})
    await restored.aclose()
    assert (await restored.verify()).ok


async def test_a_witness_that_cannot_be_reached_is_a_clear_error(store: Store, home: Path) -> None:
    """Its path is a folder."""
    (home / "folder").mkdir()
    log = AuditLog(store, home=home, witness=FileWitness(home / "folder"))
    with pytest.raises(AuditUnavailableError):
        await log.note("test.note", USER, {})
    with pytest.raises(AuditUnavailableError):
        await log.checkpoint()
    assert (await log.verify()).problems[0].kind is ProblemKind.WITNESS
