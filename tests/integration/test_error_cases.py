"""Bad input: each row of cases/errors.toml is one real run of the command line."""

import base64
import getpass
import json
import os
import secrets
import socket
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

FILE = Path(__file__).parent / "cases" / "errors.toml"
KEYS = {
    "name",
    "args",
    "use",
    "setup",
    "before",
    "tamper",
    "env",
    "stdin",
    "exit",
    "stderr",
    "absent",
    "never",
}
LONGEST_MESSAGE = 4000
SECONDS = 60

Table = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row."""

    name: str
    args: list[str]
    exit: int
    use: list[str] = field(default_factory=list[str])
    setup: list[Table] = field(default_factory=list[Table])
    before: list[list[str]] = field(default_factory=list[list[str]])
    tamper: str = ""
    env: dict[str, str] = field(default_factory=dict[str, str])
    stdin: str = ""
    stderr: list[str] = field(default_factory=list[str])
    absent: list[str] = field(default_factory=list[str])
    never: list[str] = field(default_factory=list[str])
    stdout: str = ""


def _read() -> tuple[dict[str, Table], list[Case]]:
    tables = tomllib.loads(FILE.read_text(encoding="utf-8"))
    rows = cast("list[dict[str, Any]]", tables["case"])
    return cast("dict[str, Table]", tables["shared"]), [Case(**row) for row in rows]


SHARED, CASES = _read()


@dataclass(frozen=True)
class Bench:
    """Where one case runs.

    Args:
        folder: Its own folder.
        values: What the placeholders stand for.
    """

    folder: Path
    values: Mapping[str, str]

    def fill(self, text: str) -> str:
        """The text with its placeholders replaced."""
        for name, value in self.values.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def write(self, entry: Table) -> None:
        """Write one file of a setup."""
        path = self.folder / str(entry["path"])
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.get("dir"):
            path.mkdir()
        elif "base64" in entry:
            path.write_bytes(base64.b64decode(str(entry["base64"])))
        else:
            text = self.fill(str(entry["text"])) * cast("int", entry.get("repeat", 1))
            path.write_bytes(text.encode())

    def run(
        self, args: Sequence[str], *, env: Mapping[str, str], stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line once, in an environment that holds nothing else."""
        clean = {
            "PATH": os.defpath,
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "NO_COLOR": "1",
            "COLUMNS": "100",
            "INTERLOCK_HOME": self.values["home"],
            "XDG_CONFIG_HOME": str(self.folder / "xdg-config"),
            "XDG_DATA_HOME": str(self.folder / "xdg-data"),
        }
        return subprocess.run(
            [sys.executable, "-m", "interlock_cli", *(self.fill(arg) for arg in args)],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            env={**clean, **{name: self.fill(value) for name, value in env.items()}},
            cwd=self.folder,
            timeout=SECONDS,
            check=False,
        )


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A folder, a port that is taken and one that is free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            closed = gone.getsockname()[1]
        values = {
            "tmp": str(tmp_path),
            "home": str(tmp_path / "home"),
            "closed": str(closed),
            "busy": str(taken.getsockname()[1]),
            "user": getpass.getuser(),
            "canary": f"canary-{secrets.token_hex(12)}",
        }
        yield Bench(tmp_path, values)


def _tables(store: sqlite3.Connection, wanted: Callable[[str], bool]) -> list[str]:
    rows = store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return [str(name) for (name,) in rows if wanted(str(name))]


def _columns(store: sqlite3.Connection, table: str) -> list[str]:
    return [str(row[1]) for row in store.execute(f'PRAGMA table_info("{table}")')]


def _drop_triggers(store: sqlite3.Connection) -> None:
    for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        store.execute(f'DROP TRIGGER "{name}"')


def _edit(store: sqlite3.Connection) -> int:
    """Make alice another person in every text of the log."""
    changed = 0
    for table in _tables(store, lambda name: "audit" in name):
        for column in _columns(store, table):
            for row, value in store.execute(f'SELECT rowid, "{column}" FROM "{table}"').fetchall():
                new: object = value
                if isinstance(value, str):
                    new = value.replace("alice", "carol")
                elif isinstance(value, bytes):
                    new = value.replace(b"alice", b"carol")
                if new != value:
                    store.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (new, row))
                    changed += 1
    return changed


def _delete(store: sqlite3.Connection) -> int:
    """Take out every row of the log that speaks of alice."""
    removed = 0
    for table in _tables(store, lambda name: "audit" in name):
        tests = " OR ".join(f"instr(\"{column}\", 'alice') > 0" for column in _columns(store, table))
        removed += store.execute(f'DELETE FROM "{table}" WHERE {tests}').rowcount
    return removed


def _newer(store: sqlite3.Connection) -> int:
    """Make the database look as if a later version had migrated it."""
    marked = 0
    for table in _tables(store, lambda name: "version" in name):
        for column in _columns(store, table):
            if column == "version_num":
                marked += store.execute(
                    f'UPDATE "{table}" SET "{column}" = ? || rowid', ("9999_of_the_future_",)
                ).rowcount
            elif column in {"version", "schema_version"}:
                marked += store.execute(f'UPDATE "{table}" SET "{column}" = 999999').rowcount
    (version,) = store.execute("PRAGMA user_version").fetchone()
    if version:
        store.execute("PRAGMA user_version = 999999")
        marked += 1
    return marked


TAMPER: dict[str, Callable[[sqlite3.Connection], int]] = {"edit": _edit, "delete": _delete, "newer": _newer}


def tamper(home: Path, kind: str) -> None:
    """Change the embedded store behind the product's back."""
    (database,) = home.glob("*.db")
    store = sqlite3.connect(database)
    try:
        _drop_triggers(store)
        assert TAMPER[kind](store) > 0, f"the store has nothing to {kind}"
        store.commit()
    finally:
        store.close()


@pytest.mark.parametrize("case", CASES, ids=[case.name.replace(" ", "-") for case in CASES])
def test_bad_input_is_answered_with_its_cause_and_a_remedy(case: Case, bench: Bench) -> None:
    """Exit code, what stderr names, what must not appear, and a stdout that a program can read."""
    for name in case.use:
        bench.write(SHARED[name])
    for entry in case.setup:
        bench.write(entry)
    for args in case.before:
        first = bench.run(args, env=case.env)
        assert first.returncode == 0, first.stderr
    if case.tamper:
        tamper(Path(bench.values["home"]), case.tamper)

    result = bench.run(case.args, env=case.env, stdin=case.stdin)

    assert result.returncode == case.exit, f"exit {result.returncode}\n{result.stderr[-2000:]}"
    for text in case.stderr:
        assert bench.fill(text).lower() in result.stderr.lower()
    for text in ("Traceback", "{canary}", *case.absent):
        assert bench.fill(text) not in result.stdout + result.stderr
    assert len(result.stderr) <= LONGEST_MESSAGE
    if case.stdout == "json" or result.stdout.strip():
        json.loads(result.stdout)
    for path in case.never:
        assert not (bench.folder / path).exists()


def test_every_row_is_well_formed() -> None:
    """Names are unique, exit codes are known, shared files exist, and a message is asked for."""
    names = [case.name for case in CASES]
    assert len(CASES) >= 40
    assert len(set(names)) == len(names)
    for case in CASES:
        assert case.exit in range(6)
        assert set(case.use) <= set(SHARED)
        assert case.stderr
        assert case.tamper in {"", *TAMPER}
        assert case.stdout in {"", "json"}


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
def test_every_way_to_fail_has_a_row(code: int) -> None:
    """No exit code is left untried."""
    assert any(case.exit == code for case in CASES)
