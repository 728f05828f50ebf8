"""How long a whole log takes to verify, on one core.

    python benchmarks/audit/million.py [--home FOLDER] [--leaves 1000000]

The records are those of `durable_records.py`, their leaves of about 1 KB, without texts unless `--texts` asks for them:
the figure is of the tree. They are written through the ledger in its largest batches, by the same code as any log, and
verified with the key and the head of the first half, once, in this process bound to one core.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from durable_records import FACTS, TEXTS

from lawspeaker.audit.admission import Entry
from lawspeaker.audit.ledger import LARGEST_BATCH
from lawspeaker.audit.opening import open_ledger
from lawspeaker.audit.reader import LogReader, read_vkeys
from lawspeaker.audit.record import opened
from lawspeaker.audit.verify import verify
from lawspeaker.errors import LogError


def fill(home: Path, count: int, texts: dict[str, str]) -> str:
    """Write `count` records; returns the head that half of them had."""
    (home / "log").mkdir(parents=True)
    ledger, half, done = open_ledger(home), "", 0
    while done < count:
        batch = [Entry(opened(facts=FACTS), texts) for _ in range(min(LARGEST_BATCH, count - done))]
        for outcome in ledger.commit(batch):
            if isinstance(outcome, LogError):
                raise outcome
        done += len(batch)
        if not half and 2 * done >= count:
            with LogReader(home) as reader:
                half = reader.checkpoint
    ledger.close()
    return half


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="where to write; default: a temporary folder here")
    parser.add_argument("--leaves", type=int, default=1_000_000)
    parser.add_argument("--texts", action="store_true", help="with two texts of 0.5 and 1 KB a record")
    options = parser.parse_args()
    if options.leaves < 1:
        parser.error("--leaves must be 1 or more")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(dir=options.home or Path.cwd()) as folder:
        home = Path(folder) / "home"
        start = time.perf_counter()
        half = fill(home, options.leaves, TEXTS if options.texts else {})
        print(f"{options.leaves:,} records written in {time.perf_counter() - start:.1f} s")
        wall, cpu = time.perf_counter(), time.process_time()
        report = verify(home, read_vkeys(home)[0], half)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        sound = "sound" if report.ok else "DAMAGED"
        print(
            f"{report.size:,} verified in {wall:.2f} s, {cpu:.2f} s of one core: {sound}, load {os.getloadavg()[0]:.1f}"
        )


if __name__ == "__main__":
    main()
