"""The Merkle tree of RFC 6962 (section 2.1), as pure functions.

A tree is given by its size and by a function `node(level, index)` that returns the hash of one *complete* subtree:
the one over leaves `index << level` to `(index + 1) << level`. Everything else, the ragged right edge included, is
composed from those, so whoever stores complete subtrees (the tiles do) can prove without reading leaves.

Verification follows the algorithms of RFC 9162, sections 2.1.3.2 and 2.1.4.2, step by step and shares nothing with
the code that makes proofs.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TypeVar

Node = Callable[[int, int], bytes]
T = TypeVar("T")

EMPTY_ROOT = sha256(b"").digest()


def hash_leaf(data: bytes) -> bytes:
    """The 0x00 keeps a leaf from ever being read as a node (RFC 6962, 2.1)."""
    return sha256(b"\x00" + data).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def hash_nodes(row: Sequence[bytes]) -> list[bytes]:
    """The nodes above an even number of neighbours."""
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=True)]


def root(size: int, node: Node) -> bytes:
    """The tree's root at `size`."""
    return _range(0, size, node) if size else EMPTY_ROOT


def inclusion(index: int, size: int, node: Node) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves (RFC 6962, 2.1.1), from the leaf upwards."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range(middle, high, node))
            high = middle
        else:
            path.append(_range(low, middle, node))
            low = middle
    return path[::-1]


def inclusions(indices: Sequence[int], size: int, node: Node, form: Callable[[bytes], T]) -> dict[int, tuple[T, ...]]:
    """What `inclusion` gives for each of `indices`, each hash in the given form. Paths of neighbours are the same but
    for a few hashes, which are made once here."""
    wanted = sorted(set(indices))
    if wanted and not 0 <= wanted[0] <= wanted[-1] < size:
        raise ValueError(f"leaves {wanted[0]} to {wanted[-1]} are not in a tree of {size}")
    paths: dict[int, tuple[T, ...]] = {}
    waiting: list[tuple[int, int, int, int, tuple[T, ...]]] = [(0, size, 0, len(wanted), ())] if wanted else []
    while waiting:
        low, high, first, last, path = waiting.pop()
        if high - low == 1:
            paths[low] = path
            continue
        middle = low + _split(high - low)
        cut = bisect_left(wanted, middle, first, last)
        if first < cut:
            waiting.append((low, middle, first, cut, (form(_range(middle, high, node)), *path)))
        if cut < last:
            waiting.append((middle, high, cut, last, (form(_range(low, middle, node)), *path)))
    return paths


def consistency(old: int, new: int, node: Node) -> list[bytes]:
    """The proof that the tree of `new` leaves begins with the tree of `old` leaves (RFC 6962, 2.1.2)."""
    if not 0 < old <= new:
        raise ValueError(f"no consistency proof from size {old} to size {new}")
    path: list[bytes] = []
    low, high = 0, new
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_range(middle, high, node))
            high = middle
        else:
            path.append(_range(low, middle, node))
            low = middle
    # The verifier knows the old root already where the old tree is one complete subtree from the first leaf
    # on.
    if low:
        path.append(_range(low, high, node))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    """Whether `proof` shows that the leaf with hash `leaf` has `index` under root `expected` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    fn, sn = index, size - 1
    r = leaf
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = hash_node(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = hash_node(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == expected


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether `proof` shows that `new_root` only appends to `old_root` (RFC 9162, 2.1.4.2).

    Size 0 is left out by the RFC: everything extends the empty tree, which has one root and needs no proof.
    """
    if old == 0:
        return old_root == EMPTY_ROOT and not proof and (new > 0 or new_root == EMPTY_ROOT)
    if old > new or old < 0:
        return False
    if old == new:
        return not proof and old_root == new_root
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = hash_node(c, fr), hash_node(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = hash_node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old_root and sr == new_root


def _split(width: int) -> int:
    """The largest power of two smaller than `width` (the k of RFC 6962, 2.1)."""
    return 1 << (width - 1).bit_length() - 1


def _range(low: int, high: int, node: Node) -> bytes:
    """MTH(D[low:high]) for a range that starts where a complete subtree of its largest power of two starts.

    Complete subtrees of falling size from left to right, folded from the right: the recursion of the RFC, unrolled.
    """
    parts: list[bytes] = []
    while low < high:
        level = (high - low).bit_length() - 1
        parts.append(node(level, low >> level))
        low += 1 << level
    result = parts.pop()
    while parts:
        result = hash_node(parts.pop(), result)
    return result
