"""Plants texts in a log, erases them, and looks for them in every file.

    python benchmarks/audit/canaries.py [--canaries 10000] [--home FOLDER]

Each canary is the text of an exchange of its own. Before the erasure the bytes that the vault stores of it are noted:
the wrapped key, without which the text is noise, and the beginning of the ciphertext. Afterwards neither a part of a
wrapped key nor the canary itself, in clear, hex or base64, may be in any file under the log's home, while it is still
open and after it was closed. Beginnings of ciphertexts are counted beside them: SQLite may leave some in unused space
of a page. Every proof must verify, and so must the log.
"""

import argparse
import asyncio
import base64
import sqlite3
import tempfile
from pathlib import Path

import numpy as np

from lawspeaker.audit.erasure import erase
from lawspeaker.audit.log import Log, open_log
from lawspeaker.audit.reader import LogReader, read_vkeys
from lawspeaker.audit.receipt import verify_receipt
from lawspeaker.audit.record import Record, new_id, opened
from lawspeaker.audit.verify import verify

AT_ONCE = 250
SAMPLED = 200


async def plant(log: Log, count: int) -> list[str]:
    ids: list[str] = []
    for start in range(0, count, AT_ONCE):
        some = range(start, min(start + AT_ONCE, count))
        receipts = await asyncio.gather(
            *[log.append(opened(), {"request": f"{canary(n)} " + "x" * (n % 3000)}) for n in some]
        )
        ids += [receipt.id for receipt in receipts]
    return ids


def canary(n: int) -> str:
    return f"canary-bird-{n:08}"


def stored(home: Path) -> list[np.ndarray]:
    """What the vault has of every text, in pieces of eight bytes: wrapped keys, and beginnings of ciphertexts."""
    database = sqlite3.connect(f"file:{home / 'vault.db'}?mode=ro", uri=True)
    keys = [row[0][:88] for row in database.execute("SELECT wrapped FROM record NATURAL JOIN text")]
    texts = [row[0] for row in database.execute("SELECT substr(sealed, 13, 8) FROM text")]
    database.close()
    return [np.unique(np.frombuffer(b"".join(each), dtype="<u8")) for each in (keys, texts)]


def remaining(home: Path, pieces: list[np.ndarray]) -> list[int]:
    """How often a canary in any of its forms, and a piece of each kind, is in a file under `home`."""
    words = [b"canary-bird-", b"canary-bird-".hex().encode(), base64.b64encode(b"canary-bird-")]
    found = [0] * (1 + len(pieces))
    for path in home.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        found[0] += sum(data.count(word) for word in words)
        for offset in range(8):
            whole = np.frombuffer(data[offset : offset + (len(data) - offset) // 8 * 8], dtype="<u8")
            for n, each in enumerate(pieces, 1):
                found[n] += among(whole, each)
    return found


def among(words: np.ndarray, wanted: np.ndarray) -> int:
    """How many of `words` are wanted; most are known not to be by their last bits, without a search."""
    ends = np.zeros(1 << 22, bool)
    ends[wanted & np.uint64(len(ends) - 1)] = True
    return int(np.isin(words[ends[words & np.uint64(len(ends) - 1)]], wanted).sum())


async def erase_all(log: Log, ids: list[str]) -> None:
    """The first ones as a person would, the others by records that name a thousand each, as `audit maintain` does."""
    for id_ in ids[:SAMPLED]:
        await erase(log, id_, "asked to", "benchmark")
    for start in range(SAMPLED, len(ids), 1000):
        begun = opened()
        await log.append(begun, {})
        facts = {"erased": ids[start : start + 1000], "by": "benchmark"}
        await log.append(Record(kind="erased", id=new_id(), subject=begun.id, facts=facts), {})


async def run(home: Path, count: int) -> tuple[list[int], list[int], list[int]]:
    """What was found before the erasure, after it, and after the log was closed."""
    async with await open_log(home) as log:
        ids = await plant(log, count)
        pieces = stored(home)
        before = remaining(home, pieces)
        await erase_all(log, ids)
        after = remaining(home, pieces)
    report = verify(home)
    if not report.ok:
        raise SystemExit(f"the log is not sound: {report.problems[:3]}")
    with LogReader(home) as reader:
        for id_ in ids[:: max(1, len(ids) // SAMPLED)]:
            verify_receipt(reader.prove(id_), reader.leaf(id_).data, *read_vkeys(home))
            if any(text.state != "erased" for text in reader.texts(id_).values()):
                raise SystemExit(f"{id_} still has a text")
    return before, after, remaining(home, pieces)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="where to write; default: a temporary folder")
    parser.add_argument("--canaries", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.home) as folder:
        counted = asyncio.run(run(Path(folder) / "home", options.canaries))
    print(f"{options.canaries:,} canaries\n")
    print("| | in clear, hex or base64 | pieces of wrapped keys | beginnings of ciphertexts |\n|---|--:|--:|--:|")
    for name, row in zip(("before", "after the erasure", "after closing"), counted, strict=True):
        print(f"| {name} | " + " | ".join(f"{each:,}" for each in row) + " |")


if __name__ == "__main__":
    main()
