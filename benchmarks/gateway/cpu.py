"""What a governed request costs the gateway: CPU, requests a second, latency, memory.

    python benchmarks/gateway/cpu.py [--seconds 10] [--concurrency 10] [--same] [--law NAME]...

Starts an instant mock upstream and one gateway for each constitution, sends Chat Completions at a fixed concurrency
(an answer of 1 KB without code), and reads the gateway's own CPU from /proc: all of it, and that of the event loop's
thread alone (the others are the log's). Each question and each answer has a number of its own, since what was judged
before is known and not judged again; with `--same` all are the same. Prints one JSON object. Load, gateway and mock
share the machine's cores, so latencies are of this rig; CPU for each request is the steadier figure.
"""

import argparse
import asyncio
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
from aiohttp import web

ANSWER = ("The invoices are kept for ten years and then removed, as the finance team has asked. " * 13)[:1024]
ONE_RULE = """\
name: one
version: 1.0.0
summary: One rule, so that what is measured is everything but the law.
principles:
  - id: no-codeword
    text: The codeword is never said.
    because: It opens the door.
    severity: critical
    on_violation: refuse
    checks:
      - pattern: {deny: ["swordfish"], reason: The codeword is said.}
"""
LAWS = {
    "one rule": ["one.yaml"],
    "infrastructure": ["infrastructure"],
    "infrastructure and data-protection": ["infrastructure", "data-protection"],
}
_AT = re.compile(r" at (http://\S+)")


async def upstream(numbers: Iterator[int]) -> tuple[web.AppRunner, str]:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        said = f"{next(numbers):08} {ANSWER[9:]}"
        choice = {"message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        return web.Response(text=json.dumps({"choices": [choice]}), content_type="application/json")

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    return runner, f"http://127.0.0.1:{port}/v1#tiny"


def cpu(pid: int, thread: str = "") -> float:
    """Seconds of a process, or of its first thread alone."""
    at = Path(f"/proc/{pid}/task/{thread}" if thread else f"/proc/{pid}")
    fields = (at / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def load(
    url: str, seconds: float, concurrency: int, numbers: Iterator[int]
) -> tuple[list[float], dict[str, int]]:
    """Latency of each request, and how many answers ended in which way."""
    latencies: list[float] = []
    ends: dict[str, int] = {}
    end = time.monotonic() + seconds

    async def client(session: aiohttp.ClientSession) -> None:
        while time.monotonic() < end:
            asked = f"How long is invoice {next(numbers):08} kept?"
            body = {"model": "tiny", "messages": [{"role": "user", "content": asked}]}
            begun = time.perf_counter()
            async with session.post(url, json=body) as response:
                said = await response.json()
            latencies.append(time.perf_counter() - begun)
            how = said["choices"][0]["finish_reason"] if response.status == 200 else str(response.status)
            ends[how] = ends.get(how, 0) + 1

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(client(session) for _ in range(concurrency)))
    return latencies, ends


async def measure(
    laws: list[str], address: str, seconds: float, concurrency: int, numbers: Iterator[int]
) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "one.yaml").write_text(ONE_RULE)
        program = Path(sys.executable).with_name("lawspeaker")
        options = [option for law in laws for option in ("--constitution", law)]
        begun = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *(program, "serve", "--port", "0", "--upstream", address, *options),
            cwd=folder,
            env={**os.environ, "LAWSPEAKER_HOME": str(folder / "home")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stderr
        at = _AT.search((await process.stderr.readline()).decode())
        assert at
        cold = time.perf_counter() - begun
        url = at[1] + "/v1/chat/completions"
        await load(url, 1, concurrency, numbers)
        loop = str(process.pid)
        before, looped, start = cpu(process.pid), cpu(process.pid, loop), time.perf_counter()
        latencies, ends = await load(url, seconds, concurrency, numbers)
        took, looped = cpu(process.pid) - before, cpu(process.pid, loop) - looped
        wall, memory = time.perf_counter() - start, resident(process.pid)
        process.terminate()
        await process.wait()
    cuts = statistics.quantiles(latencies, n=100)
    return {
        "requests": len(latencies),
        "requests_per_second": round(len(latencies) / wall),
        "cpu_ms_per_request": round(1000 * took / len(latencies), 3),
        "of_the_event_loop": round(1000 * looped / len(latencies), 3),
        "p50_ms": round(1000 * cuts[49], 2),
        "p99_ms": round(1000 * cuts[98], 2),
        "rss_mib": round(memory),
        "cold_start_s": round(cold, 2),
        "ends": ends,
    }


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--concurrency", type=int, default=10)
    parser.add_argument("--same", action="store_true", help="the same question and answer again and again")
    parser.add_argument("--law", action="append", choices=LAWS, help="of these alone")
    given = parser.parse_args()
    asked, answered = (itertools.repeat(0) if given.same else itertools.count() for _ in range(2))
    runner, address = await upstream(answered)
    results = {
        name: await measure(LAWS[name], address, given.seconds, given.concurrency, asked) for name in given.law or LAWS
    }
    await runner.cleanup()
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    asyncio.run(main())
