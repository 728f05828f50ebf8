"""What a streamed answer costs the gateway: CPU for each event, and the time that it adds to the first words.

    python benchmarks/gateway/streams.py [--streams 40] [--events 500] [--concurrency 4]

Starts an upstream that streams Chat Completions, a millisecond between writes, and a gateway for each way to enforce
them: in shadow (everything flows, one judgement at the end: the relay itself), held, and in a window, all under
`data-protection`. An event is one word of ordinary prose. The upstream writes each event alone (`alone`), or 16 of
them at a time (`together`). CPU is the gateway's own, from /proc, less that of as many streams of one event, so that
what a request costs in any case is apart. The added time to the first words is that of a request through the gateway
less the median of one straight to the upstream; `window alone` is the window in this process. Prints one JSON object.
Load, gateway and upstream share the cores.
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
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.streams import plan_stream
from lawspeaker.constitution.load import load as load_law
from lawspeaker.deliberation.window import Window

PROSE = [
    f"{word} "
    for line in (
        "The invoices of this year are kept for ten years and then removed, as the finance team has asked.",
        "Nothing else is kept, and whoever wants to see one writes to the desk, which answers within a day or two.",
    )
    for word in line.split()
]
MODES = {
    "relay": ["--stream", "window", "--shadow"],
    "held": ["--stream", "hold"],
    "window": ["--stream", "window"],
}
_AT = re.compile(r" at (http://\S+)")


def _event(delta: dict[str, object], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "tiny"}
    return b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n"


async def _answer(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    count, together = map(int, body["messages"][-1]["content"].split()[1:])
    if not body.get("stream"):
        message = {"role": "assistant", "content": "".join(PROSE[at % len(PROSE)] for at in range(count))}
        return web.json_response({"choices": [{"message": message, "finish_reason": "stop"}]})
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    events = [_event({"content": PROSE[at % len(PROSE)]}) for at in range(count)]
    for at in range(0, count, together):
        await response.write(b"".join(events[at : at + together]))
        await asyncio.sleep(0.001)  # else the next would come with it
    await response.write(_event({}, "stop") + b"data: [DONE]\n\n")
    return response


@asynccontextmanager
async def upstream() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def gateway(address: str, options: list[str]) -> AsyncIterator[tuple[str, int]]:
    with tempfile.TemporaryDirectory() as name:
        program = Path(sys.executable).with_name("lawspeaker")
        process = await asyncio.create_subprocess_exec(
            *(program, "serve", "--port", "0", "--upstream", f"{address}#tiny", "--constitution", "data-protection"),
            *options,
            cwd=name,
            env={**os.environ, "LAWSPEAKER_HOME": str(Path(name) / "home")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stderr
        at = _AT.search((await process.stderr.readline()).decode())
        assert at
        try:
            yield at[1] + "/v1", process.pid
        finally:
            process.terminate()
            await process.wait()


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def stream(session: aiohttp.ClientSession, base: str, count: int, together: int) -> tuple[float, int]:
    """Seconds to the first words, and the characters of all."""
    messages = [{"role": "user", "content": f"stream {count} {together}"}]
    begun, first, said = time.perf_counter(), 0.0, 0
    async with session.post(
        f"{base}/chat/completions", json={"model": "tiny", "stream": True, "messages": messages}
    ) as response:
        assert response.status == 200, await response.text()
        async for line in response.content:
            if line.startswith(b"data: {"):
                words = json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
                first = first or (time.perf_counter() - begun if words else 0.0)
                said += len(words)
    return first, said


async def load(base: str, streams: int, count: int, together: int, concurrency: int) -> list[float]:
    wanted = sum(len(PROSE[at % len(PROSE)]) for at in range(count))
    few = asyncio.Semaphore(concurrency)

    async def one(session: aiohttp.ClientSession) -> float:
        async with few:
            first, said = await stream(session, base, count, together)
        assert said == wanted
        return first

    async with aiohttp.ClientSession() as session:
        return await asyncio.gather(*(one(session) for _ in range(streams)))


async def measure(address: str, options: list[str], given: argparse.Namespace) -> dict[str, object]:
    async with gateway(address, options) as (base, pid):
        await load(base, 4, given.events, 1, 1)
        result: dict[str, object] = {}
        for name, together in (("alone", 1), ("together", 16)):
            used = []
            for count in (1, given.events):
                before = cpu(pid)
                await load(base, given.streams, count, together, given.concurrency)
                used.append(cpu(pid) - before)
            result[f"cpu_us_per_event_{name}"] = round(
                1e6 * (used[1] - used[0]) / given.streams / (given.events - 1), 1
            )
            result[f"cpu_ms_per_request_{name}"] = round(1e3 * used[0] / given.streams, 2)
        straight = statistics.median(await load(address, given.first, 20, 1, 1))
        late = [1e3 * (each - straight) for each in await load(base, given.first, 20, 1, 1)]
        cuts = statistics.quantiles(late, n=100)
        result["added_first_words_ms"] = {"p50": round(cuts[49], 2), "p99": round(cuts[98], 2)}
    return result


def engine(events: int) -> dict[str, float]:
    """CPU of the window alone, in this process: for each event, and up to the first words that it lets out."""
    plan = plan_stream(load_law("data-protection", kinds=KINDS))
    first, every = [], []
    for _ in range(100):
        window, begun, out = Window(plan), time.process_time(), 0.0
        for at in range(events):
            ready = window.take(PROSE[at % len(PROSE)])
            out = out or (time.process_time() - begun if ready else 0.0)
        every.append((time.process_time() - begun) / events)
        first.append(out)
    cuts = statistics.quantiles(first[1:], n=100)
    return {
        "cpu_us_per_event": round(1e6 * statistics.median(every), 1),
        "first_words_cpu_ms_p50": round(1e3 * cuts[49], 3),
        "first_words_cpu_ms_p99": round(1e3 * cuts[98], 3),
    }


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=40)
    parser.add_argument("--events", type=int, default=500)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--first", type=int, default=300, help="requests that the first words are timed in")
    given = parser.parse_args()
    results: dict[str, object] = {"window alone": engine(given.events)}
    async with upstream() as address:
        results |= {name: await measure(address, options, given) for name, options in MODES.items()}
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    asyncio.run(main())
