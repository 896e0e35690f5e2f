"""Whatever a page of records is put together from, its columns must be what was hashed, type for type."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from interlock_core.call import Outcome, Principal
from interlock_core.store import Store
from interlock_core.testing import make_call
from interlock_security import BRANCH, AuditLog, FileWitness, VerifyReport

RECORDS = 1_100
CALL = replace(make_call(), agent="planner", principal=Principal(user="alice", team="blue"))
ODD = ('say "hi"', "a,b", "back\\slash", "ünïcode", "],[", "null", '"],["', "")


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Path:
    """A data folder."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


def store_url(home: Path) -> str:
    """The URL of the log's database in a folder."""
    return f"sqlite:///{home}/interlock.db"


async def filled(home: Path, count: int, names: tuple[str, ...] = ("shop.buy",)) -> None:
    """A log of calls by so many names, in turn."""
    async with await Store.open(store_url(home), branches=[BRANCH]) as store:
        log = AuditLog(store, home=home, witness=FileWitness(home / "audit.witness"))

        async def one(number: int) -> None:
            call = replace(CALL, name=names[number % len(names)], arguments={"number": number})
            await log.outcome(await log.intent(call), Outcome(ok=True))

        await asyncio.gather(*map(one, range(count // 2)))
        await log.aclose()


async def verified(home: Path) -> VerifyReport:
    """What a verification finds."""
    async with await Store.open(store_url(home), branches=[BRANCH]) as store:
        log = AuditLog(store, home=home, witness=FileWitness(home / "audit.witness"))
        report = await log.verify()
        await log.aclose()
        return report


def change(home: Path, *statements: str) -> None:
    """Change the database as whoever can write it may."""
    with closing(sqlite3.connect(home / "interlock.db")) as raw, raw:
        for statement in statements:
            assert raw.execute(statement).rowcount == 1


async def test_a_log_of_several_pages_is_whole_until_one_record_is_changed(home: Path) -> None:
    """The damage is told at its place, and once."""
    await filled(home, RECORDS)
    report = await verified(home)
    assert report.ok
    assert (report.records, report.notices) == (RECORDS, ())
    change(home, "UPDATE audit_records SET payload = replace(payload, '{', '{ ') WHERE idx = 777")
    report = await verified(home)
    assert [problem.record for problem in report.problems] == [777]
    assert report.records == RECORDS


async def test_names_that_read_like_what_separates_them_are_whole(home: Path) -> None:
    """Quotes, commas, brackets and backslashes are text like any other."""
    await filled(home, 80, ODD)
    report = await verified(home)
    assert report.ok
    assert (report.records, report.notices) == (80, ())


@pytest.mark.parametrize(
    "changes",
    [
        ("user_name = CAST(user_name AS BLOB)",),
        ("payload = CAST(payload AS BLOB)",),
        ("at = CAST(CAST(at AS TEXT) AS BLOB)",),
        ("at = at + 0.5",),
        ("digest = CAST(substr(digest, 1, 31) AS BLOB), salt = CAST(substr(digest, 32) || salt AS BLOB)",),
        ("user_name = user_name || char(10) || agent, agent = ''",),
        ("user_name = user_name || ',' || agent, agent = ''",),
        ("""user_name = user_name || '","' || agent, agent = ''""",),
        ("payload = payload || char(1)",),
        (
            "payload = payload || char(1) || (SELECT payload FROM audit_records WHERE idx = 21)",
            "payload = NULL",
        ),
        ("team = team || char(0)",),
        ("name = name || char(1)",),
    ],
)
async def test_what_is_put_together_alike_and_is_not_the_same_is_found(
    changes: tuple[str, ...], home: Path
) -> None:
    """A type, a length, or a place between two columns that was changed shows."""
    await filled(home, 40)
    assert (await verified(home)).ok
    change(
        home, *(f"UPDATE audit_records SET {text} WHERE idx = {20 + at}" for at, text in enumerate(changes))
    )
    report = await verified(home)
    assert {problem.record for problem in report.problems} >= {20}
