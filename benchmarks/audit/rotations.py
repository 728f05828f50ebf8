"""Kills a rotation of the log's keys at each call that changes a file, and looks at what is left. Needs strace.

    python benchmarks/audit/rotations.py [--every 1] [--home FOLDER]

A log of some records with texts, one of them erased, is copied for each call of `lawspeaker keys rotate` and of `keys
rotate --vault` that writes, syncs, renames or removes; strace sends SIGKILL at that call. Then, for each:

- the log verifies as it lies, opens again, takes a record, and verifies with the public key that it began with
- each text is what it was, and what was erased is still erased
- there is one signing key and one vault key, and the new one where the command had said that it was done
- where the vault key is a new one, no piece of eight bytes of what was wrapped under the old one is in any file, nor is
  that key
"""

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from aftermath import append
from canaries import remaining, stored

from lawspeaker.audit.checkpoint import encode64
from lawspeaker.audit.erasure import erase
from lawspeaker.audit.keys import VaultKey, load, load_vault
from lawspeaker.audit.log import open_log
from lawspeaker.audit.reader import LogReader, read_vkeys
from lawspeaker.audit.record import opened
from lawspeaker.audit.verify import verify
from lawspeaker.errors import LogError

CALLS = "write,pwrite64,rename,unlink,ftruncate,fsync,fdatasync"
RECORDS = 40


async def fill(home: Path) -> None:
    async with await open_log(home) as log:
        receipts = [await log.append(opened(), {"answer": f"text {n}"}) for n in range(RECORDS)]
        await erase(log, receipts[0].id, "asked to", "benchmark")


def texts(home: Path) -> dict[str, tuple[str, str]]:
    """State and text of each record that has one."""
    with LogReader(home) as reader:
        ids = [leaf.record.id for leaf in reader.leaves() if leaf.record.texts]
        return {id_: (text.state, text.text) for id_ in ids for text in reader.texts(id_).values()}


def rotate(home: Path, options: list[str], trace: Path) -> int:
    """Rotate a key under strace; the exit status."""
    command = [sys.executable, "-c", "from lawspeaker.cli.main import main; main()", "keys", "rotate", "--why", "why"]
    command += ["--by", "benchmark", *(["--vault"] if "vault" in home.name else [])]
    environment = {**os.environ, "LAWSPEAKER_HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        ["strace", "-f", "-qq", "-o", str(trace), *options, *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    ).returncode


def calls_of(base: Path, home: Path) -> Counter[str]:
    """How often the busiest thread makes each call in a rotation that nothing disturbs."""
    shutil.copytree(base, home)
    trace = home.with_suffix(".trace")
    if rotate(home, ["-e", f"trace={CALLS}"], trace):
        raise SystemExit("the log's keys could not be rotated")
    seen = Counter(re.findall(r"^(\d+) +(\w+)\(", trace.read_text(errors="replace"), re.MULTILINE))
    shutil.rmtree(home)
    return Counter({call: max(n for (_, name), n in seen.items() if name == call) for _, call in seen})


def judge(
    home: Path, done: bool, before: Mapping[str, tuple[str, str]], vkey: str, old: VaultKey, pieces: list[np.ndarray]
) -> list[str]:
    """What is wrong; nothing if all is as it should be."""
    wrong = []
    if not (report := verify(home, vkey)).ok:
        wrong.append(f"unsound as it lay: {report.problems[0].what}")
    try:
        asyncio.run(append(home))
        keys = load(home / "keys")
    except LogError as error:
        return [*wrong, str(error)]
    if not (report := verify(home, vkey)).ok:
        wrong.append(f"unsound after it was opened again: {report.problems[0].what}")
    after = texts(home)
    wrong += [f"the text of {id_} is {after.get(id_)}" for id_, text in before.items() if after.get(id_) != text]
    names = {path.name for path in (home / "keys").iterdir()} - {"vault.key.tmp"}
    if len(keys.vault) != 1 or names != {"log.key", "log.vkey", "vault.key"}:
        wrong.append(f"there are {len(keys.vault)} vault keys in {sorted(names)}")
    if done and (keys.vault[0].id == old.id) == ("vault" in home.name):
        wrong.append("the command said that it was done, and was not")
    if keys.vault[0].id != old.id:
        if left := remaining(home, pieces)[1]:
            wrong.append(f"{left} pieces of what was under the old vault key are left")
        if any(encode64(old.secret).encode() in path.read_bytes() for path in home.rglob("*") if path.is_file()):
            wrong.append("the old vault key is left")
    return wrong


def run(folder: Path, every: int) -> tuple[Counter[str], list[str]]:
    """Outcomes, and everything that is wrong."""
    base = folder / "base"
    asyncio.run(fill(base))
    before, vkey, pieces = texts(base), read_vkeys(base)[0], stored(base)
    (old,) = load_vault(base / "keys" / "vault.key")
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    for name in ("signing", "vault"):
        calls = calls_of(base, folder / name)
        cases = [(call, n) for call, most in sorted(calls.items()) for n in range(1, most + 1)]
        for call, n in cases[::every]:
            home = shutil.copytree(base, folder / name)
            inject = ["-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={n}"]
            status = rotate(home, inject, folder / "trace")
            found = judge(home, not status, before, vkey, old, pieces)
            state = "done" if not status else "killed"
            moved = load(home / "keys").vault[0].id != old.id or len(read_vkeys(home)) > 1
            outcomes[f"{name}: {state}, {'new' if moved else 'old'} key afterwards"] += 1
            for each in found:
                wrong.append(f"{name} {call} {n}: {each}")
                print(wrong[-1], flush=True)
            shutil.rmtree(home)
    return outcomes, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="where to write; default: a temporary folder here")
    parser.add_argument("--every", type=int, default=1, help="only every so many-th call")
    options = parser.parse_args()
    if not shutil.which("strace"):
        parser.error("strace is not installed")
    if options.every < 1:
        parser.error("--every must be 1 or more")
    with tempfile.TemporaryDirectory(dir=options.home or Path.cwd()) as folder:
        outcomes, wrong = run(Path(folder), options.every)
    for outcome, count in sorted(outcomes.items()):
        print(f"{outcome}: {count}")
    print(f"{outcomes.total()} rotations, {len(wrong)} wrong")


if __name__ == "__main__":
    main()
