"""Random findings of the Terraform rules on the reference programs, to be read by a person.

    python -m benchmarks.checks.sample --data terraform-requests.jsonl [--findings 50] [--seed 50]

Prints each finding with its rule, reason, and the program around its line. `hand-check-50.md` is what was made of it.
"""

import argparse
import json
import random
from pathlib import Path

from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.terraform.rules import RULES
from lawspeaker.exchange import Exchange, Message, Text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="terraform-requests.jsonl")
    parser.add_argument("--findings", type=int, default=50)
    parser.add_argument("--seed", type=int, default=50)
    options = parser.parse_args()
    check = KINDS["terraform"].prepare(list(RULES), "p")
    rows = [json.loads(line) for line in options.data.read_text(encoding="utf-8").splitlines()]
    found = []
    for row in rows:
        exchange = Exchange((Message("assistant", (Text(row["reference"], "main.tf"),)),))
        for finding in check.examine(exchange, frozenset({"answer"})):
            if finding.outcome in {"violated", "inconclusive"}:
                found.append((row, finding))
    chosen = random.Random(options.seed).sample(found, min(options.findings, len(found)))
    print(f"{len(found)} findings on {len(rows)} programs; {len(chosen)} of them:")
    for number, (row, finding) in enumerate(chosen, 1):
        lines = row["reference"].splitlines()
        at = finding.spans[0].line
        print(f"\n== {number}. {row['id']} {finding.check.partition('/')[2]} {finding.outcome}: {finding.reason}")
        print("\n".join(f"{n:4} {lines[n - 1]}" for n in range(max(1, at - 6), min(len(lines), at + 16) + 1)))


if __name__ == "__main__":
    main()
