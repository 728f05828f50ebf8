"""Witnesses: the answers of the protocol, forks that get no quorum, and the real server asked by the real client."""

import asyncio
import socket

import pytest

from lawspeaker.audit import cosign, merkle, places
from lawspeaker.audit.checkpoint import Checkpoint, Signer
from lawspeaker.audit.merkle import hash_leaf
from lawspeaker.audit.reader import LogReader
from lawspeaker.audit.tiles import Tree
from lawspeaker.audit.witness import Cosigner, CosignerKey, Witness, cosignatures, open_witness, request_body
from lawspeaker.errors import LogError
from tests.audit.logs import make_log

LOG = Signer("example.org/log", bytes(32))
FORKS = 100


def tree_of(*leaves: str) -> Tree:
    full: dict[tuple[int, int], bytes] = {}
    tree = Tree(lambda level, n: full[level, n])
    for leaf in leaves:
        tree.append(hash_leaf(leaf.encode()))
    return tree


def note_of(tree: Tree, signer: Signer = LOG) -> str:
    return signer.sign(Checkpoint(LOG.name, tree.size, tree.root))


def grow(old: int, tree: Tree) -> bytes:
    return request_body(old, merkle.consistency(old, tree.size, tree.node) if old else [], note_of(tree))


@pytest.fixture
def witness(tmp_path):
    found, _ = open_witness(tmp_path / "w", "example.org/w", [LOG.vkey])
    yield found
    found.close()


def test_a_cosignature_verifies_once_and_over_its_text_alone():
    note = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "\u2014 example.com/behind-the-sofa "
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    )
    cosigner = Cosigner("w", bytes(32))
    text = note.rpartition("\n\n")[0] + "\n"
    key = CosignerKey(cosigner.vkey)
    line = cosigner.cosign(text, 1679315147)
    assert cosignatures(note + line, [key]) == {key.public: line}
    with pytest.raises(LogError, match="two cosignatures"):
        cosignatures(note + line + line, [key])
    with pytest.raises(LogError, match="wrong"):
        cosignatures(note.replace("20852163", "20852164") + line, [key])


def test_answers_are_those_of_the_protocol(witness):
    five, nine = tree_of(*"abcde"), tree_of(*"abcdefghi")
    assert witness.add_checkpoint(grow(0, five)).status == 200
    again = witness.add_checkpoint(grow(0, five))
    assert (again.status, again.body, again.content) == (409, "5\n", "text/x.tlog.size")
    assert witness.add_checkpoint(request_body(5, [], note_of(five))).status == 200
    assert witness.add_checkpoint(request_body(5, [], note_of(nine))).status == 422
    assert witness.add_checkpoint(request_body(9, [], note_of(five))).status == 400
    assert witness.add_checkpoint(request_body(5, [bytes(32)] * 64, note_of(nine))).status == 400
    assert witness.add_checkpoint(request_body(5, [], note_of(tree_of(*"abcdX")))).status == 409
    stranger = Signer("example.org/log", bytes(31) + b"\1")
    assert witness.add_checkpoint(request_body(5, [], note_of(nine, stranger))).status == 403
    unknown = Signer("example.org/other", bytes(32)).sign(Checkpoint("example.org/other", 5, five.root))
    assert witness.add_checkpoint(request_body(5, [], unknown)).status == 404
    for bad in (b"", b"old 05\n\nx", b"old -1\n\nx", b"old 5\nzz\n\nx", b"\xff", b"old 5\n" + b"x" * 200_000):
        assert witness.add_checkpoint(bad).status == 400
    assert witness.add_checkpoint(grow(5, nine)).status == 200


def test_forks_get_no_quorum_of_witnesses(tmp_path):
    """Three witnesses, two are needed: the fork is shown to any two of them first, and the truth to the third."""
    got = 0
    for n in range(FORKS):
        witnesses: list[Witness] = []
        for place in range(3):
            found, _ = open_witness(tmp_path / f"{n}-{place}", "", [LOG.vkey])
            witnesses.append(found)
        base = [f"leaf {k}" for k in range(n % 7 + 1)]
        for each in witnesses:
            assert each.add_checkpoint(grow(0, tree_of(*base))).status == 200
        truth, fork = tree_of(*base, "true", "more"), tree_of(*base, "false", "more")
        first = [each.add_checkpoint(grow(len(base), truth)).status for each in witnesses[:2]]
        second = [each.add_checkpoint(grow(len(base), fork)).status for each in witnesses]
        assert first == [200, 200]
        assert second == [409, 409, 200]
        got += second.count(200) >= 2
        for each in witnesses:
            each.close()
    assert got == 0


def test_the_state_outlives_the_process_and_its_loss_is_refused(tmp_path):
    first, vkey = open_witness(tmp_path, "example.org/w", [LOG.vkey])
    assert first.add_checkpoint(grow(0, tree_of(*"abc"))).status == 200
    first.close()
    second, again = open_witness(tmp_path, "", [LOG.vkey])
    assert again == vkey
    assert second.add_checkpoint(grow(0, tree_of(*"xyz"))).status == 409
    second.close()
    with pytest.raises(LogError, match="is called"):
        open_witness(tmp_path, "example.org/other", [LOG.vkey])
    key, text = tmp_path / "witness.key", (tmp_path / "witness.key").read_text()
    another = text[:-9] + ("A" if text[-9] != "A" else "B") + text[-8:]
    for damaged in (another, text.replace("PRIVATE", "public"), ""):
        key.write_text(damaged)
        with pytest.raises(LogError, match="not a witness's signing key"):
            open_witness(tmp_path, "", [LOG.vkey])
    key.write_text(text)
    (tmp_path / "witness.db").unlink()
    with pytest.raises(LogError, match="must be retired"):
        open_witness(tmp_path, "", [LOG.vkey])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_place_that_cannot_be_reached_is_named(tmp_path):
    with pytest.raises(LogError, match="could not be sent"):
        asyncio.run(places.put("x", f"http://127.0.0.1:{free_port()}/checkpoint"))
    with pytest.raises(LogError, match="nowhere"):
        asyncio.run(places.put("x", str(tmp_path / "nowhere" / "checkpoint")))


def test_a_witness_is_counted_once(tmp_path):
    make_log(tmp_path / "home", 1)
    key = CosignerKey(Cosigner("w", bytes(32)).vkey)

    async def run() -> None:
        with LogReader(tmp_path / "home") as reader, pytest.raises(LogError, match="different witnesses"):
            await cosign.gather(reader, [("http://127.0.0.1:9", key)] * 2, 2)

    asyncio.run(run())
