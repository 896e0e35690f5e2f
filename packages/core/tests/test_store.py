"""What every store promises, on SQLite in a file, SQLite in memory and PostgreSQL."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from interlock_core.errors import ConfigurationError, StoreError
from interlock_core.store import Branch, Row, Store, Transaction
from interlock_core.testing import FakeClock

INSERT = "INSERT INTO notes_all (id, body) VALUES (?, ?)"
COUNT = "SELECT count(*) FROM notes_all"


@pytest.fixture
async def store(url: str, notes: Branch) -> AsyncGenerator[Store, None]:
    """An open store with the table `notes_all`."""
    async with await Store.open(url, branches=[notes]) as opened:
        yield opened


async def count(store: Store) -> int:
    """How many notes there are."""
    row = await store.fetch_one(COUNT)
    assert row is not None
    assert isinstance(row[0], int)
    return row[0]


async def test_values_of_every_kind_come_back_as_they_were(store: Store) -> None:
    """Text of any script, whole numbers to 63 bits, fractions, bytes and nothing."""
    rows: list[Row] = [
        (1, "plain", 0.1, b"\x00\xff", "a"),
        (-(2**63), "\U0001f511 Ω \u202e", -1e300, b"", "b"),
        (2**63 - 1, "", None, None, None),
    ]
    async with store.transaction() as transaction:
        await transaction.execute_many(
            "INSERT INTO notes_all (id, body, size, raw, tag) VALUES (?, ?, ?, ?, ?)", rows
        )
    assert await store.fetch_all("SELECT * FROM notes_all ORDER BY id") == [rows[1], rows[0], rows[2]]


async def test_many_rows_are_copied_at_once_and_come_back_as_they_were(store: Store) -> None:
    """Together with what else the transaction did, or not at all; names that are none are refused."""
    rows: list[Row] = [(1, "a\tb\\N\n", 0.5, b"\x00\xff", "x"), (2, "\u03a9", None, None, None)]
    async with store.transaction() as transaction:
        await transaction.copy_rows("notes_all", ("id", "body", "size", "raw", "tag"), rows)
        await transaction.execute("UPDATE notes_all SET tag = ? WHERE id = 2", ("y",))
    assert await store.fetch_all("SELECT id, body, size, raw, tag FROM notes_all ORDER BY id") == [
        rows[0],
        (*rows[1][:4], "y"),
    ]
    for columns, row in ((("id", "body"), (1, "again")), (("id", "no such"), (3, "c"))):
        with pytest.raises(StoreError):
            async with store.transaction() as transaction:
                await transaction.copy_rows("notes_all", columns, [(4, "d"), row])
    assert len(await store.fetch_all("SELECT id FROM notes_all")) == 2


async def test_changes_tell_how_many_rows_they_touched(store: Store) -> None:
    """Inserts, conflicts, updates and deletes."""
    assert await store.execute(INSERT, (1, "one")) == 1
    assert await store.execute(f"{INSERT} ON CONFLICT (id) DO NOTHING", (1, "two")) == 0
    await store.execute(INSERT, (2, "two"))
    assert await store.execute("UPDATE notes_all SET body = ? WHERE id > ?", ("x", 0)) == 2
    assert await store.execute("DELETE FROM notes_all WHERE id = ?", (99,)) == 0
    assert await store.execute("DELETE FROM notes_all") == 2


async def test_fetches_give_rows_or_nothing(store: Store) -> None:
    """A query without result is an empty list, or None for one row."""
    assert await store.fetch_all("SELECT id FROM notes_all") == []
    assert await store.fetch_one("SELECT id FROM notes_all") is None
    await store.execute(INSERT, (7, "seven"))
    assert await store.fetch_all("SELECT id, body FROM notes_all") == [(7, "seven")]
    assert await store.fetch_one("SELECT sum(id), max(id) > 3 FROM notes_all") == (7, 1)


async def test_question_marks_in_literals_are_no_placeholders(store: Store) -> None:
    """The same statement means the same on every database."""
    await store.execute(INSERT, (1, "why?"))
    row = await store.fetch_one(
        """SELECT body, 'a?''?' /* ? */ AS "what?" FROM notes_all WHERE body = 'why?' AND id = ? -- ?""", (1,)
    )
    assert row == ("why?", "a?'?")


async def test_a_transaction_is_kept_whole(store: Store) -> None:
    """What was written inside is there afterwards, and readable inside before."""
    async with store.transaction() as transaction:
        assert await transaction.execute(INSERT, (1, "one")) == 1
        returned = await transaction.fetch_all(f"{INSERT} RETURNING id, body", (2, "two"))
        assert returned == [(2, "two")]
        assert await transaction.fetch_one(COUNT) == (2,)
    assert await count(store) == 2


async def test_a_transaction_left_by_an_error_leaves_nothing(store: Store) -> None:
    """The error passes through unchanged."""
    with pytest.raises(LookupError, match="mine"):
        await _insert_and_raise(store, LookupError("mine"))
    assert await count(store) == 0
    await store.execute(INSERT, (1, "the store goes on"))


async def _insert_and_raise(store: Store, error: BaseException) -> None:
    async with store.transaction() as transaction:
        await transaction.execute(INSERT, (1, "one"))
        raise error


async def test_a_failed_statement_dooms_its_transaction(store: Store) -> None:
    """Nobody goes on after a failure that one database would forgive and another would not."""

    async def go_on() -> None:
        async with store.transaction() as transaction:
            await transaction.execute(INSERT, (1, "one"))
            with pytest.raises(StoreError, match="rule of the table"):
                await transaction.execute(INSERT, (1, "again"))
            with pytest.raises(StoreError, match="failed before"):
                await transaction.execute(INSERT, (2, "two"))

    with pytest.raises(StoreError, match="failed before"):
        await go_on()
    assert await count(store) == 0


async def test_errors_name_the_rule_and_never_a_value(store: Store) -> None:
    """Neither our text nor that of any cause holds what was written or asked."""
    secret = "hush-hush-4711"
    insert = "INSERT INTO notes_all (id, body, tag) VALUES (?, ?, ?)"
    await store.execute(insert, (1, secret, secret))
    failing = [
        (insert, (2, secret, secret)),
        (insert, (3, None, secret)),
        ("SELECT nothing FROM notes_all WHERE body = ?", (secret,)),
        ("SELECT * FROM no_such_table WHERE body = ?", (secret,)),
        ("SELEKT ?", (secret,)),
        ("INSERT INTO notes_all (id, body) VALUES (?, ?)", (2**70, secret)),
        ("INSERT INTO notes_all (id, body) VALUES (?, ?)", (5, secret + "\ud800")),
        (insert, (secret,)),
    ]
    for sql, params in failing:
        with pytest.raises(StoreError) as caught:
            await store.execute(sql, params)
        assert caught.value.remedy
        error: BaseException | None = caught.value
        while error is not None:
            assert secret not in f"{error} {error!r}"
            error = error.__cause__ or error.__context__
    assert await count(store) == 1


async def test_transactions_of_many_tasks_run_one_after_another(store: Store) -> None:
    """Read, then write what was read plus one: no step is lost."""
    await store.execute("INSERT INTO notes_all (id, body, size) VALUES (1, 'counter', 0)")

    async def step() -> None:
        async with store.transaction() as transaction:
            row = await transaction.fetch_one("SELECT size FROM notes_all WHERE id = 1")
            assert row is not None
            assert isinstance(row[0], float)
            await asyncio.sleep(0)
            await transaction.execute("UPDATE notes_all SET size = ? WHERE id = 1", (row[0] + 1,))

    await asyncio.gather(*(step() for _ in range(40)))
    assert await store.fetch_one("SELECT size FROM notes_all") == (40.0,)


async def test_single_statements_of_many_tasks_are_all_kept(store: Store) -> None:
    """One that fails does not take its neighbours with it."""
    results = await asyncio.gather(
        *(store.execute(INSERT, (number % 150, f"note {number}")) for number in range(200)),
        return_exceptions=True,
    )
    assert [type(result).__name__ for result in results] == ["int"] * 150 + ["StoreError"] * 50
    assert await count(store) == 150


async def test_transactions_and_single_statements_take_turns(store: Store) -> None:
    """Whoever asks first writes first; nobody starves."""
    order: list[int] = []

    async def single(number: int) -> None:
        await store.execute(INSERT, (number, "single"))
        order.append(number)

    async def several(number: int) -> None:
        async with store.transaction() as transaction:
            await transaction.execute(INSERT, (number, "several"))
            order.append(number)

    await asyncio.gather(*((single if number % 3 else several)(number) for number in range(30)))
    assert sorted(order) == list(range(30))
    if store.dialect == "sqlite":
        assert order == list(range(30))


async def test_other_locks_are_waited_for_apart(store: Store) -> None:
    """Parts that share no tables need not wait for each other, where the database allows it."""
    async with store.transaction(lock="one") as transaction:
        await transaction.execute(INSERT, (1, "one"))
        if store.dialect == "postgresql":
            async with store.transaction(lock="two") as other:
                await other.execute(INSERT, (2, "two"))
    assert await count(store) == (2 if store.dialect == "postgresql" else 1)


async def test_a_cancelled_transaction_leaves_nothing_and_blocks_nobody(store: Store) -> None:
    """Cancelled while waiting, while inside, or while a statement runs."""
    inside = asyncio.Event()

    async def hold(number: int) -> None:
        async with store.transaction() as transaction:
            await transaction.execute(INSERT, (number, "held"))
            inside.set()
            await asyncio.Event().wait()

    holder = asyncio.create_task(hold(1))
    await inside.wait()
    waiting = [asyncio.create_task(hold(number)) for number in (2, 3)]
    single = asyncio.create_task(store.execute(INSERT, (4, "single")))
    await asyncio.sleep(0)
    for task in (waiting[0], holder):
        task.cancel()
    inside.clear()
    await inside.wait()
    waiting[1].cancel()
    results = await asyncio.gather(holder, *waiting, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 3
    assert await single == 1
    assert await store.fetch_all("SELECT id FROM notes_all") == [(4,)]


async def test_a_write_cancelled_at_any_moment_happens_wholly_or_not(store: Store) -> None:
    """However far it has come, no half of it stays."""

    async def pair() -> None:
        async with store.transaction() as transaction:
            await transaction.execute(INSERT, (1, "one"))
            await transaction.execute(INSERT, (2, "two"))

    for turns in range(24):
        task = asyncio.create_task(pair())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await count(store) in {0, 2}
        await store.execute("DELETE FROM notes_all")


async def test_a_cancelled_read_blocks_nobody(store: Store) -> None:
    """Its statement is broken off, and the next readers are served."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    if store.dialect == "postgresql":
        endless = "SELECT pg_sleep(3600)::text"
    readers = [asyncio.create_task(store.fetch_one(endless)) for _ in range(6)]
    await asyncio.sleep(0)
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    assert await count(store) == 0


async def test_readers_see_what_was_committed_before_they_asked(store: Store) -> None:
    """Also while a transaction is open that has written more."""
    await store.execute(INSERT, (1, "committed"))
    if store.dialect == "sqlite" and await in_memory(store):
        return
    async with store.transaction() as transaction:
        await transaction.execute(INSERT, (2, "not yet"))
        assert await asyncio.gather(*(count(store) for _ in range(10))) == [1] * 10
    assert await count(store) == 2


async def in_memory(store: Store) -> bool:
    """Whether a SQLite database has no file: then there is one connection, and reads wait their turn."""
    row = await store.fetch_one("SELECT file FROM pragma_database_list WHERE name = 'main'")
    return row == ("",)


async def test_a_closed_store_says_so(url: str, notes: Branch) -> None:
    """Everything is refused by a typed error, and closing again does nothing."""
    store = await Store.open(url, branches=[notes])
    await store.execute(INSERT, (1, "one"))
    await store.fetch_one(COUNT)
    await store.aclose()
    await store.aclose()

    async def begin() -> None:
        async with store.transaction():
            raise AssertionError("must not begin")

    for attempt in (store.execute(INSERT, (2, "two")), store.fetch_one(COUNT), begin()):
        with pytest.raises(StoreError, match="closed"):
            await attempt


async def test_closing_rolls_an_open_transaction_back(url: str, notes: Branch) -> None:
    """Whoever was inside gets a typed error, whoever waited too."""
    store = await Store.open(url, branches=[notes])
    inside = asyncio.Event()
    closed = asyncio.Event()

    async def write(transaction: Transaction) -> None:
        await transaction.execute(INSERT, (1, "one"))
        inside.set()
        await closed.wait()
        await transaction.execute(INSERT, (2, "two"))

    async def hold() -> None:
        async with store.transaction() as transaction:
            await write(transaction)

    holder = asyncio.create_task(hold())
    await inside.wait()
    waiting = asyncio.create_task(hold())
    closing = asyncio.create_task(store.aclose())
    await asyncio.sleep(0)
    closed.set()
    results = await asyncio.gather(holder, waiting, return_exceptions=True)
    await closing
    if store.dialect == "sqlite":
        assert [type(result) for result in results] == [StoreError, StoreError]


async def test_the_clock_is_handed_on(url: str) -> None:
    """A store without branches is opened as it is."""
    clock = FakeClock()
    async with await Store.open(url, clock=clock) as store:
        assert store.clock is clock
        assert await store.drift() == []


@pytest.mark.parametrize(
    "bad", ["mysql://x", "store.db", "sqlite:relative", "sqlite://host/path", "", "sqlite:///a?b"]
)
async def test_other_urls_are_refused(bad: str) -> None:
    """The error says what a URL looks like."""
    with pytest.raises(ConfigurationError) as caught:
        await Store.open(bad)
    assert caught.value.field == "store.url"
