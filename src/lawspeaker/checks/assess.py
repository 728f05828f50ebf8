"""Evidence on one exchange under one constitution.

Every principle gets at least one finding, in the order of the law. The deterministic checks run first (`run` says
where), then the judges, all principles at once, since most are asked only where the checks came out undecided. One
deadline holds for all of it: what is not done by then is inconclusive. A check that crashes, is late, is ended or
returns nonsense is an inconclusive finding, never an exception and never a pass.
"""

import asyncio
import time
from collections.abc import Sequence

import msgspec

from lawspeaker.checks.judge import CHECK, Judge
from lawspeaker.checks.processes.task import OUT_OF_SCOPE, Findings, task
from lawspeaker.checks.processes.workers import LATE
from lawspeaker.checks.run import run
from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.errors import LawspeakerError, boundary
from lawspeaker.exchange import Exchange
from lawspeaker.finding import Finding, combine
from lawspeaker.models.base import Model


async def assess(
    exchange: Exchange, constitution: Constitution, *, judge: Model | None = None, budget: float = 30.0
) -> Findings:
    """Findings of every principle on `exchange`. `budget` is in seconds, for the whole assessment: each check has what
    those before it left, and the judges have what the checks left. Within it, the same exchange under the same law
    gives the same findings in the same order."""
    deadline = time.monotonic() + budget
    segments = tuple(exchange.segments())
    present = frozenset(segment.scope for segment in segments)
    read = [principle for principle in constitution.principles if not present.isdisjoint(principle.applies_to)]
    tasks = [
        task(spec, principle, present)
        for principle in read
        for spec in principle.checks
        if not isinstance(spec.check, Judge)
    ]
    results = await run(exchange, sum(len(segment.text) for segment in segments), tasks, deadline)
    found: dict[str, list[Finding]] = {principle.id: [] for principle in read}
    for each, findings in zip(tasks, results, strict=True):
        found[each.job.principle] += findings
    found = {id: _without_echoes(several, exchange) for id, several in found.items()}
    asked = {principle.id: judges for principle in read if (judges := _judges(principle, found[principle.id]))}
    verdicts = await asyncio.gather(
        *(
            _judged(exchange, principle, asked[principle.id], judge, deadline)
            for principle in read
            if principle.id in asked
        )
    )
    for (id, judges), said in zip(asked.items(), verdicts, strict=True):
        found[id] = _together(found[id], judges, said)
    return tuple(
        finding
        for principle in constitution.principles
        for finding in (
            found[principle.id] or [_unchecked(principle)] if principle.id in found else [_outside(principle)]
        )
    )


def _without_echoes(found: list[Finding], exchange: Exchange) -> list[Finding]:
    """Of one principle: without what a pattern finds in a line where another check, which says more, finds something
    wrong. A finding that has a whole part for its place does not say where it is, so it hides nothing."""
    if len(found) < 2 or not any(map(_is_pattern, found)):
        return found
    try:
        with boundary("comparing places"):  # a check from elsewhere may name any
            texts = {(each.message, each.part): each.text for each in exchange.segments()}
            lines = {
                (span.message, span.part, span.line)
                for finding in found
                if finding.outcome == "violated" and not _is_pattern(finding)
                for span in finding.spans
                if span.end - span.start < len(texts.get((span.message, span.part), ""))
            }
            return [finding for finding in found if not (_is_pattern(finding) and _lines(finding) & lines)]
    except LawspeakerError:
        return found


def _is_pattern(finding: Finding) -> bool:
    return finding.check.startswith("pattern/")


def _lines(finding: Finding) -> set[tuple[int, int, int]]:
    return {(span.message, span.part, span.line) for span in finding.spans}


def _outside(principle: Principle) -> Finding:
    reason = f"The exchange has no {' or '.join(principle.applies_to)}."
    return Finding(principle.id, OUT_OF_SCOPE, "not_applicable", reason)


def _unchecked(principle: Principle) -> Finding:
    return Finding(principle.id, "law/checks", "inconclusive", "The principle has no check, so nothing is known.")


def _judges(principle: Principle, found: Sequence[Finding]) -> list[Judge]:
    """The judges of `principle` that are asked after its checks found this."""
    judges = [spec.check for spec in principle.checks if isinstance(spec.check, Judge)]
    if not judges:
        return judges
    undecided = not found or combine(finding.outcome for finding in found) == "inconclusive"
    return [judge for judge in judges if judge.when == "always" or undecided]


async def _judged(
    exchange: Exchange, principle: Principle, judges: Sequence[Judge], model: Model | None, deadline: float
) -> list[Finding]:
    return await asyncio.gather(*(_verdict(exchange, principle, judge, model, deadline) for judge in judges))


def _together(found: list[Finding], judges: Sequence[Judge], verdicts: Sequence[Finding]) -> list[Finding]:
    """What the checks `found` and the judges' verdicts; a decided verdict stands in place of what is inconclusive."""
    pairs = zip(judges, verdicts, strict=True)
    if any(judge.when == "undecided" and verdict.outcome != "inconclusive" for judge, verdict in pairs):
        found = [_superseded(finding) for finding in found]
    return [*found, *verdicts]


async def _verdict(
    exchange: Exchange, principle: Principle, judge: Judge, model: Model | None, deadline: float
) -> Finding:
    scopes = frozenset(principle.applies_to)
    if model is None:
        return judge.examine(exchange, scopes)[0]
    left = deadline - time.monotonic()
    if left <= 0:
        return Finding(principle.id, "judge/unfinished", "inconclusive", LATE)
    finding = await judge.ask(exchange, scopes, model, left)
    if finding.outcome == "upheld" and principle.severity == "critical":
        # No judge has been measured against people's labels yet, and a critical principle needs better
        # evidence.
        reason = f"The judge said no, but none is calibrated for a critical principle: {finding.reason}"
        return Finding(principle.id, CHECK, "inconclusive", reason, confidential=True)
    return finding


def _superseded(finding: Finding) -> Finding:
    """An inconclusive finding in whose place a judge's outcome stands."""
    return msgspec.structs.replace(finding, superseded=True) if finding.outcome == "inconclusive" else finding
