"""Makes every file system call of one append fail, and looks at what the log then says and holds. Needs strace.

    python benchmarks/audit/syscalls.py [--faults EIO,ENOSPC,SIGKILL] [--every 1] [--home FOLDER]

A process opens a log, appends once and waits. strace is attached and the process appends a second time: once to count
its calls by name, then again in a fresh copy for each call and each fault, which is injected into that call alone
(strace counts for each thread, so it may be one of each thread). After a fault of the second append the process tries a
third. Then, for each:

- no acknowledgement after one that failed in the same process, and none of an append whose sync failed
- every acknowledged record is in the log, and the log verifies
- the log opens again, takes a record, and verifies
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from aftermath import append, reopened

from lawspeaker.audit.log import open_log
from lawspeaker.audit.record import opened
from lawspeaker.audit.verify import verify
from lawspeaker.errors import LogError

CALLS = (
    "openat,open,creat,close,read,pread64,write,pwrite64,writev,pwritev,lseek,fsync,fdatasync,sync_file_range,ftruncate,"
    "fallocate,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,mkdirat,rmdir,unlink,unlinkat,stat,lstat,"
    "fstat,newfstatat,statx,access,faccessat,faccessat2,chmod,fchmod,fchmodat,fcntl,flock,getdents64,readlink,readlinkat,"
    "fstatfs,statfs,utimensat"
)
SYNCS = {"fsync", "fdatasync"}
PATIENCE = 60.0


async def writer(home: Path, appends: int) -> None:
    """Open, append, say `ready`; then append again (once to count, twice with a fault) as soon as there is a line to
    read, and say what came of each."""
    log = await open_log(home)
    first = await log.append(opened(), {"answer": "a" * 500})
    await asyncio.sleep(0.5)  # the published head is written behind the first append
    os.write(1, f"ready {first.id}\n".encode())
    await asyncio.to_thread(sys.stdin.readline)
    for _ in range(appends):
        try:
            receipt = await log.append(opened(facts={"action": "release"}), {"answer": "b" * 500})
            os.write(1, f"acknowledged {receipt.id}\n".encode())
        except LogError as error:
            os.write(1, f"failed {error}\n".encode())
        await asyncio.sleep(0.5)
    os.write(1, b"end\n")
    os._exit(0)


def under_strace(home: Path, options: list[str], trace: Path, appends: int = 2) -> list[str]:
    """What a writer said whose second append ran under strace."""
    command = [sys.executable, __file__, "--write", str(home), "--appends", str(appends)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    if process.stdin is None or process.stdout is None:
        raise SystemExit("no pipes")
    said = [process.stdout.readline()]
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", str(trace), *options, "-p", str(process.pid)],
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + PATIENCE
    threads = Path(f"/proc/{process.pid}/task")
    while any("TracerPid:\t0\n" in (each / "status").read_text() for each in threads.iterdir()):
        if tracer.poll() is not None or time.monotonic() > end:
            process.kill()
            raise SystemExit("strace cannot attach here")
        time.sleep(0.01)
    try:
        process.stdin.write("go\n")
        process.stdin.flush()
        said += process.stdout.readlines()
    except BrokenPipeError:
        said += process.stdout.readlines()
    process.wait(PATIENCE)
    tracer.wait(PATIENCE)
    process.stdin.close()
    process.stdout.close()
    return [line.strip() for line in said if line.endswith("\n")]


def count_calls(base: Path, folder: Path) -> Counter[str]:
    """How often the busiest thread makes each call, from the second append until its head is published."""
    home, trace = shutil.copytree(base, folder / "counted"), folder / "counted.trace"
    under_strace(home, ["-e", f"trace={CALLS}"], trace, appends=1)
    most: Counter[str] = Counter()
    seen: Counter[tuple[str, str]] = Counter()
    for line in trace.read_text(errors="replace").splitlines():
        if '"end' in line:
            break
        if found := re.match(r"(\d+)\s+(\w+)\(", line):
            seen[found[1], found[2]] += 1
            most[found[2]] = max(most[found[2]], seen[found[1], found[2]])
    return most


def judge(home: Path, said: list[str], call: str, fault: str) -> list[str]:
    """What is wrong with how it ended; nothing if all is as it should be."""
    wrong = []
    acknowledged = [line.split()[1] for line in said if line.startswith(("ready ", "acknowledged "))]
    failed = [n for n, line in enumerate(said) if line.startswith("failed ")]
    if failed and any(line.startswith("acknowledged ") for line in said[failed[0] :]):
        wrong.append("acknowledged after a failure")
    if call in SYNCS and fault != "SIGKILL" and any(line.startswith("acknowledged ") for line in said[1:2]):
        wrong.append("acknowledged although a sync failed")
    report = verify(home)
    if not report.ok:
        wrong.append(f"unsound: {report.problems[0].what}")
    return wrong + reopened(home, acknowledged)


def run(folder: Path, faults: list[str], every: int) -> tuple[Counter[str], Counter[str], list[str]]:
    """Calls of one append, outcomes by fault, and everything that is wrong."""
    base = folder / "base"
    asyncio.run(append(base))
    calls = count_calls(base, folder)
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    cases = [(call, n, fault) for call, most in calls.items() for n in range(1, most + 1) for fault in faults]
    for call, n, fault in cases[::every]:
        home = shutil.copytree(base, folder / "home")
        what = "signal=SIGKILL" if fault == "SIGKILL" else f"error={fault}"
        said = under_strace(home, ["-e", f"trace={call}", "-e", f"inject={call}:{what}:when={n}"], folder / "trace")
        second = said[1].split()[0] if len(said) > 1 else "killed"
        outcomes[f"{fault}: {second}"] += 1
        for each in judge(home, said, call, fault):
            wrong.append(f"{fault} in {call} {n}: {each}")
            print(wrong[-1], flush=True)
        shutil.rmtree(home)
    return calls, outcomes, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="where to write; default: a temporary folder here")
    parser.add_argument("--faults", default="EIO,ENOSPC,SIGKILL")
    parser.add_argument("--every", type=int, default=1, help="only every so many-th case")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--appends", type=int, default=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        asyncio.run(writer(options.write, options.appends))
        return
    if not shutil.which("strace"):
        parser.error("strace is not installed")
    with tempfile.TemporaryDirectory(dir=options.home or Path.cwd()) as folder:
        calls, outcomes, wrong = run(Path(folder), options.faults.split(","), options.every)
    print("calls of one append: " + ", ".join(f"{count} {call}" for call, count in calls.items()))
    print(f"{sum(outcomes.values())} runs: {json.dumps(dict(sorted(outcomes.items())))}; {len(wrong)} wrong")


if __name__ == "__main__":
    main()
