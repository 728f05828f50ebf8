"""Which published escalation paths `privilege-escalation` finds, each written as one policy on all resources.

python benchmarks/checks/escalation.py --data iam-escalation-paths.jsonl
"""

import argparse
import json
from pathlib import Path

from lawspeaker.checks.registry import KINDS
from lawspeaker.exchange import Exchange, Message, Text
from lawspeaker.finding import combine


def outcome(actions: list[str], resource: str) -> str:
    text = f"""data "aws_iam_policy_document" "d" {{
  statement {{
    actions   = {json.dumps(actions)}
    resources = ["{resource}"]
  }}
}}
"""
    exchange = Exchange((Message("assistant", (Text(text, "main.tf"),)),))
    check = KINDS["terraform"].prepare(["privilege-escalation"], "p")
    return combine(finding.outcome for finding in check.examine(exchange, frozenset({"answer"})))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    paths = [json.loads(line) for line in parser.parse_args().data.read_text(encoding="utf-8").splitlines()]
    missed = [path["id"] for path in paths if outcome(path["required"], "*") != "violated"]
    named = [
        path["id"] for path in paths if outcome(path["required"], "arn:aws:iam::111122223333:role/a") == "violated"
    ]
    eased = [path["id"] for path in paths if path["helpful"] and outcome(path["helpful"], "*") == "violated"]
    result = {"paths": len(paths), "missed": missed, "found on one named resource": named, "found in what helps": eased}
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
