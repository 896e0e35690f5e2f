"""The attacks on the audit log, run: the database is changed behind its back, and the log must tell."""

import json
import sqlite3
import subprocess
import tomllib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from shutil import copyfile
from typing import TypeAlias, cast

import pytest

from interlock_core.errors import AuditUnavailableError
from interlock_core.jsontypes import as_array, as_object, parse_json
from interlock_runtime import Runtime, Settings
from interlock_runtime.settings import ToolSettings
from interlock_security import KEY_FILE
from interlock_security.audit.merkle import CompactRange, leaf_hash
from interlock_tools.testing.github import GitHubStandIn

Command: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]

CASES = cast(
    "list[dict[str, object]]",
    tomllib.loads((Path(__file__).parent / "cases.toml").read_text(encoding="utf-8"))["case"],
)
BY_ID = {str(case["id"]): case for case in CASES if case["surface"] == "audit"}
NOTHING: dict[str, str] = {}
HASHED = (
    *("idx", "prev", "id", "at", "kind", "ref", "user_name", "agent", "key_id"),
    *("name", "outcome", "run", "trace_id", "team", "digest"),
)


def test_every_attack_on_the_log_is_run() -> None:
    """Here, but for the kill, which has a test of its own."""
    assert {*AUDIT, "A14"} == set(BY_ID)
    assert (Path(__file__).parents[1] / "integration" / "test_kill.py").exists()


async def ten_records(home: Path) -> None:
    """Ordinary use: five changes, an intent and an outcome each."""
    async with Runtime.open(Settings(home=home), environment=NOTHING) as runtime:
        for number in range(5):
            await runtime.access.grant(f"user{number}", "readonly")


class Database:
    """The database in the hands of someone who may write it; triggers are dropped."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.file = home / "interlock.db"
        self.connection = sqlite3.connect(self.file, isolation_level=None)
        for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            self.run(f"DROP TRIGGER {name}")

    def rows(self, text: str, *values: object) -> list[tuple[object, ...]]:
        """The rows of a query."""
        return cast("list[tuple[object, ...]]", self.connection.execute(text, values).fetchall())

    def run(self, text: str, *values: object) -> None:
        """Carry out a statement."""
        self.connection.execute(text, values)

    def refit(self, index: int) -> bytes:
        """Let a record's digest fit its payload and its leaf its header; the leaf."""
        ((salt, payload),) = self.rows("SELECT salt, payload FROM audit_records WHERE idx = ?", index)
        digest = sha256(cast("bytes", salt) + str(payload).encode()).digest()
        self.run("UPDATE audit_records SET digest = ? WHERE idx = ?", digest, index)
        (row,) = self.rows(f"SELECT {', '.join(HASHED)} FROM audit_records WHERE idx = ?", index)
        lines = [value.hex() if isinstance(value, bytes) else str(value) for value in row]
        leaf = leaf_hash("\n".join(["interlock-audit/2", *lines]).encode())
        self.run("UPDATE audit_records SET leaf = ? WHERE idx = ?", leaf, index)
        return leaf

    def rehash(self) -> None:
        """Compute every leaf and the tree's state again."""
        tree = CompactRange()
        last = b""
        for (index,) in self.rows("SELECT idx FROM audit_records ORDER BY idx"):
            self.run("UPDATE audit_records SET prev = ? WHERE idx = ?", last[:16], index)
            last = self.refit(cast("int", index))
            tree.append(last)
        self.run("UPDATE audit_state SET size = ?, nodes = ?, leaf = ?", tree.size, tree.to_bytes(), last)


def edit_byte(database: Database) -> None:
    """One byte of record 3."""
    database.run("UPDATE audit_records SET payload = replace(payload, 'ok', 'oK') WHERE idx = 3")


def edit_and_rehash_leaf(database: Database) -> None:
    """A field, and the hash of its record."""
    database.run("UPDATE audit_records SET payload = replace(payload, 'user0', 'userX') WHERE idx = 2")
    database.refit(2)


def delete(database: Database) -> None:
    """Record 4."""
    database.run("DELETE FROM audit_records WHERE idx = 4")


def delete_and_renumber(database: Database) -> None:
    """Record 4, and the rest one earlier."""
    delete(database)
    for (index,) in database.rows("SELECT idx FROM audit_records WHERE idx > 4 ORDER BY idx"):
        database.run("UPDATE audit_records SET idx = idx - 1 WHERE idx = ?", index)


def insert_and_rehash_all(database: Database) -> None:
    """A record of one's own in the middle, all hashes fresh."""
    for (index,) in database.rows("SELECT idx FROM audit_records WHERE idx > 4 ORDER BY idx DESC"):
        database.run("UPDATE audit_records SET idx = idx + 1 WHERE idx = ?", index)
    database.run("CREATE TEMP TABLE own AS SELECT * FROM audit_records WHERE idx = 4")
    database.run("UPDATE own SET idx = 5, id = id || 'x', payload = replace(payload, 'user2', 'userX')")
    database.run("INSERT INTO audit_records SELECT * FROM own")
    database.rehash()


def reorder(database: Database) -> None:
    """Records 4 and 6 exchanged."""
    for old, new in ((4, 1000), (6, 4), (1000, 6)):
        database.run("UPDATE audit_records SET idx = ? WHERE idx = ?", new, old)


def truncate(database: Database) -> None:
    """The last two."""
    database.run("DELETE FROM audit_records WHERE idx >= 8")


def truncate_and_forge_head(database: Database) -> None:
    """The last two, and the head set back."""
    truncate(database)
    database.rehash()


def wipe(database: Database) -> None:
    """Everything."""
    for table in ("audit_records", "audit_open"):
        database.run(f"DELETE FROM {table}")
    database.run("UPDATE audit_state SET size = 0, nodes = x'', leaf = x'', checkpoint = '', verifier = ''")


def roll_back(database: Database) -> None:
    """The copy from before the last changes."""
    database.connection.close()
    copyfile(database.home / "older.db", database.file)


def rewrite_with_key(database: Database) -> None:
    """Another history, signed by the log's own key."""
    database.connection.close()
    copyfile(database.home / "forged.db", database.file)


def foreign_checkpoint(database: Database) -> None:
    """A checkpoint of another log."""
    with sqlite3.connect(database.home / "forged.db") as other:
        ((note, verifier),) = other.execute("SELECT checkpoint, verifier FROM audit_state").fetchall()
    other.close()
    swapped = str(note)[:-12] + ("A" * 10) + str(note)[-2:]
    database.run("UPDATE audit_state SET checkpoint = ?, verifier = ?", swapped, verifier)


def remove_witness(database: Database) -> None:
    """The file of the witness."""
    (database.home / "audit.witness").unlink()


AUDIT: dict[str, Callable[[Database], None]] = {
    "A01": edit_byte,
    "A02": edit_and_rehash_leaf,
    "A03": delete,
    "A04": delete_and_renumber,
    "A05": insert_and_rehash_all,
    "A06": reorder,
    "A07": truncate,
    "A08": truncate_and_forge_head,
    "A09": wipe,
    "A10": roll_back,
    "A11": rewrite_with_key,
    "A12": remove_witness,
    "A13": lambda _: None,
    "A15": foreign_checkpoint,
}


def copy_key(home: Path, other: Path) -> None:
    """A data folder that has nothing but the log's signing key."""
    other.mkdir()
    copyfile(home / KEY_FILE, other / KEY_FILE)
    (other / KEY_FILE).chmod(0o600)


async def prepared(home: Path) -> None:
    """Ten records, an older copy of the database, and a forged one under the same key."""
    async with Runtime.open(Settings(home=home), environment=NOTHING) as runtime:
        await runtime.access.grant("early", "readonly")
    copyfile(home / "interlock.db", home / "older.db")
    other = home.parent / "other"
    copy_key(home, other)
    await ten_records(other)
    await ten_records(home)
    copyfile(other / "interlock.db", home / "forged.db")


@pytest.mark.parametrize("name", [name for name in AUDIT if name != "A13"])
async def test_a_changed_log_does_not_verify(home: Path, command: Command, name: str) -> None:
    """`audit verify` ends with 5 and says what it found, or says what it could not check."""
    await prepared(home)
    before = command(home, "audit", "verify", "--json")
    assert before.returncode == 0, before.stdout
    AUDIT[name](Database(home))
    after = command(home, "audit", "verify", "--json")
    report = as_object(parse_json(after.stdout))
    wanted = cast("list[str]", BY_ID[name]["holds"])
    if "verify-says-what-it-could-not-check" in wanted:
        assert "witness" in json.dumps([report["problems"], report["notices"]])
        return
    assert after.returncode == 5
    assert report["ok"] is False
    problems = [as_object(problem) for problem in as_array(report["problems"])]
    assert problems
    if "record-named" in wanted:
        assert {"A01": 3, "A02": 2}[name] in [problem["record"] for problem in problems]


async def test_without_its_log_nothing_with_side_effects_happens(home: Path) -> None:
    """A13: the call is refused before anything is sent."""
    with GitHubStandIn(owner="acme", repo="notes") as github:
        await refused_without_a_log(home, github)


async def refused_without_a_log(home: Path, github: GitHubStandIn) -> None:
    """Make a call whose intent cannot be recorded."""
    own = ToolSettings(source="builtin:github", base_url=github.url, credential=github.token)
    settings = Settings(home=home, tools={"github": own})
    await ten_records(home)
    database = Database(home)
    database.run("CREATE TRIGGER no_more BEFORE INSERT ON audit_records BEGIN SELECT RAISE(ABORT, 'no'); END")
    database.connection.close()
    arguments = '{"owner": "acme", "repo": "notes", "title": "t"}'
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        with pytest.raises(AuditUnavailableError):
            await runtime.tools.call("github.issues_create", arguments)
    assert github.requests == ()
