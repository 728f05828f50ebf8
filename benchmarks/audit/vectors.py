"""The proofs of transparency-dev/merkle's `testdata`, good and mutated, through our verification.

    python benchmarks/audit/vectors.py --data PATH

PATH is the folder `testdata` of https://github.com/transparency-dev/merkle (Apache-2.0), which is not bundled: files
`inclusion/*/*.json` and `consistency/*/*.json`, each of which says whether its proof must be refused (`wantErr`).
"""

import argparse
import base64
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lawspeaker.audit.merkle import verify_consistency, verify_inclusion


def accepted(vector: Mapping[str, Any]) -> bool:
    """Whether we accept the proof."""
    proof = [base64.b64decode(each) for each in vector["proof"] or []]
    if "leafIdx" in vector:
        leaf, root = (base64.b64decode(vector[name] or "") for name in ("leafHash", "root"))
        return verify_inclusion(leaf, vector["leafIdx"], vector["treeSize"], proof, root)
    old, new = (base64.b64decode(vector[name] or "") for name in ("root1", "root2"))
    return verify_consistency(vector["size1"], vector["size2"], proof, old, new)


def compare(data: Path) -> Iterator[tuple[str, Path, bool]]:
    """Kind and file of each vector, and whether we say of it what it says of itself."""
    for kind in ("inclusion", "consistency"):
        for path in sorted((data / kind).glob("*/*.json")):
            vector = json.loads(path.read_text("utf-8"))
            yield (
                f"{kind} {'refused' if vector['wantErr'] else 'accepted'}",
                path,
                accepted(vector) != vector["wantErr"],
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    seen: Counter[str] = Counter()
    wrong = 0
    for kind, path, right in compare(parser.parse_args().data):
        seen[kind] += 1
        wrong += not right
        if not right:
            print(f"{path}: we say otherwise")
    if not seen:
        parser.error("there are no vectors here: want inclusion/*/*.json and consistency/*/*.json")
    print(", ".join(f"{count} {kind}" for kind, count in sorted(seen.items())) + f": {wrong} wrong")


if __name__ == "__main__":
    main()
