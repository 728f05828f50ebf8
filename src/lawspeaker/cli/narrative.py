"""The story of a governed exchange, for people on a terminal."""

import difflib
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console

from lawspeaker.cli.context import count, inert
from lawspeaker.decision import Decision
from lawspeaker.deliberation.critique import Critique
from lawspeaker.deliberation.revision import Revision
from lawspeaker.deliberation.steps import Assessment, Draft, Fault, Redaction, Step
from lawspeaker.finding import Finding, by_principle

_COLOUR = {"violated": "red", "inconclusive": "yellow", "release": "green", "escalate": "yellow", "refuse": "red"}


def tell(steps: Sequence[Step], decision: Decision, console: Console) -> None:
    """Print every step, then the decision and the principles behind it."""
    tell_steps(steps, console)
    _head(console, "decision", "")
    colour = _COLOUR[decision.action]
    console.print(f"  [bold {colour}]{decision.action}[/]{inert(_because(steps, decision))}")


def tell_steps(steps: Sequence[Step], console: Console) -> None:
    """Print every step: findings with their lines, critiques, and revisions as differences."""
    answer = ""
    for step in steps:
        match step:
            case Draft(text=text, model=model):
                _head(console, "draft", f"{count(len(text.splitlines()), 'line')} by {model}")
                answer = text
            case Assessment(of=of, findings=findings):
                _assessment(of, findings, console)
            case Critique() as critique:
                _head(console, "critique", f"{critique.principle}, by {critique.model}", _doubt(critique))
                console.print(_indent(critique.text))
            case Revision() as revision:
                kept = f"not kept: {revision.rejected}" if revision.rejected else "kept"
                _head(console, "revision", f"{revision.principle}, {kept}")
                for line in _diff(answer, revision.text):
                    console.print(line)
                answer = answer if revision.rejected else revision.text
            case Redaction(principles=principles, text=text):
                _head(console, "redaction", ", ".join(principles))
                answer = text
            case Fault(during=during, principle=principle, what=what):
                _head(console, "fault", f"{during} {principle}: {what}")


def _assessment(of: str, findings: Sequence[Finding], console: Console) -> None:
    """Violated and inconclusive findings, a line each; a request that nothing speaks against is not worth one."""
    shown = [finding for finding in findings if finding.outcome in _COLOUR and not finding.superseded]
    if of == "request" and not shown:
        return
    _head(console, "checks", f"on the {of}")
    for finding in shown:
        line = f"line {finding.spans[0].line}: " if finding.spans else ""
        colour = _COLOUR[finding.outcome]
        console.print(
            f"  [{colour}]{finding.outcome}[/] [bold]{inert(finding.principle)}[/] "
            f"{inert(line + finding.reason)} [dim]{inert(finding.check)}[/]"
        )
    if not shown:
        judged = len({finding.principle for finding in findings if finding.outcome == "upheld"})
        console.print(f"  [green]no principle violated[/] [dim]({judged} upheld, the rest not applicable)[/]")


def _because(steps: Sequence[Step], decision: Decision) -> str:
    if decision.because:
        return f" because of {', '.join(decision.because)}"
    found = [step for step in steps if isinstance(step, Assessment)]
    # A revision that was not kept may have broken what the draft never did: only the draft's violations were mended.
    was = _violated(step for step in found if step.of == "draft")
    noted = _violated(found[-1:])
    mended = [id for id in was if id not in noted]
    words = f", corrected to uphold {', '.join(mended)}" if mended else ", as it was drafted"
    return words + (f"; noted: {', '.join(noted)}" if noted else "")


def _violated(assessments: Iterable[Assessment]) -> list[str]:
    return [id for step in assessments for id, outcome in by_principle(step.findings).items() if outcome == "violated"]


def _doubt(critique: Critique) -> str:
    return "" if critique.agrees else f"it says {critique.says}; the checks' finding stands"


def _head(console: Console, what: str, about: str, doubt: str = "") -> None:
    console.print(f"[bold cyan]{what}[/] {inert(about)}".rstrip() + (f" [yellow]({doubt})[/]" if doubt else ""))


def _indent(text: str) -> str:
    return "\n".join("  " + inert(line) for line in text.splitlines())


def _diff(before: str, after: str) -> Iterator[str]:
    """Coloured unified diff without file names."""
    for line in list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))[2:]:
        colour = {"+": "green", "-": "red", "@": "dim"}.get(line[:1])
        yield f"  [{colour}]{inert(line)}[/]" if colour else f"  {inert(line)}"
