"""Rulings: what waits, who ruled, and that nobody rules twice."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lawspeaker.audit.log import AsyncLog, MemoryLog, open_log
from lawspeaker.audit.reader import LogReader
from lawspeaker.audit.record import opened
from lawspeaker.audit.rulings import pending, rule
from lawspeaker.errors import LogError
from tests.audit.logs import decision


async def escalated(log: AsyncLog, action: str = "escalate") -> str:
    subject = opened()
    await log.append(subject, {"request": "?"})
    await log.append(decision(subject.id, action), {"answer": "!"})
    return subject.id


def test_a_ruling_ends_the_wait_and_names_what_it_ruled_on():
    async def run() -> None:
        async with MemoryLog() as log:
            first, second = await escalated(log), await escalated(log)
            await escalated(log, "release")
            with log.reader() as reader:
                assert [leaf.record.subject for leaf in pending(reader)] == [first, second]
            receipt = await rule(log, first[:8], "approve", "Looked at it with the owner.", "mara")
            with log.reader() as reader:
                assert [leaf.record.subject for leaf in pending(reader)] == [second]
                ruling, ruled_on = reader.leaf(receipt.id), reader.history(first)[1]
                assert ruling.record.facts == {"verdict": "approve", "by": "mara", "decision": ruled_on.digest}
                assert ruling.record.constitution == ruled_on.record.constitution
                assert b"owner" not in ruling.data
                assert reader.texts(receipt.id)["reason"].text == "Looked at it with the owner."

    asyncio.run(run())


def test_a_second_ruling_is_refused_even_at_the_same_time():
    async def run() -> None:
        async with MemoryLog() as log:
            subject = await escalated(log)
            both = [rule(log, subject, "approve", "", "a"), rule(log, subject, "reject", "", "b")]
            outcomes = await asyncio.gather(*both, return_exceptions=True)
            assert sum(isinstance(outcome, LogError) for outcome in outcomes) == 1
            with pytest.raises(LogError, match="a second one is refused"):
                await rule(log, subject, "reject", "", "c")

    asyncio.run(run())


def test_only_what_was_escalated_can_be_ruled_on():
    async def run() -> None:
        async with MemoryLog() as log:
            with pytest.raises(LogError, match="was not escalated"):
                await rule(log, await escalated(log, "release"), "approve", "", "a")
            subject = opened()
            await log.append(subject, {})
            with pytest.raises(LogError, match="no decision"):
                await rule(log, subject.id, "approve", "", "a")
            with pytest.raises(LogError, match="no record"):
                await rule(log, "0" * 32, "approve", "", "a")

    asyncio.run(run())


def test_what_cannot_be_read_back_cannot_be_approved_but_can_be_rejected():
    async def run() -> None:
        async with MemoryLog() as log:
            subject = await escalated(log)
            with log.reader() as reader:
                shown = reader.history(subject)[1].record.id
            log._ledger.vault.erase(shown)
            with pytest.raises(LogError, match="answer cannot be read back"):
                await rule(log, subject, "approve", "", "a")
            await rule(log, subject, "reject", "", "a")

    asyncio.run(run())


def test_columns_that_contradict_their_records_are_refused(tmp_path: Path) -> None:
    """Only the leaf is under the signed head: a changed column must not bring a rejected answer back."""

    async def run() -> None:
        async with await open_log(tmp_path) as log:
            await rule(log, await escalated(log), "reject", "no", "jo")
        with closing(sqlite3.connect(tmp_path / "log.db")) as database:
            database.execute("UPDATE leaf SET kind = 'x', subject = id WHERE kind = 'ruling'")
            database.commit()
        with pytest.raises(LogError, match="tampered"):
            await open_log(tmp_path)
        with LogReader(tmp_path) as reader, pytest.raises(LogError, match="tampered"):
            reader.recent(3)

    asyncio.run(run())


def test_the_home_is_ignored_by_git(tmp_path: Path) -> None:
    async def run() -> None:
        async with await open_log(tmp_path / "home"):
            pass

    asyncio.run(run())
    assert (tmp_path / "home" / ".gitignore").read_text() == "*\n"
