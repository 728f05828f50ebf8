"""Does the gateway grow? Ten minutes at half of what it can do, its memory read all along.

    python -m benchmarks.gateway.soak [--minutes 10] [--workers 1] [--out FILE]

Under `infrastructure` and `data-protection`, audit on: first ten clients for `--measure` seconds, to know the rate;
then requests at half of it, each with words of its own so that nothing is answered from what is remembered, every third
one streamed. Growth is from the end of the first tenth of the time to the end, by the medians of samples around both.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import uvloop

from benchmarks.gateway.load import load, request
from benchmarks.gateway.rig import FULL, cpu, resident
from benchmarks.gateway.targets import Running, ours
from benchmarks.gateway.upstream import ANSWER

_EVERY = 2.0  # seconds between two samples


async def steady(running: Running, rate: float, seconds: float, samples: list[tuple[float, float]]) -> dict[str, int]:
    """Ask `rate` times a second; how it ended, by status."""
    ends: dict[str, int] = {}
    waiting: set[asyncio.Task[None]] = set()
    begun = time.perf_counter()

    async def ask(session: aiohttp.ClientSession, number: int) -> None:
        turn = {"role": "user", "content": f"How long is invoice {number} of {time.time_ns()} kept?"}
        asked = {"model": running.model, "messages": [turn], "stream": number % 3 == 0}
        try:
            async with session.post(running.url, json=asked) as response:
                whole = await response.text()
                how = str(response.status) if "invoices are kept" in whole else "another answer"
        except aiohttp.ClientError as error:
            how = type(error).__name__
        ends[how] = ends.get(how, 0) + 1

    async def sample() -> None:
        while True:
            samples.append((time.perf_counter() - begun, resident(running.pid)))
            await asyncio.sleep(_EVERY)

    sampling = asyncio.create_task(sample())
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        number = 0
        while time.perf_counter() - begun < seconds:
            task = asyncio.create_task(ask(session, number))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
            number += 1
            await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        await asyncio.gather(*waiting)
    sampling.cancel()
    return ends


async def run(given: argparse.Namespace, upstream: str, folder: Path) -> dict[str, object]:
    samples: list[tuple[float, float]] = []
    with ours(*FULL, options=("--workers", str(given.workers)))(upstream, folder) as running:
        data = request(running.url, running.model, running.key)
        taken, _ = await load(running.url, data, ANSWER[:500].encode(), given.measure, 10)
        rate, seconds = len(taken) / given.measure / 2, 60 * given.minutes
        before = cpu(running.pid)
        ends = await steady(running, rate, seconds, samples)
        used = cpu(running.pid) - before
    tenth = seconds / 10
    early = statistics.median(mib for at, mib in samples if 0.5 * tenth <= at <= 1.5 * tenth)
    late = statistics.median(mib for at, mib in samples if at >= seconds - tenth)
    return {
        "minutes": given.minutes,
        "workers": given.workers,
        "asked_per_second": round(rate, 1),
        "ends": ends,
        "cpu_ms_per_request": round(1000 * used / max(1, sum(ends.values())), 3),
        "rss_mib_after_a_tenth": round(early, 1),
        "rss_mib_at_the_end": round(late, 1),
        "growth_percent": round(100 * (late / early - 1), 2),
        "load_average": round(os.getloadavg()[0], 1),
        "rss_mib": [(round(at), round(mib, 1)) for at, mib in samples[:: max(1, len(samples) // 60)]],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--measure", type=float, default=15, help="seconds in which the rate is measured")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, help="where the result goes, as JSON")
    given = parser.parse_args()
    command = [sys.executable, "-m", "benchmarks.gateway.upstream"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        tempfile.TemporaryDirectory() as folder,
    ):
        assert process.stdout
        found = uvloop.run(run(given, process.stdout.readline().strip(), Path(folder)))
        process.kill()
    told = json.dumps(found, indent=1)
    if given.out:
        given.out.write_text(told + "\n")
    sys.stdout.write(told + "\n")


if __name__ == "__main__":
    main()
