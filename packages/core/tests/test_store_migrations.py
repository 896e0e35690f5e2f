"""Branches of migrations: applied once, together, and refused when they are not ours."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from interlock_core.errors import SchemaVersionError, StoreError
from interlock_core.store import Branch, Store
from interlock_core.testing import postgres_database

MakeBranch = Callable[..., Branch]

NOTES = """
op.create_table("notes_all", sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("body", sa.Text))
op.create_index("notes_by_body", "notes_all", ["body"])
"""
TAGS = 'op.create_table("tags_all", sa.Column("name", sa.Text, primary_key=True))'
MORE = 'op.add_column("notes_all", sa.Column("more", sa.Text))'
VERSIONS = "SELECT version_num FROM alembic_version ORDER BY version_num"


async def test_every_branch_is_applied(url: str, make_branch: MakeBranch) -> None:
    """Each part's tables are there, and one row a branch says how far it is."""
    branches = [make_branch("notes", NOTES, MORE), make_branch("tags", TAGS)]
    async with await Store.open(url, branches=branches) as store:
        await store.execute("INSERT INTO notes_all (id, body, more) VALUES (1, 'a', 'b')")
        await store.execute("INSERT INTO tags_all (name) VALUES ('a')")
        assert await store.fetch_all(VERSIONS) == [("notes_0002",), ("tags_0001",)]
        assert await store.drift() == []


async def reopened(url: str, *steps: list[Branch]) -> None:
    """Open a database with one list of branches after another; a memory database has no second time."""
    for branches in steps:
        async with await Store.open(url, branches=branches):
            pass


@pytest.fixture(params=["file", "postgresql"])
def kept_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database that can be opened again."""
    if request.param == "file":
        return f"sqlite:///{request.getfixturevalue('tmp_path')}/store.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


async def test_a_database_that_is_behind_catches_up(kept_url: str, make_branch: MakeBranch) -> None:
    """New revisions and new branches are added to what is there; rows stay."""
    notes = make_branch("notes", NOTES)
    async with await Store.open(kept_url, branches=[notes]) as store:
        await store.execute("INSERT INTO notes_all (id, body) VALUES (1, 'kept')")
    newer = make_branch("notes", NOTES, MORE)
    async with await Store.open(kept_url, branches=[newer, make_branch("tags", TAGS)]) as store:
        assert await store.fetch_all("SELECT id, body, more FROM notes_all") == [(1, "kept", None)]
        assert await store.fetch_all(VERSIONS) == [("notes_0002",), ("tags_0001",)]


async def test_a_newer_database_is_refused(kept_url: str, make_branch: MakeBranch) -> None:
    """A revision that no branch knows means a newer program; nothing is touched."""
    await reopened(kept_url, [make_branch("notes", NOTES, MORE)])
    older = make_branch("notes", NOTES, package="older_notes")
    with pytest.raises(SchemaVersionError, match="notes_0002") as caught:
        await Store.open(kept_url, branches=[older])
    assert "Upgrade the program" in str(caught.value)


async def test_a_branch_that_is_not_listed_is_refused(kept_url: str, make_branch: MakeBranch) -> None:
    """Tables of a part that this program does not have."""
    notes, tags = make_branch("notes", NOTES), make_branch("tags", TAGS)
    await reopened(kept_url, [notes, tags])
    with pytest.raises(SchemaVersionError, match="tags_0001"):
        await Store.open(kept_url, branches=[notes])


async def test_a_migration_that_fails_leaves_nothing(kept_url: str, make_branch: MakeBranch) -> None:
    """Neither its own steps nor those of the branches before it stay half done."""
    bad = make_branch("tags", TAGS + '\nop.execute("SELECT * FROM no_such_table")')
    with pytest.raises(StoreError, match="nothing was changed"):
        await Store.open(kept_url, branches=[make_branch("notes", NOTES), bad])
    async with await Store.open(kept_url) as store:
        for table in ("notes_all", "tags_all", "alembic_version"):
            with pytest.raises(StoreError):
                await store.fetch_all(f"SELECT * FROM {table}")
    await reopened(kept_url, [make_branch("notes", NOTES, package="good_notes")])


@pytest.mark.parametrize(
    "branch", [Branch("notes", "notes_0099", ""), Branch("gone", "gone_0001", "no_such_package_at_all")]
)
async def test_a_branch_that_is_not_what_it_says_is_an_error(
    url: str, make_branch: MakeBranch, branch: Branch
) -> None:
    """A wrong head or a missing package is the program's mistake, and is named."""
    package = branch.package or make_branch("notes", NOTES).package
    with pytest.raises(StoreError):
        await Store.open(url, branches=[Branch(branch.name, branch.head, package)])


async def test_four_openers_at_once_all_succeed(kept_url: str, make_branch: MakeBranch) -> None:
    """On an empty database one migrates and the others wait."""
    branches = [make_branch("notes", NOTES, MORE), make_branch("tags", TAGS)]
    stores = await asyncio.gather(*(Store.open(kept_url, branches=branches) for _ in range(4)))
    for store in stores:
        assert len(await store.fetch_all(VERSIONS)) == 2
        await store.aclose()


async def test_many_databases_can_be_migrated_at_once(postgres_url: str, make_branch: MakeBranch) -> None:
    """Of every kind, in one event loop, by different branches: each gets its own tables."""
    notes, tags = make_branch("notes", NOTES, MORE), make_branch("tags", TAGS)

    async def open_and_look(url: str, branch: Branch) -> list[str]:
        async with await Store.open(url, branches=[branch]) as store:
            await store.fetch_all(f"SELECT * FROM {branch.name}_all")
            return await store.drift()

    async with postgres_database() as other_url:
        urls = ["sqlite://", "sqlite://", postgres_url, "sqlite://", other_url, "sqlite://"]
        opened = (open_and_look(url, (notes, tags)[index % 2]) for index, url in enumerate(urls))
        assert await asyncio.gather(*opened) == [[]] * 6


async def test_drift_names_every_difference(url: str, make_branch: MakeBranch) -> None:
    """Missing, changed and unexpected things, a line each; other people's tables are left alone."""
    branches = [make_branch("notes", NOTES), make_branch("tags", TAGS)]
    async with await Store.open(url, branches=branches) as store:
        for statement in (
            "DROP TABLE tags_all",
            "DROP INDEX notes_by_body",
            "ALTER TABLE notes_all ADD COLUMN extra INTEGER",
            "CREATE TABLE notes_other (id INTEGER NOT NULL)",
            "CREATE TABLE somebody_else (id INTEGER)",
            "CREATE VIEW notes_view AS SELECT id FROM notes_all",
        ):
            await store.execute(statement)
        assert await store.drift() == [
            "table notes_all: column extra is not expected",
            "table notes_all: index notes_by_body is missing",
            "table notes_other is not expected",
            "table tags_all is missing",
            "view notes_view is not expected",
        ]


async def test_drift_sees_changed_columns_and_triggers(make_branch: MakeBranch) -> None:
    """A table that was made again by hand, with other types, keys and rules."""
    make = """
    op.execute("CREATE TABLE notes_all (id INTEGER PRIMARY KEY, body TEXT NOT NULL, "
               "tag TEXT DEFAULT 'x' REFERENCES notes_all (id), UNIQUE (tag))")
    op.execute("CREATE TRIGGER notes_stay BEFORE DELETE ON notes_all BEGIN SELECT raise(ABORT, 'no'); END")
    """
    async with await Store.open("sqlite://", branches=[make_branch("notes", make)]) as store:
        await store.execute("DROP TABLE notes_all")
        await store.execute("CREATE TABLE notes_all (id INTEGER, body BLOB, tag TEXT)")
        assert await store.drift() == [
            "table notes_all: column body is blob, expected text not null",
            "table notes_all: column tag is text, expected text default 'x'",
            "table notes_all: foreign key (tag) is missing",
            "table notes_all: primary key is missing",
            "table notes_all: unique (tag) is missing",
            "trigger notes_stay is missing",
        ]


async def test_a_current_database_is_opened_without_alembic(tmp_path: Path, make_branch: MakeBranch) -> None:
    """The dear imports are for migrations alone."""
    script = """
import asyncio, sys
from interlock_core.store import Branch, Store
from interlock_core.testing import postgres_database

async def main(url, package):
    async with await Store.open(url, branches=[Branch("notes", "notes_0001", package)]) as store:
        await store.execute("INSERT INTO notes_all (id, body) VALUES (1, 'one')")

asyncio.run(main(*sys.argv[1:]))
print(*({"sqlalchemy", "alembic", "asyncpg", "jsonschema_rs"} & sys.modules.keys()))
"""
    url, branch = f"sqlite:///{tmp_path}/store.db", make_branch("notes", NOTES)
    await reopened(url, [branch])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        url,
        branch.package,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert (process.returncode, output) == (0, b"\n")
