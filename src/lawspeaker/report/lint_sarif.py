"""Lint messages as SARIF 2.1.0: a rule is a lint rule, with its page as help."""

from collections import Counter
from collections.abc import Sequence

from lawspeaker.constitution.lint import RULES, LintMessage, page
from lawspeaker.report.sarif import fingerprints, sarif_log, uri


def lint_sarif(messages: Sequence[LintMessage]) -> dict[str, object]:
    """A SARIF log with one run."""
    index = {rule: number for number, rule in enumerate(RULES)}
    seen: Counter[str] = Counter()
    results = [_result(message, index[message.rule], seen) for message in messages]
    return sarif_log("lawspeaker lint", [_rule(rule) for rule in RULES], results)


def _rule(rule: str) -> dict[str, object]:
    text = " ".join(page(rule).text.split())
    return {
        "id": rule,
        "shortDescription": {"text": text.split(". ")[0].rstrip(".") + "."},
        "fullDescription": {"text": text},
        "defaultConfiguration": {"level": "warning"},
    }


def _result(message: LintMessage, rule: int, seen: Counter[str]) -> dict[str, object]:
    return {
        "ruleId": message.rule,
        "ruleIndex": rule,
        "kind": "fail",
        "level": "warning",
        "message": {"text": message.message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri(message.path)},
                    "region": {"startLine": message.line, "startColumn": message.column},
                }
            }
        ],
        "partialFingerprints": fingerprints(seen, message.rule, message.path, message.message),
    }
