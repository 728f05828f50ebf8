"""What a leaf may show of a history: its steps without their texts, and where which check said what."""

from collections.abc import Sequence
from typing import Final

from lawspeaker.deliberation.critique import Critique
from lawspeaker.deliberation.revision import Revision
from lawspeaker.deliberation.steps import Assessment, Draft, Fault, Redaction, Step
from lawspeaker.finding import by_principle

TELLING: Final = ("violated", "inconclusive")


def shown(steps: Sequence[Step]) -> list[dict[str, object]]:
    """What a leaf may show of findings: which check said what where. Reasons name resources, which are words of the
    request or the answer, and so lie in the vault. The latest assessment and violations come first."""
    told = [
        (number, finding)
        for number, step in enumerate(steps)
        if isinstance(step, Assessment)
        for finding in step.findings
        if finding.outcome in TELLING
    ]
    told.sort(key=lambda pair: (-pair[0], pair[1].outcome != "violated"))
    return [
        {
            "step": number,
            "principle": finding.principle,
            "check": finding.check,
            "outcome": finding.outcome,
            "line": finding.spans[0].line if finding.spans else 0,
            **({"waived": True} if finding.waived else {}),
        }
        for number, finding in told
    ]


def outline(step: Step) -> dict[str, object]:
    """A step without its texts."""
    match step:
        case Draft(model=model):
            return {"kind": "draft", "model": model}
        case Assessment(of=of, findings=findings):
            outcomes = list(by_principle(findings).values())
            return {"kind": "assess", "of": of, **{outcome: outcomes.count(outcome) for outcome in TELLING}}
        case Critique(principle=principle, says=says, agrees=agrees):
            return {"kind": "critique", "principle": principle, "says": says, "agrees": agrees}
        case Revision(principle=principle, rejected=rejected):
            return {"kind": "revision", "principle": principle, "kept": not rejected}
        case Redaction(principles=principles):
            return {"kind": "redact", "principles": len(principles)}
        case Fault(during=during, principle=principle):
            return {"kind": "fault", "during": during, "principle": principle}
