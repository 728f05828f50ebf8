"""What the checks of texts find: personal data by type, and prompt injections beside honest texts of the same words.

    python benchmarks/checks/texts.py --data FOLDER

FOLDER holds `personal-data.jsonl` (presidio-research, MIT), `prompt-injection.jsonl` and `benign-ops.jsonl` (both
PurpleLlama, MIT), `over-refusal.jsonl` (XSTest, CC-BY-4.0) and `terraform-requests.jsonl` (IaC-Eval, MIT). Prints one
JSON object, shares with 95 % Wilson intervals. A span counts as found if something of its
type overlaps it. Folds are by template, so that no sentence's sibling is in another. Of the injections, those that were
read while the signs were written are apart: half by the hash of the id, the first three of each technique, and of the
rest half again.
"""

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lawspeaker.checks.personal_data.kind import find as personal
from lawspeaker.checks.prompt_injection.kind import find as injections
from lawspeaker.statistics import wilson

# The set's names for what our types are; its other types are none of ours.
TYPES = {
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "US_SSN": "national-id",
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "STREET_ADDRESS": "address",
}
FOLDS = 5


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def share(part: int, whole: int) -> dict[str, object]:
    low, high = wilson(part, whole)
    return {"n": whole, "share": round(part / whole, 3) if whole else None, "95%": [round(low, 3), round(high, 3)]}


def bucket(key: object, count: int, byte: int = 0) -> int:
    return hashlib.sha256(str(key).encode()).digest()[byte] % count


def personal_data(sentences: Iterable[dict[str, Any]]) -> dict[str, object]:
    spans: Counter[tuple[str, int]] = Counter()
    found: Counter[tuple[str, int]] = Counter()
    reported: Counter[str] = Counter()
    right: Counter[str] = Counter()
    exact: Counter[str] = Counter()
    for row in sentences:
        fold = bucket(row["template_id"], FOLDS)
        got = personal(row["text"])
        told = [(TYPES[span["type"]], span["start"], span["end"]) for span in row["spans"] if span["type"] in TYPES]
        for type, start, end in told:
            spans[type, fold] += 1
            found[type, fold] += any(g.type == type and g.start < end and start < g.end for g in got)
            exact[type] += any((g.type, g.start, g.end) == (type, start, end) for g in got)
        for g in got:
            reported[g.type] += 1
            right[g.type] += any(g.type == type and g.start < end and start < g.end for type, start, end in told)
    result: dict[str, object] = {}
    for type in TYPES.values():
        folds = [found[type, fold] / spans[type, fold] for fold in range(FOLDS) if spans[type, fold]]
        all_spans = sum(spans[type, fold] for fold in range(FOLDS))
        result[type] = {
            "recall": share(sum(found[type, fold] for fold in range(FOLDS)), all_spans),
            "recall, exact places": share(exact[type], all_spans),
            "recall by fold": [round(each, 2) for each in sorted(folds)],
            "precision": share(right[type], reported[type]),
        }
    return result


def prompt_injection(attacks: list[dict[str, Any]], honest: dict[str, list[dict[str, Any]]]) -> dict[str, object]:
    seen: Counter[tuple[str, str]] = Counter()
    read: list[bool] = []
    kept_back: list[tuple[dict[str, Any], bool]] = []
    for row in attacks:
        technique = (row["type"], row["variant"])
        seen[technique] += 1
        found = bool(injections(row["user_input"]))
        if 0 in (bucket(row["id"], 2), bucket(row["id"], 2, byte=1)) or seen[technique] <= 3:
            read.append(found)
        else:
            kept_back.append((row, found))
    kinds = {
        kind: [found for row, found in kept_back if row["type"] == kind]
        for kind in sorted({row["type"] for row, _ in kept_back})
    }
    alarms = {name: sum(bool(injections(row["prompt"])) for row in rows) for name, rows in honest.items()}
    return {
        "recall, not read before": share(sum(found for _, found in kept_back), len(kept_back)),
        **{f"recall, not read before, {kind}": share(sum(found), len(found)) for kind, found in kinds.items()},
        "recall, read before": share(sum(read), len(read)),
        **{f"false alarms, {name}": share(alarms[name], len(rows)) for name, rows in honest.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    honest = {name: rows(data / f"{name}.jsonl") for name in ("benign-ops", "over-refusal", "terraform-requests")}
    honest["over-refusal"] = [row for row in honest["over-refusal"] if row["label"] == "safe"]
    result = {
        "personal_data": personal_data(rows(data / "personal-data.jsonl")),
        "prompt_injection": prompt_injection(rows(data / "prompt-injection.jsonl"), honest),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
