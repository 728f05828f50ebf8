"""Another implementation of tlog-tiles reads random logs of ours and must agree with everything that it can say.

    pip install tlog-scales==0.0.3
    python benchmarks/audit/second_reader.py [--logs 1000] [--largest 1200] [--seed 1]

Each log has a random size and grew in random batches, so it has heads at random sizes. tlog-scales reads its static
files and nothing else. Then, of each log: it must accept the published head under our public key; its root must be
ours, at the sizes of sampled heads too; every leaf that is sampled must be the one that our database has; its inclusion
and consistency proofs must equal ours, it must accept ours, and refuse ours with one bit changed.
"""

import argparse
import random
import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

from lawspeaker.audit.admission import Entry
from lawspeaker.audit.checkpoint import decode64, open_note
from lawspeaker.audit.keys import load_verifiers
from lawspeaker.audit.ledger import LARGEST_BATCH
from lawspeaker.audit.opening import open_ledger
from lawspeaker.audit.reader import LogReader, read_vkeys
from lawspeaker.audit.receipt import Receipt
from lawspeaker.audit.record import opened

try:
    from tlog_scales.backend import LocalBackend
    from tlog_scales.reader import TilesReader
    from tlog_scales.signing import Vkey
    from tlog_scales.tlog import ConsistencyProof, ConsistencyProofInvalid, InclusionProof, InclusionProofInvalid
except ImportError:
    raise SystemExit("tlog-scales is not installed: pip install tlog-scales==0.0.3") from None

SAMPLED = 6


def fill(home: Path, size: int, dice: random.Random) -> list[Receipt]:
    """A log of `size` records; a receipt of each batch."""
    (home / "log").mkdir(parents=True)
    ledger, receipts, done = open_ledger(home), [], 0
    while done < size:
        count = min(dice.choice([1, 2, 7, 64, LARGEST_BATCH]), size - done)
        outcomes = ledger.commit([Entry(opened(facts={"n": done + n}), {}) for n in range(count)])
        receipts += [outcome for outcome in outcomes[-1:] if isinstance(outcome, Receipt)]
        done += count
    ledger.close()
    return receipts


def changed(proof: list[bytes], dice: random.Random) -> list[bytes]:
    """The proof with one bit of one hash changed."""
    place, bit = dice.randrange(len(proof)), dice.randrange(256)
    other = bytearray(proof[place])
    other[bit // 8] ^= 1 << bit % 8
    return [*proof[:place], bytes(other), *proof[place + 1 :]]


def compare(home: Path, receipts: list[Receipt], dice: random.Random) -> Counter[str]:
    """How many of each thing were compared; raises `AssertionError` or what tlog-scales raises where they differ."""
    done: Counter[str] = Counter()
    (vkey,), theirs = read_vkeys(home), TilesReader(LocalBackend(home / "log"))
    published = theirs.get_checkpoint()
    published.verify(Vkey.from_string(vkey))
    verifiers = load_verifiers(home / "keys" / "log.vkey")
    with LogReader(home) as ours:
        head = open_note(ours.checkpoint, verifiers)
        assert (published.size, published.root_hash) == (head.size, head.root)
        assert (ours.size, theirs.calculate_root_hash()) == (head.size, head.root)
        done["heads"] += 1
        for receipt in dice.sample(receipts, min(SAMPLED, len(receipts))):
            then = open_note(receipt.checkpoint, verifiers)
            path = [decode64(each) for each in receipt.proof]
            leaf = ours.leaf(receipt.id)
            theirs.set_size(head.size)
            assert theirs.mth(0, then.size) == then.root
            assert theirs.get_entry(receipt.index) == leaf.data
            proof = theirs.get_inclusion_proof(receipt.index, then.size)
            assert proof.node_hashes == path
            digest = bytes.fromhex(leaf.digest.removeprefix("sha256:"))
            proof.check(digest, then.root)
            if path:
                with suppress(InclusionProofInvalid):
                    InclusionProof(receipt.index, then.size, changed(path, dice)).check(digest, then.root)
                    raise AssertionError("an inclusion proof with a changed bit was accepted")
            mine = ours.prove_consistency(then.size)
            assert theirs.get_consistency_proof(then.size, head.size).node_hashes == mine
            ConsistencyProof(then.size, head.size, mine).check(then.root, head.root)
            if mine:
                with suppress(ConsistencyProofInvalid):
                    ConsistencyProof(then.size, head.size, changed(mine, dice)).check(then.root, head.root)
                    raise AssertionError("a consistency proof with a changed bit was accepted")
            done.update(["roots of earlier heads", "leaves", "inclusion proofs", "consistency proofs"])
    return done


def run(folder: Path, logs: int, largest: int, seed: int) -> Counter[str]:
    """What was compared, in all logs; ends at the first difference."""
    dice, done = random.Random(seed), Counter[str]()
    for n in range(logs):
        home = folder / f"log{n}"
        done += compare(home, fill(home, dice.randint(1, largest), dice), dice)
        shutil.rmtree(home)
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="where to write; default: a temporary folder")
    parser.add_argument("--logs", type=int, default=1000)
    parser.add_argument("--largest", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.logs < 1 or options.largest < 1:
        parser.error("--logs and --largest must be 1 or more")
    with tempfile.TemporaryDirectory(dir=options.home) as folder:
        done = run(Path(folder), options.logs, options.largest, options.seed)
    print(", ".join(f"{count:,} {what}" for what, count in done.items()) + ": equal")


if __name__ == "__main__":
    main()
