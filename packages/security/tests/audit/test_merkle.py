"""The Merkle tree, against the public vectors, an independent implementation and its own definition."""

import base64
import json
import os
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Protocol, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock_core.errors import VerificationError
from interlock_core.jsontypes import JsonObject, as_array
from interlock_security.audit.merkle import (
    EMPTY_ROOT,
    CompactRange,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
    verify_subtree_consistency,
    verify_subtree_inclusion,
)


class Oracle(Protocol):
    """What is used of pymerkle's tree, which carries no types."""

    def append_entry(self, data: bytes, /) -> None:
        """Add a leaf."""
        ...

    def get_root(self) -> bytes:
        """The tree's root."""
        ...

    def prove_inclusion(self, index: int, size: int, /) -> "OracleProof":
        """Prove a leaf, counted from one."""
        ...


class OracleProof(Protocol):
    """A proof by pymerkle."""

    def serialize(self) -> dict[str, object]:
        """The proof as an object."""
        ...


def new_oracle(entries: list[bytes]) -> Oracle:
    """A tree by an independent implementation."""
    factory: Callable[..., Oracle] = vars(import_module("pymerkle"))["InmemoryTree"]
    oracle = factory(algorithm="sha256")
    for entry in entries:
        oracle.append_entry(entry)
    return oracle


Leaves = st.lists(st.binary(min_size=0, max_size=8), max_size=70)


def corpus() -> Path | None:
    """The public vectors; None on a machine without them."""
    named = os.environ.get("INTERLOCK_CORPUS")
    folder = Path(named) if named else Path(__file__).resolve().parents[5] / "shared" / "corpus"
    vectors = folder / "merkle" / "testdata"
    return vectors if vectors.is_dir() else None


def bytes_of(value: object) -> bytes:
    """A base64 field."""
    return base64.b64decode(str(value))


def int_of(value: object) -> int:
    """A number field."""
    assert isinstance(value, int)
    return value


def check(kind: str, vector: JsonObject) -> Callable[[], None]:
    """What a vector asks of the verifier."""
    proof = [bytes_of(item) for item in as_array(vector.get("proof"))]
    number = {
        name: int_of(vector[name])
        for name in ("leafIdx", "treeSize", "size1", "size2", "start", "end", "size")
        if name in vector
    }
    if kind == "inclusion":
        return partial(
            verify_inclusion,
            leaf=bytes_of(vector["leafHash"]),
            index=number["leafIdx"],
            size=number["treeSize"],
            proof=proof,
            root=bytes_of(vector["root"]),
        )
    if kind == "subtreeinclusion":
        return partial(
            verify_subtree_inclusion,
            leaf=bytes_of(vector["leafHash"]),
            index=number["leafIdx"],
            start=number["start"],
            end=number["end"],
            proof=proof,
            root=bytes_of(vector["root"]),
        )
    roots = bytes_of(vector["root1"]), bytes_of(vector["root2"])
    if kind == "consistency":
        return partial(
            verify_consistency,
            old_size=number["size1"],
            old_root=roots[0],
            size=number["size2"],
            root=roots[1],
            proof=proof,
        )
    return partial(
        verify_subtree_consistency,
        start=number["start"],
        end=number["end"],
        node=roots[0],
        size=number["size"],
        root=roots[1],
        proof=proof,
    )


def accepts(question: Callable[[], None]) -> bool:
    """Whether the verifier says yes."""
    try:
        question()
    except VerificationError:
        return False
    return True


@pytest.mark.promise("A2")
@pytest.mark.skipif(
    corpus() is None, reason="the public vectors are not on this machine: set INTERLOCK_CORPUS"
)
def test_every_public_vector_gets_the_right_answer() -> None:
    """All of transparency-dev/merkle's inclusion, consistency and subtree vectors."""
    folder = corpus()
    assert folder is not None
    answers: list[tuple[str, bool, bool]] = []
    for path in sorted(folder.rglob("*.json")):
        vector = cast("JsonObject", json.loads(path.read_text()))
        kind = path.relative_to(folder).parts[0]
        answers.append((str(path.relative_to(folder)), not vector["wantErr"], accepts(check(kind, vector))))
    assert len(answers) >= 518
    assert [name for name, wanted, got in answers if wanted is not got] == []


def defined_root(leaves: list[bytes]) -> bytes:
    """The root as RFC 6962 defines it, by recursion."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(defined_root(leaves[:split]), defined_root(leaves[split:]))


@given(Leaves)
def test_the_root_is_what_the_definition_and_pymerkle_say(entries: list[bytes]) -> None:
    """However the leaves were added."""
    leaves = [leaf_hash(entry) for entry in entries]
    one_by_one = CompactRange()
    for leaf in leaves:
        one_by_one.append(leaf)
    assert tree_root(leaves) == one_by_one.root() == defined_root(leaves)
    if entries:
        assert one_by_one.root() == new_oracle(entries).get_root()


@given(Leaves, st.lists(st.integers(min_value=0, max_value=70), max_size=4))
def test_a_tree_may_grow_in_any_steps(entries: list[bytes], cuts: list[int]) -> None:
    """One by one, in runs, or written down and read back in between."""
    leaves = [leaf_hash(entry) for entry in entries]
    bounds = sorted({0, len(leaves), *(cut for cut in cuts if cut <= len(leaves))})
    tree = CompactRange()
    for start, end in pairwise(bounds):
        tree.extend(leaves[start:end])
        tree = CompactRange.from_bytes(tree.size, tree.to_bytes())
    assert (tree.size, tree.root()) == (len(leaves), tree_root(leaves))


@settings(max_examples=60)
@given(st.integers(min_value=1, max_value=40))
def test_every_inclusion_proof_holds_and_pymerkle_makes_the_same(size: int) -> None:
    """For every leaf of a tree."""
    entries = [bytes([number]) for number in range(size)]
    leaves = [leaf_hash(entry) for entry in entries]
    oracle = new_oracle(entries)
    for index in range(size):
        proof = inclusion_proof(leaves, index)
        verify_inclusion(leaf=leaves[index], index=index, size=size, proof=proof, root=tree_root(leaves))
        path = cast("list[str]", oracle.prove_inclusion(index + 1, size).serialize()["path"])
        assert {item.hex() for item in (*proof, leaves[index])} == set(path)


@settings(max_examples=60)
@given(st.integers(min_value=1, max_value=40))
def test_every_consistency_proof_holds(size: int) -> None:
    """From every smaller tree, and from the tree to itself."""
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    for old in range(1, size + 1):
        verify_consistency(
            old_size=old,
            old_root=tree_root(leaves[:old]),
            size=size,
            root=tree_root(leaves),
            proof=consistency_proof(leaves, old),
        )


@settings(max_examples=40, deadline=None)
@given(st.integers(min_value=2, max_value=33), st.data())
def test_every_change_of_a_proof_is_refused(size: int, data: st.DataObject) -> None:
    """A bit flipped anywhere, a hash more, a hash less, two swapped, another place or size."""
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    root = tree_root(leaves)
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    proof = inclusion_proof(leaves, index)
    for number, item in enumerate(proof):
        for position in range(len(item)):
            bad = bytearray(item)
            bad[position] ^= 1 << (position % 8)
            changed = [*proof[:number], bytes(bad), *proof[number + 1 :]]
            assert not accepts(
                partial(
                    verify_inclusion, leaf=leaves[index], index=index, size=size, proof=changed, root=root
                )
            )
    for changed in (
        [*proof, root],
        proof[:-1],
        [root, *proof],
        [*proof[1:], *proof[:1]] if len(proof) > 1 else [],
    ):
        assert not accepts(
            partial(verify_inclusion, leaf=leaves[index], index=index, size=size, proof=changed, root=root)
        )
    other = data.draw(st.integers(min_value=0, max_value=size - 1).filter(lambda value: value != index))
    assert not accepts(
        partial(verify_inclusion, leaf=leaves[index], index=other, size=size, proof=proof, root=root)
    )


def test_a_consistency_proof_for_another_history_is_refused() -> None:
    """A tree that was changed and grew does not begin with the tree that it was."""
    leaves = [leaf_hash(bytes([number])) for number in range(11)]
    old_root = tree_root(leaves[:6])
    forged = [*leaves[:2], leaf_hash(b"forged"), *leaves[3:]]
    assert not accepts(
        partial(
            verify_consistency,
            old_size=6,
            old_root=old_root,
            size=11,
            root=tree_root(forged),
            proof=consistency_proof(forged, 6),
        )
    )


@pytest.mark.parametrize(
    ("size", "nodes"),
    [(1, []), (0, [b"x" * 32]), (3, [b"x" * 32]), (-1, []), (1, [b"short"]), (1 << 64, [b"x" * 32])],
)
def test_nodes_that_are_no_tree_are_refused(size: int, nodes: list[bytes]) -> None:
    """A compact range has as many nodes as its size has bits, each 32 bytes."""
    with pytest.raises(VerificationError):
        CompactRange(size, nodes)


@pytest.mark.parametrize(("leaves", "index"), [(0, 0), (3, 3), (3, -1)])
def test_there_is_no_proof_of_a_leaf_that_is_not_there(leaves: int, index: int) -> None:
    """Beyond either end."""
    with pytest.raises(VerificationError):
        inclusion_proof([leaf_hash(b"")] * leaves, index)


@pytest.mark.parametrize("size", [0, 4])
def test_there_is_no_consistency_proof_from_nothing_or_from_more(size: int) -> None:
    """Of the empty tree nothing can be proved."""
    with pytest.raises(VerificationError):
        consistency_proof([leaf_hash(b"")] * 3, size)


def test_a_full_tree_does_not_grow() -> None:
    """The size of a tree stays within 63 bits."""
    tree = CompactRange((1 << 63) - 1, [bytes(32)] * 63)
    with pytest.raises(VerificationError, match="full"):
        tree.append(bytes(32))
    assert CompactRange().root() == EMPTY_ROOT
