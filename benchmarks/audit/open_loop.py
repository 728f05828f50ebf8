"""How long an append takes when records come at a given rate, whether or not earlier ones are done.

    python benchmarks/audit/open_loop.py [--home FOLDER] [--rate 2000] [--seconds 10]

Arrivals are a Poisson process with a fixed seed. Each append is timed from the moment at which its record was due, so
that time lost to a slow loop or a slow disk counts (a closed loop would wait and not notice). Beside it stands what the
disk's own fdatasync takes at the time. The records are those of `durable_records.py`.
"""

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

from durable_records import FACTS, TEXTS, sync_floor

from lawspeaker.audit.log import Log, open_log
from lawspeaker.audit.record import opened
from lawspeaker.audit.verify import verify


async def append_due(log: Log, due: float, took: list[float]) -> None:
    await log.append(opened(facts=FACTS), TEXTS)
    took.append(time.perf_counter() - due)


async def measure(home: Path, rate: float, seconds: float) -> list[float]:
    took: list[float] = []
    dice = random.Random(1)
    async with await open_log(home) as log, asyncio.TaskGroup() as tasks:
        start = due = time.perf_counter()
        while (due := due + dice.expovariate(rate)) < start + seconds:
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            tasks.create_task(append_due(log, due, took))
    return took


def line(name: str, took: list[float]) -> str:
    cuts = statistics.quantiles(took, n=1000)
    p50, p99, p999 = (cuts[place] * 1000 for place in (499, 989, 998))
    return f"| {name} | {len(took):,} | {p50:.2f} | {p99:.2f} | {p999:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="where to write; default: a temporary folder here")
    parser.add_argument("--rate", type=float, default=2000.0, help="records a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    if not (options.rate > 0 and options.seconds > 0):
        parser.error("--rate and --seconds must be above 0")
    with tempfile.TemporaryDirectory(dir=options.home or Path.cwd()) as folder:
        home = Path(folder) / "home"
        print("| | appends | p50 ms | p99 ms | p99.9 ms |\n|---|--:|--:|--:|--:|")
        print(line("fdatasync of 1 KiB", sync_floor(Path(folder), 2.0)), flush=True)
        took = asyncio.run(measure(home, options.rate, options.seconds))
        print(line(f"append at {options.rate:,.0f}/s", took))
        report = verify(home)
        print(f"\n{report.size:,} records, {'sound' if report.ok else 'DAMAGED'}, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
