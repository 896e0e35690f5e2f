"""Exports: whole ones are checked by the stand-alone verifier; in whatever form, they are safe to open.

Every attack is made several times at random places; `FULL=1` makes each 200 times.
"""

import asyncio
import base64
import csv
import hashlib
import io
import json
import os
import random
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

import pytest

from interlock_core.call import Outcome, Principal
from interlock_core.errors import AuditUnavailableError
from interlock_core.store import Store
from interlock_core.testing import FakeClock, make_call
from interlock_core.toolspec import Effect
from interlock_security import BRANCH, AuditLog, FileWitness
from interlock_security.audit import standalone
from interlock_security.audit.merkle import CompactRange
from interlock_security.audit.notes import Checkpoint, SigningKey
from interlock_security.audit.standalone import ExportCheck, canonical
from interlock_security.audit.trail import AuditExport, AuditQuery, AuditRetention

ROUNDS = 200 if os.environ.get("FULL") == "1" else 6
WHO = Principal(user="ada", key_id="key_1")

Line: TypeAlias = dict[str, dict[str, object] | str | int | None]


@dataclass(frozen=True)
class Scene:
    """An export of forty records, one from when there were twenty, and what was seen of the log outside."""

    lines: list[str]
    earlier: list[str]
    key: str
    seen: str
    witness: str
    signing: SigningKey
    stranger: SigningKey


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A log that was exported twice."""
    home = tmp_path_factory.mktemp("scene")
    home.chmod(0o700)
    return asyncio.run(play(home))


async def play(home: Path) -> Scene:
    """Fill a log, and export it half full and full."""
    store = await Store.open(f"sqlite:///{home / 'interlock.db'}", branches=[BRANCH])
    log = AuditLog(store, home=home, witness=FileWitness(home / "audit.witness"))
    exports: list[list[str]] = []
    notes: list[str] = []
    for half in range(2):
        for number in range(10):
            call = make_call(f"github.issue{number}", effect=Effect.WRITE, call_id=f"call_{half}_{number}")
            await log.outcome(await log.intent(call), Outcome(ok=True, summary=f"done \u2713 {number}"))
        exports.append(await lines(store))
        notes.append(await log.checkpoint())
    key = await log.verifier_key()
    await log.aclose()
    await store.aclose()
    text = (home / "audit.key").read_text().strip()
    signing = SigningKey.parse(text)
    stranger = SigningKey.fresh(signing.verifier.name)
    return Scene(
        exports[1], exports[0], key, notes[0], (home / "audit.witness").read_text(), signing, stranger
    )


async def lines(store: Store, query: AuditQuery | None = None) -> list[str]:
    """An export as JSON Lines."""
    pieces = [piece async for piece in AuditExport(store).lines("jsonl", query)]
    return "".join(pieces).splitlines()


def check(export: list[str], scene: Scene, *, seen: bool = True) -> list[tuple[str, int | None, str]]:
    """What the verifier finds."""
    judge = ExportCheck([scene.key], [scene.seen, scene.witness] if seen else [])
    held = judge.run(f"{line}\n".encode() for line in export)
    assert held == (not judge.problems)
    return judge.problems


def read(line: str) -> Line:
    """A line as what it says."""
    return cast("Line", json.loads(line))


def header(line: Line) -> dict[str, object]:
    """A record's header."""
    return cast("dict[str, object]", line["header"])


def leaf(line: Line) -> bytes:
    """RFC 6962's hash of the record's header, written again."""
    values = [str(header(line)[name]) for name in standalone.FIELDS]
    return hashlib.sha256(b"\x00" + "\n".join(["interlock-audit/2", *values]).encode()).digest()


def told(line: Line, story: str) -> Line:
    """The same record with another payload, consistent in itself."""
    payload = cast("dict[str, object]", line["payload"]) | {"call": story}
    salt = base64.b64decode(str(line["salt"]))
    digest = hashlib.sha256(salt + canonical(payload).encode()).hexdigest()
    return {"header": header(line) | {"digest": digest}, "payload": payload, "salt": line["salt"]}


def forge(records: list[Line], head: Line, key: SigningKey | None) -> list[str]:
    """A whole export made anew: places, chain and tree, and the checkpoint when there is a key."""
    tree, previous, made = CompactRange(), b"", list[str]()
    for index, record in enumerate(records):
        record["header"] = header(record) | {"index": index, "prev": previous[:16].hex()}
        previous = leaf(record)
        tree.append(previous)
        made.append(canonical(record))
    if key is not None:
        note = key.sign(Checkpoint(key.verifier.name, tree.size, tree.root()).text())
        head = head | {"checkpoint": note, "key": str(key.verifier), "records": tree.size}
    return [canonical(head), *made]


def edit_payload(export: list[str], rng: random.Random, scene: Scene) -> list[str]:
    """One payload tells another story."""
    place = rng.randrange(1, len(export))
    line = read(export[place])
    line["payload"] = cast("dict[str, object]", line["payload"]) | {"call": f"c{rng.random()}"}
    return [*export[:place], canonical(line), *export[place + 1 :]]


def edit_with_digest(export: list[str], rng: random.Random, scene: Scene) -> list[str]:
    """And the header vouches for it."""
    place = rng.randrange(1, len(export))
    return [*export[:place], canonical(told(read(export[place]), f"c{rng.random()}")), *export[place + 1 :]]


def edit_byte(export: list[str], rng: random.Random, scene: Scene) -> list[str]:
    """One character is another."""
    place = rng.randrange(0, len(export))
    at = rng.randrange(len(export[place]))
    other = rng.choice([char for char in 'abcXYZ019 {}"\\' if char != export[place][at]])
    return [*export[:place], export[place][:at] + other + export[place][at + 1 :], *export[place + 1 :]]


def delete(export: list[str], rng: random.Random, scene: Scene) -> list[str]:
    """One line is gone."""
    place = rng.randrange(1, len(export))
    return export[:place] + export[place + 1 :]


def delete_renumbered(export: list[str], rng: random.Random, scene: Scene) -> list[str]:
    """And the others close the gap."""
    records = [read(line) for line in delete(export, rng, scene)[1:]]
    return forge(records, read(export[0]), None)


def insert(export: list[str], rng: random.Random, scene: Scene) -> list[str]:
    """A record is made up, and the others make room."""
    records = [read(line) for line in export[1:]]
    place = rng.randrange(len(records))
    records.insert(place, told(read(export[place + 1]), "made up"))
    return forge(records, read(export[0]) | {"records": len(records)}, None)


def reorder(export: list[str], rng: random.Random, scene: Scene) -> list[str]:
    """Two records change places."""
    one, two = rng.sample(range(1, len(export)), 2)
    changed = list(export)
    changed[one], changed[two] = changed[two], changed[one]
    return changed


def truncate(export: list[str], rng: random.Random, scene: Scene) -> list[str]:
    """The end is cut off."""
    return export[: rng.randrange(1, len(export))]


def truncate_forged(export: list[str], rng: random.Random, scene: Scene) -> list[str]:
    """And signed under the log's name by a stranger."""
    records = [read(line) for line in truncate(export, rng, scene)[1:]]
    forged = forge(records, read(export[0]), scene.stranger)
    return [canonical(read(forged[0]) | {"key": scene.key}), *forged[1:]]


def rewrite(export: list[str], rng: random.Random, scene: Scene) -> list[str]:
    """Everything is another story, signed by a stranger."""
    records = [told(read(line), f"c{rng.random()}") for line in export[1:]]
    return forge(records, read(export[0]), scene.stranger)


def wipe(export: list[str], rng: random.Random, scene: Scene) -> list[str]:
    """Nothing is left, signed with the true key."""
    return forge([], read(export[0]), scene.signing)


def roll_back(export: list[str], rng: random.Random, scene: Scene) -> list[str]:
    """A genuine export, but an older one."""
    return scene.earlier


def rewrite_with_key(export: list[str], rng: random.Random, scene: Scene) -> list[str]:
    """One record tells another story, and the true key signs it."""
    records = [read(line) for line in export[1:]]
    place = rng.randrange(len(records))
    records[place] = told(records[place], f"c{rng.random()}")
    return forge(records, read(export[0]), scene.signing)


def erase_silently(export: list[str], rng: random.Random, scene: Scene) -> list[str]:
    """A payload is gone, and nothing says so."""
    place = rng.randrange(1, len(export))
    line = read(export[place]) | {"payload": None, "salt": None}
    return [*export[:place], canonical(line), *export[place + 1 :]]


def swap_checkpoint(export: list[str], rng: random.Random, scene: Scene) -> list[str]:
    """The checkpoint is an older genuine one."""
    head = read(export[0]) | {"checkpoint": read(scene.earlier[0])["checkpoint"], "records": 20}
    return [canonical(head), *export[1:]]


ATTACKS = [
    *(edit_payload, edit_with_digest, edit_byte, delete, delete_renumbered, insert, reorder, truncate),
    *(truncate_forged, rewrite, wipe, roll_back, rewrite_with_key, erase_silently, swap_checkpoint),
]


def test_a_genuine_export_holds(scene: Scene) -> None:
    """With and without what was seen before."""
    assert check(scene.lines, scene) == []
    assert check(scene.lines, scene, seen=False) == []
    assert check(scene.earlier, scene, seen=False) == []


@pytest.mark.promise("A2")
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_export_that_was_tampered_with_is_found(
    attack: Callable[[list[str], random.Random, Scene], list[str]], scene: Scene
) -> None:
    """Every class, at random places, every time."""
    for seed in range(ROUNDS):
        changed = attack(list(scene.lines), random.Random(f"{attack.__name__}{seed}"), scene)
        assert changed == scene.lines or check(changed, scene), (attack.__name__, seed)


@pytest.mark.promise("A2")
def test_every_changed_byte_of_an_export_is_found(scene: Scene) -> None:
    """Exhaustively over the head and one record: nothing may be written in another way."""
    for number in (0, 7):
        line = scene.lines[number]
        for place in range(len(line)):
            changed = line[:place] + chr(ord(line[place]) ^ 1) + line[place + 1 :]
            assert check([*scene.lines[:number], changed, *scene.lines[number + 1 :]], scene), place


@pytest.mark.promise("A4")
async def test_an_export_after_erasure_holds(log: AuditLog, store: Store, clock: FakeClock) -> None:
    """The payloads are gone, the log says so, and only where it does the verifier is content."""
    for number in range(30):
        await log.note("test.note", WHO, {"number": number})
        clock.advance(1)
    plan = await AuditRetention(store, log).erase(clock.now() - 9.5, by=WHO, policy="test")
    assert (plan.count, plan.first, plan.last) == (21, 0, 20)
    export = await lines(store)
    judge = ExportCheck([await log.verifier_key()])
    assert judge.run(f"{line}\n".encode() for line in export), judge.problems
    later = canonical(read(export[25]) | {"payload": None, "salt": None})
    judge = ExportCheck([await log.verifier_key()])
    assert not judge.run(f"{line}\n".encode() for line in [*export[:25], later, *export[26:]])
    assert [(kind, record) for kind, record, _ in judge.problems] == [("erased", 24)]


def test_the_verifier_runs_by_itself(scene: Scene, tmp_path: Path) -> None:
    """As a file in a folder of its own, in a Python that knows nothing of this package."""
    script = tmp_path / "check.py"
    script.write_text(Path(str(standalone.__file__)).read_text("utf-8"), "utf-8")
    for name, text in (
        ("log", "\n".join([*scene.lines, ""])),
        ("seen", scene.seen),
        ("witness", scene.witness),
    ):
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "bad").write_text("\n".join([*scene.earlier, ""]), "utf-8")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", str(script), *arguments]
        return subprocess.run(command, capture_output=True, encoding="utf-8", cwd=tmp_path, check=False)

    good = run("export", "log", "--key", scene.key, "--seen", "seen", "--seen", "witness")
    assert (good.returncode, good.stdout, good.stderr) == (0, "It holds.\n", "")
    bad = run("export", "bad", "--key", scene.key, "--seen", "witness")
    assert (bad.returncode, bad.stderr) == (5, "rolled_back: record 20: 40 records were seen before\n")
    assert run("proof", "log").returncode == 5


async def formula_log(log: AuditLog) -> AsyncGenerator[str, None]:
    """Records whose texts a spreadsheet would run."""
    for text in ("=HYPERLINK(1)", "+1", "-1+cmd|' /C calc'!A0", "@SUM(1)", " =1", "\uff1d1"):
        await log.note("test.note", Principal(user=text), {"said": 'a,b\n"c"'})
        yield text


@pytest.mark.promise("A4")
async def test_a_table_holds_no_formula(log: AuditLog, store: Store) -> None:
    """Every such cell is a text, and every text is still there."""
    texts = [text async for text in formula_log(log)]
    table = "".join([piece async for piece in AuditExport(store).lines("csv")])
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [row["user"] for row in rows] == [f"'{text}" for text in texts]
    assert all(json.loads(row["data"])["note"] == {"said": 'a,b\n"c"'} for row in rows)


@pytest.mark.promise("A4")
async def test_json_is_one_document_and_a_choice_is_no_whole_log(log: AuditLog, store: Store) -> None:
    """The chosen records, in the order of the log; only a whole export has a head."""
    for number in range(7):
        await log.note("test.odd" if number % 2 else "test.even", WHO, {"number": number})
    chosen = AuditQuery(kind="test.odd")
    found = json.loads("".join([piece async for piece in AuditExport(store).lines("json", chosen)]))
    assert [record["index"] for record in found] == [1, 3, 5]
    assert [header(read(line))["index"] for line in await lines(store, chosen)] == [1, 3, 5]
    assert read((await lines(store))[0])["records"] == 7


async def test_a_log_without_a_checkpoint_has_no_export(store: Store) -> None:
    """There is nothing that it could be held against."""
    with pytest.raises(AuditUnavailableError, match="no signed checkpoint"):
        await lines(store)


@dataclass(frozen=True)
class Handed:
    """An export of a log whose key was changed twice, its three keys, and a checkpoint of each."""

    lines: list[str]
    keys: list[str]
    seen: list[str]
    witness: str


@pytest.fixture(scope="module")
def handed(tmp_path_factory: pytest.TempPathFactory) -> Handed:
    """A log that was signed by three keys, one after another."""
    home = tmp_path_factory.mktemp("handed")
    home.chmod(0o700)
    return asyncio.run(hand_over(home))


async def hand_over(home: Path) -> Handed:
    """Write with each of three keys."""
    store = await Store.open(f"sqlite:///{home / 'interlock.db'}", branches=[BRANCH])
    log = AuditLog(store, home=home, witness=FileWitness(home / "audit.witness"), witness_interval_s=0.0)
    keys, notes = list[str](), list[str]()
    for turn in range(3):
        if turn:
            await log.rotate_key(WHO)
        for number in range(3):
            await log.note("test.note", WHO, {"number": number})
        keys.append(await log.verifier_key())
        notes.append(await log.checkpoint())
    await log.aclose()
    export = await lines(store)
    await store.aclose()
    return Handed(export, keys, notes, (home / "audit.witness").read_text())


def found(export: list[str], keys: list[str], *seen: str) -> list[tuple[str, int | None]]:
    """What the verifier finds, and where."""
    judge = ExportCheck(keys, seen)
    held = judge.run(f"{line}\n".encode() for line in export)
    assert held == (not judge.problems)
    return [(kind, record) for kind, record, _ in judge.problems]


def rotations(export: list[str]) -> list[dict[str, str]]:
    """What an export's head says of older keys."""
    return cast("list[dict[str, str]]", json.loads(export[0])["rotations"])


@pytest.mark.promise("A2")
def test_an_older_key_leads_to_the_newest(handed: Handed) -> None:
    """Whichever of the three is trusted, whatever was seen under any of them; a stranger's does not."""
    stranger = str(SigningKey.fresh(handed.keys[0].partition("+")[0]).verifier)
    assert len(set(handed.keys)) == 3
    for trusted in ([], *([key] for key in handed.keys)):
        assert found(handed.lines, trusted) == []
        assert found(handed.lines, trusted, *handed.seen, handed.witness) == []
    assert found(handed.lines, [stranger]) == [("checkpoint", None)]
    assert found(handed.lines, [stranger, handed.keys[1]]) == []


@pytest.mark.promise("A2")
def test_no_change_of_the_key_can_be_left_out_or_made_up(handed: Handed) -> None:
    """The chain is followed only along what each key signed itself, in the order of the log."""
    head, chain = read(handed.lines[0]), rotations(handed.lines)
    mine = [handed.keys[0]]
    stranger = SigningKey.fresh(handed.keys[0].partition("+")[0])
    root = Checkpoint.parse(
        stranger.verifier.open(stranger.sign(handed.seen[2].rpartition("\n\n")[0] + "\n"))
    )
    own = {"checkpoint": stranger.sign(root.text()), "key": str(stranger.verifier)}
    for wrong in (
        [],
        chain[:1],
        chain[1:],
        chain[::-1],
        [*chain, chain[1]],
        [chain[0], *chain],
        [chain[0], own],
        [chain[0] | {"key": chain[1]["key"]}, chain[1]],
        [chain[0] | {"checkpoint": handed.seen[0]}, chain[1]],
        [chain[0] | {"checkpoint": stranger.sign(root.text())}, chain[1]],
        "none",
        None,
        7,
        [7],
    ):
        changed = canonical(head | {"rotations": wrong})
        assert found([changed, *handed.lines[1:]], mine), wrong
        assert found([changed, *handed.lines[1:]], []), wrong


@pytest.mark.promise("A2")
def test_whoever_has_no_older_key_cannot_name_a_successor(handed: Handed) -> None:
    """A log made anew in which an older key names a stranger is not believed by who trusts that key."""
    stranger = SigningKey.fresh(handed.keys[0].partition("+")[0])
    chain, mine = rotations(handed.lines), [handed.keys[0]]
    records = [read(line) for line in handed.lines[1:5]]
    assert header(records[3])["kind"] == "audit.key"
    note = {"old": handed.keys[0], "new": str(stranger.verifier)}
    payload = cast("dict[str, object]", records[3]["payload"]) | {"note": note}
    digest = hashlib.sha256(base64.b64decode(str(records[3]["salt"])) + canonical(payload).encode())
    records[3]["header"] = header(records[3]) | {"digest": digest.hexdigest()}
    records[3]["payload"] = payload
    head = cast("Line", json.loads(handed.lines[0]) | {"rotations": chain[:1]})
    forged = forge(records, head, stranger)
    assert ("rewritten", 0) in found(forged, mine)
    signed = {"checkpoint": read(forged[0])["checkpoint"], "key": str(stranger.verifier)}
    again = canonical(read(forged[0]) | {"rotations": [signed]})
    assert found([again, *forged[1:]], mine) == [("checkpoint", None)]


@pytest.mark.promise("A2")
def test_every_changed_byte_of_what_older_keys_signed_is_found(handed: Handed) -> None:
    """Exhaustively over the head, under the oldest key."""
    line = handed.lines[0]
    for place in range(len(line)):
        changed = line[:place] + chr(ord(line[place]) ^ 1) + line[place + 1 :]
        assert found([changed, *handed.lines[1:]], handed.keys[:1]), place


def test_the_verifier_says_which_key_signs_now(handed: Handed, tmp_path: Path) -> None:
    """After an export that an older key led through; a proof by itself leads nowhere, and says so."""
    file = tmp_path / "log"
    file.write_text("\n".join([*handed.lines, ""]), "utf-8")
    command = [sys.executable, "-I", str(standalone.__file__), "export", str(file), "--key"]
    for key, said in (
        (handed.keys[0], f"It holds. Its key is {handed.keys[2]} now.\n"),
        (handed.keys[2], "It holds.\n"),
    ):
        done = subprocess.run([*command, key], capture_output=True, encoding="utf-8", check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, said, "")


async def test_an_export_during_which_records_come_holds(log: AuditLog, store: Store) -> None:
    """The head and the records are of one moment; also when the key changes meanwhile."""
    for number in range(3):
        await log.note("test.note", WHO, {"number": number})
    key, made = await log.verifier_key(), list[str]()
    async for piece in AuditExport(store).lines("jsonl"):
        made.append(piece)
        await log.rotate_key(WHO)
        await log.note("test.note", WHO, {})
    assert found("".join(made).splitlines(), [key]) == []
    assert found(await lines(store), [key]) == []
