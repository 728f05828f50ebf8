"""The rig: an instant upstream, a fixed load, and gateways one after another, round by round.

    python -m benchmarks.gateway.rig [--seconds 8] [--rounds 3] [--clients 10] [--litellm ENV] [--nemo ENV] [--out FILE]

Each target is started once for each round, warmed up for a second and then asked for `--seconds` by `--clients` that
ask again as soon as they are answered. Rounds go through all targets, so that what else the machine does meets all of
them. CPU is of the target's processes alone, its children included, from /proc; latencies and requests a second are of
a rig in which load, target and upstream share the machine. Every round is kept as it was, latencies by percentile.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from benchmarks.gateway.load import load, request
from benchmarks.gateway.targets import Running, Target, direct, guardrails, litellm, nemo, ours
from benchmarks.gateway.upstream import ANSWER

FULL = ("infrastructure", "data-protection")


def processes(pid: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in processes(int(child)))]


def cpu(pid: int) -> float:
    """Seconds that the processes took; what has ended since is counted by who waited for it."""
    total = 0
    for each in processes(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, fields[11:15] if each == pid else fields[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """MiB, shared pages counted once for each process."""
    pages = sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in processes(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def measure(running: Running, seconds: float, clients: int) -> dict[str, object]:
    data, expected = request(running.url, running.model, running.key), ANSWER[:500].encode()
    await load(running.url, data, expected, 1, clients)
    before, begun = cpu(running.pid) if running.pid else 0.0, time.perf_counter()
    taken, wrong = await load(running.url, data, expected, seconds, clients)
    wall = time.perf_counter() - begun
    used = cpu(running.pid) - before if running.pid else None
    cuts = statistics.quantiles(taken, n=1000) if len(taken) > 1 else [0.0] * 999
    shown = {str(each / 10): round(1000 * cuts[each - 1], 3) for each in (10, 50, 250, 500, 750, 900, 950, 990, 999)}
    return {
        "requests": len(taken),
        "wrong": wrong,
        "requests_per_second": round(len(taken) / wall, 1),
        "cpu_ms_per_request": round(1000 * used / max(1, len(taken)), 4) if used is not None else None,
        "latency_ms_by_percentile": shown,
        "rss_mib": round(resident(running.pid), 1) if running.pid else None,
        "cold_start_s": round(running.cold, 2) if running.pid else None,
        "load_average": round(os.getloadavg()[0], 1),
    }


async def rounds(targets: dict[str, Target], upstream: str, given: argparse.Namespace) -> dict[str, list[object]]:
    found: dict[str, list[object]] = {name: [] for name in targets}
    for number in range(given.rounds):
        for name, target in targets.items():
            with tempfile.TemporaryDirectory() as folder:
                try:
                    with target(upstream, Path(folder)) as running:
                        found[name].append(await measure(running, given.seconds, given.clients))
                except RuntimeError as error:
                    found[name].append({"did_not_start": str(error)})
            sys.stderr.write(f"round {number + 1}: {name}: {json.dumps(found[name][-1])[:300]}\n")
    return found


def table(found: dict[str, list[dict[str, object]]]) -> str:
    """The medians of the rounds."""
    lines = [
        "| target | CPU ms a request | requests/s | p50 / p99 / p99.9 ms | RSS MiB | cold start s | requests | wrong |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, each in found.items():
        good = [one for one in each if "requests" in one]
        if not good:
            lines.append(f"| {name} | did not start | | | | | | |")
            continue
        middle = {
            key: f"{statistics.median(one[key] for one in good):.3g}" if good[0][key] is not None else "–"
            for key in ("cpu_ms_per_request", "requests_per_second", "rss_mib", "cold_start_s")
        }
        cuts = [
            statistics.median(one["latency_ms_by_percentile"][at] for one in good) for at in ("50.0", "99.0", "99.9")
        ]
        lines.append(
            f"| {name} | {middle['cpu_ms_per_request']} | {middle['requests_per_second']} |"
            f" {' / '.join(f'{cut:.1f}' for cut in cuts)} | {middle['rss_mib']} | {middle['cold_start_s']} |"
            f" {sum(one['requests'] for one in good)} | {sum(sum(one['wrong'].values()) for one in good)} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=10)
    for peer in ("litellm", "nemo", "guardrails"):
        parser.add_argument(f"--{peer}", type=Path, metavar="ENV")
    parser.add_argument("--out", type=Path, help="where the raw results go, as JSON")
    given = parser.parse_args()
    targets: dict[str, Target] = {
        "the upstream, asked directly": direct,
        "ours, a law with nothing to say": ours("pass.yaml"),
        "ours, infrastructure and data-protection": ours(*FULL),
        "ours, the same with two workers": ours(*FULL, options=("--workers", "2")),
    }
    for name, peer in (("LiteLLM proxy", litellm), ("NeMo Guardrails server", nemo), ("Guardrails AI", guardrails)):
        if where := getattr(given, peer.__name__):
            targets[f"{name}, nothing on"] = peer(where.absolute())
    command = [sys.executable, "-m", "benchmarks.gateway.upstream"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        found = uvloop.run(rounds(targets, process.stdout.readline().strip(), given))
        process.kill()
    about = {"date": time.strftime("%Y-%m-%d %H:%M"), "machine": platform.platform(), "cores": os.cpu_count()}
    about |= {"usable_cores": len(os.sched_getaffinity(0)), "options": vars(given)}
    raw = {"about": about, "rounds": found}
    if given.out:
        given.out.write_text(json.dumps(raw, indent=1, default=str) + "\n")
    sys.stdout.write(table(found) + "\n")


if __name__ == "__main__":
    main()
