"""Each lint rule's own examples are run, and its page in the documentation is what it says now."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lawspeaker.checks.registry import KINDS
from lawspeaker.constitution.fix import fixed
from lawspeaker.constitution.lint import RULES, lint, page
from lawspeaker.constitution.load import CONSTITUTION_FIELDS, load_text
from lawspeaker.constitution.schema import Constitution

DOCS = Path(__file__).parents[2] / "docs"
HEAD: dict[str, Any] = {"name": "house", "version": "1.0.0", "summary": "The rules of the house."}
PRINCIPLE: dict[str, Any] = {
    "id": "no-shouting",
    "text": "Answers must not shout.",
    "because": "Shouting helps nobody.",
    "severity": "major",
    "critique": "Name the word that is shouted.",
    "revision": "Say it quietly.",
    "checks": [{"pattern": {"deny": "HEY", "reason": "It shouts."}}],
    "maps_to": ["CWE-1426"],
    "cases": [
        {"name": "loud", "request": "Say hello.", "answer": "HEY", "expect": "violated"},
        {"name": "quiet", "request": "Say hello.", "answer": "hello", "expect": "upheld"},
    ],
}
BASE = {**HEAD, "name": "base", "principles": [{**PRINCIPLE, "id": "no-noise", "overridable": True}]}


def example(fragment: str, folder: Path) -> Constitution:
    """The small law with `fragment` laid over it."""
    laid = yaml.safe_load(fragment)
    head = {**HEAD, **{key: value for key, value in laid.items() if key in CONSTITUTION_FIELDS}}
    own = {**PRINCIPLE, **{key: value for key, value in laid.items() if key not in CONSTITUTION_FIELDS}}
    (folder / "base.yaml").write_text(json.dumps(BASE))
    more = [
        item
        if "extends" in laid
        else {**PRINCIPLE, "checks": [{"pattern": {"deny": item["id"], "reason": "No."}}], **item}
        for item in head.pop("principles", [])
    ]
    whole = {**_stated(head), "principles": [_stated(own), *more]}
    return load_text(json.dumps(whole), str(folder / "law.yaml"), kinds=KINDS)


def _stated(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_faults_its_failing_example_only(rule: str, tmp_path: Path) -> None:
    found = page(rule)
    assert rule in {message.rule for message in lint(example(found.fails, tmp_path))}
    assert rule not in {message.rule for message in lint(example(found.passes, tmp_path))}


def test_there_are_rules_of_each_class() -> None:
    kinds = {rule.split("/")[0] for rule in RULES}
    assert kinds == {"correctness", "evidence", "wording", "scope", "crosswalk", "composition", "deployment"}
    assert len(RULES) >= 40


def test_the_pages_are_current() -> None:
    sys.path.insert(0, str(DOCS))
    try:
        from lint_pages import pages  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(DOCS))
    made = pages()
    assert {path.name for path in (DOCS / "lint").iterdir()} == set(made)
    for name, text in made.items():
        assert (DOCS / "lint" / name).read_text(encoding="utf-8") == text, f"{name}: run docs/lint_pages.py"


FIXABLE = """# the house
name: house
version: 1.0.0
summary: The rules of the house.
principles:
  - id: no-shouting   # a comment
    text: Answers must not shout
    because: Shouting helps nobody.
    severity: major
    on_violation: refuse
    otherwise: escalate   # has no effect
    checks: [{pattern: {deny: HEY, reason: It shouts.}}]
    maps_to: [cwe-732, CWE-200, CWE-200]
    cases:
      - {name: loud, answer: HEY, expect: violated}
      - {name: quiet, answer: hello, expect: upheld}
"""


def test_a_fix_changes_what_it_must_and_nothing_else() -> None:
    text, made = fixed(FIXABLE, lint(load_text(FIXABLE, kinds=KINDS)))
    expected = FIXABLE.replace("not shout\n", "not shout.\n").replace("cwe-732", "CWE-732").replace(", CWE-200]", "]")
    assert text == expected.replace("    otherwise: escalate   # has no effect\n", "")
    assert made == 4
    assert lint(load_text(text, kinds=KINDS)) == []


def test_a_fix_leaves_alone_what_it_does_not_find() -> None:
    text = FIXABLE.replace("text: Answers must not shout", "text: >-\n      Answers must\n      not shout")
    messages = lint(load_text(text, kinds=KINDS))
    again, made = fixed(text, messages)
    assert made == 3
    assert "not shout\n" in again
    assert fixed("", messages) == ("", 0)


def test_a_fix_takes_an_id_whole() -> None:
    text = FIXABLE.replace("[cwe-732, CWE-200, CWE-200]", "[CWE-20, CWE-20, CWE-79, CWE-200]")
    again, _ = fixed(text, lint(load_text(text, kinds=KINDS)))
    assert "[CWE-20, CWE-79, CWE-200]" in again


def test_a_fix_takes_no_other_field_along() -> None:
    law = yaml.safe_load(FIXABLE.replace("    otherwise: escalate   # has no effect\n", ""))
    text = json.dumps(law).replace('"because"', '\notherwise: escalate, "critique": "Name it.",\n"because"')
    messages = lint(load_text(text, kinds=KINDS))
    assert "correctness/idle-otherwise" in {message.rule for message in messages}
    assert '"critique": "Name it."' in fixed(text, messages)[0]
