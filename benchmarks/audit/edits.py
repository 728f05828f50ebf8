"""Random edits of a log, verified with its key and an earlier checkpoint; clean logs; evidence files.

    python benchmarks/audit/edits.py [--edits 1000] [--clean 100] [--evidence 200] [--seed 1]

An edit is one of: swap, delete, insert, truncate, a restored backup of the database, a replayed checkpoint, another
key, one byte of a leaf. Each is made in a fresh copy of a log of 60 records that had 30 when the checkpoint was taken.
"""

import argparse
import asyncio
import importlib.util
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

import msgspec

from lawspeaker.audit.evidence import Policy, export
from lawspeaker.audit.keys import Keys
from lawspeaker.audit.log import open_log
from lawspeaker.audit.reader import LogReader, read_vkeys
from lawspeaker.audit.record import Record, new_id, opened
from lawspeaker.audit.verify import verify

SIZE = 60
TOOL = Path(__file__).parents[2] / "tools" / "verify_evidence.py"


async def fill(home: Path, count: int) -> str:
    """Exchanges of two records; the first one's id."""
    first = ""
    async with await open_log(home) as log:
        for _ in range(count // 2):
            subject = (await log.append(opened(), {"request": "r" * 500})).id
            facts = {"action": "release", "because": []}
            record = Record(kind="decision", id=new_id(), subject=subject, facts=facts)
            await log.append(record, {"exchange": "e" * 1000, "steps": "s" * 2000})
            first = first or subject
    return first


def edit(kind: str, home: Path, earlier: Path, dice: random.Random) -> None:
    """Change the copy under `home`."""
    a, b = dice.sample(range(SIZE), 2)
    if kind == "backup":
        shutil.copy(earlier / "log.db", home / "log.db")
        shutil.copy(earlier / "log" / "checkpoint", home / "log" / "checkpoint")
        return
    database = sqlite3.connect(home / "log.db", isolation_level=None)
    if kind == "swap":
        database.execute("UPDATE leaf SET idx = -1 WHERE idx = ?", (a,))
        database.execute("UPDATE leaf SET idx = ? WHERE idx = ?", (a, b))
        database.execute("UPDATE leaf SET idx = ? WHERE idx = -1", (b,))
    elif kind == "delete":
        database.execute("DELETE FROM leaf WHERE idx = ?", (a,))
    elif kind == "insert":
        database.execute(f"INSERT INTO leaf SELECT {SIZE}, id || 'x', subject, kind, bytes FROM leaf WHERE idx = {a}")
    elif kind == "truncate":
        cut = dice.randrange(1, SIZE)
        database.execute("DELETE FROM leaf WHERE idx >= ?", (cut,))
        database.execute("DELETE FROM checkpoint WHERE size > ?", (cut,))
    elif kind == "replay":
        database.execute(f"UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size={a}) WHERE size = {b}")
    else:
        (data,) = database.execute("SELECT bytes FROM leaf WHERE idx = ?", (a,)).fetchone()
        changed = bytearray(data)
        changed[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        database.execute("UPDATE leaf SET bytes = ? WHERE idx = ?", (bytes(changed), a))
    database.close()


def edits(folder: Path, rounds: int, seed: int) -> None:
    home, dice = folder / "home", random.Random(seed)
    asyncio.run(fill(home, SIZE // 2))
    shutil.copytree(home, folder / "earlier")
    with LogReader(home) as reader:
        since = reader.checkpoint
    asyncio.run(fill(home, SIZE - SIZE // 2))
    key, other = read_vkeys(home)[0], Keys.fresh().signer.vkey
    found: Counter[str] = Counter()
    made: Counter[str] = Counter()
    for n in range(rounds):
        kind = ("swap", "delete", "insert", "truncate", "backup", "replay", "byte", "key")[n % 8]
        copy = shutil.copytree(home, folder / "copy")
        if kind != "key":
            edit(kind, copy, folder / "earlier", dice)
        made[kind] += 1
        if kind == "key":
            found[kind] += not verify(copy, other).ok
        else:
            found[kind] += not verify(copy, key, since).ok
        shutil.rmtree(copy)
    for kind, count in made.items():
        print(f"| {kind} | {count:,} | {found[kind]:,} |")


def clean(folder: Path, rounds: int, seed: int) -> None:
    dice, alarms = random.Random(seed), 0
    for n in range(rounds):
        home = folder / f"clean{n}"
        asyncio.run(fill(home, 2 * dice.randrange(1, 20)))
        with LogReader(home) as reader:
            since = reader.checkpoint
        asyncio.run(fill(home, 2 * dice.randrange(0, 10)))
        alarms += not verify(home, read_vkeys(home)[0], since).ok
        shutil.rmtree(home)
    print(f"\n{rounds:,} clean logs: {alarms} false alarms")


def evidence(folder: Path, rounds: int) -> None:
    spec = importlib.util.spec_from_file_location("verify_evidence", TOOL)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{TOOL} is missing")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    home = folder / "evidence"
    first = asyncio.run(fill(home, 2000))
    keys = list(read_vkeys(home))
    with LogReader(home) as reader:
        data = msgspec.json.encode(export(reader, first, Policy(tuple(keys))))
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        tool.verify(data, keys, [], None)
        took.append((time.perf_counter() - start) * 1000)
    cuts = statistics.quantiles(took, n=100)
    print(f"\nevidence of {len(data):,} bytes, in a log of 2,000: p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=1000)
    parser.add_argument("--clean", type=int, default=100)
    parser.add_argument("--evidence", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print("| edit | made | found |\n|---|--:|--:|", flush=True)
        edits(Path(folder), options.edits, options.seed)
        clean(Path(folder), options.clean, options.seed)
        evidence(Path(folder), options.evidence)


if __name__ == "__main__":
    main()
