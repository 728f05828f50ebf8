"""Whole folders and labelled snippets beside Checkov, and what the reference programs say.

    python -m benchmarks.checks.peers --data FOLDER [--checkov PATH] [--programs 1000] [--only PART]

FOLDER holds `terraform-requests.jsonl` (IaC-Eval's references, MIT) and `terraform-snippets.jsonl` (the examples beside
Trivy's checks, MIT). `--checkov` is its command, best in an environment of its own. Prints one JSON object.

folder: the references again and again, each program in a folder of its own and with a comment of its own, so that no
cache knows it; judged by the command line of each tool, start included. snippets: `peers.json` names, for each of
Trivy's checks, Checkov's checks that ask the same; a snippet is found if one of them fails. Checks that Checkov has no
like of are left out, so both are scored on the same rows. references: findings and inconclusive programs.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from benchmarks.checks.snippets import GIVEAWAY, MAP, outcome, share
from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.terraform.rules import RULES
from lawspeaker.exchange import Exchange, Message, Text
from lawspeaker.finding import combine

PEERS = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))["checkov"]
CHECKOV = ("--framework", "terraform", "--compact", "--quiet", "--output", "json", "--skip-download")
Rows = list[dict[str, str]]


def rows(path: Path) -> Rows:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def laid_out(texts: Iterable[str], root: Path) -> None:
    """Each text as the `main.tf` of a folder of its own."""
    for number, text in enumerate(texts):
        folder = root / f"p{number:04}"
        folder.mkdir()
        (folder / "main.tf").write_text(text, encoding="utf-8")


def timed(command: list[str]) -> tuple[float, float, str]:
    """Seconds by the clock and of processor time, and output of `command`. Both tools leave with an error where they
    find something."""
    begin, spent = time.perf_counter(), _processor()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        sys.exit(f"{command[0]} printed nothing: {done.stderr[-400:]}")
    return time.perf_counter() - begin, _processor() - spent, done.stdout


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def folder(programs: list[str], wanted: int, checkov: str | None) -> dict[str, object]:
    texts = [f"{programs[number % len(programs)]}\n# {number}\n" for number in range(wanted)]
    with tempfile.TemporaryDirectory() as root:
        laid_out(texts, Path(root))
        lawspeaker = str(Path(sys.executable).with_name("lawspeaker"))
        ours = [lawspeaker, "check", root, "--constitution", "infrastructure", "--format", "json"]
        commands = {"lawspeaker": ours}
        if checkov:
            commands["checkov"] = [checkov, "--directory", root, *CHECKOV]
        done = {name: timed(command) for name, command in commands.items()}
    judged = json.loads(done["lawspeaker"][2])["files"]
    if judged != wanted:
        sys.exit(f"{judged} of {wanted} programs were judged")
    return {
        "programs": wanted,
        **{
            name: {"s": round(took, 1), "CPU s": round(spent, 1), "programs/CPU s": round(wanted / spent, 1)}
            for name, (took, spent, _) in done.items()
        },
    }


def failed(texts: list[str], checkov: str) -> dict[int, set[str]]:
    """The ids of Checkov's checks that fail, by the number of the text."""
    with tempfile.TemporaryDirectory() as root:
        laid_out(texts, Path(root))
        report = json.loads(timed([checkov, "--directory", root, *CHECKOV])[2])
    found: dict[int, set[str]] = defaultdict(set)
    for part in report if isinstance(report, list) else [report]:
        for check in part.get("results", {}).get("failed_checks", ()):
            found[int(Path(check["file_path"]).parts[1].removeprefix("p"))].add(check["check_id"])
    return found


def snippets(data: Rows, checkov: str) -> dict[str, object]:
    """Recall and false alarms of both on the rows that both have a check for, by family."""
    theirs = failed([GIVEAWAY.sub("some", row["text"]) for row in data], checkov)
    result: dict[str, object] = {}
    for family, asked in MAP["families"].items():
        got: dict[str, dict[str, list[bool]]] = {name: {"good": [], "bad": []} for name in ("lawspeaker", "checkov")}
        for number, row in enumerate(data):
            for rule in (rule for rule, ids in asked.items() if row["id"] in ids and PEERS[row["id"]]):
                got["lawspeaker"][row["label"]].append(outcome([rule], row["text"]) == "violated")
                got["checkov"][row["label"]].append(not theirs[number].isdisjoint(PEERS[row["id"]]))
        result[family] = {
            name: {
                "recall": share(sum(by["bad"]), len(by["bad"])),
                "false alarms": share(sum(by["good"]), len(by["good"])),
            }
            for name, by in got.items()
        }
    return result


def references(programs: list[str]) -> dict[str, object]:
    """What all rules say of each program."""
    check = KINDS["terraform"].prepare(list(RULES), "p")
    violated: Counter[str] = Counter()
    undecided = findings = broken = 0
    for text in programs:
        exchange = Exchange((Message("assistant", (Text(text, "main.tf"),)),))
        found = check.examine(exchange, frozenset({"answer"}))
        wrong = [finding for finding in found if finding.outcome == "violated"]
        findings += len(wrong)
        broken += combine(finding.outcome for finding in found) == "violated"
        violated.update({finding.check.removeprefix("terraform/") for finding in wrong})
        undecided += any(finding.outcome == "inconclusive" for finding in found)
    return {
        "programs": len(programs),
        "rules": len(RULES),
        "findings a program": round(findings / len(programs), 2),
        "with a violation": share(broken, len(programs)),
        "with something inconclusive": share(undecided, len(programs)),
        "programs that violate": dict(violated.most_common()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the two files")
    parser.add_argument("--checkov", help="its command; left out, Checkov is not run")
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--only", choices=["folder", "snippets", "references"])
    options = parser.parse_args()
    programs = [row["reference"] for row in rows(options.data / "terraform-requests.jsonl")]
    result: dict[str, object] = {}
    if options.only in (None, "references"):
        result["references"] = references(programs)
    if options.only in (None, "snippets") and options.checkov:
        result["snippets"] = snippets(rows(options.data / "terraform-snippets.jsonl"), options.checkov)
    if options.only in (None, "folder"):
        result["folder"] = folder(programs, options.programs, options.checkov)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
