"""Attacks on a log: by who can write the database, the data folder, or has the key. Each must be found.

Every attack is made several times at random places; `FULL=1` makes each 200 times.
"""

import asyncio
import base64
import hashlib
import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

import pytest

from interlock_core.call import Outcome, Principal
from interlock_core.errors import AuditUnavailableError, VerificationError
from interlock_core.store import Store
from interlock_core.testing import make_call
from interlock_core.toolspec import Effect
from interlock_security import BRANCH, AuditLog, FileWitness, VerifyReport
from interlock_security.audit import FileKeys
from interlock_security.audit.merkle import CompactRange
from interlock_security.audit.notes import Checkpoint, SigningKey

ROUNDS = 200 if os.environ.get("FULL") == "1" else 6
RECORDS = 40
DATABASE, KEY, WITNESS = "interlock.db", "audit.key", "audit.witness"


@dataclass(frozen=True)
class Scene:
    """A data folder as it was before an attack, and as it was earlier."""

    now: Path
    earlier: Path


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A log of forty records, and a copy of it from when it had twenty."""
    folder = tmp_path_factory.mktemp("scene")
    now, earlier = folder / "now", folder / "earlier"
    now.mkdir(mode=0o700)
    asyncio.run(play(now, earlier))
    return Scene(now, earlier)


async def play(now: Path, earlier: Path) -> None:
    """Fill a log, and keep a copy of its first half."""
    for half in range(2):
        store = await Store.open(f"sqlite:///{now / DATABASE}", branches=[BRANCH])
        log = AuditLog(store, home=now, witness=FileWitness(now / WITNESS))
        for number in range(RECORDS // 4):
            call = make_call(f"github.issue{number}", effect=Effect.WRITE, call_id=f"call_{half}_{number}")
            await log.outcome(await log.intent(call), Outcome(ok=True, summary=f"done {number}"))
        await log.aclose()
        await store.aclose()
        if half == 0:
            shutil.copytree(now, earlier)


@contextmanager
def database(home: Path) -> Generator[sqlite3.Connection, None, None]:
    """The attacker's own connection."""
    with closing(sqlite3.connect(home / DATABASE)) as raw:
        yield raw
        raw.commit()


async def verify(home: Path) -> VerifyReport:
    """What the log's owner finds afterwards."""
    store = await Store.open(f"sqlite:///{home / DATABASE}", branches=[BRANCH])
    try:
        return await AuditLog(store, home=home, witness=FileWitness(home / WITNESS)).verify()
    finally:
        await store.aclose()


Record: TypeAlias = dict[str, object]
"""A row, by its columns."""

HASHED = (
    *("idx", "prev", "id", "at", "kind", "ref", "user_name", "agent", "key_id"),
    *("name", "outcome", "run", "trace_id", "team", "digest"),
)


def leaf(record: Record) -> bytes:
    """RFC 6962's hash of the record's header, written again."""
    values = [record[column] for column in HASHED]
    lines = [value.hex() if isinstance(value, bytes) else str(value) for value in values]
    return hashlib.sha256(b"\x00" + "\n".join(["interlock-audit/2", *lines]).encode()).digest()


def forge(home: Path, records: list[Record], key: SigningKey | None) -> None:
    """Rewrite the whole log consistently: places, chain, leaves and tree; signed when there is a key."""
    tree, previous = CompactRange(), b""
    with database(home) as raw:
        note, verifier = raw.execute("SELECT checkpoint, verifier FROM audit_state").fetchone()
        raw.execute("DELETE FROM audit_records")
        for index, record in enumerate(records):
            record |= {"idx": index, "prev": previous[:16]}
            previous = leaf(record)
            tree.append(previous)
            put(raw, record | {"leaf": previous})
        if key is not None:
            note = key.sign(Checkpoint(key.verifier.name, tree.size, tree.root()).text())
            verifier = str(key.verifier)
        raw.execute(
            "UPDATE audit_state SET size = ?, nodes = ?, leaf = ?, checkpoint = ?, verifier = ?",
            (tree.size, tree.to_bytes(), previous, note, verifier),
        )


def put(raw: sqlite3.Connection, record: Record) -> None:
    """Write a row, in place of another of its index."""
    columns = ", ".join(record)
    raw.execute(
        f"INSERT OR REPLACE INTO audit_records ({columns}) VALUES ({', '.join('?' * len(record))})",
        tuple(record.values()),
    )


def read(home: Path) -> list[Record]:
    """All records, in order."""
    with database(home) as raw:
        rows = raw.execute("SELECT * FROM audit_records ORDER BY idx")
        names = [str(column[0]) for column in rows.description]
        return [dict(zip(names, row, strict=True)) for row in rows]


def changed(record: Record, rng: random.Random) -> Record:
    """The same record telling another story, consistent in itself but for its leaf."""
    payload = json.dumps(json.loads(str(record["payload"])) | {"call": f"call_{rng.randrange(10**6)}"})
    salt = rng.randbytes(16)
    return record | {
        "payload": payload,
        "salt": salt,
        "digest": hashlib.sha256(salt + payload.encode()).digest(),
    }


def edit_a_byte(home: Path, scene: Scene, rng: random.Random) -> None:
    """One character of one payload, whatever it is."""
    index = rng.randrange(RECORDS)
    text = str(read(home)[index]["payload"])
    at = rng.randrange(len(text))
    other = rng.choice([char for char in 'ab01 "{}' if char != text[at]])
    with database(home) as raw:
        raw.execute(
            "UPDATE audit_records SET payload = ? WHERE idx = ?", (text[:at] + other + text[at + 1 :], index)
        )


def edit_and_fix_the_leaf(home: Path, scene: Scene, rng: random.Random) -> None:
    """The payload, what its header says of it, and the header's hash."""
    record = changed(read(home)[rng.randrange(RECORDS)], rng)
    with database(home) as raw:
        put(raw, record | {"leaf": leaf(record)})


def edit_a_column(home: Path, scene: Scene, rng: random.Random) -> None:
    """Any that a header is made of, or its hash."""
    column = rng.choice([*HASHED[1:], "salt", "leaf"])
    record = read(home)[rng.randrange(RECORDS)]
    value: object = f"{record[column]}x"
    if isinstance(record[column], bytes):
        value = rng.randbytes(len(bytes(cast("bytes", record[column])))) + b"x"
    elif column == "at":
        value = rng.randrange(10**15)
    with database(home) as raw:
        put(raw, record | {column: value})


def change_a_type(home: Path, scene: Scene, rng: random.Random) -> None:
    """SQLite keeps whatever it is given."""
    column, value = rng.choice(
        [("payload", b"\xff"), ("payload", 5), ("leaf", "text"), ("at", "never"), ("id", b"x"), ("salt", 1)]
    )
    with database(home) as raw:
        raw.execute(f"UPDATE audit_records SET {column} = ? WHERE idx = ?", (value, rng.randrange(RECORDS)))


def move_a_line(home: Path, scene: Scene, rng: random.Random) -> None:
    """The end of one field becomes the beginning of the next: the same bytes, other fields."""
    with database(home) as raw:
        raw.execute(
            "UPDATE audit_records SET agent = user_name || char(10) || agent, user_name = '' WHERE idx = ?",
            (rng.randrange(RECORDS),),
        )


def remove_a_payload(home: Path, scene: Scene, rng: random.Random) -> None:
    """As if it had been erased, but nobody said so."""
    columns = rng.choice(["payload = NULL", "payload = NULL, salt = NULL", "salt = NULL"])
    with database(home) as raw:
        raw.execute(f"UPDATE audit_records SET {columns} WHERE idx = ?", (rng.randrange(RECORDS),))


def delete_a_record(home: Path, scene: Scene, rng: random.Random) -> None:
    """One from the middle."""
    with database(home) as raw:
        raw.execute("DELETE FROM audit_records WHERE idx = ?", (rng.randrange(RECORDS - 1),))


def delete_and_renumber(home: Path, scene: Scene, rng: random.Random) -> None:
    """One from the middle, and the rest moves up."""
    index = rng.randrange(RECORDS - 1)
    with database(home) as raw:
        raw.execute("DELETE FROM audit_records WHERE idx = ?", (index,))
        raw.execute("UPDATE audit_records SET idx = -idx WHERE idx > ?", (index,))
        raw.execute("UPDATE audit_records SET idx = -idx - 1 WHERE idx < 0")


def insert_a_record(home: Path, scene: Scene, rng: random.Random) -> None:
    """One more, and everything behind it fits again; but there is no key to sign with."""
    records = read(home)
    records.insert(rng.randrange(RECORDS), changed(rng.choice(records), rng))
    forge(home, records, None)


def append_a_record(home: Path, scene: Scene, rng: random.Random) -> None:
    """One more at the end, or far beyond it."""
    with database(home) as raw:
        index = rng.choice([RECORDS, RECORDS + 1, 10**15, -1])
        record = changed(read(home)[0], rng) | {"idx": index}
        put(raw, record | {"leaf": leaf(record)})


def swap_two_records(home: Path, scene: Scene, rng: random.Random) -> None:
    """Texts and leaves change places."""
    first, second = rng.sample(range(RECORDS), 2)
    with database(home) as raw:
        raw.execute("UPDATE audit_records SET idx = -1 WHERE idx = ?", (first,))
        raw.execute("UPDATE audit_records SET idx = ? WHERE idx = ?", (first, second))
        raw.execute("UPDATE audit_records SET idx = ? WHERE idx = -1", (second,))


def renumber(home: Path, scene: Scene, rng: random.Random) -> None:
    """One record moves beyond the end."""
    with database(home) as raw:
        raw.execute(
            "UPDATE audit_records SET idx = ? WHERE idx = ?",
            (RECORDS + rng.randrange(9), rng.randrange(RECORDS)),
        )


def truncate(home: Path, scene: Scene, rng: random.Random) -> None:
    """The last records go."""
    with database(home) as raw:
        raw.execute("DELETE FROM audit_records WHERE idx >= ?", (rng.randrange(RECORDS),))


def truncate_and_forge_the_state(home: Path, scene: Scene, rng: random.Random) -> None:
    """The last records go, and the state says so; but there is no key to sign with."""
    forge(home, read(home)[: rng.randrange(1, RECORDS)], None)


def rewrite_everything(home: Path, scene: Scene, rng: random.Random) -> None:
    """Another history, consistent in itself; but there is no key to sign with."""
    records = read(home)
    index = rng.randrange(RECORDS)
    records[index] = changed(records[index], rng)
    forge(home, records, None)


def wipe(home: Path, scene: Scene, rng: random.Random) -> None:
    """All records, and sometimes the state too, or the state as it was on the first day."""
    with database(home) as raw:
        raw.execute("DELETE FROM audit_records")
        match rng.randrange(3):
            case 0:
                raw.execute("DELETE FROM audit_state")
            case 1:
                raw.execute("UPDATE audit_state SET size=0, nodes=x'', leaf=x'', checkpoint='', verifier=''")
            case _:
                pass


def lose_the_state(home: Path, scene: Scene, rng: random.Random) -> None:
    """The records stay, what vouches for them goes."""
    with database(home) as raw:
        raw.execute(rng.choice(["DELETE FROM audit_state", "UPDATE audit_state SET checkpoint = ''"]))


def roll_back(home: Path, scene: Scene, rng: random.Random) -> None:
    """The whole database as it was earlier, genuine and signed."""
    for path in home.glob(f"{DATABASE}*"):
        path.unlink()
    shutil.copy(scene.earlier / DATABASE, home / DATABASE)


def rewrite_with_the_key(home: Path, scene: Scene, rng: random.Random) -> None:
    """An insider: another history of the same or another length, signed with the log's own key."""
    records = read(home)[: rng.randrange(5, RECORDS + 1)]
    index = rng.randrange(len(records))
    records[index] = changed(records[index], rng)
    forge(home, records, FileKeys(home / KEY).load().signing[0])


def sign_with_another_key(home: Path, scene: Scene, rng: random.Random) -> None:
    """Another history under a new key, which takes the old one's place."""
    records = read(home)
    records[0] = changed(records[0], rng)
    (home / KEY).unlink()
    forge(home, records, FileKeys(home / KEY).create().signing[0])


def forge_the_signature(home: Path, scene: Scene, rng: random.Random) -> None:
    """A checkpoint for another root under the old signature, or one changed character."""
    with database(home) as raw:
        (note,) = raw.execute("SELECT checkpoint FROM audit_state").fetchone()
        lines = note.split("\n")
        if rng.randrange(2):
            lines[2] = base64.b64encode(rng.randbytes(32)).decode()
        else:
            lines[1] = str(rng.randrange(RECORDS))
        raw.execute("UPDATE audit_state SET checkpoint = ?", ("\n".join(lines),))


def swap_the_checkpoint(home: Path, scene: Scene, rng: random.Random) -> None:
    """A genuine one of this log from earlier, with or without the size that fits it."""
    with database(scene.earlier) as raw:
        size, note, nodes = raw.execute("SELECT size, checkpoint, nodes FROM audit_state").fetchone()
    with database(home) as raw:
        raw.execute("UPDATE audit_state SET checkpoint = ?", (note,))
        if rng.randrange(2):
            raw.execute("UPDATE audit_state SET size = ?, nodes = ?", (size, nodes))


def spoil_the_size(home: Path, scene: Scene, rng: random.Random) -> None:
    """A size that is none, or that no walk would end."""
    with database(home) as raw:
        raw.execute("UPDATE audit_state SET size = ?", (rng.choice([-1, 0, RECORDS - 1, 10**15, "many"]),))


def remove_the_key(home: Path, scene: Scene, rng: random.Random) -> None:
    """Or let everyone read it, or spoil it."""
    path = home / KEY
    match rng.randrange(3):
        case 0:
            path.unlink()
        case 1:
            path.chmod(0o644)
        case _:
            path.write_text("PRIVATE+KEY+nothing")


def remove_the_witness(home: Path, scene: Scene, rng: random.Random) -> None:
    """So that nobody remembers; empty will do."""
    if rng.randrange(2):
        (home / WITNESS).unlink()
    else:
        (home / WITNESS).write_bytes(b"")


def replace_the_witness(home: Path, scene: Scene, rng: random.Random) -> None:
    """By what another log's witness saw."""
    other = SigningKey("interlock-audit/other", rng.randbytes(32))
    note = other.sign(Checkpoint("interlock-audit/other", 3, rng.randbytes(32)).text())
    (home / WITNESS).write_text(json.dumps({"checkpoint": note, "nodes": ""}) + "\n")


Attack = Callable[[Path, Scene, random.Random], None]
ATTACKS: list[tuple[Attack, set[str]]] = [
    (edit_a_byte, {"edited"}),
    (edit_and_fix_the_leaf, {"rewritten"}),
    (edit_a_column, {"edited"}),
    (change_a_type, {"edited"}),
    (move_a_line, {"edited"}),
    (remove_a_payload, {"erased", "edited"}),
    (delete_a_record, {"deleted"}),
    (delete_and_renumber, {"reordered", "truncated"}),
    (insert_a_record, {"checkpoint"}),
    (append_a_record, {"inserted"}),
    (swap_two_records, {"reordered"}),
    (renumber, {"inserted"}),
    (truncate, {"truncated"}),
    (truncate_and_forge_the_state, {"checkpoint", "rolled_back"}),
    (rewrite_everything, {"rewritten"}),
    (wipe, {"rolled_back", "wiped", "truncated"}),
    (lose_the_state, {"wiped", "forged_signature"}),
    (roll_back, {"rolled_back"}),
    (rewrite_with_the_key, {"rewritten", "rolled_back"}),
    (sign_with_another_key, {"witness"}),
    (forge_the_signature, {"forged_signature"}),
    (swap_the_checkpoint, {"checkpoint", "inserted"}),
    (spoil_the_size, {"checkpoint"}),
    (remove_the_key, {"key_missing"}),
    (remove_the_witness, {"witness_missing"}),
    (replace_the_witness, {"witness"}),
]


@pytest.mark.promise("A2")
@pytest.mark.parametrize(("attack", "kinds"), ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS])
async def test_every_attack_on_a_log_is_found(
    scene: Scene, tmp_path: Path, attack: Attack, kinds: set[str]
) -> None:
    """Wherever it strikes; and the report names a kind that fits."""
    for seed in range(ROUNDS):
        home = tmp_path / str(seed)
        shutil.copytree(scene.now, home)
        attack(home, scene, random.Random(f"{attack.__name__}-{seed}"))
        report = await verify(home)
        found = {problem.kind.value for problem in report.problems}
        assert not report.ok, f"seed {seed} was not found"
        assert found & kinds, f"seed {seed} was found as {found}"
        assert all(problem.detail for problem in report.problems)
        shutil.rmtree(home)


async def test_the_log_itself_is_whole(scene: Scene) -> None:
    """What the attacks start from has nothing wrong with it."""
    report = await verify(scene.now)
    assert (report.ok, report.records, report.problems) == (True, RECORDS, ())


@pytest.mark.parametrize("index", [0, 7, RECORDS - 1])
async def test_an_edit_is_located(scene: Scene, tmp_path: Path, index: int) -> None:
    """The report names the very record; and with a fixed leaf, its neighbour's word gives it away."""
    home = tmp_path / "home"
    shutil.copytree(scene.now, home)
    with database(home) as raw:
        raw.execute(
            "UPDATE audit_records SET payload = replace(payload, 'call', 'gall') WHERE idx = ?", (index,)
        )
    report = await verify(home)
    assert [problem.record for problem in report.problems if problem.kind == "edited"] == [index]
    record = changed(read(scene.now)[index], random.Random(1))
    with database(home) as raw:
        put(raw, record | {"leaf": leaf(record)})
    report = await verify(home)
    broken = [problem.record for problem in report.problems if problem.kind == "broken_chain"]
    assert broken == ([index + 1] if index + 1 < RECORDS else [])


async def test_a_thousand_problems_are_counted_and_not_all_listed(scene: Scene, tmp_path: Path) -> None:
    """A report stays readable."""
    home = tmp_path / "home"
    shutil.copytree(scene.now, home)
    with database(home) as raw:
        raw.execute("UPDATE audit_state SET size = 900")
        first = read(scene.now)[0]
        for number in range(150):
            put(raw, first | {"idx": RECORDS + 2 * number})
    report = await verify(home)
    assert len(report.problems) == 100
    assert report.as_json()["more_problems"] == report.more > 100


@pytest.mark.promise("A3")
@pytest.mark.parametrize(
    "attack",
    [
        truncate_and_forge_the_state,
        rewrite_everything,
        roll_back,
        lose_the_state,
        swap_the_checkpoint,
        sign_with_another_key,
        forge_the_signature,
        spoil_the_size,
    ],
    ids=lambda attack: str(getattr(attack, "__name__", "")),
)
async def test_a_log_whose_end_was_changed_is_not_continued(
    scene: Scene, tmp_path: Path, attack: Attack
) -> None:
    """Else the next record would have the forger's history signed with the log's own key."""
    for seed in range(ROUNDS):
        home = tmp_path / str(seed)
        shutil.copytree(scene.now, home)
        attack(home, scene, random.Random(f"{attack.__name__}-{seed}"))
        store = await Store.open(f"sqlite:///{home / DATABASE}", branches=[BRANCH])
        log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS))
        with pytest.raises((AuditUnavailableError, VerificationError)):
            await log.note("test.note", Principal(user="u"), {})
        await log.aclose()
        await store.aclose()
        shutil.rmtree(home)
