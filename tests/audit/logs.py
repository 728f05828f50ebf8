"""Small logs to test on, and a process that writes to one until it is stopped."""

import asyncio
import subprocess
import sys
from pathlib import Path

from lawspeaker.audit.log import AsyncLog, open_log
from lawspeaker.audit.receipt import Receipt
from lawspeaker.audit.record import Record, new_id, opened

TEXTS = {"request": "Please open the bucket.", "answer": "I will not: \u00e9\u00df\ud800."}

WRITER = """
import asyncio, os, sys
from pathlib import Path
from lawspeaker.audit.log import open_log
from lawspeaker.audit.record import opened

async def write(log):
    while True:
        receipt = await log.append(opened(facts={"action": "release"}), {"answer": "x" * 300})
        os.write(1, (receipt.id + "\\n").encode())

async def main(home, coroutines):
    log = await open_log(home)
    os.write(1, b"holds\\n" if log.holds else b"asks\\n")
    await asyncio.gather(*[write(log) for _ in range(coroutines)])

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


def start_writer(home: Path, coroutines: int = 4) -> subprocess.Popen[str]:
    """A process that appends for ever and prints each id once it is acknowledged."""
    command = [sys.executable, "-c", WRITER, str(home), str(coroutines)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def run_python(code: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own."""
    return subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=60, check=False)


async def append_some(log: AsyncLog, count: int) -> list[Receipt]:
    """Append one after the other, so that each record has a head of its own."""
    return [await log.append(opened(facts={"action": "release", "n": n}), TEXTS) for n in range(count)]


async def append_at_once(log: AsyncLog, count: int) -> list[Receipt]:
    """Append concurrently, so that records share heads."""
    return await asyncio.gather(*[log.append(opened(facts={"n": n}), TEXTS) for n in range(count)])


def make_log(home: Path, count: int, at_once: int = 0) -> list[Receipt]:
    """A closed log with `count` records in a row and then `at_once` more at the same time."""

    async def fill() -> list[Receipt]:
        async with await open_log(home) as log:
            return [*await append_some(log, count), *await append_at_once(log, at_once)]

    return asyncio.run(fill())


def decision(subject: str, action: str = "escalate") -> Record:
    """A decision on a subject."""
    return Record(kind="decision", id=new_id(), subject=subject, facts={"action": action}, constitution="sha256:00")
