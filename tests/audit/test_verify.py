"""Tampering: whatever is changed is found, and the record or the file is named."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from lawspeaker.audit.checkpoint import Checkpoint, Signer, decode64
from lawspeaker.audit.merkle import hash_leaf
from lawspeaker.audit.reader import LogReader, read_vkeys
from lawspeaker.audit.tiles import Tree
from lawspeaker.audit.verify import Report, verify
from lawspeaker.errors import LogError
from tests.audit.logs import make_log

SIZE = 300


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """A closed log: 40 records with a head each, then 260 that share heads. Its files end in one partial tile."""
    home = tmp_path_factory.mktemp("clean") / "home"
    make_log(home, 40, 260)
    return home


@pytest.fixture
def home(clean, tmp_path):
    return shutil.copytree(clean, tmp_path / "home")


def edit(path: Path, *statements: str) -> None:
    """Change a database as somebody with the file could, whatever the schema says."""
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def flip(path: Path, place: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


def indices(report: Report) -> set[int | None]:
    return {problem.index for problem in report.problems}


def said(report: Report) -> str:
    return "\n".join(problem.what for problem in report.problems)


def changed_leaf(index: int) -> str:
    text = "replace(CAST(bytes AS TEXT), 'lawspeaker/', 'Lawspeaker/')"
    return f"UPDATE leaf SET bytes = CAST({text} AS BLOB) WHERE idx = {index}"


def test_a_clean_log_is_clean(clean):
    report = verify(clean)
    assert (report.ok, report.size, report.problems) == (True, SIZE, ())
    assert "Integrity only" in report.scope
    assert f"{2 * SIZE} texts match" in report.scope
    keyed = verify(clean, read_vkeys(clean)[0])
    assert keyed.ok
    assert "the key that was given" in keyed.scope


@pytest.mark.parametrize("index", [0, 7, 39, 40, 255, 256, 299])
def test_a_changed_record_is_found_at_its_index(home, index):
    edit(home / "log.db", changed_leaf(index))
    report = verify(home)
    assert not report.ok
    assert indices(report) == {index, None}
    assert "is not the root" in said(report)


@pytest.mark.parametrize("index", [3, 299])
def test_a_record_that_was_changed_everywhere_is_found_by_the_signed_heads(home, index):
    """Somebody without the signing key rewrites leaf, tiles and files alike."""
    edit(home / "log.db", changed_leaf(index))
    connection = sqlite3.connect(home / "log.db")
    leaves = [data for (data,) in connection.execute("SELECT bytes FROM leaf ORDER BY idx")]
    tree = Tree(lambda level, n: b"")
    for leaf in leaves:
        for tile in tree.append(hash_leaf(leaf)):
            place = (tile.data, tile.level, tile.n)
            connection.execute("UPDATE tile SET hashes = ? WHERE level = ? AND n = ?", place)
    connection.commit()
    connection.close()
    shutil.rmtree(home / "log")
    report = verify(home)
    assert index in indices(report) or index == 299
    assert "is not the root of the records" in said(report)


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("DELETE FROM leaf WHERE idx = 17", 17),
        ("DELETE FROM leaf WHERE idx >= 290", 290),
        ("UPDATE leaf SET idx = 100000000000 WHERE idx = 299", 299),
        ("UPDATE leaf SET idx = -1 WHERE idx = 0", 0),
        ("UPDATE leaf SET id = '00000000000000000000000000000000' WHERE idx = 21", 21),
        ("UPDATE leaf SET kind = 'decision' WHERE idx = 22", 22),
        ("UPDATE leaf SET subject = '00000000000000000000000000000000' WHERE idx = 23", 23),
        ("UPDATE leaf SET bytes = x'' WHERE idx = 24", 24),
        ("UPDATE leaf SET bytes = CAST(bytes || x'20' AS BLOB) WHERE idx = 25", 25),
        ("UPDATE tile SET hashes = CAST(substr(hashes, 2) || x'00' AS BLOB) WHERE level = 0 AND n = 0", 0),
    ],
)
def test_changes_in_the_database_are_found_at_the_record(home, statement, index):
    edit(home / "log.db", statement)
    report = verify(home)
    assert not report.ok
    assert min(found for found in indices(report) if found is not None) == index


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE tile SET hashes = CAST(substr(hashes, 2) || x'00' AS BLOB) WHERE level = 1", "tile 0 of level 1"),
        ("DELETE FROM tile WHERE level = 1", "tile 0 of level 1"),
        ("INSERT INTO tile VALUES (5, 5, x'00')", "tile 5 of level 5"),
        ("UPDATE checkpoint SET note = replace(note, 'lawspeaker.local', 'elsewhere') WHERE size = 5", "checkpoint 5"),
        ("UPDATE checkpoint SET size = 100000000 WHERE size = 300", "its text says 300"),
        ("DELETE FROM checkpoint WHERE size = 300", "no such head of size 300"),
        ("UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = 5) WHERE size = 6", "says 5"),
        ("UPDATE meta SET value = 'lawspeaker-log 9' WHERE name = 'format'", "format"),
        ("UPDATE meta SET value = 'x' WHERE name = 'origin'", "not of 'x'"),
        ("DELETE FROM meta", "format"),
        ("DELETE FROM checkpoint", "under a head|no such head|last head is of 0"),
    ],
)
def test_changes_in_the_database_are_named(home, statement, says):
    edit(home / "log.db", statement)
    report = verify(home)
    assert not report.ok
    assert any(part in said(report) for part in says.split("|"))


def test_two_records_that_trade_places_are_both_found(home):
    edit(
        home / "log.db",
        "UPDATE leaf SET idx = -5 WHERE idx = 10",
        "UPDATE leaf SET idx = 10 WHERE idx = 30",
        "UPDATE leaf SET idx = 30 WHERE idx = -5",
    )
    assert indices(verify(home)) >= {10, 30}


@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_in_a_tile_or_bundle_is_found_at_its_record(home, bit):
    flip(home / "log" / "tile" / "0" / "000", 32 * 40 + 3, bit)
    flip(home / "log" / "tile" / "0" / "001.p" / "44", 32 * 20 + 31, bit)
    bundle = home / "log" / "tile" / "entries" / "000"
    place = 0
    for _ in range(100):
        place += 2 + int.from_bytes(bundle.read_bytes()[place : place + 2], "big")
    flip(bundle, place + bit, bit)
    report = verify(home)
    assert indices(report) == {40, 100, 276}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("tile/0/000", None),
        ("tile/0/000", b""),
        ("tile/0/001.p/44", b"x"),
        ("tile/1/000.p/1", b"\0" * 32),
        ("tile/1/000.p/1", None),
        ("tile/entries/000", None),
        ("tile/0/002", b"\0" * 8192),
        ("tile/0/001.p/045", b""),
        ("tile/0/001.p/60", b""),
        ("tile/gossip", b""),
        ("checkpoint", None),
        ("checkpoint", b"\xff\xfe"),
    ],
)
def test_files_that_are_missing_wrong_or_too_many_are_named(home, name, data):
    path = home / "log" / name
    path.unlink(missing_ok=True)
    if data is not None:
        path.write_bytes(data)
    report = verify(home)
    assert f"log/{name}" in said(report)


def test_a_longer_tile_or_bundle_is_named(home):
    for name in ("tile/0/000", "tile/entries/000"):
        with (home / "log" / name).open("ab") as file:
            file.write(b"\0" * 32)
    assert said(verify(home)).count("is longer than") == 2


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("UPDATE text SET sealed = CAST(x'00' || substr(sealed, 2) AS BLOB) WHERE seq = 12", 11),
        ("DELETE FROM text WHERE seq = 13 AND name = 'answer'", 12),
        ("UPDATE record SET wrapped = CAST(x'00' || substr(wrapped, 2) AS BLOB) WHERE seq = 14", 13),
        ("DELETE FROM record WHERE seq = 15", 14),
        ("UPDATE text SET name = 'other' WHERE seq = 16 AND name = 'answer'", 15),
        ("INSERT INTO text VALUES (17, 'more', x'00')", 16),
        ("UPDATE record SET key = 'another' WHERE seq = 18", 17),
    ],
)
def test_changes_in_the_vault_are_found_at_the_record(home, statement, index):
    edit(home / "vault.db", "PRAGMA foreign_keys = ON", statement)
    report = verify(home)
    assert indices(report) == {index}
    assert "vault.db" in said(report)


def test_texts_of_no_record_are_found_unless_a_crash_may_have_left_them(home):
    edit(home / "vault.db", "INSERT INTO record VALUES (1000, 'aaaa', 'k', x'01')")
    assert verify(home).ok
    edit(home / "vault.db", "UPDATE record SET seq = -1 WHERE seq = 1000")
    assert "texts of aaaa" in said(verify(home))


def test_a_vault_without_its_key_is_said_not_to_be_checked(home):
    (home / "keys" / "vault.key").unlink()
    report = verify(home)
    assert report.ok
    assert f"{2 * SIZE} were not checked" in report.scope


def damage_pages(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for page in range(8192, len(data), 8192):
        data[page : page + 200] = b"\xa5" * 200
    path.write_bytes(data)


@pytest.mark.parametrize(
    "ruin",
    [
        lambda home: (home / "log.db").write_bytes(b""),
        lambda home: (home / "log.db").write_bytes(b"not a database" * 1000),
        lambda home: damage_pages(home / "log.db"),
        lambda home: (home / "log.db").write_bytes((home / "log.db").read_bytes()[:20_000]),
        lambda home: (home / "vault.db").write_bytes(b"not a database" * 1000),
        lambda home: damage_pages(home / "vault.db"),
        lambda home: (home / "vault.db").unlink(),
        lambda home: shutil.rmtree(home / "log"),
        lambda home: (home / "keys" / "log.vkey").unlink(),
        lambda home: (home / "keys" / "log.vkey").write_text("nonsense\n"),
        lambda home: (home / "keys" / "vault.key").write_text("nonsense\n"),
        lambda home: edit(home / "log.db", "DROP TABLE leaf"),
        lambda home: edit(home / "log.db", "DROP TABLE checkpoint"),
        lambda home: edit(home / "vault.db", "DROP TABLE record"),
    ],
)
def test_a_log_in_ruins_is_a_report_and_never_a_traceback(home: Path, ruin: Callable[[Path], None]):
    ruin(home)
    assert not verify(home).ok


def test_random_damage_is_one_line_and_never_a_traceback(clean, tmp_path):
    chance = random.Random(3)
    for number in range(30):
        home = shutil.copytree(clean, tmp_path / str(number))
        path = home / chance.choice(["log.db", "vault.db", "keys/log.vkey", "keys/vault.key", "log/checkpoint"])
        for _ in range(chance.choice([1, 3, 20])):
            flip(path, chance.randrange(path.stat().st_size), chance.randrange(8))
        verify(home)
        with suppress(LogError), LogReader(home) as reader:
            for leaf in reader.recent(5):
                reader.prove(leaf.record.id)
                reader.texts(leaf.record.id)
        with suppress(LogError):
            make_log(home, 1)
        shutil.rmtree(home)


def test_another_log_under_another_key_is_found_only_with_a_key_from_elsewhere(clean, tmp_path):
    make_log(tmp_path / "forged", 10)
    assert verify(tmp_path / "forged").ok
    report = verify(tmp_path / "forged", read_vkeys(clean)[0])
    assert not report.ok
    assert "not signed by" in said(report)


def test_a_head_that_the_key_holder_signed_over_other_records_is_found(home):
    text = (home / "keys" / "log.key").read_text()
    signer = Signer(text.split("+")[2], decode64(text.strip().split("+", 4)[4])[1:])
    forged = signer.sign(Checkpoint(signer.name, 20, bytes(32)))
    connection = sqlite3.connect(home / "log.db")
    connection.execute("UPDATE checkpoint SET note = ? WHERE size = 20", (forged,))
    connection.commit()
    connection.close()
    report = verify(home)
    assert indices(report) == {None}
    assert "checkpoint 20: it is signed over other records" in said(report)


def test_where_there_is_no_log_that_is_an_error(tmp_path):
    with pytest.raises(LogError, match="no audit log"):
        verify(tmp_path)
    make_log(tmp_path / "home", 1)
    with pytest.raises(LogError, match="verifier key"):
        verify(tmp_path / "home", "nonsense")


def test_every_flipped_byte_of_the_static_files_is_found(tmp_path):
    home = tmp_path / "home"
    make_log(home, 3)
    for path in sorted((home / "log").rglob("*")):
        if path.is_file() and path.name != "writer.lock":
            data = path.read_bytes()
            for place in range(0, len(data), 7):
                flip(path, place, place % 8)
                assert not verify(home).ok, (path, place)
                path.write_bytes(data)
    assert verify(home).ok
