"""Flips single bits of a log, one at a time, and counts those that verification finds and places rightly.

    python benchmarks/audit/bit_flips.py [--flips 100000] [--records 300] [--seed 1] [--home FOLDER]

Bits are drawn from the bytes that are evidence, each byte as likely as any other: what the databases store of leaves,
tiles, heads, wrapped keys and texts, and the static files, whole. Found means that the report is not ok; placed, that a
problem has the index of the record whose byte it was, or names the file (and for the log's head, `log/checkpoint`).
Keys are not evidence: those of the log are replaced by what a verifier brings.

What lies between is not drawn: unused space, page headers, counters and the text of the schema in a database. A flip
there changes nothing that is read as evidence, or makes the database unreadable, which is found.
"""

import argparse
import asyncio
import math
import random
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
from durable_records import FACTS

from lawspeaker.audit.log import open_log
from lawspeaker.audit.reader import read_vkeys
from lawspeaker.audit.record import opened
from lawspeaker.audit.verify import Report, verify

ALONE = 5  # records that come alone, so that the log has more heads than one


class Span(msgspec.Struct, frozen=True):
    """Bytes of one file that are evidence: of a record, or of the file alone where `index` is None."""

    kind: str
    path: Path
    start: int
    length: int
    index: int | None = None


async def fill(home: Path, count: int) -> None:
    async with await open_log(home) as log:
        texts = {"request": "r" * 120, "answer": "a" * 200}
        for _ in range(min(ALONE, count)):
            await log.append(opened(facts=FACTS), texts)
        await asyncio.gather(*[log.append(opened(facts=FACTS), texts) for _ in range(count - ALONE)])


def spans(home: Path) -> Iterator[Span]:
    """Every stretch of evidence, found by its bytes in the files."""
    yield from _in_database(home / "log.db", "leaf", "SELECT idx, bytes FROM leaf")
    yield from _in_database(home / "log.db", "head in log.db", "SELECT NULL, note FROM checkpoint")
    yield from _in_database(home / "log.db", "tile in log.db", "SELECT NULL, hashes FROM tile")
    index = dict(sqlite3.connect(home / "log.db").execute("SELECT id, idx FROM leaf").fetchall())
    for id_, column, table in (("id", "wrapped", "record"), ("id", "sealed", "text NATURAL JOIN record")):
        name = "wrapped key" if column == "wrapped" else "text"
        for span in _in_database(home / "vault.db", name, f"SELECT {id_}, {column} FROM {table}"):
            yield msgspec.structs.replace(span, index=index[span.index])
    for path in sorted((home / "log" / "tile").rglob("*")):
        if path.is_file() and path.suffix != ".tmp":
            yield Span("bundle" if "entries" in path.parts else "tile file", path, 0, path.stat().st_size)
    path = home / "log" / "checkpoint"
    yield Span("published head", path, 0, path.stat().st_size)


def _in_database(path: Path, kind: str, query: str) -> Iterator[Span]:
    data, rows = path.read_bytes(), _rows(path, query)
    for n, (index, value) in enumerate(rows):
        wanted = value.encode() if isinstance(value, str) else value
        # A large value goes on in other pages: its first part is enough to draw from.
        wanted = wanted if wanted in data else wanted[:400]
        places = [at for at in _occurrences(data, wanted) if data.count(wanted) == 1 or _is_read(path, at, query, n)]
        if len(places) != 1:
            raise SystemExit(f"{kind}: its bytes are read from {len(places)} places of {path}")
        yield Span(kind, path, places[0], len(wanted), index)


def _rows(path: Path, query: str) -> list[tuple[object, bytes | str]]:
    connection = sqlite3.connect(path)
    rows = connection.execute(query).fetchall()
    connection.close()
    return rows


def _occurrences(data: bytes, wanted: bytes) -> Iterator[int]:
    at = data.find(wanted)
    while at >= 0:
        yield at
        at = data.find(wanted, at + 1)


def _is_read(path: Path, place: int, query: str, n: int) -> bool:
    """Whether the database reads these bytes: a page that was rearranged may hold a second, dead copy."""
    before = _rows(path, query)[n]
    flip(path, place, 0)
    after = _rows(path, query)[n]
    flip(path, place, 0)
    return before != after


def flip(path: Path, place: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        old = file.read(1)[0]
        file.seek(place)
        file.write(bytes([old ^ 1 << bit]))


def placed(report: Report, span: Span, home: Path) -> bool:
    """Whether a problem names the record, or else the file."""
    if span.index is not None:
        return any(problem.index == span.index for problem in report.problems)
    name = span.path.relative_to(home).as_posix()
    return any(name.partition(".p/")[0] in problem.what for problem in report.problems)


def run(home: Path, count: int, seed: int, flips: int, seconds: float = math.inf) -> dict[str, list[int]]:
    """Of each kind of evidence: bits flipped, found, placed, and bytes there are. Ends early after `seconds`."""
    end = time.monotonic() + seconds
    asyncio.run(fill(home, count))
    key, dice, all_ = read_vkeys(home)[0], random.Random(seed), list(spans(home))
    if not verify(home, key).ok:
        raise SystemExit("the log is not sound to begin with")
    done: dict[str, list[int]] = {span.kind: [0, 0, 0, 0] for span in all_}
    for span in all_:
        done[span.kind][3] += span.length
    for span in dice.choices(all_, [span.length for span in all_], k=flips):
        if time.monotonic() > end:
            break
        place, bit = span.start + dice.randrange(span.length), dice.randrange(8)
        flip(span.path, place, bit)
        report = verify(home, key)
        flip(span.path, place, bit)
        row = done[span.kind]
        row[0] += 1
        row[1] += not report.ok
        row[2] += placed(report, span, home)
        if report.ok or not placed(report, span, home):
            print(f"{span.kind}: byte {place} bit {bit} of {span.path.name}: {report.problems[:2]}", flush=True)
    if not verify(home, key).ok:
        raise SystemExit("the log did not come back as it was")
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="where to write; default: a temporary folder")
    parser.add_argument("--flips", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=math.inf, help="end early after so long")
    parser.add_argument("--records", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.records <= ALONE or options.flips < 1:
        parser.error(f"--records must be above {ALONE}, --flips 1 or more")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=options.home) as folder:
        done = run(Path(folder) / "home", options.records, options.seed, options.flips, options.seconds)
        sizes = Counter({path.name: path.stat().st_size for path in (Path(folder) / "home").glob("*.db")})
    print("| evidence | bytes | bits flipped | found | placed |\n|---|--:|--:|--:|--:|")
    for kind, (flipped, found, right, size) in done.items():
        print(f"| {kind} | {size:,} | {flipped:,} | {found:,} | {right:,} |")
    totals = [sum(row[n] for row in done.values()) for n in range(3)]
    print(f"| all | {sum(row[3] for row in done.values()):,} | " + " | ".join(f"{each:,}" for each in totals) + " |")
    print(
        f"\n{time.perf_counter() - start:,.0f} s; {', '.join(f'{name} has {n:,} bytes' for name, n in sizes.items())}"
    )


if __name__ == "__main__":
    main()
