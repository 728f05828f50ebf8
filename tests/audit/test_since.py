"""`verify` with a key and an earlier checkpoint, both kept elsewhere: whatever was done to the log shows."""

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from lawspeaker.audit.keys import Keys
from lawspeaker.audit.reader import LogReader, read_vkeys
from lawspeaker.audit.verify import verify
from lawspeaker.errors import LogError
from tests.audit.logs import make_log

SIZE = 40


def head(home: Path) -> str:
    with LogReader(home) as reader:
        return reader.checkpoint


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A log of 40 records, its head and a copy of its folder then, and the log after 40 more."""
    home = tmp_path_factory.mktemp("grown") / "home"
    make_log(home, SIZE)
    note = head(home)
    shutil.copytree(home, home.parent / "earlier")
    make_log(home, SIZE)
    return home, note


def test_a_log_that_grew_is_consistent(grown):
    home, note = grown
    report = verify(home, read_vkeys(home)[0], note)
    assert report.problems == ()
    assert f"its {SIZE} records are still the first" in report.scope


def test_a_restored_backup_is_found(grown):
    home, _ = grown
    report = verify(home.parent / "earlier", read_vkeys(home)[0], head(home))
    assert "the log was cut" in report.problems[0].what


def test_another_log_by_the_same_key_is_found(grown, tmp_path):
    """The key holder writes the log anew: sound in itself, and not the one that was seen."""
    home, note = grown
    shutil.copytree(home / "keys", tmp_path / "home" / "keys")
    (tmp_path / "home" / "keys" / "log.vkey").unlink()
    make_log_with(tmp_path / "home", home)
    own = verify(tmp_path / "home", read_vkeys(home)[0])
    assert own.problems == ()
    report = verify(tmp_path / "home", read_vkeys(home)[0], note)
    assert [problem.what for problem in report.problems if "rewritten" in problem.what]


def make_log_with(home: Path, source: Path) -> None:
    """A new log under the keys of another one."""
    from lawspeaker.audit import keys as keyring
    from lawspeaker.audit import storage, vault
    from lawspeaker.audit.admission import Entry
    from lawspeaker.audit.ledger import Ledger
    from lawspeaker.audit.publish import Site
    from lawspeaker.audit.record import opened

    keys = keyring.load(source / "keys")
    (home / "log").mkdir(parents=True)
    log = storage.open_writable(home / "log.db", storage.SCHEMA)
    texts = storage.open_writable(home / "vault.db", vault.SCHEMA)
    ledger = Ledger(log, texts, keys, home, Site(home / "log"))
    ledger.commit([Entry(opened(), {}) for _ in range(2 * SIZE)])
    ledger.close()


def test_checkpoints_that_are_none_or_anothers_are_refused(grown, tmp_path):
    home, note = grown
    make_log(tmp_path / "other", 1)
    key = read_vkeys(home)[0]
    for bad in (
        "",
        "x",
        note.replace(f"\n{SIZE}\n", f"\n0{SIZE}\n"),
        note + note.split("\n\n")[1],
        head(tmp_path / "other"),
    ):
        with pytest.raises(LogError):
            verify(home, key, bad)


def test_random_edits_are_all_found(grown, tmp_path):
    home, note = grown
    key, dice = read_vkeys(home)[0], random.Random(7)
    for round_ in range(30):
        copy = shutil.copytree(home, tmp_path / str(round_))
        database = sqlite3.connect(copy / "log.db", isolation_level=None)
        a, b = dice.sample(range(2 * SIZE), 2)
        statements = [
            [f"DELETE FROM leaf WHERE idx = {a}"],
            [f"DELETE FROM leaf WHERE idx >= {a}", f"DELETE FROM checkpoint WHERE size > {a}"],
            [f"UPDATE leaf SET bytes = CAST(replace(CAST(bytes AS TEXT), 'law', 'Law') AS BLOB) WHERE idx = {a}"],
            [f"UPDATE leaf SET idx = -1 WHERE idx = {a}", f"UPDATE leaf SET idx = {a} WHERE idx = {b}"],
            [f"UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = {b}) WHERE size = {a}"],
        ][round_ % 5]
        for statement in statements:
            database.execute(statement)
        database.close()
        assert not verify(copy, key, note).ok, statements
        shutil.rmtree(copy)


def test_a_wrong_key_is_found(grown):
    home, _ = grown
    assert not verify(home, Keys.fresh().signer.vkey).ok
