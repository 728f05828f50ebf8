"""decide(), exhaustively: every outcome under every law that a principle can have, alone and in pairs."""

from itertools import product

import pytest

from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.decision import Decision, decide
from lawspeaker.finding import Finding

OUTCOMES = ("upheld", "violated", "inconclusive", "not_applicable")
ON_VIOLATION = ("note", "redact", "revise", "escalate", "refuse")
OTHERWISE = ("escalate", "refuse")
ON_INCONCLUSIVE = ("note", "escalate", "refuse")
RANK = {"release": 0, "escalate": 1, "refuse": 2}


def _principle(id: str, on_violation: str, otherwise: str, on_inconclusive: str) -> Principle:
    rule = {"on_violation": on_violation, "otherwise": otherwise, "on_inconclusive": on_inconclusive}
    return Principle(id=id, text="x", severity="major", **rule)


def _law(*principles: Principle) -> Constitution:
    return Constitution(name="t", version="1.0.0", summary="", principles=principles)


def _expected(outcome: str, on_violation: str, otherwise: str, on_inconclusive: str) -> str:
    """The table of DESIGN, written out a second time."""
    return {
        ("violated", "note"): "release",
        ("violated", "redact"): otherwise,
        ("violated", "revise"): otherwise,
        ("violated", "escalate"): "escalate",
        ("violated", "refuse"): "refuse",
    }.get((outcome, on_violation)) or (
        {"note": "release"}.get(on_inconclusive, on_inconclusive) if outcome == "inconclusive" else "release"
    )


RULES = list(product(ON_VIOLATION, OTHERWISE, ON_INCONCLUSIVE))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_one_principle(outcome: str, rule: tuple[str, str, str]) -> None:
    action = _expected(outcome, *rule)
    decision = decide([Finding("a", "pattern", outcome, "r")], _law(_principle("a", *rule)))
    assert decision == Decision(action, () if action == "release" else ("a",))


@pytest.mark.parametrize(("first", "second"), list(product(product(OUTCOMES, RULES), repeat=2))[::7])
def test_two_principles_combine_by_maximum(first: tuple, second: tuple) -> None:
    law = _law(_principle("a", *first[1]), _principle("b", *second[1]))
    findings = [Finding("a", "pattern", first[0], "r"), Finding("b", "pattern", second[0], "r")]
    actions = {"a": _expected(first[0], *first[1]), "b": _expected(second[0], *second[1])}
    worst = max(actions.values(), key=RANK.__getitem__)
    because = () if worst == "release" else tuple(id for id in "ab" if actions[id] == worst)
    assert decide(findings, law) == decide(findings[::-1], law) == Decision(worst, because)


@pytest.mark.parametrize("rule", RULES)
def test_silence_never_releases_by_itself(rule: tuple[str, str, str]) -> None:
    assert decide([], _law(_principle("a", *rule))).action == _expected("inconclusive", *rule)


def test_the_empty_law_releases() -> None:
    assert decide([], _law()) == Decision("release")
