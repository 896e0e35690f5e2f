"""Witnesses elsewhere: one behind HTTP that judges for itself, and one in another database."""

import asyncio
import base64
import shutil
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path

import pytest

from interlock_core.call import Principal
from interlock_core.errors import AuditUnavailableError, ConfigurationError, VerificationError
from interlock_core.store import Store
from interlock_core.testing import Answer, LoopbackServer, ReceivedRequest
from interlock_security import BRANCH, WITNESS_FILE, AuditLog, FileWitness
from interlock_security.audit import HttpWitness, ProblemKind, StoreWitness, Witness
from interlock_security.audit.merkle import verify_consistency
from interlock_security.audit.notes import Checkpoint, SigningKey

USER = Principal(user="u")


class Judge:
    """A witness as C2SP `tlog-witness` has it: it keeps one size and root, and signs what continues them.

    Attributes:
        size: What it saw.
        failure: What it answers instead, when it is broken.
        asked: The `old` of every request.
    """

    def __init__(self) -> None:
        self.size = 0
        self.root = b""
        self.failure: Answer | None = None
        self.asked: list[int] = []
        self._key = SigningKey.fresh("witness.example")

    def __call__(self, request: ReceivedRequest) -> Answer:
        """`POST /log/add-checkpoint`."""
        assert (request.method, request.path) == ("POST", "/log/add-checkpoint")
        if self.failure is not None:
            return self.failure
        head, _, note = request.body.decode().partition("\n\n")
        first, *lines = head.split("\n")
        old = int(first.removeprefix("old "))
        self.asked.append(old)
        told = Checkpoint.parse(note.rpartition("\n\n")[0] + "\n")
        if old != self.size or told.size < old or (told.size == old and told.root != self.root):
            return Answer(status=409, body=f"{self.size}\n".encode())
        proof = [base64.b64decode(line) for line in lines]
        try:
            if old:
                verify_consistency(
                    old_size=old, old_root=self.root, size=told.size, root=told.root, proof=proof
                )
        except VerificationError:
            return Answer(status=422)
        self.size, self.root = told.size, told.root
        return Answer(body=self._key.sign(told.text()).rpartition("\n\n")[2].encode())


@pytest.fixture
async def server() -> AsyncGenerator[LoopbackServer, None]:
    """A witness behind HTTP."""
    async with LoopbackServer(Judge()) as opened:
        yield opened


def judge_of(server: LoopbackServer) -> Judge:
    """Who answers there."""
    assert isinstance(server.handler, Judge)
    return server.handler


def at(server: LoopbackServer, home: Path) -> HttpWitness:
    """The log's side of it."""
    return HttpWitness(f"{server.url}/log", kept=FileWitness(home / WITNESS_FILE))


def tamper(home: Path, statement: str) -> None:
    """Change the witness's database from outside, in a thread: the log may be writing to it."""
    with closing(sqlite3.connect(home / "witness.db", timeout=60)) as raw:
        raw.execute(statement)
        raw.commit()


def opened(store: Store, home: Path, witness: Witness) -> AuditLog:
    """A log that shows the witness every commit."""
    return AuditLog(store, home=home, witness=witness, witness_interval_s=0.0)


@pytest.mark.promise("A2")
async def test_a_judge_is_shown_every_step_with_a_proof_and_its_answer_is_kept(
    store: Store, home: Path, server: LoopbackServer
) -> None:
    """It follows the log from size to size, across tiles; what it signed stands under the checkpoint."""
    witness = at(server, home)
    log = opened(store, home, witness)
    written = 0
    for size in (1, 2, 3, 7, 300, 301, 700):
        await asyncio.gather(*(log.note("test.note", USER, {}) for _ in range(size - written)))
        written = size
        await log.checkpoint()
    assert judge_of(server).size == 700
    kept = await witness.sightings()
    assert kept is not None
    assert [line.split(" ")[1] for line in kept[-1].note.splitlines()[-2:]] == [
        kept[-1].note.split("\n")[0],
        "witness.example",
    ]
    await log.aclose()
    assert (await log.verify()).problems == ()
    await witness.aclose()


@pytest.mark.promise("A2")
async def test_a_rollback_of_everything_on_this_machine_is_shown_by_the_judge(
    home: Path, server: LoopbackServer
) -> None:
    """Database, key and kept answers, all as they were earlier: nothing here could tell."""
    for notes, copy in ((3, True), (4, False)):
        store = await Store.open(f"sqlite:///{home / 'interlock.db'}", branches=[BRANCH])
        log = opened(store, home, at(server, home))
        for _ in range(notes):
            await log.note("test.note", USER, {})
        await log.aclose()
        await store.aclose()
        if copy:
            shutil.copytree(home, home.with_name("earlier"))
    store = await Store.open(f"sqlite:///{home.with_name('earlier') / 'interlock.db'}", branches=[BRANCH])
    log = opened(store, home.with_name("earlier"), at(server, home.with_name("earlier")))
    (problem,) = (await log.verify()).problems
    assert (problem.kind, problem.record) == (ProblemKind.ROLLED_BACK, 3)
    assert "has 3 records, but its witness saw 7" in problem.detail
    with pytest.raises(AuditUnavailableError, match="witness saw 7"):
        await log.note("test.note", USER, {})
    await log.aclose()
    await store.aclose()


@pytest.mark.promise("A2")
async def test_another_history_under_the_same_key_is_shown_by_the_judge(
    home: Path, server: LoopbackServer
) -> None:
    """As long, or longer: the proof cannot be made."""
    store = await Store.open(f"sqlite:///{home / 'interlock.db'}", branches=[BRANCH])
    log = opened(store, home, at(server, home))
    await log.note("test.note", USER, {})
    await log.note("test.note", USER, {})
    await log.aclose()
    await store.aclose()
    other = home.with_name("other")
    other.mkdir(mode=0o700)
    shutil.copy(home / "audit.key", other)
    store = await Store.open(f"sqlite:///{other / 'interlock.db'}", branches=[BRANCH])
    forged = AuditLog(store, home=other, witness=None)
    for _ in range(2):
        await forged.note("test.note", USER, {"other": True})
    log = opened(store, other, at(server, other))
    with pytest.raises(AuditUnavailableError, match="not the one that its witness saw"):
        await log.note("test.note", USER, {})
    await forged.note("test.note", USER, {})
    assert ProblemKind.ROLLED_BACK in {problem.kind for problem in (await log.verify()).problems}
    with pytest.raises(AuditUnavailableError, match="does not continue what its witness saw"):
        await log.note("test.note", USER, {})
    await log.aclose()
    await store.aclose()


@pytest.mark.parametrize(
    "failure",
    [
        Answer(status=500),
        Answer(status=404),
        Answer(status=200, body=b"thank you\n"),
        Answer(status=409, body=b"many\n"),
        Answer(raw=True, body=b"nonsense"),
    ],
    ids=["error", "unknown", "unsigned", "sizeless", "no http"],
)
@pytest.mark.promise("A3")
async def test_a_judge_that_fails_does_not_stop_the_log_and_verification_says_so(
    store: Store, home: Path, server: LoopbackServer, failure: Answer
) -> None:
    """Records go on being kept; it is shown all of them when it answers again."""
    log = opened(store, home, at(server, home))
    await log.note("test.note", USER, {})
    await log.checkpoint()
    judge_of(server).failure = failure
    await log.note("test.note", USER, {})
    with pytest.raises((AuditUnavailableError, VerificationError)):
        await log.checkpoint()
    assert not (await log.verify()).ok
    judge_of(server).failure = None
    await log.note("test.note", USER, {})
    await log.aclose()
    assert judge_of(server).size == 3
    assert (await log.verify()).problems == ()


async def test_a_judge_that_cannot_be_reached_at_the_start_does_not_stop_the_log(
    store: Store, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is kept of its answers is compared all the same."""
    async with LoopbackServer(Judge()) as server:
        log = opened(store, home, at(server, home))
        await log.note("test.note", USER, {})
        await log.aclose()
    again = opened(store, home, at(server, home))
    await again.note("test.note", USER, {})
    await again.aclose()
    assert "cannot be asked" in caplog.text
    (problem,) = (await again.verify()).problems
    assert problem.kind is ProblemKind.WITNESS


async def test_a_judge_whose_answers_were_lost_is_asked_where_it_stands(
    store: Store, home: Path, server: LoopbackServer
) -> None:
    """Its refusal names the size that it saw, and the proof begins there."""
    log = opened(store, home, at(server, home))
    for _ in range(5):
        await log.note("test.note", USER, {})
    await log.aclose()
    (home / WITNESS_FILE).unlink()
    await log.checkpoint(begin=True)
    assert judge_of(server).asked[-2:] == [0, 5]
    assert (await log.verify()).problems == ()


@pytest.mark.parametrize("url", ["http://witness.example/log", "ftp://x", "witness.example"])
def test_a_witness_is_reached_over_tls_or_on_this_machine(home: Path, url: str) -> None:
    """Else anyone on the way could answer in its place."""
    with pytest.raises(ConfigurationError, match="https"):
        HttpWitness(url, kept=FileWitness(home / WITNESS_FILE))


@pytest.mark.promise("A2")
async def test_a_witness_in_another_database_shows_a_rollback(home: Path, url: str) -> None:
    """On SQLite and on PostgreSQL; it keeps the latest sightings alone."""
    path = home / "log.db"
    place = url if url.startswith("postgres") else f"sqlite:///{home / 'witness.db'}"
    witness = StoreWitness(place)
    assert await witness.latest() is None
    assert await witness.sightings() is None
    store = await Store.open(f"sqlite:///{path}", branches=[BRANCH])
    log = opened(store, home, witness)
    await log.note("test.note", USER, {})
    await log.aclose()
    await store.aclose()
    shutil.copy(path, home / "earlier.db")
    store = await Store.open(f"sqlite:///{path}", branches=[BRANCH])
    log = opened(store, home, witness)
    for _ in range(300):
        await log.note("test.note", USER, {})
        await log.checkpoint()
    await log.aclose()
    await store.aclose()
    kept = await witness.sightings()
    assert kept is not None
    assert [kept[0].size, kept[-1].size, len(kept)] == [46, 301, 256]
    store = await Store.open(f"sqlite:///{home / 'earlier.db'}", branches=[BRANCH])
    log = opened(store, home, witness)
    assert {problem.kind for problem in (await log.verify()).problems} == {ProblemKind.ROLLED_BACK}
    with pytest.raises(AuditUnavailableError, match="witness saw 301"):
        await log.note("test.note", USER, {})
    await log.aclose()
    await store.aclose()
    await witness.aclose()


@pytest.mark.promise("A3")
async def test_a_witness_database_that_cannot_be_reached(
    store: Store, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At the start nothing is recorded unseen; later the log goes on and verification says so."""
    (home / "folder").mkdir()
    lost = opened(store, home, StoreWitness(f"sqlite:///{home / 'folder'}"))
    with pytest.raises(AuditUnavailableError):
        await lost.note("test.note", USER, {})
    witness = StoreWitness(f"sqlite:///{home / 'witness.db'}")
    log = opened(store, home, witness)
    await log.note("test.note", USER, {})
    await log.checkpoint()
    await asyncio.to_thread(tamper, home, "ALTER TABLE audit_sightings RENAME TO elsewhere")
    await log.note("test.note", USER, {})
    await log.aclose()
    assert "was not shown the log" in caplog.text
    assert ProblemKind.WITNESS in {problem.kind for problem in (await log.verify()).problems}
    await witness.aclose()


async def test_a_witness_database_that_was_emptied_is_not_begun_by_the_way(store: Store, home: Path) -> None:
    """Someone has to say so."""
    witness = StoreWitness(f"sqlite:///{home / 'witness.db'}")
    log = opened(store, home, witness)
    await log.note("test.note", USER, {})
    await log.checkpoint()
    await asyncio.to_thread(tamper, home, "DELETE FROM audit_sightings")
    with pytest.raises(VerificationError, match="missing"):
        await log.checkpoint()
    assert [problem.kind for problem in (await log.verify()).problems] == [ProblemKind.WITNESS_MISSING]
    await log.checkpoint(begin=True)
    await log.aclose()
    assert (await log.verify()).ok
    await witness.aclose()
