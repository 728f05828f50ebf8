"""What the checks cost, and what the Terraform rules find on labelled snippets.

    python benchmarks/checks/checks.py --data FOLDER

FOLDER holds `terraform-snippets.jsonl` (the examples beside each of Trivy's checks, MIT), `terraform-requests.jsonl`
(IaC-Eval's references, MIT) and `judged-completions.jsonl` (answers of language models, XSTest, CC-BY-4.0). Prints one
JSON object. Every timed text is new to the caches of the checks. Names such as `bad_example` are renamed before a
snippet is judged. A snippet's label speaks of one Trivy check only, so a rule is scored on the checks that ask what it
asks (`ASKS`); a good snippet that breaks another of our rules is no false alarm.
"""

import argparse
import asyncio
import json
import re
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lawspeaker.checks.assess import assess
from lawspeaker.checks.judge import Judge
from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.terraform.rules import RULES
from lawspeaker.constitution.load import load
from lawspeaker.constitution.schema import CheckSpec, Constitution, Principle
from lawspeaker.exchange import Exchange, Message, Text, ask
from lawspeaker.finding import combine
from lawspeaker.statistics import wilson

# Left out, and why: AWS-0086/87/91/93/94 ask for a public access block, whose absence is no opening since April 2023;
# AWS-0088 asks for S3 encryption, which is always on since 2023; AWS-0131's and others' customer-managed keys ask who
# holds the key; AWS-0102/0105 are network ACLs, and AZU-0047, GCP-0027 ask for no open port at all (later rules);
# AWS-0006/18/95/96/137/139 and EKS secrets are services that no rule reads yet; GCP-0074 counts ports, not services.
ASKS: dict[str, tuple[str, ...]] = {
    "public-storage": ("AWS-0092", "AWS-0161", "AWS-0032", "AZU-0007", "DIG-0006", "GCP-0001"),
    "public-database": ("AWS-0072", "AWS-0180", "AZU-0022", "AZU-0029", "GCP-0017", "GCP-0046"),
    "open-admin-ingress": (
        *("AWS-0107", "AZU-0048", "AZU-0050", "AZU-0074", "GCP-0070", "GCP-0071", "DIG-0001", "OPNSTK-0003"),
    ),
    "unencrypted-at-rest": (
        *("AWS-0008", "AWS-0021", "AWS-0023", "AWS-0026", "AWS-0037", "AWS-0045", "AWS-0048", "AWS-0064", "AWS-0076"),
        *("AWS-0079", "AWS-0080", "AWS-0084", "AWS-0109", "AWS-0131", "AWS-0179", "AZU-0036", "AZU-0038"),
    ),
    "plain-text-secret": (
        *("AWS-0029", "AWS-0036", "AWS-0122", "AWS-0129", "AZU-0037", "CLDSTK-0001", "GCP-0037", "GIT-0002"),
        "OPNSTK-0001",
    ),
    "wildcard-action": ("AWS-0057", "AWS-0097", "AWS-0345", "AZU-0030"),
}
ANSWER = frozenset({"answer"})


def rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def as_file(text: str) -> Exchange:
    return Exchange((Message("assistant", (Text(text, "main.tf"),)),))


def chat_answers(programs: list[str]) -> Iterator[Exchange]:
    """Answers of 4 KB: prose and one fenced program of about a third of it."""
    prose = "Use a private bucket and a named role, and keep the password in a secret store. See the notes below.\n"
    for number, program in enumerate(programs):
        fence = f"```hcl\n# {number}\n{program}\n```\n"
        yield ask("Write it.").with_answer((fence + prose * 50)[:4096])


def prose(completions: list[str]) -> Iterator[Exchange]:
    """Answers of 4 KB without code, each of several completions."""
    for number in range(len(completions)):
        text = "\n\n".join(completions[(number + more) % len(completions)] for more in range(40))
        yield ask("How do I do that?").with_answer(text[:4096])


def fifty(law: Constitution) -> Constitution:
    """`law` with house rules, so that it has 50 deterministic checks."""
    own = sum(not isinstance(spec.check, Judge) for principle in law.principles for spec in principle.checks)
    rules = []
    for number in range(50 - own):
        words = {"deny": [rf"(?i)\bproject[- ]{name}{number}\b" for name in ("kestrel", "harbour", "juniper")]}
        settings = {**words, "reason": "A project's inner name is said."}
        spec = CheckSpec("pattern", settings, KINDS["pattern"].prepare(settings, f"house-{number}"), "1")
        rules.append(Principle(f"house-{number}", "Inner names stay inside.", "minor", checks=(spec,)))
    return msgspec.structs.replace(law, principles=(*law.principles, *rules))


def milliseconds(exchanges: list[Exchange], law: Constitution | None = None) -> dict[str, float]:
    law = law or load("infrastructure", kinds=KINDS)

    async def run() -> list[float]:
        seconds = []
        for exchange in exchanges:
            begun = time.thread_time()
            await assess(exchange, law)
            seconds.append(time.thread_time() - begun)
        return seconds

    spent = sorted(second * 1000 for second in asyncio.run(run()))
    size = statistics.mean(len(exchange.answer) for exchange in exchanges)
    at = {"p50": spent[len(spent) // 2], "p99": spent[int(len(spent) * 0.99)], "max": spent[-1]}
    return {**{name: round(value, 2) for name, value in at.items()}, "runs": len(spent), "characters": round(size)}


def share(part: int, whole: int) -> dict[str, object]:
    low, high = wilson(part, whole)
    return {"n": whole, "share": round(part / whole, 3) if whole else None, "95%": [round(low, 3), round(high, 3)]}


def outcome(rule: str, text: str) -> str:
    findings = KINDS["terraform"].prepare([rule], "p").examine(as_file(text), ANSWER)
    return combine(finding.outcome for finding in findings)


def score(rule: str, snippets: list[dict[str, str]]) -> dict[str, object]:
    got: dict[str, Counter[str]] = {"good": Counter(), "bad": Counter()}
    wrong = []
    for row in snippets:
        if row["id"] not in ASKS[rule]:
            continue
        found = outcome(rule, re.sub(r"\b(good|bad)(?=[_-]?example|\b)", "some", row["text"]))
        got[row["label"]][found] += 1
        if (row["label"] == "bad") != (found == "violated"):
            wrong.append(f"{row['id']}/{row['label']}/{row['example']}: {found}")
    return {
        "recall": share(got["bad"]["violated"], got["bad"].total()),
        "false alarms": share(got["good"]["violated"], got["good"].total()),
        "inconclusive": share(
            got["good"]["inconclusive"] + got["bad"]["inconclusive"], sum(map(Counter.total, got.values()))
        ),
        "wrong": wrong,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    snippets = rows(data / "terraform-snippets.jsonl")
    programs = [row["reference"] for row in rows(data / "terraform-requests.jsonl")]
    completions = [row["completion"] for row in rows(data / "judged-completions.jsonl")]
    outcomes = {rule: Counter(outcome(rule, program) for program in programs) for rule in RULES}
    undecided = sum(any(outcome(rule, program) == "inconclusive" for rule in RULES) for program in programs)
    result = {
        "assess, ms of CPU time": {
            "chat answer of 4 KB, 50 checks": milliseconds(
                list(prose(completions)), fifty(load("infrastructure", kinds=KINDS))
            ),
            "chat answer of 4 KB with a program": milliseconds(list(chat_answers(programs * 3))),
            "one program": milliseconds([as_file(f"# {n}\n{text}") for n, text in enumerate(programs * 3)]),
        },
        "snippets": {rule: score(rule, snippets) for rule in ASKS},
        "references": {
            "outcomes by program": {rule: dict(sorted(found.items())) for rule, found in outcomes.items()},
            "programs with something inconclusive": share(undecided, len(programs)),
        },
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
