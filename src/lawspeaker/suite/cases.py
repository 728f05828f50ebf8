"""A constitution's cases, run against its checks."""

from typing import Literal

import msgspec

from lawspeaker.checks.assess import assess
from lawspeaker.checks.judge import CHECK as JUDGE
from lawspeaker.constitution.schema import Case, Constitution, Principle
from lawspeaker.decision import Action, decide
from lawspeaker.finding import Outcome, by_principle
from lawspeaker.models.base import Model

Verdict = Literal["passed", "failed", "skipped"]


class CaseResult(msgspec.Struct, frozen=True):
    """What a case expected of its principle and what came out. `decision` is the whole law's where the case expects
    one, else the principle's own. A skipped case waits for a judge."""

    principle: str
    case: str
    borderline: bool
    expected: Outcome
    outcome: Outcome
    expected_decision: Action | None
    decision: Action
    verdict: Verdict
    reason: str = ""


class Coverage(msgspec.Struct, frozen=True):
    """How many principles have a violating, a complying and any case at all."""

    principles: int
    with_violating: int
    with_complying: int
    untested: tuple[str, ...]


async def run_cases(
    constitution: Constitution, *, judge: Model | None = None, budget: float = 30.0
) -> list[CaseResult]:
    """Every case of every principle."""
    return [
        await _run(case, principle, constitution, judge, budget)
        for principle in constitution.principles
        for case in principle.cases
    ]


def coverage(constitution: Constitution) -> Coverage:
    expected = [{case.expect for case in principle.cases} for principle in constitution.principles]
    return Coverage(
        len(expected),
        sum("violated" in each for each in expected),
        sum(bool(each & {"upheld", "not_applicable"}) for each in expected),
        tuple(p.id for p in constitution.principles if not p.cases),
    )


async def _run(case: Case, principle: Principle, law: Constitution, judge: Model | None, budget: float) -> CaseResult:
    alone = msgspec.structs.replace(law, principles=(principle,))
    findings = await assess(case.exchange, alone, judge=judge, budget=budget)
    outcome = by_principle(findings)[principle.id]
    whole = findings if case.decision is None else await assess(case.exchange, law, judge=judge, budget=budget)
    decision = decide(whole, alone if case.decision is None else law).action
    right = outcome == case.expect and case.decision in {None, decision}
    undecided = judge is None and outcome == "inconclusive" and any(f.check == JUDGE for f in findings)
    telling = next((f.reason for f in findings if f.outcome == outcome and not f.superseded), "")
    return CaseResult(
        principle.id,
        case.name,
        case.borderline,
        case.expect,
        outcome,
        case.decision,
        decision,
        "passed" if right else "skipped" if undecided else "failed",
        telling,
    )
