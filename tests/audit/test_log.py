"""Appending and reading back: receipts, batches, files, a second process."""

import asyncio
import sqlite3
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from lawspeaker.audit import tiles
from lawspeaker.audit.checkpoint import Verifier, open_note
from lawspeaker.audit.log import Log, MemoryLog, open_log
from lawspeaker.audit.merkle import hash_leaf, verify_consistency
from lawspeaker.audit.publish import due
from lawspeaker.audit.reader import LogReader, read_vkeys
from lawspeaker.audit.receipt import Receipt, verify_receipt
from lawspeaker.audit.record import LARGEST_LEAF, opened
from lawspeaker.audit.verify import verify
from lawspeaker.errors import LogError
from tests.audit.logs import TEXTS, append_at_once, append_some, decision, make_log, start_writer


def in_log(home: Path, work: Callable[[Log], Awaitable[None]]) -> None:
    async def run() -> None:
        async with await open_log(home) as log:
            await work(log)

    asyncio.run(run())


def test_every_receipt_proves_its_record(tmp_path):
    receipts = make_log(tmp_path / "home", 20, 300)
    assert [receipt.index for receipt in receipts[:20]] == list(range(20))
    assert sorted(receipt.index for receipt in receipts) == list(range(320))
    keys = read_vkeys(tmp_path / "home")
    with LogReader(tmp_path / "home") as reader:
        for receipt in receipts:
            leaf = reader.leaf(receipt.id[:12])
            assert verify_receipt(receipt, leaf.data, *keys).size > receipt.index
            assert verify_receipt(reader.prove(receipt.id), leaf.data, *keys).size == reader.size == 320
            assert leaf.digest == receipt.digest


def test_a_receipt_with_anything_changed_proves_nothing(tmp_path):
    receipt = make_log(tmp_path / "home", 5)[2]
    keys = read_vkeys(tmp_path / "home")
    with LogReader(tmp_path / "home") as reader:
        leaf = reader.leaf(receipt.id).data
        receipt = reader.prove(receipt.id)
    for changes in (
        {"index": 1},
        {"digest": "sha256:" + "0" * 64},
        {"digest": "0" * 64},
        {"proof": receipt.proof[::-1]},
        {"proof": ("?", *receipt.proof)},
        {"proof": ("AAAA", *receipt.proof[1:])},
        {"checkpoint": receipt.checkpoint.replace("\n5\n", "\n6\n")},
    ):
        with pytest.raises(LogError):
            verify_receipt(msgspec.structs.replace(receipt, **changes), None, *keys)
    with pytest.raises(LogError, match="another record"):
        verify_receipt(receipt, leaf + b" ", *keys)
    with pytest.raises(LogError, match="not signed by"):
        verify_receipt(receipt, leaf, MemoryVkey.of())


class MemoryVkey:
    """The key of some other log."""

    @staticmethod
    def of() -> str:
        async def run() -> str:
            async with MemoryLog() as log:
                return log.vkey

        return asyncio.run(run())


def test_texts_come_back_and_leaves_hold_none_of_them(tmp_path):
    receipt = make_log(tmp_path / "home", 1)[0]
    with LogReader(tmp_path / "home") as reader:
        texts = reader.texts(receipt.id)
        assert {name: text.text for name, text in texts.items()} == TEXTS
        assert b"bucket" not in reader.leaf(receipt.id).data
    (tmp_path / "home" / "keys" / "vault.key").unlink()
    with LogReader(tmp_path / "home") as reader:
        assert {text.state for text in reader.texts(receipt.id).values()} == {"locked"}


def test_a_changed_record_gets_no_receipt(tmp_path):
    receipts = make_log(tmp_path, 3, 300)
    connection = sqlite3.connect(tmp_path / "log.db")
    for index in (1, 301):
        change = "CAST(replace(CAST(bytes AS TEXT), 'release', 'refuse!') || ' ' AS BLOB)"
        connection.execute(f"UPDATE leaf SET bytes = {change} WHERE idx = {index}")
    connection.commit()
    connection.close()
    by_index = {receipt.index: receipt.id for receipt in receipts}
    with LogReader(tmp_path) as reader:
        for index in (1, 301):
            with pytest.raises(LogError, match="it was changed"):
                reader.prove(by_index[index])


def test_many_coroutines_share_commits(tmp_path):
    receipts = make_log(tmp_path / "home", 0, 200)
    heads = {receipt.checkpoint for receipt in receipts}
    assert len(heads) < 50
    assert verify(tmp_path / "home").ok


def test_who_asks_again_at_once_finds_the_others_in_the_next_batch(tmp_path):
    heads: set[str] = set()

    async def work(log: Log) -> None:
        async def again() -> None:
            for _ in range(12):
                heads.add((await log.append(opened(), TEXTS)).checkpoint)

        await asyncio.gather(*(again() for _ in range(12)))

    in_log(tmp_path, work)
    assert len(heads) < 144 / 3


def test_heads_are_consistent_with_each_other(tmp_path):
    home = tmp_path / "home"
    receipts = make_log(home, 30)
    keys = [Verifier(key) for key in read_vkeys(home)]
    heads = [open_note(receipt.checkpoint, keys) for receipt in receipts]
    with LogReader(home) as reader:
        for old in heads:
            proof = reader.prove_consistency(old.size)
            assert verify_consistency(old.size, heads[-1].size, proof, old.root, heads[-1].root)


def test_a_bad_record_fails_alone(tmp_path):
    async def work(log: Log) -> None:
        good = opened()
        await log.append(good, {})
        for bad, says in (
            (good, "in the log already"),
            (opened(facts={"x": "y" * LARGEST_LEAF}), "at most"),
            (opened(facts={"x": "\ud800"}), "plain data"),
        ):
            with pytest.raises(LogError, match=says):
                await log.append(bad, {})
        same = opened()
        mixed = [log.append(same, {}), log.append(same, {}), log.append(opened(), {})]
        outcomes = await asyncio.gather(*mixed, return_exceptions=True)
        assert sum(isinstance(outcome, Receipt) for outcome in outcomes) == 2
        assert not log.failed

    in_log(tmp_path / "home", work)
    assert verify(tmp_path / "home").size == 3


def test_a_closed_log_takes_nothing(tmp_path):
    async def run() -> None:
        log = await open_log(tmp_path / "home")
        waiting = asyncio.gather(*[log.append(opened(), {}) for _ in range(20)])
        await asyncio.sleep(0)
        await log.close()
        assert len(await waiting) == 20
        with pytest.raises(LogError, match="closed"):
            await log.append(opened(), {})
        await log.close()

    asyncio.run(run())
    assert not (tmp_path / "home" / "writer.sock").exists()


def test_reopening_goes_on_where_the_log_was(tmp_path):
    for size in range(0, 600, 100):
        assert verify(tmp_path).size == size if size else True
        assert {receipt.index for receipt in make_log(tmp_path, 1, 99)} == set(range(size, size + 100))
    report = verify(tmp_path)
    assert (report.ok, report.size) == (True, 600)


def test_a_history_is_found_by_the_beginning_of_an_id(tmp_path):
    first, second = opened(), opened()
    ruled = decision(first.id)

    async def work(log: Log) -> None:
        for record in (first, second, ruled):
            await log.append(record, {})

    in_log(tmp_path, work)
    with LogReader(tmp_path) as reader:
        assert [leaf.record.id for leaf in reader.history(ruled.id[:8])] == [first.id, ruled.id]
        assert [leaf.record.id for leaf in reader.recent(2)] == [ruled.id, second.id]
        assert [leaf.index for leaf in reader.of_kind("opened")] == [0, 1]
        for wrong, says in (("1234", "8 to 32"), ("g" * 8, "8 to 32"), ("%" * 8, "8 to 32"), ("0" * 32, "no record")):
            with pytest.raises(LogError, match=says):
                reader.find(wrong)


def test_only_the_owner_can_read_the_log(tmp_path):
    home = tmp_path / "home"

    async def work(log: Log) -> None:
        await append_some(log, 3)
        modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in (home, *home.rglob("*")) if path.suffix != ".tmp"}
        assert all(mode == (0o700 if path.is_dir() else 0o600) for path, mode in modes.items())
        assert {path.name for path in home.iterdir()} >= {"log.db", "vault.db", "writer.sock", "keys", "log"}

    in_log(home, work)


def test_the_static_files_are_those_of_every_head(tmp_path):
    make_log(tmp_path, 3, 260)
    tile = tmp_path / "log" / "tile"
    assert len((tile / "0" / "000").read_bytes()) == 8192
    assert not (tile / "0" / "000.p").exists()
    assert (tile / "0" / "001.p" / "7").stat().st_size == 7 * 32
    assert (tile / "1" / "000.p" / "1").stat().st_size == 32
    entries = (tile / "entries" / "000").read_bytes()
    first = entries[2 : 2 + int.from_bytes(entries[:2], "big")]
    assert hash_leaf(first) == (tile / "0" / "000").read_bytes()[:32]
    with LogReader(tmp_path) as reader:
        assert (tmp_path / "log" / "checkpoint").read_text() == reader.checkpoint


def test_static_files_are_made_again(tmp_path):
    make_log(tmp_path, 3, 260)
    make_log(tmp_path, 2)
    before = {path: path.read_bytes() for path in (tmp_path / "log" / "tile").rglob("*") if path.is_file()}
    for path in before:
        path.unlink() if path.name != "000" else path.write_bytes(b"")
    (tmp_path / "log" / "checkpoint").unlink()
    make_log(tmp_path, 0)
    needed = {tmp_path / "log" / tiles.path(*place) for place in due(265)}
    assert {path: path.read_bytes() for path in needed} == {path: before[path] for path in needed}
    assert verify(tmp_path).ok


def test_a_second_process_appends_through_the_first(tmp_path):
    home = tmp_path / ("long" * 40) / "home"

    async def work(log: Log) -> None:
        await append_some(log, 1)
        second = await asyncio.to_thread(start_writer, home)
        assert await asyncio.to_thread(second.stdout.readline) == "asks\n"
        theirs = [(await asyncio.to_thread(second.stdout.readline)).strip() for _ in range(20)]
        await append_at_once(log, 20)
        second.kill()
        await asyncio.to_thread(second.communicate)
        with log.reader() as reader:
            assert [reader.leaf(id_).record.id for id_ in theirs] == theirs
        await append_some(log, 1)

    in_log(home, work)
    assert verify(home).ok


def test_the_second_process_takes_over_when_the_first_dies(tmp_path):
    holder = start_writer(tmp_path)
    assert holder.stdout.readline() == "holds\n"

    async def run() -> tuple[list[Receipt], bool]:
        async with await open_log(tmp_path) as log:
            assert not log.holds
            receipts = await append_some(log, 5)
            writing = asyncio.gather(*[append_some(log, 20) for _ in range(5)])
            await asyncio.sleep(0.05)
            holder.kill()
            more = [*await writing, await append_some(log, 5)]  # the writing may have ended before
            return [*receipts, *[receipt for some in more for receipt in some]], log.holds

    mine, holds = asyncio.run(run())
    theirs = holder.communicate()[0].split()
    assert holds
    with LogReader(tmp_path) as reader:
        for id_ in [*(receipt.id for receipt in mine), *theirs]:
            assert reader.leaf(id_).record.id == id_
    assert len({receipt.index for receipt in mine}) == 110
    assert verify(tmp_path).ok


def test_a_stranger_on_the_socket_gets_an_answer_and_harms_nothing(tmp_path):
    async def work(log: Log) -> None:
        for data in (b"\xff\xff\xff\xff", b"\0\0\0\2{}", b"\0\0\0\3abc"):
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "writer.sock"))
            writer.write(data)
            length = int.from_bytes(await reader.readexactly(4), "big")
            assert b"error" in await reader.readexactly(length)
            writer.close()
        _, writer = await asyncio.open_unix_connection(str(tmp_path / "writer.sock"))
        writer.write(b"\0\0\1\0half")
        writer.close()
        await append_some(log, 1)

    in_log(tmp_path, work)


def test_a_log_in_memory_is_a_log():
    async def run() -> None:
        async with MemoryLog() as log:
            receipts = [*await append_some(log, 3), *await append_at_once(log, 300)]
            with log.reader() as reader:
                assert reader.texts(receipts[0].id)["answer"].text == TEXTS["answer"]
                for receipt in (*receipts, reader.prove(receipts[1].id)):
                    verify_receipt(receipt, reader.leaf(receipt.id).data, log.vkey)

    asyncio.run(run())
