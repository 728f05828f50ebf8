"""Rotation: any key of the chain verifies the log, a key that was given up signs nothing later, a crash loses none."""

import asyncio
import shutil
import sqlite3
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from lawspeaker.audit import keys as keyring
from lawspeaker.audit.admission import Entry
from lawspeaker.audit.checkpoint import Signer
from lawspeaker.audit.keys import Keys
from lawspeaker.audit.log import MemoryLog, open_log
from lawspeaker.audit.opening import open_ledger
from lawspeaker.audit.reader import LogReader, read_vkeys
from lawspeaker.audit.record import opened
from lawspeaker.audit.rekey import rotate
from lawspeaker.audit.rotation import follow, rotated, successor
from lawspeaker.audit.verify import verify
from lawspeaker.audit.witness import open_witness, request_body
from lawspeaker.errors import LogError
from tests.audit.logs import make_log


def head(home: Path) -> str:
    with LogReader(home) as reader:
        return reader.checkpoint


@pytest.fixture(scope="module")
def chained(tmp_path_factory):
    """A log under three keys, each with records; with it the signers of all, oldest first, and a head of each."""
    home = tmp_path_factory.mktemp("chained") / "home"
    signers, heads = [], []
    for n in range(3):
        make_log(home, 4)
        signers.append(keyring.load(home / "keys").signer)
        heads.append(head(home))
        if n < 2:
            rotate(home, "once a year", "Rina")
    return home, signers, heads


@pytest.fixture
def home(chained, tmp_path):
    return shutil.copytree(chained[0], tmp_path / "home")


def test_every_key_of_the_chain_verifies_every_head(chained):
    home, signers, heads = chained
    assert read_vkeys(home) == tuple(signer.vkey for signer in reversed(signers))
    assert (home / "keys" / "log.key").read_text().count("\n") == 1
    assert verify(home).problems == ()
    for signer in signers:
        for note in heads:
            assert verify(home, signer.vkey, note).problems == ()
    with LogReader(home) as reader:
        records = [leaf.record for leaf in reader.of_kind("rotated")]
        assert reader.texts(records[0].id)["why"].text == "once a year"
    assert [record.facts["by"] for record in records] == ["Rina", "Rina"]


def test_a_key_of_no_log_verifies_none(chained):
    home, signers, heads = chained
    stranger = Signer(signers[0].name, b"s" * 32).vkey
    assert not verify(home, stranger).ok
    with pytest.raises(LogError, match="not signed by"):
        verify(home, stranger, heads[0])


@pytest.mark.parametrize("size", [5, 8, 9, 11])
def test_a_head_by_a_key_that_was_not_in_use_is_found(chained, home, size):
    """A stolen old key signs a later head, a new one an earlier head: each is a key of this log, at the wrong time."""
    _, signers, _ = chained
    database = sqlite3.connect(home / "log.db")
    note = database.execute("SELECT note FROM checkpoint WHERE size = ?", (size,)).fetchone()[0]
    with LogReader(home) as reader:
        ends = [leaf.index + 1 for leaf in reader.of_kind("rotated")]
    right = sum(end < size for end in ends)
    for n, signer in enumerate(signers):
        origin, count, root = note.split("\n")[:3]
        text = f"{origin}\n{count}\n{root}\n"
        line = keyring.encode64(signer.id + signer.sign_text(text))
        database.execute(
            "UPDATE checkpoint SET note = ? WHERE size = ?", (f"{text}\n\u2014 {signer.name} {line}\n", size)
        )
        database.commit()
        report = verify(home, signers[0].vkey)
        assert report.ok == (n == right)
        assert report.ok or f"checkpoint {size}: a checkpoint is not signed by" in report.problems[0].what
    database.close()


def test_a_witness_with_both_keys_sees_the_log_through_its_rotation(chained, tmp_path):
    home, signers, heads = chained
    witness, _ = open_witness(tmp_path, "example.org/w", [signers[0].vkey, signers[1].vkey])
    sizes = [int(note.split("\n")[1]) for note in heads]
    with LogReader(home) as reader:
        proofs = [[], *(reader.prove_consistency(*pair) for pair in pairwise(sizes))]
    asked = [witness.add_checkpoint(request_body(*each)) for each in zip([0, *sizes], proofs, heads, strict=False)]
    witness.close()
    assert [answer.status for answer in asked] == [200, 200, 403]


def forgeries(old: Signer, new: Signer) -> dict[str, object]:
    begun = opened()
    good, other = rotated(begun, old, new, "Mallory"), Signer(old.name, b"o" * 32)

    def having(**facts):
        return msgspec.structs.replace(good, facts={**good.facts, **facts})

    signatures = good.facts["signatures"]
    return {
        "is not signed by the old key": having(signatures={**signatures, "old": signatures["new"]}),
        "is not signed by the new key": having(signatures={**signatures, "new": signatures["old"]}),
        "signed by the old key": having(new=other.vkey),
        "another key": rotated(begun, other, new, "Mallory"),
        "keeps the key": rotated(begun, old, old, "Mallory"),
        "another log": rotated(begun, old, Signer("elsewhere", b"n" * 32), "Mallory"),
        "is not signed": msgspec.structs.replace(good, id="0" * 32),
        "signed by": having(signatures="none"),
        "verifier key": having(new="nonsense"),
    }


CASES = list(forgeries(Signer("x", b"a" * 32), Signer("x", b"b" * 32)))


@pytest.mark.parametrize("says", CASES)
def test_a_forged_rotation_is_refused_by_the_writer_and_found_in_a_log(says):
    keys = Keys.fresh()
    record = forgeries(keys.signer, Signer(keys.signer.name, b"n" * 32))[says]
    with pytest.raises(LogError, match=says):
        successor(record, keys.signer.vkey)

    async def append() -> None:
        async with MemoryLog() as log:
            await log.append(record, {})

    with pytest.raises(LogError, match=r"rotation|verifier key"):
        asyncio.run(append())
    good = rotated(opened(), keys.signer, Signer(keys.signer.name, b"p" * 32), "Rina")
    rows = [(n, r.id, r.subject, r.kind, msgspec.json.encode(r)) for n, r in ((1, record), (3, good))]
    chain = follow(rows, keys.signer.vkey)
    if says == "another key":  # the chain of another key, which the writer and the heads do not have
        assert not chain.ends
    else:
        assert chain.wrong[0][0] == 1
        assert len(chain.keys) == 1


def test_a_forged_rotation_in_the_database_is_found_at_its_record(chained, home):
    _, signers, _ = chained
    forged = forgeries(signers[0], signers[2])["is not signed by the new key"]
    database = sqlite3.connect(home / "log.db")
    (index,) = database.execute("SELECT min(idx) FROM leaf WHERE kind = 'rotated'").fetchone()
    database.execute(
        "UPDATE leaf SET id = ?, subject = ?, bytes = ? WHERE idx = ?",
        (forged.id, forged.subject, msgspec.json.encode(forged, order="sorted"), index),
    )
    database.commit()
    database.close()
    for key in (signers[0].vkey, signers[2].vkey, None):
        report = verify(home, key)
        assert any(
            problem.index == index and "not signed by the new key" in problem.what for problem in report.problems
        )
    with pytest.raises(LogError, match="not signed by the new key"):
        make_log(home, 1)


def test_the_old_key_signs_nothing_after_its_rotation(tmp_path):
    make_log(tmp_path, 1)
    ledger = open_ledger(tmp_path)
    old = keyring.load(tmp_path / "keys").signer
    begun, late = opened(), opened()
    record = rotated(begun, old, keyring.stage(tmp_path / "keys", old.name), "Rina")
    ledger.commit([Entry(begun, {})])
    outcomes = ledger.commit([Entry(record, {}), Entry(late, {})])
    assert "was rotated" in str(outcomes[1])
    assert "was rotated" in str(ledger.commit([Entry(late, {})])[0])
    ledger.close()


@pytest.mark.parametrize("until", ["staged", "recorded", "announced", "adopted"])
def test_a_rotation_that_was_cut_off_is_undone_or_finished(tmp_path, until):
    home, folder = tmp_path / "home", tmp_path / "home" / "keys"
    make_log(home, 2)
    old = keyring.load(folder).signer
    ledger = open_ledger(home)
    new = keyring.stage(folder, old.name)
    if until != "staged":
        begun = opened()
        ledger.commit([Entry(begun, {})])
        ledger.commit([Entry(rotated(begun, old, new, "Rina"), {})])
    ledger.close()
    if until in {"announced", "adopted"}:
        before = (folder / "log.key").read_bytes(), (folder / "log.key.next").read_bytes()
        keyring.adopt(folder)
        if until == "announced":
            (folder / "log.key").write_bytes(before[0])
            (folder / "log.key.next").write_bytes(before[1])
    assert [problem for problem in verify(home, old.vkey).problems if "signed" in problem.what] == []
    make_log(home, 2)
    assert keyring.load(folder).signer.vkey == (old if until == "staged" else new).vkey
    assert not (folder / "log.key.next").exists()
    assert verify(home, old.vkey).problems == ()
    assert verify(home, new.vkey).ok == (until != "staged")


def test_with_the_keys_of_before_the_log_is_not_written(tmp_path):
    make_log(tmp_path / "home", 1)
    shutil.copytree(tmp_path / "home" / "keys", tmp_path / "keys")
    rotate(tmp_path / "home", "why", "Rina")
    new = shutil.move(tmp_path / "home" / "keys", tmp_path / "new")
    shutil.copytree(tmp_path / "keys", tmp_path / "home" / "keys")
    with pytest.raises(LogError, match="restore that key"):
        make_log(tmp_path / "home", 1)
    shutil.rmtree(tmp_path / "home" / "keys")
    shutil.move(new, tmp_path / "home" / "keys")
    make_log(tmp_path / "home", 1)
    assert verify(tmp_path / "home").ok


def test_who_holds_the_log_is_not_pushed_aside(tmp_path):
    async def attempt() -> None:
        async with await open_log(tmp_path):
            before = (tmp_path / "keys" / "log.key").read_bytes()
            with pytest.raises(LogError, match="stop it"):
                rotate(tmp_path, "why", "Rina")
            assert (tmp_path / "keys" / "log.key").read_bytes() == before

    asyncio.run(attempt())
    with pytest.raises(LogError, match="keys init"):
        rotate(tmp_path / "none", "why", "Rina")
    assert not (tmp_path / "none").exists()
