"""Findings as SARIF 2.1.0 (OASIS, 2020): what code-scanning views read.

A rule is a principle. A violated principle is a result of kind `fail`; an inconclusive one is of kind `open`, which
section 3.27.9 has for "could not decide". Fingerprints leave line numbers out, so that an alert keeps its identity
when code above it grows.
"""

import hashlib
import posixpath
from collections import Counter
from collections.abc import Sequence
from urllib.parse import quote

from lawspeaker import __version__
from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.report.rows import Row

_LEVEL = {"critical": "error", "major": "warning", "minor": "note"}
_KIND = {"violated": "fail", "inconclusive": "open", "upheld": "pass", "not_applicable": "notApplicable"}


def sarif(rows: Sequence[Row], constitution: Constitution) -> dict[str, object]:
    """A SARIF log with one run."""
    index = {principle.id: number for number, principle in enumerate(constitution.principles)}
    seen: Counter[str] = Counter()
    return sarif_log(
        "lawspeaker",
        [_rule(principle) for principle in constitution.principles],
        [_result(row, index[row.principle], seen) for row in rows],
        properties={"constitution": constitution.name, "digest": constitution.digest},
    )


def sarif_log(
    name: str, rules: Sequence[dict[str, object]], results: Sequence[dict[str, object]], **of_run: object
) -> dict[str, object]:
    """The frame: one tool, one run of it."""
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": name, "semanticVersion": __version__, "rules": rules}},
                "invocations": [{"executionSuccessful": True}],
                **of_run,
                "results": results,
            }
        ],
    }


def uri(path: str) -> str:
    """A path as the address of a file."""
    return quote(posixpath.normpath(path))


def fingerprints(seen: Counter[str], *parts: str) -> dict[str, str]:
    """What names a result of these parts; those that have the same are numbered, or a view would show only one."""
    print_of = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    seen[print_of] += 1
    return {"lawspeaker/v1": f"{print_of}:{seen[print_of]}"}


def _rule(principle: Principle) -> dict[str, object]:
    return {
        "id": principle.id,
        "shortDescription": {"text": principle.text},
        "fullDescription": {"text": principle.because or principle.text},
        "help": {"text": principle.revision or principle.text},
        "defaultConfiguration": {"level": _LEVEL[principle.severity]},
        "properties": {"tags": list(principle.maps_to)[:20]},
    }


def _result(row: Row, rule: int, seen: Counter[str]) -> dict[str, object]:
    failed = row.outcome == "violated"
    place: dict[str, object] = {"artifactLocation": {"uri": "stdin" if row.path == "-" else uri(row.path)}}
    if row.line:
        place["region"] = {"startLine": row.line, "endLine": row.end_line}
    return {
        "ruleId": row.principle,
        "ruleIndex": rule,
        "kind": _KIND[row.outcome],
        "level": _LEVEL[row.severity] if failed else "none",
        "message": {"text": row.reason},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": fingerprints(seen, row.principle, row.check, row.path, row.reason),
        "properties": {"check": row.check},
    }
