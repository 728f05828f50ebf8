"""What goes wrong around a log: killed writers, full disks, missing and replaced files."""

import asyncio
import random
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from lawspeaker.audit.log import Log, open_log
from lawspeaker.audit.reader import LogReader
from lawspeaker.audit.record import opened
from lawspeaker.audit.verify import verify
from lawspeaker.errors import LogError
from tests.audit.logs import append_some, make_log, run_python, start_writer


def opening_fails(home: Path) -> str:
    """What opening the log says; it must be one line."""

    async def run() -> None:
        log = await open_log(home)
        await log.close()

    with pytest.raises(LogError) as raised:
        asyncio.run(run())
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_no_acknowledged_record_is_lost_to_kill_9(tmp_path):
    chance = random.Random(2)
    acknowledged: list[str] = []
    for _ in range(10):
        writer = start_writer(tmp_path, chance.choice([1, 4, 16]))
        assert writer.stdout.readline() == "holds\n"
        time.sleep(chance.uniform(0.0, 0.15))
        writer.send_signal(signal.SIGKILL)
        # The last line may be cut: what was not printed whole was not acknowledged to anybody.
        acknowledged += [line[:32] for line in writer.communicate()[0].splitlines() if len(line) == 32]
        report = verify(tmp_path)
        assert report.ok, report.problems
    with LogReader(tmp_path) as reader:
        assert all(reader.leaf(id_).record.id == id_ for id_ in acknowledged)
        assert reader.size >= len(acknowledged) > 50
    make_log(tmp_path, 1)
    assert verify(tmp_path).ok


FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from lawspeaker.audit.log import open_log
from lawspeaker.audit.record import opened
from lawspeaker.errors import LogError

async def main():
    log = await open_log(Path(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    errors = []
    for n in range(2000):
        try:
            receipt = await log.append(opened(), {"answer": "x" * 2000})
            assert not errors, "acknowledged after an error"
            print(receipt.id, flush=True)
        except LogError as error:
            errors.append(str(error))
            # Room again: a writer that has failed must not go on all the same.
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            if len(errors) == 3:
                break
    assert log.failed
    await log.close()
    print("FAILED", len(errors), errors[0], "|", errors[1], flush=True)
    async with await open_log(Path(sys.argv[1])) as log:
        print((await log.append(opened(), {})).id, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("limit", [40_000, 200_000, 1_000_000])
def test_a_full_disk_stops_the_writer_until_it_is_opened_again(tmp_path, limit):
    done = run_python(FULL_DISK, str(tmp_path / "home"), str(limit))
    assert not done.returncode, done.stderr
    lines = done.stdout.splitlines()
    failure = next(line for line in lines if line.startswith("FAILED"))
    assert failure.startswith("FAILED 3 the audit log has stopped")
    assert str(tmp_path) in failure
    report = verify(tmp_path / "home")
    assert report.ok, report.problems
    with LogReader(tmp_path / "home") as reader:
        for id_ in lines:
            assert id_ == failure or reader.leaf(id_).record.id == id_


def test_a_database_that_cannot_be_written_any_more_stops_the_writer(tmp_path):
    async def run() -> list[str]:
        async with await open_log(tmp_path) as log:
            kept = [receipt.id for receipt in await append_some(log, 3)]
            meddle("CREATE TRIGGER no BEFORE INSERT ON checkpoint BEGIN SELECT raise(ABORT, 'no'); END")
            with pytest.raises(LogError, match=r"log\.db: the database cannot be used: no"):
                await log.append(opened(), {"answer": "never acknowledged"})
            with pytest.raises(LogError, match="acknowledges nothing until it is opened again"):
                await log.append(opened(), {})
            assert log.failed
            return kept

    def meddle(statement: str) -> None:
        connection = sqlite3.connect(tmp_path / "log.db")
        connection.execute(statement)
        connection.close()

    kept = asyncio.run(run())
    meddle("DROP TRIGGER no")
    assert make_log(tmp_path, 1)[0].index == 3
    with LogReader(tmp_path) as reader:
        assert [reader.leaf(id_).index for id_ in kept] == [0, 1, 2]
    assert verify(tmp_path).ok


def test_a_log_that_can_no_longer_be_published_takes_nothing_more(tmp_path):
    async def run() -> list[str]:
        async with await open_log(tmp_path) as log:
            kept = [receipt.id for receipt in await append_some(log, 2)]
            shutil.rmtree(tmp_path / "log" / "tile", ignore_errors=True)
            (tmp_path / "log" / "tile").write_text("in the way")
            for _ in range(300):
                try:
                    kept.append((await log.append(opened(), {})).id)
                    await asyncio.sleep(0.01)
                except LogError as error:
                    assert "log/tile" in str(error)
                    return kept
            return []

    kept = asyncio.run(run())
    assert len(kept) > 2
    (tmp_path / "log" / "tile").unlink()
    make_log(tmp_path, 1)
    with LogReader(tmp_path) as reader:
        assert [reader.leaf(id_).index for id_ in kept] == list(range(len(kept)))
    report = verify(tmp_path)
    assert report.ok, report.problems


def test_a_log_says_that_it_takes_nothing_before_somebody_tries(tmp_path):
    async def run() -> str:
        async with await open_log(tmp_path) as log:
            shutil.rmtree(tmp_path / "log" / "tile", ignore_errors=True)
            (tmp_path / "log" / "tile").write_text("in the way")
            await append_some(log, 1)  # its files are written behind it
            for _ in range(300):
                if said := (await log.state()).trouble:
                    assert log.failed == said
                    return said
                await asyncio.sleep(0.01)
            return ""

    assert "log/tile" in asyncio.run(run())


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in opening_fails(tmp_path / "file")
    assert "Not a directory" in opening_fails(tmp_path / "file" / "below")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "log").write_text("")
    assert "home" in opening_fails(tmp_path / "home")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "keys").write_text("")
    assert "other" in opening_fails(tmp_path / "other")
    assert "/proc" in opening_fails(Path("/proc/lawspeaker"))


def test_a_database_that_is_none_is_refused(tmp_path):
    make_log(tmp_path, 2)
    for name in ("log.db", "vault.db"):
        kept = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(b"not a database" * 1000)
        assert f"{name}: the database cannot be used" in opening_fails(tmp_path)
        (tmp_path / name).unlink()
        assert f"{name} is missing" in opening_fails(tmp_path)
        (tmp_path / name).mkdir()
        assert name in opening_fails(tmp_path)
        (tmp_path / name).rmdir()
        (tmp_path / name).write_bytes(kept)
    make_log(tmp_path, 1)


@pytest.mark.parametrize("name", ["log.key", "log.vkey", "vault.key"])
def test_a_missing_or_unreadable_key_is_refused_and_never_replaced(tmp_path, name):
    make_log(tmp_path, 2)
    path = tmp_path / "keys" / name
    kept = path.read_text()
    for text in ("", "nonsense\n", kept.replace("+", "-"), kept[:-8] + "\n", kept.replace(kept[-9], "_")):
        path.write_text(text)
        assert "key" in opening_fails(tmp_path)
    path.unlink()
    assert f"{name}: the" in opening_fails(tmp_path)
    path.write_text(kept)
    make_log(tmp_path, 1)
    assert verify(tmp_path).ok


def test_the_keys_of_another_log_are_refused(tmp_path):
    make_log(tmp_path / "home", 2)
    make_log(tmp_path / "other", 2)
    for names, says in ((["log.key"], "not the public half"), (["log.key", "log.vkey"], "not signed by")):
        home = shutil.copytree(tmp_path / "home", tmp_path / str(len(names)))
        for name in names:
            shutil.copy(tmp_path / "other" / "keys" / name, home / "keys" / name)
        assert says in opening_fails(home)


def test_a_tampered_log_is_not_appended_to(tmp_path):
    make_log(tmp_path / "clean", 5, 300)
    for number, (statement, says) in enumerate(
        [
            ("UPDATE leaf SET bytes = x'7b7d' WHERE idx = 2", "tile 0 of level 0 does not match"),
            ("UPDATE leaf SET bytes = x'7b7d' WHERE idx = 300", "do not hash to the signed checkpoint"),
            ("DELETE FROM leaf WHERE idx = 304", "last checkpoint is of 305 records, 304 are stored"),
            ("DELETE FROM leaf WHERE idx = 3", "tampered with"),
            ("UPDATE tile SET hashes = zeroblob(8192) WHERE level = 0", "tile 0 of level 0 does not match"),
            ("DELETE FROM checkpoint", "there are records but no checkpoint"),
            ("UPDATE checkpoint SET note = replace(note, char(10) || '305', char(10) || '306')", "is wrong"),
            ("UPDATE meta SET value = 'lawspeaker-log 2' WHERE name = 'format'", "the format is 'lawspeaker-log 2'"),
            ("UPDATE meta SET value = 'x' WHERE name = 'origin'", "not of 'x'"),
        ]
    ):
        home = shutil.copytree(tmp_path / "clean", tmp_path / str(number))
        connection = sqlite3.connect(home / "log.db")
        connection.execute(statement)
        connection.commit()
        connection.close()
        assert says in opening_fails(home)


def test_an_older_copy_of_the_database_is_refused(tmp_path):
    make_log(tmp_path, 5)
    older = {name: (tmp_path / name).read_bytes() for name in ("log.db", "vault.db")}
    make_log(tmp_path, 5)
    for name, data in older.items():
        (tmp_path / name).write_bytes(data)
    assert "the published log has 10 records, the database only 5" in opening_fails(tmp_path)


def test_an_older_log_beside_a_newer_vault_is_refused_and_no_text_is_removed(tmp_path):
    make_log(tmp_path, 5)
    older = (tmp_path / "log.db").read_bytes()
    make_log(tmp_path, 0, 300)
    newer = (tmp_path / "log.db").read_bytes()
    (tmp_path / "log.db").write_bytes(older)
    shutil.move(tmp_path / "log", tmp_path / "gone")
    assert "an older log.db was put in its place" in opening_fails(tmp_path)
    (tmp_path / "log.db").write_bytes(newer)
    assert make_log(tmp_path, 1)[0].index == 305
    assert verify(tmp_path).ok


def test_a_slightly_older_log_without_its_published_head_is_refused(tmp_path):
    make_log(tmp_path, 2)
    older = (tmp_path / "log.db").read_bytes()
    make_log(tmp_path, 3)
    (tmp_path / "log.db").write_bytes(older)
    (tmp_path / "log" / "checkpoint").unlink()
    assert "an older log.db was put in its place" in opening_fails(tmp_path)


def test_a_replaced_published_head_is_refused(tmp_path):
    make_log(tmp_path / "other", 3)
    make_log(tmp_path / "home", 3)
    shutil.copy(tmp_path / "other" / "log" / "checkpoint", tmp_path / "home" / "log" / "checkpoint")
    assert "not signed by" in opening_fails(tmp_path / "home")


def test_a_first_opening_that_was_cut_off_is_begun_anew(tmp_path):
    make_log(tmp_path, 0)
    (tmp_path / "keys" / "log.vkey").unlink()
    assert make_log(tmp_path, 1)[0].index == 0
    assert verify(tmp_path).ok


def test_texts_that_a_crash_left_behind_are_removed(tmp_path):
    make_log(tmp_path, 2)
    connection = sqlite3.connect(tmp_path / "vault.db")
    connection.execute("INSERT INTO record VALUES (99, 'orphan', 'k', x'01')")
    connection.commit()
    assert verify(tmp_path).ok
    make_log(tmp_path, 1)
    assert connection.execute("SELECT count(*) FROM record WHERE id = 'orphan'").fetchone() == (0,)
    connection.close()
    assert verify(tmp_path).ok


def test_verification_beside_a_busy_writer_finds_nothing(tmp_path):
    async def run() -> None:
        async with await open_log(tmp_path) as log:
            await append_some(log, 5)
            writing = asyncio.create_task(_keep_writing(log))
            for _ in range(15):
                report = await asyncio.to_thread(verify, tmp_path)
                assert report.ok, report.problems
            writing.cancel()

    asyncio.run(run())


async def _keep_writing(log: Log) -> None:
    while True:
        await asyncio.gather(*[log.append(opened(), {"answer": "x"}) for _ in range(30)])


@pytest.mark.parametrize("taken", ["removed", "replaced"])
def test_of_two_processes_that_think_they_are_the_writer_the_first_stops_and_nothing_is_lost(tmp_path, taken):
    async def run() -> list[str]:
        first = await open_log(tmp_path)
        kept = [receipt.id for receipt in await append_some(first, 3)]
        lock = tmp_path / "log" / "writer.lock"
        lock.unlink()
        if taken == "replaced":
            lock.touch()
        async with await open_log(tmp_path) as second:
            assert first.holds and second.holds
            kept += [receipt.id for receipt in await append_some(second, 2)]
            with pytest.raises(LogError, match=r"log\.db: another process wrote to the log") as raised:
                await first.append(opened(), {"answer": "never acknowledged"})
            assert "\n" not in str(raised.value)
            kept += [receipt.id for receipt in await append_some(second, 2)]
            with pytest.raises(LogError, match="acknowledges nothing until it is opened again"):
                await first.append(opened(), {})
            await first.close()
        return kept

    kept = asyncio.run(run())
    assert verify(tmp_path).problems == ()
    with LogReader(tmp_path) as reader:
        assert [reader.leaf(id_).index for id_ in kept] == list(range(7))
        assert all(text.state == "present" for id_ in kept for text in reader.texts(id_).values())
    assert make_log(tmp_path, 1)[0].index == 7


def test_a_large_log_is_opened_by_its_tiles(tmp_path, monkeypatch):
    make_log(tmp_path, 3, 600)
    monkeypatch.setattr("lawspeaker.audit.loading.FULLY_CHECKED", 100)
    assert make_log(tmp_path, 1)[0].index == 603
    connection = sqlite3.connect(tmp_path / "log.db")
    connection.execute("UPDATE tile SET hashes = zeroblob(length(hashes)) WHERE level = 1")
    connection.commit()
    connection.close()
    assert "do not hash to the signed checkpoint" in opening_fails(tmp_path)
