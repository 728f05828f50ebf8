"""Kills a writer at random moments, 100 times, and counts acknowledged records that are gone afterwards.

    python benchmarks/audit/kill9.py [--rounds 100] [--per-log 50] [--seed 1] [--home FOLDER]

Each round starts a process that appends from 1 to 64 coroutines and prints every id once its receipt has come, and
sends it SIGKILL up to 0.5 s later. Then the log is verified as it lies, and the next round opens it again, until so
many rounds have come over it and a new log begins. Zero
losses in n rounds only shows that fewer than 3/n of such kills lose something (95 %), and a killed process is not a
power cut: what was written but not synced survives it.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lawspeaker.audit.log import Log, open_log
from lawspeaker.audit.reader import LogReader
from lawspeaker.audit.record import opened
from lawspeaker.audit.verify import verify
from lawspeaker.errors import LogError


async def append_for_ever(log: Log) -> None:
    while True:
        receipt = await log.append(opened(facts={"action": "release"}), {"answer": "a" * 500})
        os.write(1, f"{receipt.id}\n".encode())


async def write(home: Path, writers: int) -> None:
    log = await open_log(home)
    os.write(1, b"open\n")
    await asyncio.gather(*[append_for_ever(log) for _ in range(writers)])


def one_round(home: Path, chance: random.Random) -> list[str]:
    """The ids that a writer acknowledged before it was killed."""
    command = [sys.executable, __file__, "--write", str(chance.choice([1, 4, 16, 64])), "--home", str(home)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if writer.stdout is None or writer.stdout.readline() != "open\n":
        raise SystemExit("the writer could not open the log")
    time.sleep(chance.uniform(0, 0.5))
    writer.kill()
    return [text for text in writer.communicate()[0].splitlines() if len(text) == 32]


def lost(home: Path, ids: list[str]) -> int:
    gone = 0
    with LogReader(home) as reader:
        for id_ in ids:
            try:
                reader.leaf(id_)
            except LogError:
                gone += 1
    return gone


def one_log(home: Path, rounds: int, chance: random.Random) -> tuple[int, int, int, int]:
    """Kills over one log: records acknowledged, in the log, lost; and how often it was unsound."""
    acknowledged: list[str] = []
    unsound = 0
    for _ in range(rounds):
        acknowledged += one_round(home, chance)
        report = verify(home)
        unsound += not report.ok
    return len(acknowledged), report.size, lost(home, acknowledged), unsound


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--per-log", type=int, default=50, help="rounds after which a new log begins")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--write", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        asyncio.run(write(options.home, options.write))
        return
    if options.rounds < 1 or options.per_log < 1:
        parser.error("--rounds and --per-log must be 1 or more")
    chance, done, sums = random.Random(options.seed), 0, [0, 0, 0, 0]
    while done < options.rounds:
        rounds = min(options.per_log, options.rounds - done)
        with tempfile.TemporaryDirectory(dir=options.home or Path.cwd()) as folder:
            counted = one_log(Path(folder) / "home", rounds, chance)
        sums, done = [a + b for a, b in zip(sums, counted, strict=True)], done + rounds
        acknowledged, size, gone, unsound = sums
        print(
            f"{done} kills, {acknowledged:,} records acknowledged, {size:,} in the logs, "
            f"{gone} acknowledged records lost, {unsound} logs unsound",
            flush=True,
        )


if __name__ == "__main__":
    main()
