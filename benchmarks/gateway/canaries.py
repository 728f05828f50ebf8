"""10,000 requests that are under way at the same time, each with a canary of its own: does any answer hold another's?

    python -m benchmarks.gateway.canaries [--requests 10000] [--workers 2]

Two tenants with laws, keys and routes of their own, three surfaces, half of the requests streamed. The upstream says
back what it was asked, and answers nobody before all have arrived. A crossing is an answer that holds a canary which is
not its own; the records of a request are of its tenant and hold no other's canary; what is not answered is counted too.
"""

import argparse
import asyncio
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import uvloop
from aiohttp import web

from benchmarks.gateway.rig import processes, resident
from benchmarks.gateway.targets import free_port, started
from lawspeaker.access import new_secret
from lawspeaker.audit.reader import LogReader
from lawspeaker.audit.verify import verify

_CANARY = re.compile(r"canary-[a-z]+-\d{6}")
_PER_SECOND = 200  # begun; clients that open all their connections at once would be late with what they ask
LAW = """\
name: {name}
version: 1.0.0
summary: A word of this tenant's that is never said.
principles:
  - id: no-word-of-{name}
    text: The word is never said.
    because: It is theirs.
    severity: critical
    on_violation: refuse
    checks: [{{pattern: {{deny: [word-of-{name}], reason: The word is said.}}}}]
"""


class Together:
    """Answers when `count` have arrived, or after `patience` seconds in which nobody else did."""

    def __init__(self, count: int, patience: float) -> None:
        self.count, self.patience = count, patience
        self.arrived, self.most, self.latest = 0, 0, time.monotonic()
        self.all_here = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        said = (await request.json())["messages"][-1]["content"]
        self.arrived += 1
        self.latest = time.monotonic()
        if self.arrived == self.count:
            self.all_here.set()
        while not self.all_here.is_set():
            try:
                async with asyncio.timeout(1):
                    await self.all_here.wait()
            except TimeoutError:
                if time.monotonic() - self.latest > self.patience:
                    self.all_here.set()
        self.most = max(self.most, self.arrived)
        return web.json_response({"choices": [{"message": {"role": "assistant", "content": f"You said {said}."}}]})


async def ask(session: aiohttp.ClientSession, base: str, key: str, canary: str, number: int) -> tuple[str, str, str]:
    """Canary, decision and text."""
    turn = [{"role": "user", "content": canary}]
    path, body = (
        ("/v1/chat/completions", {"messages": turn}),
        ("/v1/responses", {"input": canary}),
        ("/v1/messages", {"messages": turn, "max_tokens": 100}),
    )[number % 3]
    asked = {"model": "assistant", "stream": number % 2 == 0, **body}
    headers = {"authorization": f"Bearer {key}"}
    await asyncio.sleep(number / _PER_SECOND)
    async with session.post(base + path, json=asked, headers=headers) as response:
        return canary, response.headers.get("x-lawspeaker-decision", ""), await response.text()


async def serve_upstream(given: argparse.Namespace) -> None:
    """The upstream, in a process of its own: it has as many open files as there are requests."""
    together = Together(given.requests, given.patience)

    async def most(request: web.Request) -> web.Response:
        return web.json_response(together.most)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", together.answer)
    app.router.add_get("/v1/most", most)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}/v1\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


async def run(given: argparse.Namespace, folder: Path, upstream: str) -> dict[str, object]:
    keys = {"bank": new_secret(), "shop": new_secret()}
    lines = [f"workers: {given.workers}\ntenants:\n"]
    for name in keys:
        (folder / f"{name}.yaml").write_text(LAW.format(name=name))
        route = f"{{name: assistant, model: '{upstream}#tiny', timeout: 900, budget: 300, constitution: {name}.yaml}}"
        key = f"{{name: web, environment: KEY_{name.upper()}}}"
        lines.append(f"  - {{name: {name}, routes: [{route}], keys: [{key}]}}\n")
    (folder / "lawspeaker.yaml").write_text("".join(lines))
    port = free_port()
    base, home = f"http://127.0.0.1:{port}", folder / "home"
    program = str(Path(sys.executable).with_name("lawspeaker"))
    command = [program, "serve", "--config", "lawspeaker.yaml", "--port", str(port)]
    where = {"LAWSPEAKER_HOME": str(home), **{f"KEY_{name.upper()}": key for name, key in keys.items()}}
    serving = started(command, folder, base + "/readyz", base, "", where)
    gateway = await asyncio.to_thread(serving.__enter__)
    try:
        names = list(keys)
        canaries = [(names[at % 2], f"canary-{names[at % 2]}-{at:06}") for at in range(given.requests)]
        limits = aiohttp.ClientTimeout(total=None)
        begun = time.perf_counter()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=limits) as session:
            asked = (ask(session, base, keys[name], canary, at) for at, (name, canary) in enumerate(canaries))
            found = await asyncio.gather(*asked, return_exceptions=True)
            async with session.get(f"{upstream}/most") as response:
                at_once = await response.json()
        seconds, memory, count = time.perf_counter() - begun, resident(gateway.pid), len(processes(gateway.pid))
    finally:
        await asyncio.to_thread(serving.__exit__, None, None, None)
    about = {"at_once": at_once, "seconds": round(seconds, 1), "rss_mib": round(memory), "processes": count}
    return {**check(canaries, found, home), **about}


def check(canaries: list[tuple[str, str]], found: list[object], home: Path) -> dict[str, object]:
    """What the answers and the log hold of canaries that are not theirs."""
    answered, crossings, missing, of_others = 0, 0, 0, 0
    failures: dict[str, int] = {}
    with LogReader(home) as reader:
        for (tenant, canary), one in zip(canaries, found, strict=True):
            if isinstance(one, BaseException):
                failures[type(one).__name__] = failures.get(type(one).__name__, 0) + 1
                continue
            _, id, text = one
            seen = set(_CANARY.findall(text))
            crossings += bool(seen - {canary})
            answered += canary in seen
            missing += canary not in seen
            if id:
                of_others += any(leaf.record.tenant != tenant for leaf in reader.history(id))
                for leaf in reader.history(id):
                    texts = "".join(each.text for each in reader.texts(leaf.record.id).values())
                    of_others += bool(set(_CANARY.findall(texts)) - {canary})
        records = reader.size
    told = {"requests": len(canaries), "answered": answered, "crossings": crossings, "without_their_answer": missing}
    return {**told, "broken": failures, "records": records, "records_of_others": of_others, "log_ok": verify(home).ok}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--patience", type=float, default=20, help="seconds without a new arrival")
    parser.add_argument("--upstream", action="store_true", help="be the upstream")
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most < (needed := 2 * given.requests // min(2, given.workers) + 500):
        parser.error(f"a process may have {most} open files here, and a worker needs {needed}: more workers need fewer")
    if given.upstream:
        uvloop.run(serve_upstream(given))
    options = ["--requests", str(given.requests), "--patience", str(given.patience)]
    command = [sys.executable, "-m", "benchmarks.gateway.canaries", "--upstream", *options]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        tempfile.TemporaryDirectory() as folder,
    ):
        assert process.stdout
        found = uvloop.run(run(given, Path(folder), process.stdout.readline().strip()))
        process.kill()
    found["load_average"] = round(os.getloadavg()[0], 1)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
