"""What grows in the gateway? The gateway in this process, its memory looked at between two bouts of requests.

    python -m benchmarks.gateway.growth [--requests 2000] [--top 12]

Under `infrastructure` and `data-protection`, audit on, each request with words and code of its own. A first bout fills
what is kept; after the second and the third, what Python holds more is told by the line that made it (tracemalloc), the
resident memory beside it, and how much of that the allocator gives back when it is asked to (`malloc_trim`): what it
does not hold for Python and does not give back by itself. Counts, so a busy machine does not matter.
"""

import argparse
import asyncio
import ctypes
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import aiohttp
import uvloop

from benchmarks.gateway.rig import FULL
from lawspeaker.checks.registry import KINDS
from lawspeaker.constitution.compose import combine
from lawspeaker.constitution.load import load
from lawspeaker.gateway.binding import Binding, bind
from lawspeaker.gateway.config import RouteConfig
from lawspeaker.gateway.deployment import Deployment
from lawspeaker.gateway.running import Plan, run

_AT_ONCE = 10


def resident() -> float:
    """MiB of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def bout(base: str, count: int, begin: int) -> None:
    """Requests `begin` and on, some of them streamed, some with Terraform."""
    few = asyncio.Semaphore(_AT_ONCE)

    async def ask(session: aiohttp.ClientSession, number: int) -> None:
        words = f"How long is invoice {number} of {time.time_ns()} kept?"
        if number % 4 == 0:
            words += f'\n\nresource "aws_s3_bucket" "b{number}" {{\n  bucket = "invoices-{number}"\n}}\n'
        turn = {"role": "user", "content": words}
        body = {"model": "tiny", "messages": [turn], "stream": number % 3 == 0}
        async with few, session.post(f"{base}/v1/chat/completions", json=body) as response:
            text = await response.text()
            assert response.status == 200, text

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(ask(session, number) for number in range(begin, begin + count)))


async def measure(base: str, given: argparse.Namespace) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    before: tracemalloc.Snapshot | None = None
    for number in range(3):
        await bout(base, given.requests, number * given.requests)
        gc.collect()
        after = tracemalloc.take_snapshot().filter_traces(
            (tracemalloc.Filter(False, tracemalloc.__file__), tracemalloc.Filter(False, "*linecache.py"))
        )
        rss, traced = resident(), tracemalloc.get_traced_memory()[0] / 2**20
        ctypes.CDLL(None).malloc_trim(0)
        about: dict[str, object] = {"requests": (number + 1) * given.requests, "rss_mib": round(rss, 1)}
        about |= {"rss_mib_after_trim": round(resident(), 1), "traced_mib": round(traced, 2)}
        if before:
            grown = after.compare_to(before, "lineno")
            about["grown_kib"] = round(sum(each.size_diff for each in grown) / 1024, 1)
            about["most"] = [
                f"{each.size_diff / 1024:+.1f} KiB, {each.count_diff:+} {each.traceback}" for each in grown[: given.top]
            ]
        found.append(about)
        before = after
    return found


async def gateway(upstream: str, folder: Path, given: argparse.Namespace) -> list[dict[str, object]]:
    law = combine([load(name, kinds=KINDS) for name in FULL])
    model = f"{upstream}#tiny"
    route = RouteConfig("tiny", law, model, model, None, 2, 60.0, False, (), {})
    bound = bind(Binding(port=0), clients=False, scrapers=False)
    serving = asyncio.Event()
    plan = Plan(Deployment({"tiny": route}), bound, folder, False, 60.0)
    task = asyncio.create_task(run(plan, serving.set))
    await serving.wait()
    try:
        return await measure(f"http://127.0.0.1:{bound.sock.getsockname()[1]}", given)
    finally:
        os.kill(os.getpid(), 15)  # as it is told to end
        await task


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=2000, help="in each of three bouts")
    parser.add_argument("--top", type=int, default=12, help="lines of code that are told")
    given = parser.parse_args()
    command = [sys.executable, "-m", "benchmarks.gateway.upstream"]
    tracemalloc.start(1)
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        tempfile.TemporaryDirectory() as folder,
    ):
        assert process.stdout
        try:
            found = uvloop.run(gateway(process.stdout.readline().strip(), Path(folder), given))
        finally:
            process.kill()
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
