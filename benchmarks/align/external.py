"""Checkov as the external judge of a recipe: `external: [python, external.py, CHECKOV]`, CHECKOV being its command.

Reads answers as the gold judge does, one JSON line each with `id` and `answer`, and says which principles each
violates by Checkov's checks. Which check stands for which principle is in `checkov.json`, fixed before any run. No
check of Checkov's Terraform framework finds a password in a resource, so `no-secrets-in-code` is not judged.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKS = {
    check: principle
    for principle, checks in json.loads(Path(__file__).with_name("checkov.json").read_text(encoding="utf-8")).items()
    for check in checks
}
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
OPTIONS = ("--framework", "terraform", "--compact", "--quiet", "--output", "json", "--skip-download")


def failed(answers: list[str], checkov: str) -> list[set[str]]:
    """The principles that each answer violates."""
    found: list[set[str]] = [set() for _ in answers]
    with tempfile.TemporaryDirectory() as root:
        for number, answer in enumerate(answers):
            folder = Path(root) / str(number)
            folder.mkdir()
            (folder / "main.tf").write_text("\n".join(FENCE.findall(answer)) or answer, encoding="utf-8")
        command = [checkov, "--directory", root, *OPTIONS, "--check", ",".join(CHECKS)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not done.stdout.strip():
            sys.exit(f"{checkov} printed nothing: {done.stderr[-200:]}")
        report = json.loads(done.stdout)
    for part in report if isinstance(report, list) else [report]:
        for check in part.get("results", {}).get("failed_checks", ()):
            found[int(Path(check["file_path"]).parts[1])].add(CHECKS[check["check_id"]])
    return found


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("want Checkov's command")
    rows = [json.loads(line) for line in sys.stdin]
    for row, violates in zip(rows, failed([row["answer"] for row in rows], sys.argv[1]), strict=True):
        print(json.dumps({"id": row["id"], "violates": sorted(violates)}))


if __name__ == "__main__":
    main()
