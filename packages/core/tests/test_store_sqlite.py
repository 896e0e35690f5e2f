"""The embedded store: its file, its processes, and what happens when the disk or the machine fails."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from interlock_core.errors import StoreError
from interlock_core.store import Branch, Store
from interlock_core.store._errors import SQLITE_REASONS, sqlite_error

INSERT = "INSERT INTO notes_all (id, body) VALUES (?, ?)"
INCREMENT = """
import asyncio, sys
from interlock_core.store import Branch, Store

async def main(url, package, number):
    async with await Store.open(url, branches=[Branch("notes", "notes_0001", package)]) as store:
        for _ in range(25):
            async with store.transaction() as transaction:
                row = await transaction.fetch_one("SELECT count(*) FROM notes_all")
                await transaction.execute("INSERT INTO notes_all (id, body) VALUES (?, ?)", (row[0], number))

asyncio.run(main(*sys.argv[1:]))
"""
APPEND = """
import asyncio, sys
from interlock_core.store import Branch, Store

async def append(store, start):
    number = start
    while True:
        await store.execute("INSERT INTO notes_all (id, body) VALUES (?, 'acknowledged')", (number,))
        print(number, flush=True)
        number += 8

async def main(url, package):
    async with await Store.open(url, branches=[Branch("notes", "notes_0001", package)]) as store:
        await asyncio.gather(*(append(store, start) for start in range(8)))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file will be."""
    return tmp_path / "house" / "data" / "store.db"


@pytest.fixture
async def store(path: Path, notes: Branch) -> AsyncGenerator[Store, None]:
    """An open store in a file."""
    async with await Store.open(f"sqlite:///{path}", branches=[notes]) as opened:
        yield opened


def mode_of(path: Path) -> int:
    """The rights on a file."""
    return path.stat().st_mode & 0o777


def write(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Make a file and the folders to it."""
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    path.chmod(mode)


def read(path: Path) -> bytes:
    """The content of a file."""
    return path.read_bytes()


def relative(path: Path) -> str:
    """The way to a file from here."""
    return os.path.relpath(path)


async def python(script: str, *arguments: str) -> asyncio.subprocess.Process:
    """A process that runs a script with the branches of this test importable."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, *arguments, env=environment, stdout=asyncio.subprocess.PIPE
    )


async def test_file_and_folder_belong_to_their_user_alone(store: Store, path: Path) -> None:
    """0700 and 0600, the log beside the file too."""
    await store.execute(INSERT, (1, "one"))
    modes = {file.name: mode_of(file) for file in path.parent.iterdir()}
    assert modes == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}
    assert mode_of(path.parent) == 0o700


async def test_rights_of_others_on_an_own_file_are_taken_away(path: Path) -> None:
    """A file that was left readable is closed when it is opened."""
    write(path, b"", mode=0o644)
    async with await Store.open(f"sqlite:///{path}"):
        assert mode_of(path) == 0o600


async def test_what_is_committed_survives_a_power_cut(store: Store) -> None:
    """Write-ahead log, and the disk is asked to be sure of each commit."""
    async with store.transaction() as transaction:
        assert await transaction.fetch_one("PRAGMA journal_mode") == ("wal",)
        assert await transaction.fetch_one("PRAGMA synchronous") == (2,)
        assert await transaction.fetch_one("PRAGMA foreign_keys") == (1,)
        assert await transaction.fetch_one("PRAGMA trusted_schema") == (0,)


async def test_what_was_written_is_there_when_it_is_opened_again(path: Path, notes: Branch) -> None:
    """A relative path works as well as an absolute one."""
    async with await Store.open(f"sqlite:///{path}", branches=[notes]) as store:
        await store.execute(INSERT, (1, "one"))
    async with await Store.open(f"sqlite:///{relative(path)}", branches=[notes]) as store:
        assert await store.fetch_all("SELECT body FROM notes_all") == [("one",)]


async def test_a_memory_database_is_gone_when_it_is_closed(notes: Branch) -> None:
    """Each has its own."""
    first = await Store.open("sqlite://", branches=[notes])
    second = await Store.open("sqlite:///:memory:", branches=[notes])
    await first.execute(INSERT, (1, "one"))
    assert await second.fetch_all("SELECT body FROM notes_all") == []
    await first.aclose()
    await second.aclose()


async def test_a_fetch_that_would_change_rows_is_refused(store: Store) -> None:
    """The error says how it is done."""
    with pytest.raises(StoreError, match="only reads") as caught:
        await store.fetch_one(f"{INSERT} RETURNING id", (1, "one"))
    assert "transaction" in str(caught.value)


async def test_a_fetch_of_a_missing_table_is_a_store_error(store: Store) -> None:
    """Readers' errors are translated too."""
    with pytest.raises(StoreError, match="no such table: no_such"):
        await store.fetch_all("SELECT * FROM no_such")


async def test_a_full_disk_is_said_plainly_and_loses_nothing(store: Store) -> None:
    """What was acknowledged stays, also for statements that were committed together."""
    await store.execute(INSERT, (0, "before"))
    await store.execute("PRAGMA max_page_count=30")
    results = await asyncio.gather(
        *(store.execute(INSERT, (number, "x" * 20_000)) for number in range(1, 40)), return_exceptions=True
    )
    errors = [result for result in results if isinstance(result, StoreError)]
    assert "the disk is full" in str(errors[0])
    assert "Free some space" in str(errors[0])
    kept = await store.fetch_all("SELECT id FROM notes_all ORDER BY id")
    assert kept == [(0,), *((number,) for number, result in enumerate(results, 1) if result == 1)]

    async def fill() -> None:
        async with store.transaction() as transaction:
            await transaction.execute(INSERT, (100, "x" * 2_000_000))

    with pytest.raises(StoreError, match="the disk is full"):
        await fill()
    assert await store.fetch_all("SELECT id FROM notes_all ORDER BY id") == kept


async def test_a_file_that_cannot_be_written_is_said_plainly(store: Store) -> None:
    """With what to look at."""
    await store.execute("PRAGMA query_only=ON")
    with pytest.raises(StoreError, match="cannot be written") as caught:
        await store.execute(INSERT, (1, "one"))
    assert "permissions" in str(caught.value)


async def test_a_file_held_by_another_process_is_said_plainly(store: Store, path: Path) -> None:
    """After the time that it is waited for."""
    await store.execute("PRAGMA busy_timeout=1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreError, match="another process has held it"):
            await store.execute(INSERT, (1, "one"))

        async def write() -> None:
            async with store.transaction() as transaction:
                await transaction.execute(INSERT, (1, "one"))

        with pytest.raises(StoreError, match="another process has held it"):
            await write()
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert await store.execute(INSERT, (1, "one")) == 1


@pytest.mark.parametrize("content", [b"no database, " * 100, b"SQLite format 3\0" + b"\xff" * 4096])
async def test_a_file_that_is_no_database_is_said_plainly(path: Path, content: bytes, notes: Branch) -> None:
    """And it is left as it was."""
    write(path, content)
    with pytest.raises(StoreError, match="damaged or is no SQLite database") as caught:
        await Store.open(f"sqlite:///{path}", branches=[notes])
    assert str(path) in str(caught.value)
    assert read(path) == content


async def test_a_place_that_cannot_hold_a_file_is_said_plainly(tmp_path: Path) -> None:
    """A folder in the way, or a file where a folder should be."""
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "store.db"):
        with pytest.raises(StoreError, match="cannot be opened") as caught:
            await Store.open(f"sqlite:///{path}")
        assert caught.value.remedy


async def test_readers_beyond_the_first_four_wait_their_turn(store: Store) -> None:
    """Many at once are all served, and a cancelled one gives its turn on."""
    query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) SELECT sum(i) FROM n"
    tasks = [asyncio.create_task(store.fetch_one(query)) for _ in range(24)]
    await asyncio.sleep(0)
    for task in tasks[::5]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results[::5]] == [asyncio.CancelledError] * 5
    assert {result for index, result in enumerate(results) if index % 5} == {(200010000,)}


async def test_four_processes_share_a_file_that_none_of_them_made(path: Path, notes: Branch) -> None:
    """They start at once on nothing, migrate once, and lose no step of each other's."""
    arguments = (f"sqlite:///{path}", notes.package)
    processes = [await python(INCREMENT, *arguments, str(number)) for number in range(4)]
    for process in processes:
        await process.communicate()
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    async with await Store.open(f"sqlite:///{path}", branches=[notes]) as store:
        assert await store.fetch_one("SELECT count(*), max(id) FROM notes_all") == (100, 99)


async def test_what_was_acknowledged_survives_a_killed_process(path: Path, notes: Branch) -> None:
    """`kill -9` in the middle of writing: every number that was printed is there."""
    process = await python(APPEND, f"sqlite:///{path}", notes.package)
    assert process.stdout is not None
    acknowledged = [int(await process.stdout.readline()) for _ in range(300)]
    process.kill()
    rest = await process.stdout.read()
    acknowledged += [int(line) for line in rest.split(b"\n")[:-1]]
    await process.wait()
    async with await Store.open(f"sqlite:///{path}", branches=[notes]) as store:
        kept = {row[0] for row in await store.fetch_all("SELECT id FROM notes_all")}
        assert kept >= set(acknowledged)
        assert await store.fetch_one("PRAGMA integrity_check") == ("ok",)


def test_every_error_of_sqlite_has_its_line() -> None:
    """The table is complete: each primary error code says what it means and what to do."""
    assert set(SQLITE_REASONS) == set(range(1, 27))


@pytest.mark.parametrize("error", [sqlite3.ProgrammingError("closed"), sqlite3.Warning("odd")])
def test_errors_without_a_code_are_translated_too(error: Exception) -> None:
    """Nothing foreign gets through."""
    translated = sqlite_error(error, "in memory")
    assert "The database in memory" in str(translated)
    assert translated.remedy
