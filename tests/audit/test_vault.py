"""The vault: what goes in comes out, to the one who has the key, until it is erased."""

import random
import secrets
import sqlite3

import pytest

from lawspeaker.audit import storage, vault
from lawspeaker.audit.keys import VaultKey
from lawspeaker.audit.vault import Sealed, Vault

KEY, OTHER = VaultKey.of(b"k" * 32), VaultKey.of(b"o" * 32)
TEXTS = {"request": "a secret", "answer": "", "draft": "lone \ud800 surrogate, \u00e9, \0"}


@pytest.fixture
def database():
    connection = storage.open_in_memory(vault.SCHEMA)
    yield connection
    connection.close()


def stored(database: sqlite3.Connection, record: str = "r") -> Sealed:
    vault_ = Vault(database, [KEY])
    sealed = vault_.seal(record, TEXTS)
    vault_.put([sealed])
    return sealed


def states(texts: dict[str, vault.StoredText]) -> set[str]:
    return {text.state for text in texts.values()}


def test_round_trip(database):
    sealed = stored(database)
    found = Vault(database, [OTHER, KEY]).read("r", sealed.commitments)
    assert {name: text.text for name, text in found.items()} == TEXTS
    assert states(found) == {"present"}


def test_nothing_of_a_text_lies_in_the_clear(database):
    stored(database)
    assert b"a secret" not in "\n".join(database.iterdump()).encode()
    assert b"a secret".hex() not in "\n".join(database.iterdump()).lower()


def test_equal_texts_have_unequal_commitments_and_ciphertexts(database):
    sealer = Vault(database, [KEY])
    a, b = sealer.seal("a", TEXTS), sealer.seal("b", TEXTS)
    assert set(a.commitments.values()).isdisjoint(b.commitments.values())
    assert {data for _, data in a.texts}.isdisjoint(data for _, data in b.texts)


def test_without_the_key_texts_are_locked(database):
    sealed = stored(database)
    found = Vault(database, [OTHER]).read("r", sealed.commitments)
    assert states(found) == {"locked"}
    assert {text.text for text in found.values()} == {""}


def test_a_key_that_lies_about_its_id_opens_nothing(database):
    sealed = stored(database)
    liar = VaultKey(KEY.id, OTHER.secret)
    assert states(Vault(database, [liar]).read("r", sealed.commitments)) == {"damaged"}


def test_an_erased_record_has_neither_key_nor_texts(database):
    sealed, kept = stored(database), stored(database, "kept")
    opener = Vault(database, [KEY])
    opener.erase("r")
    assert states(opener.read("r", sealed.commitments)) == {"erased"}
    assert states(opener.read("kept", kept.commitments)) == {"present"}
    assert database.execute("SELECT count(*) FROM text").fetchone() == (len(TEXTS),)
    assert list(opener.newest_first()) == ["kept"]


def test_no_erasure_leaves_a_part_of_another_ones_key_behind(tmp_path):
    """Rows that were deleted made SQLite move those of others, and copies of their keys stayed in unused space."""
    dice = random.Random(1)
    ids = [f"{dice.getrandbits(128):032x}" for _ in range(1500)]
    connection = storage.open_writable(tmp_path / "vault.db", vault.SCHEMA)
    opener = Vault(connection, [KEY])
    for start in range(0, len(ids), 64):
        opener.put([opener.seal(id_, {"t": "x"}) for id_ in ids[start : start + 64]])
    wrapped = dict(connection.execute("SELECT id, wrapped FROM record").fetchall())
    gone = [id_ for id_ in ids if dice.random() < 0.8]
    for id_ in gone:
        opener.erase(id_)
    assert opener.scrub()
    connection.close()
    data = (tmp_path / "vault.db").read_bytes()
    assert [id_ for id_ in gone for at in range(0, 80, 16) if wrapped[id_][at : at + 12] in data] == []
    assert all(wrapped[id_] in data for id_ in ids if id_ not in gone)


def test_what_was_never_written_is_erased_and_its_id_is_free(database):
    stored(database)
    opener = Vault(database, [KEY])
    opener.forget("r")
    assert list(opener.newest_first()) == []
    assert database.execute("SELECT count(*) FROM text").fetchone() == (0,)
    assert states(opener.read("r", stored(database).commitments)) == {"present"}


def test_one_missing_text_leaves_the_others(database):
    sealed = stored(database)
    database.execute("DELETE FROM text WHERE name = 'draft'")
    found = Vault(database, [KEY]).read("r", sealed.commitments)
    assert {name: text.state for name, text in found.items()} == {
        "request": "present",
        "answer": "present",
        "draft": "erased",
    }


def test_texts_and_keys_cannot_trade_places(database):
    first, second = stored(database, "a"), stored(database, "b")
    opener = Vault(database, [KEY])
    database.execute("UPDATE text SET name = 'x' WHERE seq = 1 AND name = 'request'")
    database.execute("UPDATE text SET name = 'request' WHERE seq = 1 AND name = 'draft'")
    assert opener.read("a", first.commitments)["request"].state == "damaged"
    database.execute("UPDATE record SET wrapped = (SELECT wrapped FROM record WHERE id = 'a') WHERE id = 'b'")
    assert states(opener.read("b", second.commitments)) == {"damaged"}


def test_a_text_under_another_commitment_is_damaged(database):
    sealed = stored(database)
    wrong = dict.fromkeys(sealed.commitments, secrets.token_hex(32))
    assert states(Vault(database, [KEY]).read("r", wrong)) == {"damaged"}
    database.execute("UPDATE text SET sealed = x'00'")
    assert states(Vault(database, [KEY]).read("r", sealed.commitments)) == {"damaged"}
