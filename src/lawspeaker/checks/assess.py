"""Evidence on one exchange under one constitution.

Every principle gets at least one finding, in the order of the law. Deterministic checks run one after
another, in a thread unless they say that they are light and there is little to read; the judges run after
them, all principles at once, since most are asked only where the checks came out undecided. One deadline
holds for all of it: what is not done by then is inconclusive. A check that crashes, is late or returns
nonsense is an inconclusive finding, never an exception and never a pass.

What is not covered: Python cannot end a thread. A check that never returns keeps its thread until the
process ends, and one that holds the interpreter lock, or says that it is light and is not, holds up the
deadline too.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Sequence
from typing import Final, get_args

import msgspec

from lawspeaker.checks import threads
from lawspeaker.checks.judge import CHECK, Judge
from lawspeaker.constitution.kinds import UNSTATED, Check, Needs, needs_of
from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.errors import BoundaryError, LawspeakerError, boundary
from lawspeaker.exchange import Exchange, Scope
from lawspeaker.finding import Finding, Outcome, combine
from lawspeaker.models.base import Model

OUT_OF_SCOPE: Final = "law/scope"
_OUTCOMES: Final = frozenset(get_args(Outcome))
# Characters up to which light checks run where they are: a millisecond or so, less than handing them over costs.
_LITTLE: Final = 4096
_LATE: Final = "The time for this assessment was over before the check was done."

Findings = tuple[Finding, ...]


async def assess(
    exchange: Exchange, constitution: Constitution, *, judge: Model | None = None, budget: float = 30.0
) -> Findings:
    """Findings of every principle on `exchange`. `budget` is in seconds, for the whole assessment: each check
    has what those before it left, and the judges have what the checks left. Within it, the same exchange under
    the same law gives the same findings in the same order."""
    deadline = time.monotonic() + budget
    present = {segment.scope for segment in exchange.segments()}
    tasks = [
        _Task(principle.id, spec.kind, spec.check, frozenset(principle.applies_to), frozenset(present))
        for principle in constitution.principles
        if present.intersection(principle.applies_to)
        for spec in principle.checks
        if not isinstance(spec.check, Judge)
    ]
    results = await _results(deadline, exchange, tasks)
    found: dict[str, list[Finding]] = {principle.id: [] for principle in constitution.principles}
    for task, findings in zip(tasks, results, strict=True):
        found[task.principle] += findings
    judged = [
        _judged(exchange, principle, tuple(found[principle.id]), judge, deadline)
        if present.intersection(principle.applies_to)
        else _out_of_scope(principle)
        for principle in constitution.principles
    ]
    return tuple(finding for findings in await asyncio.gather(*judged) for finding in findings)


class _Task(msgspec.Struct, frozen=True):
    """One deterministic check of one principle, for the parts that the principle applies to and the check reads."""

    principle: str
    kind: str
    check: Check
    scopes: frozenset[Scope]
    present: frozenset[Scope]

    def run(self, exchange: Exchange) -> Findings:
        """The check's findings. Whatever it does wrong is one inconclusive finding."""
        try:
            with boundary(f"the check '{self.kind}'"):
                scopes = self.scopes.intersection(self.needs.reads)
                if not scopes & self.present:
                    return (self._unread(),)
                findings = tuple(self.check.examine(exchange, scopes))
                _validate(findings, self.principle)
        except LawspeakerError as error:
            return (self.unfinished(f"{error}."),)
        return findings

    @property
    def needs(self) -> Needs:
        """What the check says that it needs; everything, where it cannot say so."""
        try:
            with boundary(f"the check '{self.kind}'"):
                return needs_of(self.check)
        except LawspeakerError:
            return UNSTATED

    def _unread(self) -> Finding:
        reason = f"The exchange has nothing under this principle that the check '{self.kind}' reads."
        return Finding(self.principle, OUT_OF_SCOPE, "not_applicable", reason)

    def unfinished(self, reason: str) -> Finding:
        return Finding(self.principle, f"{self.kind}/unfinished", "inconclusive", reason)


def _validate(findings: Sequence[Finding], principle: str) -> None:
    """A check from elsewhere may return anything. Only `assess` supersedes: a check that did could silence itself."""
    if not findings:
        raise BoundaryError("the check returned no finding")
    for finding in findings:
        if not isinstance(finding, Finding) or finding.principle != principle:
            raise BoundaryError("the check returned something that is not a finding of its principle")
        if finding.outcome not in _OUTCOMES or finding.superseded:
            raise BoundaryError("the check returned a finding that says nothing it may say")


async def _results(deadline: float, exchange: Exchange, tasks: Sequence[_Task]) -> list[Findings]:
    """The findings of each task."""
    if sum(len(segment.text) for segment in exchange.segments()) > _LITTLE:
        return await _in_thread(deadline, exchange, tasks)
    light = [task.needs.cost == "light" for task in tasks]
    here = [
        (task.run(exchange) if time.monotonic() < deadline else (task.unfinished(_LATE),))
        for task, is_light in zip(tasks, light, strict=True)
        if is_light
    ]
    heavy = [task for task, is_light in zip(tasks, light, strict=True) if not is_light]
    there = await _in_thread(deadline, exchange, heavy) if heavy else []
    done, handed = iter(here), iter(there)
    return [next(done if is_light else handed) for is_light in light]


async def _in_thread(deadline: float, exchange: Exchange, tasks: Sequence[_Task]) -> list[Findings]:
    """The findings of each task; those that are not done by the deadline are unfinished, and their thread is left
    behind.

    One thread for all: a hop for each check would cost more than most checks do.
    """
    done: list[Findings] = []
    abandoned = threading.Event()
    loop, finished = asyncio.get_running_loop(), asyncio.Event()

    def work() -> None:
        for task in tasks:
            found = task.run(exchange)
            if abandoned.is_set():
                return
            done.append(found)
        loop.call_soon_threadsafe(finished.set)

    threads.start(work)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline - time.monotonic()):
                await finished.wait()
    finally:
        abandoned.set()
    results = done[:]
    return results + [(task.unfinished(_LATE),) for task in tasks[len(results) :]]


async def _out_of_scope(principle: Principle) -> Findings:
    reason = f"The exchange has no {' or '.join(principle.applies_to)}."
    return (Finding(principle.id, OUT_OF_SCOPE, "not_applicable", reason),)


async def _judged(
    exchange: Exchange, principle: Principle, findings: Findings, model: Model | None, deadline: float
) -> Findings:
    """The findings of `principle` with those of its judges, where they are needed."""
    outcome = combine(finding.outcome for finding in findings)
    undecided = not findings or outcome == "inconclusive"
    judges = [
        spec.check
        for spec in principle.checks
        if isinstance(spec.check, Judge) and (spec.check.when == "always" or undecided)
    ]
    verdicts = await asyncio.gather(*(_verdict(exchange, principle, judge, model, deadline) for judge in judges))
    pairs = zip(judges, verdicts, strict=True)
    if any(judge.when == "undecided" and verdict.outcome != "inconclusive" for judge, verdict in pairs):
        findings = tuple(_superseded(finding) for finding in findings)
    if not findings and not verdicts:
        reason = "The principle has no check, so nothing is known."
        return (Finding(principle.id, "law/checks", "inconclusive", reason),)
    return (*findings, *verdicts)


async def _verdict(
    exchange: Exchange, principle: Principle, judge: Judge, model: Model | None, deadline: float
) -> Finding:
    scopes = frozenset(principle.applies_to)
    if model is None:
        return judge.examine(exchange, scopes)[0]
    left = deadline - time.monotonic()
    if left <= 0:
        return Finding(principle.id, "judge/unfinished", "inconclusive", _LATE)
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
