"""What a governed request costs the gateway: CPU, requests a second, latency, memory.

    python benchmarks/gateway/cpu.py [--seconds 10] [--concurrency 10]

Starts an instant mock upstream and one gateway for each constitution, sends Chat Completions at a fixed concurrency
(an answer of 1 KB without code), and reads the gateway's own CPU from /proc. Prints one JSON object. Load, gateway and
mock share the machine's cores, so latencies are of this rig; CPU for each request is the steadier figure.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
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


async def upstream() -> tuple[web.AppRunner, str]:
    reply = json.dumps({"choices": [{"message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}]})

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text=reply, content_type="application/json")

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    return runner, f"http://127.0.0.1:{port}/v1#tiny"


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def load(url: str, seconds: float, concurrency: int) -> tuple[list[float], dict[str, int]]:
    """Latency of each request, and how many answers ended in which way."""
    body = {"model": "tiny", "messages": [{"role": "user", "content": "How long are our invoices kept?"}]}
    latencies: list[float] = []
    ends: dict[str, int] = {}
    end = time.monotonic() + seconds

    async def client(session: aiohttp.ClientSession) -> None:
        while time.monotonic() < end:
            begun = time.perf_counter()
            async with session.post(url, json=body) as response:
                said = await response.json()
            latencies.append(time.perf_counter() - begun)
            how = said["choices"][0]["finish_reason"] if response.status == 200 else str(response.status)
            ends[how] = ends.get(how, 0) + 1

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(client(session) for _ in range(concurrency)))
    return latencies, ends


async def measure(laws: list[str], address: str, seconds: float, concurrency: int) -> dict[str, object]:
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
        await load(url, 1, concurrency)
        before, start = cpu(process.pid), time.perf_counter()
        latencies, ends = await load(url, seconds, concurrency)
        took, wall, memory = cpu(process.pid) - before, time.perf_counter() - start, resident(process.pid)
        process.terminate()
        await process.wait()
    cuts = statistics.quantiles(latencies, n=100)
    return {
        "requests": len(latencies),
        "requests_per_second": round(len(latencies) / wall),
        "cpu_ms_per_request": round(1000 * took / len(latencies), 3),
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
    given = parser.parse_args()
    runner, address = await upstream()
    results = {name: await measure(laws, address, given.seconds, given.concurrency) for name, laws in LAWS.items()}
    await runner.cleanup()
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    asyncio.run(main())
