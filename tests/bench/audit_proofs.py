"""How quickly a record of a large log is proved, searched for and exported, and in how much memory.

By itself: `python tests/bench/audit_proofs.py`, with FULL=1 over 1,000,000 records.
"""

import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from figure import Figure
from interlock_core import Principal
from interlock_core.store import Store
from interlock_security import BRANCH, WITNESS_FILE, AuditLog, FileWitness
from interlock_security.audit.standalone import ExportCheck, check_proof
from interlock_security.audit.trail import AuditExport, AuditProofs, AuditQuery, AuditSearch

WHO = Principal(user="local:bench", key_id="key_bench")


async def filled(log: AuditLog, records: int) -> None:
    """Append so many notes, from 512 tasks."""
    numbers = iter(range(records))

    async def write() -> None:
        for number in numbers:
            await log.note("bench.note", WHO, {"number": number, "said": "as it is said every day"})

    await asyncio.gather(*(write() for _ in range(512)))


async def timed(store: Store, key: str, records: int, folder: Path) -> list[Figure]:
    """Every figure of one log."""
    proofs, search, name = AuditProofs(store), AuditSearch(store), f"audit, {records:,} records"
    started = time.perf_counter()
    await proofs.prepare()
    found = [Figure(f"{name}: roots kept, once", (time.perf_counter() - started) * 1e3, "ms")]
    started = time.perf_counter()
    proof = await proofs.prove(str(records // 3))
    found.append(Figure(f"{name}: one proof", (time.perf_counter() - started) * 1e3, "ms", 100.0))
    check_proof(proof.encode(), [key])
    started = time.perf_counter()
    await search.page(AuditQuery(user="local:bench", kind="bench.note"), limit=50)
    found.append(Figure(f"{name}: one page of a search", (time.perf_counter() - started) * 1e3, "ms", 100.0))
    path = folder / "log.jsonl"
    before, started = peak_mib(), time.perf_counter()
    with path.open("w", encoding="utf-8") as file:
        async for piece in AuditExport(store).lines("jsonl"):
            file.write(piece)
    found.append(Figure(f"{name}: exported", records / (time.perf_counter() - started), "1/s"))
    judge, started = ExportCheck([key]), time.perf_counter()
    with path.open("rb") as lines:
        if not judge.run(lines):
            raise RuntimeError(f"the export of this measurement does not hold: {judge.problems}")
    found.append(
        Figure(f"{name}: checked by the stand-alone file", records / (time.perf_counter() - started), "1/s")
    )
    found.append(Figure(f"{name}: memory of export and check", peak_mib() - before, "MiB", 64.0))
    return found


def peak_mib() -> float:
    """Most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def measure(records: int) -> list[Figure]:
    """All figures over a log of so many records."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        store = await Store.open(f"sqlite:///{home}/interlock.db", branches=[BRANCH])
        log = AuditLog(store, home=home, witness=FileWitness(home / WITNESS_FILE))
        await filled(log, records)
        try:
            return await timed(store, await log.verifier_key(), records, home)
        finally:
            await log.aclose()
            await store.aclose()


def figures(*, full: bool) -> Iterator[Figure]:
    """Proofs, search and export over one large log."""
    yield from asyncio.run(measure(1_000_000 if full else 20_000))


if __name__ == "__main__":
    for figure in figures(full=os.environ.get("FULL") == "1"):
        print(figure, flush=True)
    sys.exit(0)
