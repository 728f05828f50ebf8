"""How many labelled snippets the Terraform rules judge as their label does, by family of rules.

    python benchmarks/checks/snippets.py --data terraform-snippets.jsonl [--wrong]

Prints one JSON object. A label speaks of one Trivy check only, so a rule is scored on the checks that ask what it
asks; `snippets.json` beside this file has that map, and the ids that are left out with the reason. The names that
give a label away (`good_example`, `bad_example` and their kin) are replaced before a snippet is judged. Recall is the
share of bad snippets on which the rule is violated; a false alarm is a good snippet on which it is.
Inconclusive counts as neither, so it lowers recall. Not held out: the rules were written while looking at these rows.
"""

import argparse
import json
import re
from collections import Counter
from pathlib import Path

from lawspeaker.checks.registry import KINDS
from lawspeaker.exchange import Exchange, Message, Text
from lawspeaker.finding import combine
from lawspeaker.statistics import wilson

MAP = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
GIVEAWAY = re.compile(r"(?i)(?<![a-z])(?:good|bad)(?=[_-]|[^a-z]|$)|\b(?:in)?secure(?=_)")


def outcome(rules: list[str], text: str) -> str:
    exchange = Exchange((Message("assistant", (Text(GIVEAWAY.sub("some", text), "main.tf"),)),))
    findings = KINDS["terraform"].prepare(rules, "p").examine(exchange, frozenset({"answer"}))
    return combine(finding.outcome for finding in findings)


def share(part: int, whole: int) -> dict[str, object]:
    low, high = wilson(part, whole)
    return {"n": whole, "share": round(part / whole, 3) if whole else None, "95%": [round(low, 3), round(high, 3)]}


def score(family: dict[str, list[str]], rows: list[dict[str, str]], *, wrong: bool) -> dict[str, object]:
    got: dict[str, Counter[str]] = {"good": Counter(), "bad": Counter()}
    differing = []
    for row in rows:
        for rule in (rule for rule, ids in family.items() if row["id"] in ids):
            found = outcome([rule], row["text"])
            got[row["label"]][found] += 1
            if (row["label"] == "bad") != (found == "violated"):
                differing.append(f"{row['id']}/{row['label']}/{row['example']}: {found}")
    result: dict[str, object] = {
        "recall": share(got["bad"]["violated"], got["bad"].total()),
        "false alarms": share(got["good"]["violated"], got["good"].total()),
        "inconclusive": sum(found["inconclusive"] for found in got.values()),
    }
    return {**result, "differing": differing} if wrong else result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="terraform-snippets.jsonl")
    parser.add_argument("--wrong", action="store_true", help="list the snippets where label and rule differ")
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.data.read_text(encoding="utf-8").splitlines()]
    families = MAP["families"].items()
    print(json.dumps({name: score(family, rows, wrong=options.wrong) for name, family in families}, indent=2))


if __name__ == "__main__":
    main()
