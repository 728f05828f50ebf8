"""Findings as rows: one place in one file per row, the same for JSON, SARIF, JUnit and text."""

from collections.abc import Iterator, Sequence

import msgspec

from lawspeaker.constitution.schema import Constitution, Severity
from lawspeaker.decision import Decision, decide, severest
from lawspeaker.exchange import Exchange, Text
from lawspeaker.finding import Finding, Outcome, by_principle

# What a model wrote may quote what it judged, and reports go to places where that must not be.
_CONFIDENTIAL = "A judge decided this; its words are not repeated in reports."


class Judged(msgspec.Struct, frozen=True):
    """An exchange made of files and what was found in it. Every part of it is a `Text` that bears its file's name."""

    exchange: Exchange
    findings: tuple[Finding, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(_name(self.exchange, m, p) for m, p in _places(self.exchange))


class Row(msgspec.Struct, frozen=True):
    """One finding at one place. `line` and `end_line` count from 1; 0 where the finding has no place."""

    principle: str
    check: str
    outcome: Outcome
    severity: Severity
    reason: str
    path: str
    line: int = 0
    end_line: int = 0
    evidence: str = ""


def rows(judged: Judged, constitution: Constitution, *, all_outcomes: bool) -> list[Row]:
    """Violated and inconclusive rows in the order of the law; with `all_outcomes` every row, and at least one for each
    principle and file. A finding in whose place a judge's outcome stands has none."""
    told = [
        row
        for finding in judged.findings
        if not finding.superseded and (all_outcomes or finding.outcome in {"violated", "inconclusive"})
        for row in _of(finding, judged, constitution.principle(finding.principle).severity)
    ]
    if not all_outcomes:
        return told
    spoken = {(row.path, row.principle) for row in told}
    return told + [
        Row(principle.id, "law/file", "not_applicable", principle.severity, "Nothing in this file speaks of it.", path)
        for path in judged.paths
        for principle in constitution.principles
        if (path, principle.id) not in spoken
    ]


def decide_all(judged: Sequence[Judged], constitution: Constitution) -> Decision:
    """The decision on all of them: the severest action and every principle that causes it."""
    decisions = [decide(each.findings, constitution) for each in judged]
    worst = severest(each.action for each in decisions)
    because = {id for each in decisions if each.action == worst for id in each.because}
    return Decision(worst, tuple(p.id for p in constitution.principles if p.id in because))


def exit_code(judged: Sequence[Judged], constitution: Constitution) -> int:
    """1 for a violation that the law does more than note, else 3 for an undecided principle that it does more than
    note, else 0."""
    outcomes = {pair for each in judged for pair in by_principle(each.findings).items()}
    if any((p.id, "violated") in outcomes and p.on_violation != "note" for p in constitution.principles):
        return 1
    if any((p.id, "inconclusive") in outcomes and p.on_inconclusive != "note" for p in constitution.principles):
        return 3
    return 0


def _of(finding: Finding, judged: Judged, severity: Severity) -> Iterator[Row]:
    def row(path: str, line: int = 0, end_line: int = 0) -> Row:
        return Row(
            finding.principle,
            finding.check,
            finding.outcome,
            severity,
            _CONFIDENTIAL if finding.confidential else finding.reason,
            path,
            line,
            end_line,
            finding.evidence,
        )

    if finding.spans:
        for span in finding.spans:
            yield row(_name(judged.exchange, span.message, span.part), span.line, span.end_line)
        return
    # Without a place, a fault is told once; a pass is told of every file that it speaks for.
    paths = judged.paths[:1] if finding.outcome in {"violated", "inconclusive"} else judged.paths
    for path in paths:
        yield row(path)


def _places(exchange: Exchange) -> Iterator[tuple[int, int]]:
    for m, message in enumerate(exchange.messages):
        for p in range(len(message.parts)):
            yield m, p


def _name(exchange: Exchange, message: int, part: int) -> str:
    text = exchange.messages[message].parts[part]
    return text.name if isinstance(text, Text) else ""
