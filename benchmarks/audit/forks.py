"""Shows forks of a log to witnesses and counts those that a quorum cosigns.

    python benchmarks/audit/forks.py [--forks 1000] [--home FOLDER]

Three witnesses with a state on disk each; two are a quorum. All have cosigned a common beginning. Then the truth is
shown to two of them and a fork, which begins alike and goes on differently, to all three, in an order drawn at random;
every witness is opened anew in between half of the times. No order may give both a quorum.
"""

import argparse
import random
import tempfile
from pathlib import Path

from lawspeaker.audit import merkle
from lawspeaker.audit.checkpoint import Checkpoint, Signer
from lawspeaker.audit.merkle import hash_leaf
from lawspeaker.audit.tiles import Tree
from lawspeaker.audit.witness import open_witness, request_body

LOG = Signer("example.org/log", bytes(32))


def request(old: int, leaves: list[str]) -> bytes:
    tree = Tree(lambda level, n: b"")
    for leaf in leaves:
        tree.append(hash_leaf(leaf.encode()))
    proof = merkle.consistency(old, tree.size, tree.node) if old else []
    return request_body(old, proof, LOG.sign(Checkpoint(LOG.name, tree.size, tree.root)))


def quorums(folder: Path, dice: random.Random) -> tuple[int, int]:
    """How many witnesses cosigned the truth, and how many the fork."""
    opened = [open_witness(folder / str(n), "", [LOG.vkey])[0] for n in range(3)]
    common = [f"leaf {n}" for n in range(dice.randrange(1, 40))]
    truth = [*common, *(f"true {n}" for n in range(dice.randrange(1, 5)))]
    fork = [*common, *(f"false {n}" for n in range(dice.randrange(1, 5)))]
    for each in opened:
        if each.add_checkpoint(request(0, common)).status != 200:
            raise SystemExit("a witness did not cosign the beginning")
    shown = [(n, True) for n in dice.sample(range(3), 2)] + [(n, False) for n in range(3)]
    dice.shuffle(shown)
    signed = {True: 0, False: 0}
    for n, true in shown:
        if dice.random() < 0.5:
            opened[n].close()
            opened[n] = open_witness(folder / str(n), "", [LOG.vkey])[0]
        signed[true] += opened[n].add_checkpoint(request(len(common), truth if true else fork)).status == 200
    for each in opened:
        each.close()
    return signed[True], signed[False]


def run(home: Path | None, forks: int, seed: int) -> tuple[int, int]:
    """Forks of which both sides got two of three witnesses, and logs of which at least one side did."""
    both = one = 0
    dice = random.Random(seed)
    for _ in range(forks):
        with tempfile.TemporaryDirectory(dir=home) as folder:
            truth, fork = quorums(Path(folder), dice)
        both += truth >= 2 and fork >= 2
        one += truth >= 2 or fork >= 2
    return both, one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="where to write; default: a temporary folder")
    parser.add_argument("--forks", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    both, one = run(options.home, options.forks, options.seed)
    print(f"{options.forks:,} forks: {both} with a quorum for both sides, {one:,} with one for a side")


if __name__ == "__main__":
    main()
