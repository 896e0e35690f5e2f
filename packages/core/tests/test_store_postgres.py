"""What only PostgreSQL does: places, drivers, broken connections."""

import asyncio
import sys
from importlib import import_module
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core.errors import ConfigurationError, MissingExtraError, StoreError
from interlock_core.store import Branch, Store
from interlock_core.store._errors import postgres_error
from interlock_core.store._placeholders import numbered

INSERT = "INSERT INTO notes_all (id, body) VALUES (?, ?)"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://ilk:hush@127.0.0.1:1/data", "127.0.0.1:1/data"),
        ("postgres://ilk:hush@127.0.0.1:1/data", "127.0.0.1:1/data"),
        ("postgresql://ilk:hush@/data?host=/nowhere", "local/data"),
    ],
)
async def test_a_server_that_is_not_there_is_named_without_its_password(
    url: str, place: str, notes: Branch
) -> None:
    """Host and database are enough to find the mistake."""
    with pytest.raises(StoreError, match=f"The database {place}") as caught:
        await Store.open(url, branches=[notes])
    assert "hush" not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize("url", ["postgresql://ilk:hush@host:port/x", "postgresql://ilk:hush@[::1/x"])
async def test_a_url_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    """The setting is named, the secret is not."""
    with pytest.raises((ConfigurationError, StoreError)) as caught:
        await Store.open(url)
    assert "hush" not in str(caught.value)


async def test_a_missing_database_is_said_plainly(postgres_url: str, notes: Branch) -> None:
    """With what to check."""
    with pytest.raises(StoreError, match="does not let us in") as caught:
        await Store.open(postgres_url.replace("interlock_test_", "no_such_"), branches=[notes])
    assert "name of the database" in str(caught.value)


async def test_without_the_driver_the_command_that_installs_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An optional dependency is asked for only when it is needed."""
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'interlock-core\[postgres\]'"):
        await Store.open("postgresql://localhost/x")


async def test_without_greenlet_the_command_that_installs_it_is_named(
    postgres_url: str, notes: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Migrations need it; a current database does not."""
    async with await Store.open(postgres_url, branches=[notes]):
        pass
    monkeypatch.setattr("interlock_core.store._runner_postgres.find_spec", dict[str, None]().get)
    async with await Store.open(postgres_url, branches=[notes]) as store:
        with pytest.raises(MissingExtraError, match="interlock-core"):
            await store.drift()


async def test_a_connection_that_breaks_is_an_error_and_the_next_one_works(
    postgres_url: str, notes: Branch
) -> None:
    """The server ends our session in the middle of a transaction; the store goes on."""
    async with await Store.open(postgres_url, branches=[notes]) as store:

        async def be_ended() -> None:
            async with store.transaction() as transaction:
                await transaction.execute(INSERT, (1, "one"))
                row = await transaction.fetch_one("SELECT pg_backend_pid()")
                assert row is not None
                async with await Store.open(postgres_url) as other:
                    await other.execute("SELECT pg_terminate_backend(?)", row)
                await transaction.execute(INSERT, (2, "two"))

        with pytest.raises(StoreError, match=r"stopped or broke off|connection broke|cannot be run"):
            await be_ended()
        assert await store.execute(INSERT, (3, "three")) == 1
        assert await store.fetch_all("SELECT id FROM notes_all") == [(3,)]


async def test_stores_of_two_processes_wait_for_each_other(postgres_url: str, notes: Branch) -> None:
    """A lock is held across connections, from the first read to the commit."""
    stores = [await Store.open(postgres_url, branches=[notes]) for _ in range(2)]

    async def step(store: Store) -> None:
        async with store.transaction() as transaction:
            row = await transaction.fetch_one("SELECT count(*) FROM notes_all")
            assert row is not None
            await asyncio.sleep(0)
            await transaction.execute(INSERT, (row[0], "next"))

    await asyncio.gather(*(step(stores[number % 2]) for number in range(40)))
    assert await stores[0].fetch_one("SELECT count(*), max(id) FROM notes_all") == (40, 39)
    for store in stores:
        await store.aclose()


async def test_numbers_come_back_as_plain_numbers(postgres_url: str) -> None:
    """Sums, averages and truth values look as they do on SQLite."""
    async with await Store.open(postgres_url) as store:
        row = await store.fetch_one("SELECT 3::numeric, 1.5::numeric, true, NULL, count(*) > 0")
        assert row is not None
        assert row == (3, 1.5, 1, None, 1)
        assert [type(value) for value in row] == [int, float, int, type(None), int]
        assert await store.execute("SELECT 1") == 0


def test_every_error_of_the_server_says_what_to_do() -> None:
    """Whatever class of asyncpg it is, there is a reason and a remedy, and no value."""
    base = cast("type[Exception]", import_module("asyncpg.exceptions").PostgresError)
    named = vars(import_module("asyncpg.exceptions")).values()
    classes = [each for each in named if isinstance(each, type) and issubclass(each, base)]
    errors = [each('invalid input syntax: "hush"') for each in classes]
    assert len(errors) > 200
    for error in errors:
        error.__dict__["detail"] = "Key (tag)=(hush) already exists."
        translated = postgres_error(error, "host/data")
        assert translated.remedy
        assert "hush" not in f"{translated} {error} {error!r}"


SEGMENTS = st.lists(
    st.sampled_from(
        [
            ("?", True),
            ("'?'", False),
            ("'a''?'", False),
            ('"?"', False),
            ("/* ? */", False),
            ("-- ?\n", False),
        ]
    )
    | st.sampled_from([(" x = ", False), (", ", False), ("(", False), ("é", False), ("$1", False)]),
    max_size=20,
)


@given(SEGMENTS)
def test_only_true_placeholders_are_numbered(segments: list[tuple[str, bool]]) -> None:
    """Literals, quoted names and comments stay as they are; numbers count from one."""
    number = 0
    expected = ""
    for text, placeholder in segments:
        number += placeholder
        expected += f"${number}" if placeholder else text
        expected += " "
    assert numbered("".join(f"{text} " for text, _ in segments)) == expected


@given(st.text("?'\"-/*\n a", max_size=30))
def test_any_text_is_translated_without_harm(text: str) -> None:
    """Everything but question marks is kept, in order."""
    translated = numbered(text)
    assert [c for c in translated if c not in "$?0123456789"] == [c for c in text if c != "?"]
