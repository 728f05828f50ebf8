"""Rotation of the vault key: texts stay readable under the new one alone, what was erased stays so, a crash loses
nothing."""

import asyncio
import shutil
import sqlite3
from pathlib import Path

import msgspec
import numpy as np
import pytest

from lawspeaker.audit import keys as keyring
from lawspeaker.audit import rewrapping
from lawspeaker.audit.admission import Entry
from lawspeaker.audit.erasure import erase
from lawspeaker.audit.evidence import Policy, export
from lawspeaker.audit.keys import Keys, VaultKey
from lawspeaker.audit.log import MemoryLog, open_log
from lawspeaker.audit.opening import open_ledger
from lawspeaker.audit.reader import LogReader, read_vkeys
from lawspeaker.audit.record import Record, opened
from lawspeaker.audit.rekey import rotate, rotate_vault
from lawspeaker.audit.rewrapping import rewrapped
from lawspeaker.audit.verify import verify
from lawspeaker.errors import LogError
from tests.audit.logs import TEXTS, make_log

A, B, C = (VaultKey.of(bytes([n]) * 32) for n in range(3))


def erase_one(home: Path, id_: str) -> None:
    async def run() -> None:
        async with await open_log(home) as log:
            await erase(log, id_, "asked to", "Ada")

    asyncio.run(run())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A log of twelve records with texts, of which the second is erased, and their ids."""
    home = tmp_path_factory.mktemp("made") / "home"
    ids = [receipt.id for receipt in make_log(home, 12)]
    erase_one(home, ids[1])
    return home, ids


@pytest.fixture
def home(made, tmp_path):
    return shutil.copytree(made[0], tmp_path / "home")


def vault_ids(home: Path) -> list[str]:
    return [key.id for key in keyring.load_vault(home / "keys" / "vault.key")]


def wrapped(home: Path) -> list[tuple[str, bytes]]:
    database = sqlite3.connect(home / "vault.db")
    rows = database.execute("SELECT key, wrapped FROM record ORDER BY seq").fetchall()
    database.close()
    return rows


def pieces_left(home: Path, pieces: set[bytes]) -> int:
    """How many of these pieces of eight bytes are somewhere in a file."""
    found = 0
    wanted = np.unique(np.frombuffer(b"".join(pieces), dtype="<u8"))
    for path in home.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        for offset in range(8):
            found += int(np.isin(np.frombuffer(data[offset:][: (len(data) - offset) // 8 * 8], "<u8"), wanted).sum())
    return found


def sound(home: Path, ids: list[str]) -> bool:
    """Whether every text is what it was, and the log verifies with the key that it began with."""
    with LogReader(home) as reader:
        for n, id_ in enumerate(ids):
            texts = reader.texts(id_)
            assert {text.state for text in texts.values()} == {"erased" if n == 1 else "present"}
            assert n == 1 or {name: text.text for name, text in texts.items()} == TEXTS
    report = verify(home, read_vkeys(home)[-1])
    assert report.problems == ()
    return report.ok


def test_texts_are_under_the_new_key_and_nothing_is_left_under_the_old_one(made, home):
    _, ids = made
    (old,), before = keyring.load_vault(home / "keys" / "vault.key"), wrapped(home)
    receipt = rotate_vault(home, "once a year", "Rina")
    (new,) = keyring.load_vault(home / "keys" / "vault.key")
    assert new.id != old.id
    assert {key for key, value in wrapped(home) if any(value)} == {new.id}
    pieces = {value[at : at + 8] for _, value in before if any(value) for at in range(0, len(value) - 7, 8)}
    assert pieces_left(made[0], pieces) >= len(pieces)
    assert pieces_left(home, pieces) == 0
    kept = b"".join(path.read_bytes() for path in (home / "keys").iterdir())
    assert keyring.encode64(old.secret).encode() not in kept
    assert sound(home, ids)
    with LogReader(home) as reader:
        leaf = reader.leaf(receipt.id)
        assert reader.texts(receipt.id)["why"].text == "once a year"
        assert leaf.record.facts["by"] == "Rina"
        export(reader, ids[0], Policy(read_vkeys(home)))
    assert (leaf.record.kind, leaf.record.facts["old"], leaf.record.facts["new"]) == ("rewrapped", old.id, new.id)
    make_log(home, 2)
    rotate(home, "both", "Rina")
    rotate_vault(home, "again", "Rina")
    assert sound(home, ids)
    with pytest.raises(LogError, match="says what was done to the log"):

        async def run() -> None:
            async with await open_log(home) as log:
                await erase(log, receipt.id, "no", "Mallory", only=True)

        asyncio.run(run())


@pytest.mark.parametrize("until", ["staged", "recorded", "adopted", "half", "wrapped"])
def test_a_rotation_that_was_cut_off_is_undone_or_finished(made, home, until, monkeypatch):
    _, ids = made
    folder = home / "keys"
    (old,) = keyring.load_vault(folder / "vault.key")
    monkeypatch.setattr(rewrapping, "_AT_ONCE", 5)
    ledger = open_ledger(home)
    new = keyring.stage_vault(folder)
    if until != "staged":
        begun = opened()
        ledger.commit([Entry(begun, {}), Entry(rewrapped(begun, old, new, "Rina"), {"why": "why"})])
    ledger.close()
    if until in {"adopted", "half", "wrapped"}:
        keyring.adopt_vault(folder)
        database = sqlite3.connect(home / "vault.db", isolation_level=None)
        vault = rewrapping.Vault(database, keyring.load_vault(folder / "vault.key"))
        if until != "adopted":
            assert vault.rewrap(0, 6 if until == "half" else 1000) > 0
        assert vault.rewrapped() == (until == "wrapped")
        database.close()
    assert sound(home, ids)
    make_log(home, 1)
    assert vault_ids(home) == [old.id if until == "staged" else new.id]
    assert {path.name for path in folder.iterdir()} == {"log.key", "log.vkey", "vault.key"}
    assert sound(home, ids)


def test_a_reader_keeps_the_old_key_from_being_destroyed_until_it_is_gone(made, home):
    _, ids = made
    reader = sqlite3.connect(home / "vault.db")
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM record").fetchone()
    with pytest.raises(LogError, match="keeps the old one from being destroyed") as raised:
        rotate_vault(home, "why", "Rina")
    assert "\n" not in str(raised.value)
    assert len(vault_ids(home)) == 2
    assert sound(home, ids)
    reader.close()
    new = vault_ids(home)[0]
    make_log(home, 1)
    assert vault_ids(home) == [new]
    assert sound(home, ids)


def test_a_key_on_another_disk_is_rotated_there(made, home, tmp_path):
    _, ids = made
    place = tmp_path / "disk" / "vault.key"
    place.parent.mkdir()
    (home / "keys" / "vault.key").rename(place)
    (home / "keys" / "vault.key").symlink_to(place)
    copy = tmp_path / "disk" / "copy"
    copy.hardlink_to(place)
    before = place.read_bytes()
    rotate_vault(home, "why", "Rina")
    assert (home / "keys" / "vault.key").is_symlink()
    assert copy.read_bytes() == before != place.read_bytes()
    assert sorted(path.name for path in place.parent.iterdir()) == ["copy", "vault.key"]
    assert sound(home, ids)
    place.rename(tmp_path / "away")
    with pytest.raises(LogError, match=r"vault\.key: the key is missing; restore it"):
        rotate_vault(home, "why", "Rina")
    (tmp_path / "away").rename(place)
    assert sound(home, ids)


def test_without_the_key_of_a_text_nothing_is_changed(made, home):
    _, ids = made
    files = {path: path.read_bytes() for path in (home / "keys").iterdir()}
    size = verify(home).size
    (home / "keys" / "vault.key").write_text(keyring._vault_lines([A]))
    for attempt in (lambda: rotate_vault(home, "why", "Rina"), lambda: make_log(home, 1)):
        with pytest.raises(
            LogError, match=r"vault\.key: no text is under a key that it has; restore the key [0-9a-f]{16}"
        ) as raised:
            attempt()
        assert "\n" not in str(raised.value)
    for path, data in files.items():
        path.write_bytes(data)
    database = sqlite3.connect(home / "vault.db")
    database.execute("UPDATE record SET wrapped = randomblob(92) WHERE id = ?", (ids[4],))
    database.commit()
    database.close()
    with pytest.raises(LogError, match=f"opens the texts of record {ids[4]}, so nothing was changed"):
        rotate_vault(home, "why", "Rina")
    assert {path: path.read_bytes() for path in (home / "keys").iterdir()} == files
    assert verify(home).size == size


def test_an_older_copy_of_the_vault_is_useless_without_the_old_key_and_is_taken_up_with_it(made, home):
    _, ids = made
    old = (home / "keys" / "vault.key").read_text()
    rotate_vault(home, "why", "Rina")
    shutil.copy(made[0] / "vault.db", home / "vault.db")
    with pytest.raises(LogError, match="restore the key"):
        make_log(home, 1)
    assert {what for what in (problem.what for problem in verify(home).problems) if "does not have" in what}
    new = (home / "keys" / "vault.key").read_text()
    (home / "keys" / "vault.key").write_text(new + old)
    make_log(home, 1)
    assert (home / "keys" / "vault.key").read_text() == new
    with LogReader(home) as reader:
        assert reader.texts(ids[2])["answer"].text == TEXTS["answer"]


def forged(what: str) -> Record:
    begun = opened()
    good = rewrapped(begun, A, B, "Mallory")

    def having(**facts: object) -> Record:
        return msgspec.structs.replace(good, facts={**good.facts, **facts})

    return {
        "another vault key": rewrapped(begun, C, B, "Mallory"),
        "keeps the vault key": rewrapped(begun, A, A, "Mallory"),
        "the old vault key": having(codes={"old": good.facts["codes"]["new"]}),
        "not made by who has the old": msgspec.structs.replace(good, id="0" * 32),
        "made by who has the old": having(codes="none"),
        "who has the old": having(new=C.id),
    }[what]


@pytest.mark.parametrize(
    "says",
    [
        "another vault key",
        "keeps the vault key",
        "the old vault key",
        "not made by who has the old",
        "made by who has the old",
        "who has the old",
    ],
)
def test_a_forged_rotation_is_refused_by_the_writer(says, monkeypatch):
    keys = Keys.fresh()
    monkeypatch.setattr(Keys, "fresh", lambda: msgspec.structs.replace(keys, vault=(A,)))

    async def run() -> None:
        async with MemoryLog() as log:
            with pytest.raises(LogError, match=says):
                await log.append(forged(says), {})

    asyncio.run(run())
    rewrapping.check(rewrapped(opened(), A, B, "Rina"), (A, B))
    with pytest.raises(LogError, match="the new vault key"):
        rewrapping.check(msgspec.structs.replace(rewrapped(opened(), A, B, "Rina"), id="0" * 32), (B,))


def test_a_forged_rotation_in_the_database_destroys_no_key_and_is_found(home):
    """Somebody who can write to the folder, and has no vault key, wants the opening of the log to destroy one."""
    (old,) = keyring.load_vault(home / "keys" / "vault.key")
    (home / "keys" / "vault.key").write_text(keyring._vault_lines([A, old]))
    record = rewrapped(opened(), VaultKey(old.id, b"guess" * 8), VaultKey(A.id, b"guess" * 8), "Mallory")
    database = sqlite3.connect(home / "log.db")
    database.execute(
        "UPDATE leaf SET id = ?, subject = ?, kind = ?, bytes = ? WHERE idx = 3",
        (record.id, record.subject, record.kind, msgspec.json.encode(record, order="sorted")),
    )
    database.commit()
    database.close()
    with pytest.raises(LogError, match="was not made by who has the old vault key"):
        make_log(home, 1)
    assert vault_ids(home) == [A.id, old.id]
    assert any(problem.index == 3 and "not made by who has" in problem.what for problem in verify(home).problems)
