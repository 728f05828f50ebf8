"""Our `secrets` beside detect-secrets and CredSweeper, on lines that are made from a fixed seed.

    python benchmarks/checks/secrets.py --scanners FOLDER

FOLDER holds the commands `detect-secrets` and `credsweeper` (the `bin` of a virtual environment of their own, `pip
install detect-secrets==1.5.0 credsweeper==1.19.5`). Each example is a file of its own with one line. A positive is a
random string of one of our formats, three of each, alone after a neutral name; the negatives are what teams have beside
their secrets. Prints one JSON object: the share of files with any finding, with 95 % Wilson intervals.

What this cannot show: the positives are drawn from our own patterns, so our recall on them says only that the checks of
placeholders and context take nothing away, and how much of the same formats the other two know.
"""

import argparse
import json
import re
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from lawspeaker.checks.secrets.formats import FORMATS
from lawspeaker.checks.secrets.kind import find
from lawspeaker.statistics import wilson

EACH = 3
PLACEHOLDERS = (
    "changeme <password> your-api-key-here ${DB_PASSWORD} {{ vault_token }} xxxxxxxxxxxxxxxx **************** "
    "REPLACE_WITH_YOUR_TOKEN $SECRET_KEY %(password)s var.db_password os.environ['TOKEN'] data.vault.secret.value "
    "AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY key_password self.password"
)


def positives(random: Random) -> Iterator[tuple[str, str]]:
    for format in FORMATS:
        if format.id == "private-key":  # known by its lines, not by one
            continue
        # A word's end is a matter of what stands around it; what is generated stands between spaces.
        pattern = re.sub(r"\(\?i:([^()]*(?:\([^()]*\)\??[^()]*)*)\)", r"(?:\1)", format.pattern).replace(r"\b", "")
        for value in _drawn(pattern, random.randrange(2**32)):
            yield format.id, f"value {value} end\n"


def _drawn(pattern: str, start: int) -> list[str]:
    """`EACH` strings that `pattern` matches, without control characters and in ASCII."""
    found: list[str] = []

    @seed(start)
    @settings(max_examples=60, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True, alphabet=st.characters(codec="ascii")))
    def draw(value: str) -> None:
        # Generators like to repeat one character; issuers do not.
        if value.isprintable() and len(set(value)) >= 8 and value not in found:
            found.append(value)

    draw()
    return found[-EACH:]


def negatives(random: Random) -> Iterator[tuple[str, str]]:
    for index in range(60):
        yield "uuid", f'request_id = "{uuid.UUID(int=random.getrandbits(128), version=4)}"\n'
        size = (32, 40, 64)[index % 3]
        yield "digest", f"sha = {random.getrandbits(size * 4):0{size}x}\n"
        integrity = "".join(random.choices("ABCDEFabcdef0123456789+/", k=86))
        yield "lock file", f'"integrity": "sha512-{integrity}=="\n'
    for index, value in enumerate(PLACEHOLDERS.split(" ")):
        for name in ("password", "api_key", "auth_token"):
            quoted = f'"{value}"' if index % 2 else value
            yield "placeholder or example", f"{name} = {quoted}\n"


def _share(part: int, whole: int) -> dict[str, object]:
    low, high = wilson(part, whole)
    return {"n": whole, "share": round(part / whole, 3), "95%": [round(low, 3), round(high, 3)]}


def _detect_secrets(bin: Path, folder: Path) -> set[str]:
    command = [bin / "detect-secrets", "scan", "--all-files", "--no-verify", "."]
    out = subprocess.run(command, cwd=folder, capture_output=True, check=True, text=True).stdout
    return {Path(name).name for name in json.loads(out)["results"]}


def _credsweeper(bin: Path, folder: Path) -> set[str]:
    with tempfile.TemporaryDirectory() as elsewhere:
        report = Path(elsewhere) / "report.json"
        command = [bin / "credsweeper", "--path", ".", "--save-json", report, "--no-stdout", "--log", "ERROR"]
        subprocess.run(command, cwd=folder, capture_output=True, check=True)
        found = json.loads(report.read_text(encoding="utf-8")) if report.exists() else []
    return {Path(line["path"]).name for each in found for line in each["line_data_list"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scanners", type=Path, required=True)
    bin = parser.parse_args().scanners.resolve()
    random = Random(20261125)
    rows = [(True, *row) for row in positives(random)] + [(False, *row) for row in negatives(random)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index, (_, _, line) in enumerate(rows):
            (folder / f"{index}.txt").write_text(line, encoding="utf-8")
        flagged = {
            "lawspeaker": {f"{index}.txt" for index, (_, _, line) in enumerate(rows) if find(line)},
            "detect-secrets": _detect_secrets(bin, folder),
            "credsweeper": _credsweeper(bin, folder),
        }
    result: dict[str, object] = {"formats": len({kind for secret, kind, _ in rows if secret})}
    for tool, files in flagged.items():
        kinds = sorted({kind for secret, kind, _ in rows if not secret})
        groups = {"recall": [i for i, row in enumerate(rows) if row[0]]}
        groups |= {f"false alarms, {kind}": [i for i, row in enumerate(rows) if row[1] == kind] for kind in kinds}
        groups["false alarms, all"] = [i for i, row in enumerate(rows) if not row[0]]
        result[tool] = {
            group: _share(sum(f"{i}.txt" in files for i in places), len(places)) for group, places in groups.items()
        }
    ours = flagged["lawspeaker"]
    result["missed by lawspeaker"] = sorted({row[1] for i, row in enumerate(rows) if row[0] and f"{i}.txt" not in ours})
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
