"""Proofs as files: made from kept roots, checked by the stand-alone verifier, refused when a byte differs."""

import asyncio
import json
import random
from pathlib import Path

import pytest

from interlock_core.call import Outcome, Principal
from interlock_core.errors import NotFoundError, VerificationError
from interlock_core.store import Store
from interlock_core.testing import FakeClock, make_call
from interlock_core.toolspec import Effect
from interlock_security import AuditLog
from interlock_security.audit.merkle import consistency_proof, inclusion_proof, leaf_hash, tree_root
from interlock_security.audit.standalone import (
    Checkpoint,
    NotProvenError,
    check_consistency,
    check_inclusion,
    check_proof,
)
from interlock_security.audit.trail import AuditProofs, AuditRetention

WHO = Principal(user="ada", key_id="key_1")


async def fill(log: AuditLog, count: int) -> None:
    """Append calls with their outcomes."""
    for number in range(count // 2):
        call = make_call(f"github.issue{number}", effect=Effect.WRITE, call_id=f"call_{number}")
        await log.outcome(await log.intent(call), Outcome(ok=True, summary=f"done \u00e4 {number}"))


async def notes(log: AuditLog, count: int) -> None:
    """Append notes, together."""
    await asyncio.gather(*(log.note("test.note", WHO, {"number": number}) for number in range(count)))


@pytest.mark.promise("A2")
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 255, 256, 257, 600])
async def test_every_shape_of_tree_is_proved(size: int, log: AuditLog, store: Store) -> None:
    """First, last and middle records, in trees below, at and above the runs of kept roots."""
    await notes(log, size)
    proofs = AuditProofs(store)
    for index in {0, size // 2, size - 1}:
        proof = await proofs.prove(str(index))
        assert check_proof(proof.encode(), [await log.verifier_key()]).startswith(f"Record {index} stands")


@pytest.mark.promise("A2")
async def test_a_proof_shows_that_the_log_continues_an_older_checkpoint(log: AuditLog, store: Store) -> None:
    """Also one that an older key signed; never one of another log."""
    older: list[str] = []
    for more in (1, 99, 156):
        await notes(log, more)
        older.append(await log.checkpoint())
    await notes(log, 40)
    await log.rotate_key(WHO)
    await log.note("test.note", WHO, {})
    proofs = AuditProofs(store)
    for note, size in zip(older, (1, 100, 256), strict=True):
        said = check_proof((await proofs.prove("280", since=note)).encode())
        assert f"continues the log of {size} records" in said
    with pytest.raises(VerificationError, match="not signed by this log"):
        await proofs.prove("280", since=older[0].replace("1\n", "2\n", 1))


@pytest.mark.promise("A2")
async def test_every_changed_byte_of_a_proof_is_refused(log: AuditLog, store: Store) -> None:
    """Exhaustively: each byte of a proof to another one of its kind, to its neighbour, and left out."""
    await fill(log, 12)
    old = await log.checkpoint()
    await fill(log, 10)
    proof = (await AuditProofs(store).prove("5", since=old)).encode()
    key = await log.verifier_key()
    tried = 0
    for place, byte in enumerate(proof):
        for other in {byte ^ 1, byte ^ 0x20, byte ^ 0x80}:
            changed = proof[:place] + bytes([other]) + proof[place + 1 :]
            for keys in ([key], []):
                with pytest.raises(NotProvenError):
                    check_proof(changed, keys)
                tried += 1
        with pytest.raises(NotProvenError):
            check_proof(proof[:place] + proof[place + 1 :], [key])
    assert tried == 6 * len(proof)
    check_proof(proof, [key])


async def test_a_proof_of_another_key_is_refused(log: AuditLog, store: Store) -> None:
    """Whoever pins a key is not shown another log."""
    await fill(log, 4)
    proof = await AuditProofs(store).prove("1")
    with pytest.raises(NotProvenError, match="another key"):
        check_proof(proof.encode(), ["other+00000000+AAAA"])


async def test_an_erased_record_is_still_proved(log: AuditLog, store: Store, clock: FakeClock) -> None:
    """The header stays, and the proof says that the payload is gone."""
    await fill(log, 8)
    clock.advance(10)
    await AuditRetention(store, log).erase(clock.now(), by=WHO, policy="test")
    proof = json.loads(await AuditProofs(store).prove("3"))
    assert (proof["record"]["payload"], proof["record"]["salt"]) == (None, None)
    check_proof(json.dumps(proof, sort_keys=True, separators=(",", ":")).encode() + b"\n")


async def test_wrong_kept_roots_are_made_anew(log: AuditLog, store: Store) -> None:
    """They are a cache: whoever changes them changes no proof."""
    await notes(log, 520)
    proofs = AuditProofs(store)
    assert await proofs.prepare() == 2
    await store.execute("UPDATE audit_tiles SET root = ?", (b"\x00" * 32,))
    check_proof((await proofs.prove("400")).encode())
    await store.execute("DELETE FROM audit_tiles WHERE tile = 0")
    check_proof((await proofs.prove("10")).encode())


async def test_a_changed_record_cannot_be_proved(log: AuditLog, store: Store) -> None:
    """And one that is not there is named."""
    await fill(log, 6)
    proofs = AuditProofs(store)
    await store.execute("UPDATE audit_records SET name = 'x' WHERE idx = 2")
    with pytest.raises(VerificationError, match="audit verify"):
        await proofs.prove("2")
    await store.execute("UPDATE audit_records SET payload = '{nothing' WHERE idx = 3")
    with pytest.raises(VerificationError, match="payload"):
        await proofs.prove("3")
    await store.execute("DELETE FROM audit_records WHERE idx = 1")
    with pytest.raises(VerificationError, match="missing"):
        await proofs.prove("3")
    for name in ("rec_unknown", "77", "\u0664"):
        with pytest.raises(NotFoundError):
            await proofs.prove(name)


@pytest.mark.promise("A2")
def test_the_standalone_walks_agree_with_the_tree() -> None:
    """Every inclusion and consistency proof of every tree up to 40 leaves; none of them for another place."""
    rng = random.Random(6962)
    leaves = [leaf_hash(rng.randbytes(8)) for _ in range(40)]
    for size in range(1, 41):
        tree = Checkpoint("log", size, tree_root(leaves[:size]))
        for index in range(size):
            path = inclusion_proof(leaves[:size], index)
            check_inclusion(leaves[index], index, tree, path)
            with pytest.raises(NotProvenError):
                check_inclusion(leaves[index], (index + 1) % size if size > 1 else 1, tree, path)
        for old in range(1, size + 1):
            path = consistency_proof(leaves[:size], old)
            before = Checkpoint("log", old, tree_root(leaves[:old]))
            check_consistency(before, tree, path)
            for wrong in ([*path, leaves[0]], path[:-1] if path else [leaves[1]]):
                with pytest.raises(NotProvenError):
                    check_consistency(before, tree, wrong)


def test_the_verifier_is_one_short_file_that_stands_alone() -> None:
    """A third party reads it: below 300 lines, and nothing but the standard library and cryptography."""
    from interlock_security.audit import standalone

    text = Path(str(standalone.__file__)).read_text("utf-8")
    imported = {
        line.split()[1].partition(".")[0]
        for line in text.splitlines()
        if line.startswith(("import ", "from "))
    }
    assert "interlock_security" not in imported
    assert imported - {"cryptography"} <= set(__import__("sys").stdlib_module_names)
    assert text.count("\n") < 300


async def test_a_proof_under_a_newer_key_says_which(log: AuditLog, store: Store) -> None:
    """Whoever pinned the older one is told the newer one, to have it vouched for or to follow an export."""
    await notes(log, 2)
    old = await log.verifier_key()
    await log.rotate_key(WHO)
    proof = (await AuditProofs(store).prove("1")).encode()
    new = await log.verifier_key()
    with pytest.raises(NotProvenError, match="to which yours does not lead") as told:
        check_proof(proof, [old])
    assert new in str(told.value)
    check_proof(proof, [old, new])
