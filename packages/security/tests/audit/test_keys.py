"""The log's keys: where they are kept, and how one follows another."""

import asyncio
import sqlite3
import sys
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from interlock_core.call import Principal
from interlock_core.errors import AuditUnavailableError, ConfigurationError, VerificationError
from interlock_core.store import Store
from interlock_security import BRANCH, WITNESS_FILE, AuditLog, FileWitness
from interlock_security.audit import FileKeys, KeyRing, ProblemKind
from interlock_security.audit.notes import Checkpoint, SigningKey, VerifierKey, open_note

USER = Principal(user="u")
NAME = "example.test/log"


def test_a_key_file_is_made_once_and_is_private(home: Path) -> None:
    """The second call reads what the first made."""
    keys = FileKeys(home / "audit.key")
    assert keys.load() == KeyRing()
    (first,) = keys.create().signing
    (second,) = keys.create().signing
    assert str(first.verifier) == str(second.verifier)
    assert (home / "audit.key").stat().st_mode & 0o777 == 0o600
    assert sorted(item.name for item in home.iterdir()) == ["audit.key"]


def test_a_key_that_others_may_read_is_refused(home: Path) -> None:
    """It may be known by now."""
    keys = FileKeys(home / "audit.key")
    keys.create()
    (home / "audit.key").chmod(0o644)
    with pytest.raises(ConfigurationError, match="read by others"):
        keys.load()


@pytest.mark.parametrize("content", [b"", b"garbage", b"PRIVATE+KEY+name+00000000+AAAA", b"\xff\xfe"])
def test_a_key_file_that_holds_no_key_is_refused(home: Path, content: bytes) -> None:
    """And it is not overwritten."""
    path = home / "audit.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="no signing key"):
        FileKeys(path).create()
    assert path.read_bytes() == content


def test_a_key_whose_id_does_not_fit_is_refused(home: Path) -> None:
    """A file put together from two."""
    path = home / "audit.key"
    FileKeys(path).create()
    name, _, rest = path.read_text().removeprefix("PRIVATE+KEY+").partition("+")
    path.write_text(f"PRIVATE+KEY+{name}x+{rest}")
    with pytest.raises(ConfigurationError, match="no signing key"):
        FileKeys(path).load()


def test_a_folder_where_nothing_can_be_made_is_a_clear_error(home: Path) -> None:
    """The path's parent is a file."""
    (home / "file").write_text("")
    keys = FileKeys(home / "file" / "audit.key")
    with pytest.raises(ConfigurationError, match=r"cannot be (read|made)"):
        keys.create()
    with pytest.raises(ConfigurationError, match="cannot be replaced"):
        keys.rotate(KeyRing((SigningKey.fresh(NAME),)))


def test_a_ring_is_kept_and_read_back(home: Path) -> None:
    """Secret halves of what signs, public halves of what signed before; none of it in a repr."""
    keys = FileKeys(home / "audit.key")
    old, new, retired = (SigningKey.fresh(NAME) for _ in range(3))
    keys.create()
    keys.rotate(KeyRing((old, new), (retired.verifier,)))
    ring = keys.load()
    assert [key.private() for key in ring.signing] == [old.private(), new.private()]
    assert [str(key) for key in ring.retired] == [str(retired.verifier)]
    assert retired.private() not in (home / "audit.key").read_text()
    assert old.private() not in repr(ring)
    assert (home / "audit.key").stat().st_mode & 0o777 == 0o600


def test_a_note_is_opened_by_whichever_key_signed_it() -> None:
    """And by no other; a signature that is wrong is not passed over."""
    first, second, third = (SigningKey.fresh(NAME) for _ in range(3))
    note = second.sign("one\ntwo\n")
    assert open_note(note, [first.verifier, second.verifier]) == "one\ntwo\n"
    with pytest.raises(VerificationError, match="none"):
        open_note(note, [first.verifier, third.verifier])
    with pytest.raises(VerificationError, match="forged"):
        open_note(note.replace("one", "six"), [second.verifier])


@pytest.mark.promise("A2")
async def test_a_new_key_takes_over_and_the_log_verifies_throughout(
    log: AuditLog, store: Store, home: Path
) -> None:
    """The old key signs the record that names the new one; from then on only the new one signs."""
    verifiers = [await log.verifier_key()]
    for _ in range(3):
        await log.note("test.note", USER, {})
        await log.rotate_key(USER)
        verifiers.append(await log.verifier_key())
    await log.note("test.note", USER, {})
    assert len(set(verifiers)) == 4
    ring = FileKeys(home / "audit.key").load()
    assert [str(key) for key in ring.verifiers] == verifiers
    assert len(ring.signing) == 1
    report = await log.verify()
    assert (report.ok, report.records, report.problems) == (True, 7, ())
    signed = Checkpoint.parse(VerifierKey.parse(verifiers[3]).open(await log.checkpoint()))
    assert signed.size == 7
    names = [record.data["note"] for record in await log.tail(9) if record.kind == "audit.key"]
    assert names == [{"old": old, "new": new} for old, new in pairwise(verifiers)]
    rows = await store.fetch_all("SELECT size, verifier, checkpoint FROM audit_keys ORDER BY size")
    for (size, verifier, note), old in zip(rows, verifiers, strict=False):
        assert (verifier, Checkpoint.parse(VerifierKey.parse(old).open(str(note))).size) == (old, size)
    await log.aclose()


async def test_a_process_that_knows_the_old_key_takes_the_new_one_by_itself(
    log: AuditLog, store: Store, home: Path
) -> None:
    """Also where it must open what the witness was shown under the new one."""
    other = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE), witness_interval_s=0.0)
    await other.note("test.note", USER, {})
    await log.rotate_key(USER)
    await log.checkpoint()
    await other.checkpoint()
    await other.note("test.note", USER, {})
    await other.rotate_key(USER)
    await log.note("test.note", USER, {})
    await other.aclose()
    await log.aclose()
    assert (await log.verify()).ok
    assert len(FileKeys(home / "audit.key").load().retired) == 2


@pytest.mark.parametrize("committed", [False, True])
async def test_a_rotation_that_was_cut_off_leaves_a_log_that_goes_on(
    log: AuditLog, store: Store, home: Path, committed: bool
) -> None:
    """Before the commit the old key signs on, after it the new one; the other is put away."""
    await log.note("test.note", USER, {})
    keys = FileKeys(home / "audit.key")
    before = keys.load()
    staged = KeyRing((before.signing[0], SigningKey.fresh(before.signing[0].verifier.name)))
    if committed:
        await log.rotate_key(USER)
        after = keys.load().signing[0]
        staged = KeyRing((before.signing[0], after))
    keys.rotate(staged)
    again = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE))
    await again.note("test.note", USER, {})
    await again.aclose()
    await log.aclose()
    ring = keys.load()
    assert [key.private() for key in ring.signing] == [staged.signing[committed].private()]
    assert len(ring.retired) == committed
    assert (await again.verify()).ok


async def test_a_key_that_cannot_be_kept_does_not_take_over(log: AuditLog, home: Path, store: Store) -> None:
    """The rotation is refused, and the old key signs on."""
    await log.note("test.note", USER, {})

    class Full(FileKeys):
        """Keys on a disk that is full."""

        def rotate(self, ring: KeyRing) -> None:
            raise ConfigurationError("No space is left.")

    stuck = AuditLog(store, home=home, witness=None, keys=Full(home / "audit.key"))
    with pytest.raises(AuditUnavailableError, match="No space"):
        await stuck.rotate_key(USER)
    await stuck.note("test.note", USER, {})
    await stuck.aclose()
    assert (await log.verify()).records == 2
    assert (await log.verify()).ok


@pytest.mark.promise("A2")
@pytest.mark.parametrize(
    ("attack", "kind"),
    [
        ("DELETE FROM audit_keys", ProblemKind.KEY_CHAIN),
        ("UPDATE audit_keys SET checkpoint = replace(checkpoint, substr(checkpoint, -9, 4), 'AAAA')", None),
        ("UPDATE audit_keys SET size = size + 1", ProblemKind.KEY_CHAIN),
        ("UPDATE audit_keys SET verifier = (SELECT verifier FROM audit_state)", ProblemKind.KEY_CHAIN),
        ("UPDATE audit_records SET payload = replace(payload, 'new', 'old') WHERE kind = 'audit.key'", None),
        ("UPDATE audit_records SET payload = NULL, salt = NULL WHERE kind = 'audit.key'", ProblemKind.ERASED),
        ("UPDATE audit_state SET verifier = (SELECT verifier FROM audit_keys)", ProblemKind.FOREIGN_KEY),
    ],
)
async def test_a_forged_change_of_keys_is_found(
    log: AuditLog, home: Path, database: Path, attack: str, kind: ProblemKind | None
) -> None:
    """Whatever of the chain is touched; nothing of it can be left out."""
    await log.note("test.note", USER, {})
    await log.rotate_key(USER)
    await log.note("test.note", USER, {})
    await log.aclose()
    with closing(sqlite3.connect(database)) as raw:
        raw.execute(attack)
        raw.commit()
    found = {problem.kind for problem in (await log.verify()).problems}
    assert found if kind is None else kind in found


@pytest.mark.promise("A2")
async def test_a_retired_key_signs_nothing_any_more(log: AuditLog, home: Path, database: Path) -> None:
    """Whoever stole it can neither have its history continued nor verified."""
    await log.note("test.note", USER, {})
    stolen = FileKeys(home / "audit.key").load().signing[0]
    await log.rotate_key(USER)
    await log.aclose()
    with closing(sqlite3.connect(database)) as raw:
        (note,) = raw.execute("SELECT checkpoint FROM audit_state").fetchone()
        text = note.rpartition("\n\n")[0] + "\n"
        state = (stolen.sign(text), str(stolen.verifier))
        raw.execute("UPDATE audit_state SET checkpoint = ?, verifier = ?", state)
        raw.commit()
    assert ProblemKind.FOREIGN_KEY in {problem.kind for problem in (await log.verify()).problems}
    with pytest.raises(AuditUnavailableError, match="another key"):
        await log.note("test.note", USER, {})


ROTATOR = """
import asyncio, sys
from pathlib import Path
from interlock_core.call import Principal
from interlock_core.store import Store
from interlock_security import BRANCH, WITNESS_FILE, AuditLog, FileWitness
async def main(url, home):
    store = await Store.open(url, branches=[BRANCH])
    log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE), witness_interval_s=0.0)
    for number in range(12):
        await log.note("test.note", Principal(user="u"), {"n": number})
        if number % 4 == 3:
            await log.rotate_key(Principal(user="u"))
    await log.aclose()
    await store.aclose()
asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
"""


@pytest.mark.promise("A2")
async def test_four_processes_change_the_key_under_each_others_hands(home: Path, ready: str) -> None:
    """Every change is in the chain once, one key signs at the end, and every record is there."""
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", ROTATOR, ready, str(home))
        for _ in range(4)
    ]
    assert [await process.wait() for process in processes] == [0] * 4
    store = await Store.open(ready, branches=[BRANCH])
    log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE))
    report = await log.verify()
    await store.aclose()
    assert (report.problems, report.records) == ((), 4 * 15)
    ring = FileKeys(home / "audit.key").load()
    assert (len(ring.signing), len(ring.retired)) == (1, 12)
