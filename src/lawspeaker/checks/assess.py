"""Evidence on one exchange under one constitution.

Every principle gets at least one finding, in the order of the law. Deterministic checks run one after
another in a thread of their own, each within the time budget; the judges run after them, since most are
asked only where the checks came out undecided. A check that crashes, is late or returns nonsense is an
inconclusive finding, never an exception and never a pass.

What is not covered: Python cannot end a thread. A check that never returns keeps its thread until the
process ends, and one that holds the interpreter lock slows its neighbours.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from lawspeaker.checks.judge import CHECK, Judge
from lawspeaker.constitution.kinds import Check
from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.errors import BoundaryError, LawspeakerError, boundary
from lawspeaker.exchange import Exchange, Scope
from lawspeaker.finding import Finding, combine
from lawspeaker.models.base import Model

OUT_OF_SCOPE: Final = "law/scope"

Findings = tuple[Finding, ...]


async def assess(
    exchange: Exchange, constitution: Constitution, *, judge: Model | None = None, budget: float = 5.0
) -> Findings:
    """Findings of every principle on `exchange`. `budget` is in seconds, for each deterministic check; a
    judge's patience is its own. The same exchange under the same law gives the same findings in the same
    order."""
    present = {segment.scope for segment in exchange.segments()}
    tasks = [
        _Task(principle.id, spec.kind, spec.check, frozenset(principle.applies_to))
        for principle in constitution.principles
        if present.intersection(principle.applies_to)
        for spec in principle.checks
        if not isinstance(spec.check, Judge)
    ]
    results = await _within(budget, exchange, tasks)
    found: dict[str, list[Finding]] = {principle.id: [] for principle in constitution.principles}
    for task, findings in zip(tasks, results, strict=True):
        found[task.principle] += findings
    judged = [
        _judged(exchange, principle, tuple(found[principle.id]), judge)
        if present.intersection(principle.applies_to)
        else _out_of_scope(principle)
        for principle in constitution.principles
    ]
    return tuple(finding for findings in await asyncio.gather(*judged) for finding in findings)


class _Task(msgspec.Struct, frozen=True):
    """One deterministic check of one principle."""

    principle: str
    kind: str
    check: Check
    scopes: frozenset[Scope]

    def run(self, exchange: Exchange) -> Findings:
        """The check's findings. Whatever it does wrong is one inconclusive finding."""
        try:
            with boundary(f"the check '{self.kind}'"):
                findings = tuple(self.check.examine(exchange, self.scopes))
                _validate(findings, self.principle)
        except LawspeakerError as error:
            return (self.unfinished(f"{error}."),)
        return findings

    def unfinished(self, reason: str) -> Finding:
        return Finding(self.principle, f"{self.kind}/unfinished", "inconclusive", reason)


def _validate(findings: Sequence[Finding], principle: str) -> None:
    """A check from elsewhere may return anything."""
    if not findings:
        raise BoundaryError("the check returned no finding")
    if any(not isinstance(finding, Finding) or finding.principle != principle for finding in findings):
        raise BoundaryError("the check returned something that is not a finding of its principle")


async def _within(budget: float, exchange: Exchange, tasks: Sequence[_Task]) -> list[Findings]:
    """The findings of each task. A late task is left behind with its thread and the rest go on in a new
    one."""
    done: list[Findings] = []
    while len(done) < len(tasks):
        done += await _in_thread(budget, exchange, tasks[len(done) :])
    return done


async def _in_thread(budget: float, exchange: Exchange, tasks: Sequence[_Task]) -> list[Findings]:
    """What one thread manages of `tasks`: all of them, or those before a late one, and that one.

    One thread for all: a hop for each check would cost more than most checks do.
    """
    progress = _Progress()
    loop, finished = asyncio.get_running_loop(), asyncio.Event()

    def work() -> None:
        for task in tasks:
            progress.began = time.monotonic()
            progress.results.append(task.run(exchange))
            if progress.abandoned:
                return
        loop.call_soon_threadsafe(finished.set)

    # A daemon, so that a check that hangs does not keep the process from ending.
    threading.Thread(target=work, name="checks", daemon=True).start()
    try:
        while (left := progress.began + budget - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await finished.wait()
                return progress.results
    finally:
        progress.abandoned = True
    results = progress.results[:]
    if len(results) < len(tasks):
        late = tasks[len(results)]
        results.append((late.unfinished(f"The check '{late.kind}' did not finish within {budget:g} seconds."),))
    return results


class _Progress:
    """How far a thread has come."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.results: list[Findings] = []
        self.abandoned = False


async def _out_of_scope(principle: Principle) -> Findings:
    reason = f"The exchange has no {' or '.join(principle.applies_to)}."
    return (Finding(principle.id, OUT_OF_SCOPE, "not_applicable", reason),)


async def _judged(exchange: Exchange, principle: Principle, findings: Findings, model: Model | None) -> Findings:
    """The findings of `principle` with those of its judges, where they are needed."""
    outcome = combine(finding.outcome for finding in findings)
    undecided = not findings or outcome == "inconclusive"
    verdicts: Findings = ()
    stands = False
    for spec in principle.checks:
        if not isinstance(spec.check, Judge) or (spec.check.when == "undecided" and not undecided):
            continue
        verdict = await _verdict(exchange, principle, spec.check, model)
        verdicts += (verdict,)
        stands |= spec.check.when == "undecided" and verdict.outcome != "inconclusive"
    if stands:
        findings = tuple(_superseded(finding) for finding in findings)
    if not findings and not verdicts:
        reason = "The principle has no check, so nothing is known."
        return (Finding(principle.id, "law/checks", "inconclusive", reason),)
    return findings + verdicts


async def _verdict(exchange: Exchange, principle: Principle, judge: Judge, model: Model | None) -> Finding:
    scopes = frozenset(principle.applies_to)
    if model is None:
        return judge.examine(exchange, scopes)[0]
    finding = await judge.ask(exchange, scopes, model)
    if finding.outcome == "upheld" and principle.severity == "critical":
        # No judge has been measured against people's labels yet, and a critical principle needs better
        # evidence.
        reason = f"The judge said no, but none is calibrated for a critical principle: {finding.reason}"
        return Finding(principle.id, CHECK, "inconclusive", reason, confidential=True)
    return finding


def _superseded(finding: Finding) -> Finding:
    """An inconclusive finding in whose place a judge's outcome stands."""
    return msgspec.structs.replace(finding, superseded=True) if finding.outcome == "inconclusive" else finding
