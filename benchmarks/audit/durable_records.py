"""Durable records a second with 1, 16 and 64 writers, beside what the disk can sync.

    python benchmarks/audit/durable_records.py [--home FOLDER] [--seconds 5]

A record is what `ask` leaves: a leaf of about 1 KB and two texts of 0.5 and 1 KB. Every one is acknowledged only
after its commit was synced, so the floor is a loop of 1 KiB appends with `fdatasync` to a file in the same folder; a
commit of ours syncs twice, texts and leaves. Closed loop: each writer waits for its receipt before it goes on.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

from lawspeaker.audit.log import Log, open_log
from lawspeaker.audit.record import opened
from lawspeaker.audit.verify import verify

FACTS = {
    "action": "release",
    "because": ["no-public-data", "encrypted-at-rest"],
    "findings": [
        {"principle": f"principle-{n}", "check": "terraform/public-storage", "outcome": "upheld", "line": n}
        for n in range(6)
    ],
}
TEXTS = {"request": "r" * 500, "answer": "a" * 1000}


def sync_floor(folder: Path, seconds: float) -> list[float]:
    """Seconds that each 1 KiB append with fdatasync took."""
    took = []
    descriptor = os.open(folder / "floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        os.write(descriptor, b"x" * 1024)
        os.fdatasync(descriptor)
        took.append(time.perf_counter() - start)
    os.close(descriptor)
    return took


async def append_for(log: Log, seconds: float, took: list[float]) -> None:
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        await log.append(opened(facts=FACTS), TEXTS)
        took.append(time.perf_counter() - start)


async def measure(home: Path, writers: int, seconds: float) -> list[float]:
    took: list[float] = []
    async with await open_log(home) as log:
        await asyncio.gather(*[append_for(log, seconds, took) for _ in range(writers)])
    return took


def line(name: str, took: list[float], seconds: float, cpu: float) -> str:
    p50, p99 = (statistics.quantiles(took, n=100)[place] * 1000 for place in (49, 98))
    each = cpu / len(took) * 1e6
    return f"| {name} | {len(took) / seconds:,.0f} | {p50:.2f} | {p99:.2f} | {each:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="where to write; default: a temporary folder here")
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.home or Path.cwd()) as folder:
        home = Path(folder) / "home"
        print("| | per second | p50 ms | p99 ms | processor µs each |\n|---|--:|--:|--:|--:|")
        cpu = time.process_time()
        took = sync_floor(Path(folder), options.seconds)
        print(line("fdatasync of 1 KiB", took, options.seconds, time.process_time() - cpu), flush=True)
        for writers in (1, 16, 64):
            cpu = time.process_time()
            took = asyncio.run(measure(home, writers, options.seconds))
            print(line(f"{writers} writers", took, options.seconds, time.process_time() - cpu), flush=True)
        start = time.perf_counter()
        asyncio.run(measure(home, 0, 0))
        reopened = time.perf_counter() - start
        start = time.perf_counter()
        report = verify(home)
        verified = time.perf_counter() - start
        sound = "sound" if report.ok else "DAMAGED"
        print(f"\n{report.size:,} records: reopened in {reopened:.2f} s, verified in {verified:.2f} s, {sound}")


if __name__ == "__main__":
    main()
