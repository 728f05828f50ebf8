"""Processor time that one record takes: what bounds a log on any disk.

    python benchmarks/audit/processor_time.py [--home FOLDER] [--batches 200] [--batch 64]

The records are those of `durable_records.py`, committed straight through the ledger, in batches, by one thread. All of
the process counts, the threads that sync texts and write the static files too; waiting for the disk does not.
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
from lawspeaker.audit.record import check, opened
from lawspeaker.errors import LogError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="where to write; default: a temporary folder here")
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    if options.batches < 1 or not 0 < options.batch <= LARGEST_BATCH:
        parser.error(f"--batches must be 1 or more, --batch 1 to {LARGEST_BATCH}")
    with tempfile.TemporaryDirectory(dir=options.home or Path.cwd()) as folder:
        home = Path(folder) / "home"
        (home / "log").mkdir(parents=True)
        ledger = open_ledger(home)
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(options.batches):
            batch = [Entry(opened(facts=FACTS), TEXTS) for _ in range(options.batch)]
            for entry in batch:
                check(entry.record, entry.texts)
            for outcome in ledger.commit(batch):
                if isinstance(outcome, LogError):
                    raise outcome
        ledger.close()
        count = options.batches * options.batch
        cpu, wall = (time.process_time() - cpu) / count * 1e6, (time.perf_counter() - wall) / count * 1e6
        print(f"{count:,} records: {cpu:.1f} µs of processor time each, {wall:.1f} µs in all", end="")
        print(f", load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
