"""Fills a small disk with a log, many times, and looks at what it said and holds. Needs root, to mount a tmpfs.

    python benchmarks/audit/full_disk.py [--rounds 40] [--seed 1]

A process appends from 1 to 64 coroutines until the disk, of a size drawn at random, is full, and prints each id once
its receipt has come. It may acknowledge nothing after the first error. Then the log must verify as it lies on the full
disk, hold every acknowledged record, and, once the disk has room, open again and go on.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from aftermath import reopened

from lawspeaker.audit.log import Log, open_log
from lawspeaker.audit.record import opened
from lawspeaker.audit.verify import verify
from lawspeaker.errors import LogError

ROOM = 1_500_000  # bytes; an empty log needs some 300,000


async def append_until_full(log: Log, failed: list[str]) -> None:
    for _ in range(100_000):
        try:
            receipt = await log.append(opened(facts={"action": "release"}), {"answer": "a" * 2000})
        except LogError as error:
            failed.append(str(error))
            return
        os.write(1, f"{'LATE ' if failed else ''}{receipt.id}\n".encode())


async def write(home: Path, writers: int) -> None:
    failed: list[str] = []
    log = await open_log(home)
    await asyncio.gather(*[append_until_full(log, failed) for _ in range(writers)])
    os.write(1, f"full {log.failed}\n".encode())
    await log.close()


def one_round(disk: Path, writers: int) -> tuple[int, list[str]]:
    """Records acknowledged before the disk was full, and everything that is wrong."""
    home, wrong = disk / "home", []
    command = [sys.executable, __file__, "--write", str(writers), "--home", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    ids = [line for line in lines if len(line) == 32]
    if not any(line.startswith("full ") for line in lines):
        wrong.append(f"it ended otherwise: {done.stderr.strip().splitlines()[-1:]}")
    if any(line.startswith("LATE") for line in lines):
        wrong.append("acknowledged after a failure")
    report = verify(home)
    if not report.ok:
        wrong.append(f"unsound on the full disk: {report.problems[0].what}")
    subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
    return len(ids), wrong + reopened(home, ids)


def run(folder: Path, rounds: int, seed: int) -> tuple[int, list[str]]:
    """Records acknowledged in all rounds, and everything that is wrong."""
    dice, acknowledged, wrong = random.Random(seed), 0, []
    for n in range(rounds):
        size, writers = ROOM + dice.randrange(6_000_000), dice.choice([1, 4, 16, 64])
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "lawspeaker", str(folder)], check=True)
        try:
            count, found = one_round(folder, writers)
        finally:
            subprocess.run(["umount", str(folder)], check=True)
        acknowledged += count
        wrong += [f"round {n}, {size:,} bytes, {writers} writers: {each}" for each in found]
    return acknowledged, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--write", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        asyncio.run(write(options.home, options.write))
        return
    with tempfile.TemporaryDirectory() as folder:
        acknowledged, wrong = run(Path(folder), options.rounds, options.seed)
    for each in wrong:
        print(each)
    print(f"{options.rounds} full disks, {acknowledged:,} records acknowledged, {len(wrong)} wrong")


if __name__ == "__main__":
    main()
