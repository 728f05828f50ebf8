"""What changed in the law: each kind of change, its effect, and the version that follows."""

import pytest
from sample_law import KINDS, LAW, changed, law

from lawspeaker.constitution.diff import diff, next_version, precedence

SECOND = LAW[LAW.index("  - id") :].replace("no-shouting", "no-noise").replace("shout.", "make noise.")
CHECKS = "      - words: {deny: [HEY, STOP]}\n      - rules: [public]\n"

# From the sample law to another: effect, bump and what is said.
CHANGES = {
    "new principle": (LAW + SECOND, "tightens", "minor", "is new (major): Answers must not make noise."),
    "severity up": (changed("severity: major", "severity: critical"), "tightens", "minor", "severity is critical"),
    "severity down": (changed("severity: major", "severity: minor"), "loosens", "major", "severity is minor"),
    "scope added": (changed("[answer]", "[answer, tool_call]"), "tightens", "minor", "applies to tool_call too"),
    "scope changed": (changed("[answer]", "[tool_call]"), "loosens", "major", "no longer applies to answer"),
    "refused": (changed("on_violation: revise", "on_violation: refuse"), "tightens", "minor", "means refuse"),
    "noted": (changed("on_violation: revise", "on_violation: note"), "loosens", "major", "means note, meant revise"),
    "last resort": (changed("otherwise: escalate", "otherwise: refuse"), "tightens", "minor", "otherwise is refuse"),
    "undecided": (
        changed("on_inconclusive: escalate", "on_inconclusive: note"),
        "loosens",
        "major",
        "on_inconclusive is note",
    ),
    "wording": (changed("must not shout", "must never shout"), "unclear", "major", "must never shout"),
    "word added": (changed("[HEY, STOP]", "[HEY, STOP, NOW]"), "tightens", "minor", "words looks for more"),
    "word dropped": (changed("[HEY, STOP]", "[HEY]"), "loosens", "major", "words drops the word STOP"),
    "word replaced": (changed("[HEY, STOP]", "[HEY, NOW]"), "unclear", "major", "words drops the word STOP"),
    "check dropped": (changed("      - rules: [public]\n", ""), "loosens", "major", "the check rules is gone"),
    "check added": (
        changed(CHECKS, CHECKS + "      - judge: {ask: Is it loud?}\n"),
        "tightens",
        "minor",
        "a new check judge",
    ),
    "opened": (changed("    checks:\n", "    overridable: true\n    checks:\n"), "loosens", "major", "may loosen"),
    "reason": (changed("Shouting helps nobody", "It helps nobody"), "neutral", "patch", "because is worded anew"),
    "crosswalk": (changed("[CWE-1426]", "[CWE-1426, CWE-200]"), "neutral", "patch", "ids added: CWE-200"),
    "case": (changed("answer: hello", "answer: hi"), "neutral", "patch", "1 of its cases are new"),
    "renamed": (changed("id: no-shouting", "id: quiet"), "neutral", "major", "is called 'quiet' now"),
    "summary": (changed("The rules of the house", "House rules"), "neutral", "patch", "summary is"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_has_its_effect(name: str) -> None:
    text, effect, bump, what = CHANGES[name]
    found = diff(law(), law(text), kinds=KINDS)
    assert (found.effect, found.bump) == (effect, bump)
    assert what in " ".join(change.what for change in found.changes)
    assert not found.follows


def test_form_is_no_change() -> None:
    text = changed("    critique: Name the word that is shouted.\n    revision: Say it quietly.\n", "")
    lines = "    revision: Say it quietly. # c\n    critique: Name the word that is shouted.\n"
    moved = text.replace("    severity", f"{lines}    severity")
    found = diff(law(), law(moved), kinds=KINDS)
    assert (found.changes, found.bump, found.version, found.follows) == ((), "none", "1.0.0", True)


def test_a_removed_principle_loosens_and_breaks() -> None:
    found = diff(law(LAW + SECOND), law(changed("version: 1.0.0", "version: 2.0.0")), kinds=KINDS)
    assert [(change.effect, change.breaks) for change in found.changes] == [("loosens", True)]
    assert (found.version, found.follows) == ("2.0.0", True)


def test_escalate_in_place_of_a_refused_revision_is_unclear() -> None:
    refused = law(changed("otherwise: escalate", "otherwise: refuse"))
    escalated = law(changed("on_violation: revise\n    otherwise: escalate", "on_violation: escalate"))
    assert diff(refused, escalated, kinds=KINDS).effect == "unclear"
    assert diff(escalated, refused, kinds=KINDS).effect == "unclear"


@pytest.mark.parametrize("name", CHANGES)
def test_there_and_back_is_never_tighter_both_ways(name: str) -> None:
    there = diff(law(), law(CHANGES[name][0]), kinds=KINDS).effect
    back = diff(law(CHANGES[name][0]), law(), kinds=KINDS).effect
    assert {there, back} != {"tightens"}


@pytest.mark.parametrize(
    ("version", "bump", "follows"),
    [
        ("1.2.3", "none", "1.2.3"),
        ("1.2.3", "patch", "1.2.4"),
        ("1.2.3", "minor", "1.3.0"),
        ("1.2.3", "major", "2.0.0"),
        ("0.2.3", "minor", "0.2.4"),
        ("0.2.3", "major", "0.3.0"),
        ("2.0.0-rc.1", "major", "2.0.0"),
        ("2.0.1-rc.1", "minor", "2.1.0"),
        ("1.0.0+build", "patch", "1.0.1"),
    ],
)
def test_the_next_version(version: str, bump: str, follows: str) -> None:
    assert next_version(version, bump) == follows  # type: ignore[arg-type]


def test_versions_are_ordered_as_semver_says() -> None:
    ordered = [
        *("1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2"),
        *("1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.10.0", "2.0.0"),
    ]
    assert sorted(set(ordered), key=precedence) == ordered
