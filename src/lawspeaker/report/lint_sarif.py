"""Lint messages as SARIF 2.1.0: a rule is a lint rule, with its page as help."""

import hashlib
import posixpath
from collections.abc import Sequence
from urllib.parse import quote

from lawspeaker import __version__
from lawspeaker.constitution.lint import RULES, LintMessage, page


def lint_sarif(messages: Sequence[LintMessage]) -> dict[str, object]:
    """A SARIF log with one run."""
    index = {rule: number for number, rule in enumerate(RULES)}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "lawspeaker lint",
                        "semanticVersion": __version__,
                        "rules": [_rule(rule) for rule in RULES],
                    }
                },
                "invocations": [{"executionSuccessful": True}],
                "results": [_result(message, index[message.rule]) for message in messages],
            }
        ],
    }


def _rule(rule: str) -> dict[str, object]:
    text = " ".join(page(rule).text.split())
    return {
        "id": rule,
        "shortDescription": {"text": text.split(". ")[0].rstrip(".") + "."},
        "fullDescription": {"text": text},
        "defaultConfiguration": {"level": "warning"},
    }


def _result(message: LintMessage, rule: int) -> dict[str, object]:
    print_of = hashlib.sha256("\0".join((message.rule, message.path, message.message)).encode()).hexdigest()[:32]
    return {
        "ruleId": message.rule,
        "ruleIndex": rule,
        "kind": "fail",
        "level": "warning",
        "message": {"text": message.message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(posixpath.normpath(message.path))},
                    "region": {"startLine": message.line, "startColumn": message.column},
                }
            }
        ],
        "partialFingerprints": {"lawspeaker/v1": print_of},
    }
