"""Lint: each rule with a law that it faults; the sample law has no fault at all."""

import time
from textwrap import indent

import pytest
from sample_law import LAW, changed, law

from lawspeaker.constitution.lint import RULES, explanation, lint

SECOND = LAW[LAW.index("  - id") :].replace("no-shouting", "no-noise")

# Rule -> a law that it faults, and the place and message of the fault.
FAULTS = {
    "correctness/no-revision": (
        changed("    revision: Say it quietly.\n", ""),
        "9:19: on_violation: revise, and no revision says how",
    ),
    "correctness/redact-without-spans": (
        changed("on_violation: revise", "on_violation: redact").replace(
            "      - words: {deny: [HEY, STOP]}\n      - rules: [public]\n", "      - judge: {ask: Is it loud?}\n"
        ),
        "9:19: on_violation: redact, and no check names words to cut out",
    ),
    "correctness/idle-otherwise": (
        changed("on_violation: revise", "on_violation: refuse"),
        "10:16: otherwise has no effect with on_violation: refuse",
    ),
    "correctness/note-on-critical": (
        changed(
            "severity: major\n    on_violation: revise\n    otherwise: escalate",
            "severity: critical\n    on_violation: note",
        ).replace("[answer]", "[answer, tool_call]"),
        "9:19: a critical principle whose violation is only noted",
    ),
    "correctness/impossible-decision": (
        changed(
            "on_violation: revise\n    otherwise: escalate",
            "on_violation: refuse",
        ).replace("expect: violated", "expect: violated\n        decision: escalate"),
        "19:9: the case 'loud' expects escalate, but violated means refuse here",
    ),
    "evidence/no-check": (
        changed("    checks:\n      - words: {deny: [HEY, STOP]}\n      - rules: [public]\n", ""),
        "5:9: nothing decides 'no-shouting': it has no check",
    ),
    "evidence/only-a-judge": (
        changed("severity: major", "severity: critical")
        .replace("[answer]", "[answer, tool_call]")
        .replace(
            "      - words: {deny: [HEY, STOP]}\n      - rules: [public]\n", "      - judge: {ask: Is it loud?}\n"
        ),
        "16:7: only a judge decides the critical principle 'no-shouting'",
    ),
    "evidence/no-violating-case": (
        changed("expect: violated", "expect: inconclusive"),
        "20:7: no case of 'no-shouting' expects violated",
    ),
    "evidence/no-complying-case": (
        changed("expect: upheld", "expect: inconclusive"),
        "20:7: no case of 'no-shouting' expects upheld",
    ),
    "evidence/case-out-of-scope": (
        changed("        answer: HEY\n", ""),
        "20:9: the case 'loud' holds nothing in scope (answer)",
    ),
    "wording/no-obligation": (
        changed("must not shout", "are quiet"),
        "6:11: the text states no duty; say what must or must not be",
    ),
    "wording/no-reason": (
        changed("    because: Shouting helps nobody.\n", ""),
        "5:9: 'no-shouting' gives no reason; add because",
    ),
    "wording/no-critique": (
        changed("    critique: Name the word that is shouted.\n", ""),
        "9:19: on_violation: revise, and no critique says what to look for",
    ),
    "wording/long-text": (
        changed("must not shout.", "must not shout" + ", and must not whistle" * 15 + "."),
        "6:11: the text has 353 characters; above 300 it is more than one rule",
    ),
    "wording/same-text": (LAW + SECOND, "29:11: 'no-noise' has the text of 'no-shouting'"),
    "wording/hidden-character": (
        changed("Shouting helps", '"Shouting\\u202e helps').replace("nobody.", 'nobody."'),
        "7:14: because holds the invisible character U+202E",
    ),
    "scope/foreign-text-revised": (
        changed("[answer]", "[request, answer]"),
        "12:17: a request cannot be changed, so on_violation: revise never helps there",
    ),
    "scope/tool-calls-left-out": (
        changed("severity: major", "severity: critical"),
        "12:17: the critical principle 'no-shouting' covers answers but not tool calls",
    ),
}


def test_the_sample_law_has_no_fault() -> None:
    assert lint(law()) == []


def test_every_rule_is_here_and_explained() -> None:
    assert set(FAULTS) <= set(RULES)
    assert len(RULES) >= 40
    assert all(len(explanation(rule)) > 60 for rule in RULES)
    with pytest.raises(KeyError):
        explanation("wording/no-such-rule")


@pytest.mark.parametrize("rule", FAULTS)
def test_a_fault_is_found_at_its_place(rule: str) -> None:
    text, message = FAULTS[rule]
    assert [str(fault) for fault in lint(law(text)) if fault.rule == rule] == [f"law.yaml:{message} [{rule}]"]


def test_two_hundred_principles_in_a_second() -> None:
    head, principle = LAW[: LAW.index("  - id")], LAW[LAW.index("  - id") :]
    many = "".join(
        principle.replace("no-shouting", f"no-{n}").replace("must not shout", f"must not shout {n} times")
        for n in range(200)
    )
    began = time.process_time()
    assert lint(law(head + many)) == []
    assert time.process_time() - began < 1


def test_faults_come_in_the_order_of_the_file() -> None:
    text = changed("    because: Shouting helps nobody.\n", "") + indent(
        "- {id: x, text: Hm., severity: minor}\n", "  "
    )
    places = [(fault.line, fault.column) for fault in lint(law(text))]
    assert len(places) > 3
    assert places == sorted(places)
