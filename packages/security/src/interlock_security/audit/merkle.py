"""RFC 6962 Merkle trees: append, root, proofs and their verification.

A leaf is the SHA-256 of a zero byte and the entry, an inner node that of a one byte and its two
children. A tree of any size is known by its *compact range*: the roots of the perfect subtrees that it
splits into, at most 63 hashes, which is all that appending needs.

Verification follows RFC 9162 (2.1.3.2, 2.1.4.2) in its general form for subtrees `[start, end)`, of
which a whole tree is the case `start = 0`. What a proof does *not* show: that the root itself is the
one the log published. That is the signed checkpoint's part.
"""

import hashlib
from collections.abc import Sequence
from typing import Self

from interlock_core.errors import VerificationError

HASH_BYTES = 32
"""Length of every hash here."""

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of the tree without leaves."""

_MAX_SIZE = (1 << 63) - 1


def leaf_hash(entry: bytes) -> bytes:
    """Hash of a leaf that holds `entry`."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of the inner node above two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class CompactRange:
    """A growing tree, known by the roots of its perfect subtrees.

    Args:
        size: Number of leaves.
        nodes: Roots of the perfect subtrees, the largest first: one for each bit set in `size`.

    Raises:
        VerificationError: The nodes are not those of a tree of that size.
    """

    __slots__ = ("_nodes", "_size")

    def __init__(self, size: int = 0, nodes: Sequence[bytes] = ()) -> None:
        if not 0 <= size <= _MAX_SIZE or len(nodes) != size.bit_count():
            raise VerificationError(f"A tree of {size} leaves does not have {len(nodes)} perfect subtrees.")
        if any(len(node) != HASH_BYTES for node in nodes):
            raise VerificationError("A node of a tree is not 32 bytes long.")
        self._size = size
        self._nodes = list(nodes)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Add one leaf, given by its hash."""
        self._push(leaf, 1)

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaves, given by their hashes, in order; quicker than one by one."""
        position, total = 0, len(leaves)
        while position < total:
            chunk = 1 << ((total - position).bit_length() - 1)
            if self._size:
                chunk = min(chunk, self._size & -self._size)
            self._push(_perfect_root(leaves[position : position + chunk]), chunk)
            position += chunk

    def root(self) -> bytes:
        """Root of the tree as it is now."""
        if not self._nodes:
            return EMPTY_ROOT
        root = self._nodes[-1]
        for node in reversed(self._nodes[:-1]):
            root = node_hash(node, root)
        return root

    def copy(self) -> "CompactRange":
        """A tree of its own with the same leaves."""
        return CompactRange(self._size, self._nodes)

    def to_bytes(self) -> bytes:
        """The nodes one after another, for `from_bytes`."""
        return b"".join(self._nodes)

    @classmethod
    def from_bytes(cls, size: int, nodes: bytes) -> Self:
        """A tree from its size and what `to_bytes` gave.

        Raises:
            VerificationError: They do not fit together.
        """
        return cls(size, [nodes[at : at + HASH_BYTES] for at in range(0, len(nodes), HASH_BYTES)])

    def _push(self, node: bytes, leaves: int) -> None:
        if self._size > _MAX_SIZE - leaves:
            raise VerificationError("The tree is full.")
        nodes = self._nodes
        nodes.append(node)
        rest = self._size // leaves
        while rest & 1:
            right = nodes.pop()
            nodes[-1] = node_hash(nodes[-1], right)
            rest >>= 1
        self._size += leaves


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """Root of the tree of these leaf hashes."""
    tree = CompactRange()
    tree.extend(leaves)
    return tree.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Proof that leaf `index` is in the tree of these leaf hashes.

    Raises:
        VerificationError: There is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise VerificationError(f"There is no leaf {index} in a tree of {len(leaves)}.")
    proof: list[bytes] = []
    start, end = 0, len(leaves)
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(tree_root(leaves[middle:end]))
            end = middle
        else:
            proof.append(tree_root(leaves[start:middle]))
            start = middle
    return proof[::-1]


def consistency_proof(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """Proof that the tree of the first `size` leaves is a prefix of the tree of them all.

    Raises:
        VerificationError: The size is 0, of which nothing can be proved, or larger than the tree.
    """
    if not 0 < size <= len(leaves):
        raise VerificationError(f"No proof leads from {size} to {len(leaves)} leaves.")
    proof: list[bytes] = []
    start, end, whole = 0, len(leaves), True
    while size != end:
        middle = start + _split(end - start)
        if size <= middle:
            proof.append(tree_root(leaves[middle:end]))
            end = middle
        else:
            proof.append(tree_root(leaves[start:middle]))
            start, whole = middle, False
    if not whole:
        proof.append(tree_root(leaves[start:end]))
    return proof[::-1]


def verify_inclusion(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf hash `leaf` is leaf `index` of the tree with that size and root.

    Raises:
        VerificationError: It is not, or the proof does not show it.
    """
    verify_subtree_inclusion(leaf=leaf, index=index, start=0, end=size, proof=proof, root=root)


def verify_subtree_inclusion(
    *, leaf: bytes, index: int, start: int, end: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf hash `leaf` is leaf `index` of the tree, within the subtree `[start, end)`.

    Raises:
        VerificationError: It is not, or the proof does not show it.
    """
    if not _is_subtree(start, end) or not start <= index < end:
        raise VerificationError(f"Leaf {index} is not in a subtree [{start}, {end}).")
    _check_lengths(leaf, *proof)
    node, path, last = leaf, index - start, end - start - 1
    for sibling in proof:
        if last == 0:
            raise VerificationError("The inclusion proof is too long.")
        if path & 1 or path == last:
            node = node_hash(sibling, node)
            while path and not path & 1:
                path, last = path >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        path, last = path >> 1, last >> 1
    if last != 0:
        raise VerificationError("The inclusion proof is too short.")
    if node != root:
        raise VerificationError("The inclusion proof leads to another root.")


def verify_consistency(
    *, old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree of `size` leaves begins with the tree of `old_size` leaves.

    Raises:
        VerificationError: It does not, the proof does not show it, or `old_size` is 0: every tree
            begins with the empty one, so that such a proof would say nothing.
    """
    if old_size < 1:
        raise VerificationError("A consistency proof from the empty tree says nothing.")
    verify_subtree_consistency(start=0, end=old_size, node=old_root, size=size, root=root, proof=proof)


def verify_subtree_consistency(
    *, start: int, end: int, node: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the subtree `[start, end)` with hash `node` is part of the tree with that size and root.

    Raises:
        VerificationError: It is not, or the proof does not show it.
    """
    if start == end and 0 <= end <= size and not proof and node == EMPTY_ROOT:
        return
    if not _is_subtree(start, end) or end > size:
        raise VerificationError(f"[{start}, {end}) is no subtree of a tree of {size} leaves.")
    if start == 0 and end == size:
        if proof or node != root:
            raise VerificationError("Two trees of one size have different roots, or a proof too many.")
        return
    _check_lengths(node, *proof)
    walk = _ConsistencyWalk(start, end - 1, size - 1)
    old = new = node
    siblings = list(proof)
    if not walk.starts_at_node:
        if not siblings:
            raise VerificationError("The consistency proof is empty.")
        old = new = siblings.pop(0)
    for sibling in siblings:
        inside, left = walk.step()
        old = node_hash(sibling, old) if inside and left else old
        new = node_hash(sibling, new) if left else node_hash(new, sibling)
    walk.finish()
    if old != node or new != root:
        raise VerificationError("The consistency proof leads to other roots.")


class _ConsistencyWalk:
    """The way from a subtree's right edge up to the root."""

    __slots__ = ("_first", "_last", "_right")

    def __init__(self, first: int, right: int, last: int) -> None:
        self._first, self._right, self._last = first, right, last
        if right == last:
            while self._first != self._right:
                self._up()
        else:
            while self._first != self._right and self._right & 1:
                self._up()

    @property
    def starts_at_node(self) -> bool:
        return self._first == self._right

    def step(self) -> tuple[bool, bool]:
        """One level: whether the sibling is inside the subtree, and whether it is on the left."""
        if self._last == 0:
            raise VerificationError("The consistency proof is too long.")
        inside = self._first < self._right
        left = bool(self._right & 1) or self._right == self._last
        if left:
            while self._right and not self._right & 1:
                self._up()
        self._up()
        return inside, left

    def finish(self) -> None:
        if self._last != 0:
            raise VerificationError("The consistency proof is too short.")

    def _up(self) -> None:
        self._first, self._right, self._last = self._first >> 1, self._right >> 1, self._last >> 1


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _is_subtree(start: int, end: int) -> bool:
    return 0 <= start < end and start % (1 << (end - start - 1).bit_length()) == 0


def _check_lengths(*hashes: bytes) -> None:
    if any(len(value) != HASH_BYTES for value in hashes):
        raise VerificationError("A hash of the proof is not 32 bytes long.")


def _perfect_root(leaves: Sequence[bytes]) -> bytes:
    sha256 = hashlib.sha256
    level = list(leaves)
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return level[0]
