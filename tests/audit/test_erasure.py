"""Erasure, legal holds and retention: what is gone is gone from every file, and every proof still verifies."""

import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from lawspeaker.audit.erasure import erase, hold
from lawspeaker.audit.log import Log, open_log
from lawspeaker.audit.reader import LogReader, read_vkeys
from lawspeaker.audit.receipt import verify_receipt
from lawspeaker.audit.record import now, opened
from lawspeaker.audit.retention import Rules, maintain, months_before, rules_of, set_rules
from lawspeaker.audit.verify import verify
from lawspeaker.errors import LogError
from tests.audit.logs import TEXTS, append_some, decision, make_log

CANARIES = 60


def in_log(home: Path, work: Callable[[Log], Awaitable[None]]) -> None:
    async def run() -> None:
        async with await open_log(home) as log:
            await work(log)

    asyncio.run(run())


def secrets_of(home: Path, ids: list[str]) -> list[bytes]:
    """Wrapped keys and ciphertexts: whoever finds one of each, and the vault key, can read a text."""
    database = sqlite3.connect(home / "vault.db")
    query = "SELECT wrapped, sealed FROM record JOIN text USING (seq) WHERE id = ?"
    found = [part for id_ in ids for row in database.execute(query, (id_,)) for part in row]
    database.close()
    # Long values are spread over pages, so every 500 bytes have a needle of their own.
    return [*dict.fromkeys(part[at : at + 24] for part in found for at in range(0, len(part) - 24, 500))]


def holding(home: Path, needles: list[bytes]) -> list[tuple[str, bytes]]:
    files = [(path.name, path.read_bytes()) for path in home.rglob("*") if path.is_file()]
    return [(name, needle) for name, data in files for needle in needles if needle in data]


def test_no_file_holds_anything_of_an_erased_text_and_every_proof_verifies(tmp_path):
    home = tmp_path / "home"

    async def work(log: Log) -> None:
        ids = []
        receipts = []
        for n in range(CANARIES):
            receipt = await log.append(opened(), {"request": f"canary-{n}-" + "x" * (n * 400)})
            receipts.append(receipt)
            ids.append(receipt.id)
        doomed, kept = ids[::2], ids[1::2]
        gone, rest = secrets_of(home, doomed), secrets_of(home, kept)
        assert len({needle for _, needle in holding(home, gone)}) > 0.95 * len(gone) > 10 * CANARIES
        for id_ in doomed:
            await erase(log, id_, "asked for", "Ada")
        # The writer is still open: pages, free pages and the write-ahead log are looked at as they are.
        assert holding(home, [*gone, b"canary-"]) == []
        assert len({needle for _, needle in holding(home, rest)}) > 0.95 * len(rest)
        with log.reader() as reader:
            assert all(reader.texts(id_)["request"].state == "erased" for id_ in doomed)
            assert all(reader.texts(id_)["request"].state == "present" for id_ in kept)
            for receipt in receipts:
                verify_receipt(receipt, reader.leaf(receipt.id).data, *read_vkeys(home))
                verify_receipt(reader.prove(receipt.id), reader.leaf(receipt.id).data, *read_vkeys(home))

    in_log(home, work)
    assert verify(home).problems == ()


def test_an_exchange_is_erased_whole_or_one_record_of_it(tmp_path):
    async def work(log: Log) -> None:
        first = (await append_some(log, 1))[0].id
        second = (await log.append(decision(first), {"steps": "[]"})).id
        done = await erase(log, second, "a name in it", "Ada", only=True)
        assert (done.records, done.texts) == ((second,), 1)
        done = await erase(log, second, "the rest", "Ada")
        assert done.records == (first,)
        with pytest.raises(LogError, match="gone already"):
            await erase(log, first, "again", "Ada")
        with pytest.raises(LogError, match="says what was done to the log"):
            await erase(log, done.receipt.id, "why it was", "Ada", only=True)
        with log.reader() as reader:
            assert reader.texts(done.receipt.id)["why"].text == "the rest"

    in_log(tmp_path / "home", work)


def test_a_legal_hold_keeps_everybody_from_erasing_until_it_is_released(tmp_path):
    async def work(log: Log) -> None:
        id_ = (await append_some(log, 1))[0].id
        await hold(log, id_, "a lawsuit", "Ada")
        with pytest.raises(LogError, match="legal hold"):
            await erase(log, id_, "asked for", "Ada")
        await hold(log, id_, "settled", "Ada", release=True)
        assert (await erase(log, id_, "asked for", "Ada")).texts == len(TEXTS)

    in_log(tmp_path / "home", work)
    assert verify(tmp_path / "home").ok


def test_an_older_copy_of_the_vault_is_found_and_erased_from_again(tmp_path):
    home, copy = tmp_path / "home", tmp_path / "vault.db"
    first = make_log(home, 3)[0].id
    shutil.copy(home / "vault.db", copy)

    async def forget(log: Log) -> None:
        await erase(log, first, "asked for", "Ada")

    in_log(home, forget)
    # The copy lacks the reason of the erasure, and has what was erased.
    shutil.copy(copy, home / "vault.db")
    assert "an older copy was put back" in "\n".join(problem.what for problem in verify(home).problems)

    async def look(log: Log) -> None:
        with log.reader() as reader:
            assert reader.texts(first)["request"].state == "erased"

    in_log(home, look)


def test_a_reader_of_the_vault_delays_the_last_step_and_it_is_made_good(tmp_path):
    home = tmp_path / "home"

    async def work(log: Log) -> None:
        id_ = (await append_some(log, 2))[0].id
        needles = secrets_of(home, [id_])
        other = sqlite3.connect(home / "vault.db", isolation_level=None)
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM text").fetchone()
        await erase(log, id_, "asked for", "Ada")
        assert holding(home, needles)
        other.close()
        await append_some(log, 1)
        await append_some(log, 1)
        assert holding(home, needles) == []

    in_log(home, work)


@pytest.mark.parametrize(
    ("time", "months", "expected"),
    [("2026-03-31T10:00:00Z", 1, "2026-02-28"), ("2026-01-15T10:00:00Z", 13, "2024-12-15")],
)
def test_months_are_those_of_the_calendar(time, months, expected):
    assert months_before(time, months).startswith(expected)


def test_retention_keeps_then_erases_and_a_hold_overrides_it(tmp_path):
    async def work(log: Log) -> None:
        ids = []
        for time in ("2024-01-10T00:00:00Z", "2024-01-11T00:00:00Z", months_before(now(), 7)):
            ids.append((await log.append(opened(time=time), TEXTS)).id)
        with pytest.raises(LogError, match="no retention rule"):
            await maintain(log, "Ada")
        await set_rules(log, Rules(6, 13), "Ada")
        with log.reader() as reader:
            assert rules_of(reader) == Rules(6, 13)
        await hold(log, ids[0], "a lawsuit", "Ada")
        newest = (await append_some(log, 1))[0].id
        with pytest.raises(LogError, match="keep it for 6 months"):
            await erase(log, newest, "asked for", "Ada")
        assert (await erase(log, newest, "asked for", "Ada", early=True)).records == (newest,)
        at = now()
        dry = await maintain(log, "Ada", dry=True, clock=at)
        done = await maintain(log, "Ada", clock=at)
        assert (dry.exchanges, dry.records, dry.held) == (done.exchanges, done.records, done.held) == (1, 1, 0)
        with log.reader() as reader:
            states = [reader.texts(id_)["request"].state for id_ in ids]
        # The hold is of today, so its exchange is young.
        assert states == ["present", "erased", "present"]
        far = await maintain(log, "Ada", clock="2999-01-01T00:00:00Z", sure=True)
        assert (far.exchanges, far.held) == (1, 1)

    in_log(tmp_path / "home", work)
    assert verify(tmp_path / "home").ok


def test_an_erasure_keeps_what_came_late_to_an_old_exchange(tmp_path):
    async def work(log: Log) -> None:
        await set_rules(log, Rules(6, 0), "Ada")
        first = (await log.append(opened(time="2024-01-10T00:00:00Z"), TEXTS)).id
        await log.append(decision(first), {"steps": "[]"})
        with pytest.raises(LogError, match="keep it for 6 months"):
            await erase(log, first, "asked for", "Ada")
        assert (await erase(log, first, "asked for", "Ada", only=True)).records == (first,)

    in_log(tmp_path / "home", work)


def test_a_clock_that_jumped_erases_nothing(tmp_path):
    async def work(log: Log) -> None:
        await append_some(log, 1)
        await set_rules(log, Rules(0, 1), "Ada")
        with pytest.raises(LogError, match="set the clock"):
            await maintain(log, "Ada", clock="2001-01-01T00:00:00Z")
        with pytest.raises(LogError, match="clock-is-right"):
            await maintain(log, "Ada", clock="2999-01-01T00:00:00Z")
        assert (await maintain(log, "Ada", clock="2999-01-01T00:00:00Z", sure=True)).records == 1

    in_log(tmp_path / "home", work)


def test_a_clock_that_had_jumped_makes_nothing_old(tmp_path):
    """Exchanges of just now that a clock put into the past are kept, and so is what came after one from the future."""

    async def work(log: Log) -> None:
        times = ["2023-01-01T00:00:00Z", "2023-02-01T00:00:00Z", "1970-01-01T00:00:00Z", "2023-02-01T00:00:30Z"]
        times += ["2023-02-01T00:00:10Z", "2024-01-01T00:00:00Z", "2023-03-01T00:00:00Z", now()]
        ids = [(await log.append(opened(time=time), TEXTS)).id for time in times]
        dry = await maintain(log, "Ada", rules=Rules(0, 12), dry=True)
        assert (dry.exchanges, dry.doubtful) == (5, 2)
        await set_rules(log, Rules(0, 12), "Ada")
        assert (await maintain(log, "Ada")).records == 5
        with log.reader() as reader:
            kept = [n for n, id_ in enumerate(ids) if reader.texts(id_)["request"].state == "present"]
        assert kept == [2, 6, 7]
        assert (await maintain(log, "Ada", sure=True)).records == 2

    in_log(tmp_path / "home", work)


@pytest.mark.parametrize(("keep", "after"), [(12, 6), (-1, 0), (0, 5000)])
def test_rules_that_contradict_themselves_are_refused(tmp_path, keep, after):
    async def work(log: Log) -> None:
        with pytest.raises(LogError, match="months"):
            await set_rules(log, Rules(keep, after), "Ada")
        await append_some(log, 1)
        with pytest.raises(LogError, match="months"):
            await maintain(log, "Ada", rules=Rules(keep, after or 5000), dry=True)

    in_log(tmp_path / "home", work)


def test_an_erasure_goes_through_the_process_that_holds_the_log(tmp_path):
    async def run() -> None:
        async with await open_log(tmp_path / "home") as holder, await open_log(tmp_path / "home") as other:
            id_ = (await append_some(holder, 1))[0].id
            await erase(other, id_, "asked for", "Ada")
            with LogReader(tmp_path / "home") as reader:
                assert reader.texts(id_)["answer"].state == "erased"

    asyncio.run(run())
