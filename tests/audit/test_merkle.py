"""RFC 6962 trees: the published vectors, then random trees, then proofs with one thing wrong."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lawspeaker.audit import merkle, tiles
from lawspeaker.audit.merkle import EMPTY_ROOT, hash_leaf, hash_node
from lawspeaker.audit.tiles import Tree

# The eight leaves, their roots and proofs that certificate-transparency and its descendants test with.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962, 2.1 writes it down."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return hash_leaf(leaves[0])
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hash_node(naive_root(leaves[:k]), naive_root(leaves[k:]))


def grown(leaves: list[bytes]) -> tuple[Tree, dict[tuple[int, int], bytes]]:
    stored: dict[tuple[int, int], bytes] = {}
    tree = Tree(lambda level, n: stored[level, n])
    for leaf in leaves:
        stored |= {(tile.level, tile.n): tile.data for tile in tree.append(hash_leaf(leaf))}
    return tree, stored


def test_a_tree_grows_by_many_leaves_as_it_does_by_each():
    chance, hashes = random.Random(1), [hash_leaf(n.to_bytes(4, "big")) for n in range(66_000)]
    stored: dict[tuple[int, int], bytes] = {}
    tree, done = Tree(lambda level, n: stored[level, n]), 0
    while done < len(hashes):
        some = hashes[done : done + chance.choice([1, 2, 255, 256, 257, 700])]
        stored |= {(tile.level, tile.n): tile.data for tile in tree.extend(some)}
        done += len(some)
    single = Tree(lambda level, n: stored[level, n])
    for hash_ in hashes:
        for tile in single.append(hash_):
            assert len(tile.data) < 32 * 256 or stored[tile.level, tile.n] == tile.data
    assert (single.size, single.root, single.partials()) == (tree.size, tree.root, tree.partials())


@pytest.mark.parametrize("size", range(9))
def test_roots_of_the_vectors(size):
    expected = bytes.fromhex(ROOTS[size - 1]) if size else EMPTY_ROOT
    assert naive_root(LEAVES[:size]) == expected
    assert grown(LEAVES[:size])[0].root == expected


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_inclusion_proofs_of_the_vectors(index, size):
    proof = merkle.inclusion(index, size, grown(LEAVES[:size])[0].node)
    assert [part.hex() for part in proof] == INCLUSION[index, size]
    assert merkle.verify_inclusion(hash_leaf(LEAVES[index]), index, size, proof, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_consistency_proofs_of_the_vectors(old, new):
    proof = merkle.consistency(old, new, grown(LEAVES[:new])[0].node)
    assert [part.hex() for part in proof] == CONSISTENCY[old, new]
    roots = bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1])
    assert merkle.verify_consistency(old, new, proof, *roots)


SIZES = st.one_of(st.integers(1, 40), st.sampled_from([255, 256, 257, 511, 512, 513, 1000]))


def leaves_of(size: int) -> list[bytes]:
    return [b"leaf %d" % index for index in range(size)]


@settings(max_examples=40)
@given(SIZES, st.data())
def test_random_trees_prove_inclusion_and_refuse_changes(size, data):
    leaves = leaves_of(size)
    index = data.draw(st.integers(0, size - 1))
    tree, _ = grown(leaves)
    proof, root, leaf = merkle.inclusion(index, size, tree.node), naive_root(leaves), hash_leaf(leaves[index])
    assert tree.root == root
    assert merkle.verify_inclusion(leaf, index, size, proof, root)
    assert not merkle.verify_inclusion(hash_leaf(b"other"), index, size, proof, root)
    assert not merkle.verify_inclusion(leaf, index, size, [*proof, root], root)
    assert not merkle.verify_inclusion(leaf, size, size, proof, root)
    assert not merkle.verify_inclusion(leaf, -1, size, proof, root)
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        assert not merkle.verify_inclusion(leaf, index, size, proof[:place] + proof[place + 1 :], root)
        flipped = bytes([proof[place][0] ^ 1]) + proof[place][1:]
        assert not merkle.verify_inclusion(leaf, index, size, [*proof[:place], flipped, *proof[place + 1 :]], root)
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        assert not merkle.verify_inclusion(leaf, other, size, proof, root)


@settings(max_examples=30)
@given(SIZES, st.data())
def test_paths_made_together_are_those_made_one_by_one(size, data):
    tree, _ = grown(leaves_of(size))
    indices = data.draw(st.lists(st.integers(0, size - 1), max_size=40))
    together = merkle.inclusions(indices, size, tree.node, bytes.hex)
    assert together == {
        index: tuple(part.hex() for part in merkle.inclusion(index, size, tree.node)) for index in indices
    }
    with pytest.raises(ValueError, match="not in a tree"):
        merkle.inclusions([*indices, size], size, tree.node, bytes.hex)


@settings(max_examples=40)
@given(SIZES, st.data())
def test_random_trees_prove_consistency_and_refuse_changes(size, data):
    leaves = leaves_of(size)
    old = data.draw(st.integers(1, size))
    proof = merkle.consistency(old, size, grown(leaves)[0].node)
    old_root, root = naive_root(leaves[:old]), naive_root(leaves)
    assert merkle.verify_consistency(old, size, proof, old_root, root)
    assert not merkle.verify_consistency(old, size, [*proof, root], old_root, root)
    assert not merkle.verify_consistency(size + 1, size, proof, old_root, root)
    wrong = naive_root([*leaves[: old - 1], b"rewritten"])
    assert not merkle.verify_consistency(old, size, proof, wrong, root)
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        assert not merkle.verify_consistency(old, size, proof[:place] + proof[place + 1 :], old_root, root)
        flipped = bytes([proof[place][0] ^ 1]) + proof[place][1:]
        changed = [*proof[:place], flipped, *proof[place + 1 :]]
        assert not merkle.verify_consistency(old, size, changed, old_root, root)


def test_everything_extends_the_empty_tree_and_nothing_else_does():
    root = naive_root(LEAVES)
    assert merkle.verify_consistency(0, 8, [], EMPTY_ROOT, root)
    assert not merkle.verify_consistency(0, 8, [], root, root)
    assert not merkle.verify_consistency(0, 8, [root], EMPTY_ROOT, root)
    assert not merkle.verify_consistency(0, 0, [], EMPTY_ROOT, root)


def test_a_tree_loaded_from_its_tiles_goes_on_like_the_one_that_grew():
    leaves = leaves_of(66_000)
    grown_tree, stored = grown(leaves)
    stored |= {(tile.level, tile.n): tile.data for tile in grown_tree.partials()}
    loaded = Tree.load(66_000, lambda level, n: stored[level, n])
    assert loaded.root == grown_tree.root
    for index in (0, 255, 256, 65_535, 65_536, 65_999):
        assert merkle.inclusion(index, 66_000, loaded.node) == merkle.inclusion(index, 66_000, grown_tree.node)
    loaded.append(hash_leaf(b"next"))
    grown_tree.append(hash_leaf(b"next"))
    assert loaded.root == grown_tree.root


def test_tiles_of_the_specifications_example():
    tree, stored = grown(leaves_of(70_000))
    widths = [(tile.level, tile.n, len(tile.data) // 32) for tile in tree.partials()]
    assert widths == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert sum(level == 0 for level, _ in stored) == 273
    assert len(stored[1, 0]) == 8192


@pytest.mark.parametrize(
    ("level", "n", "width", "expected"),
    [
        (0, 0, 256, "tile/0/000"),
        (1, 1_234_067, 256, "tile/1/x001/x234/067"),
        ("entries", 1000, 7, "tile/entries/x001/000.p/7"),
    ],
)
def test_paths_of_tiles(level, n, width, expected):
    assert tiles.path(level, n, width) == expected


def test_proofs_outside_of_the_tree_are_programming_errors():
    tree, _ = grown(LEAVES)
    for call in (
        lambda: merkle.inclusion(8, 8, tree.node),
        lambda: merkle.consistency(0, 8, tree.node),
        lambda: merkle.consistency(9, 8, tree.node),
    ):
        with pytest.raises(ValueError, match=r"tree|proof"):
            call()
