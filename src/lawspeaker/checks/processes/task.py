"""One deterministic check of one principle, to be run once: here, in a thread, or in a process of its own."""

import json
from collections.abc import Iterable
from typing import Final, get_args

import msgspec

from lawspeaker.constitution.kinds import Check, Needs
from lawspeaker.constitution.schema import CheckSpec, Principle
from lawspeaker.errors import BoundaryError, LawspeakerError, boundary
from lawspeaker.exchange import Exchange, Scope
from lawspeaker.finding import Finding, Outcome

Findings = tuple[Finding, ...]
OUT_OF_SCOPE: Final = "law/scope"
UNFINISHED: Final = "/unfinished"

_OUTCOMES: Final = frozenset(get_args(Outcome))


class Job(msgspec.Struct, frozen=True):
    """What another process needs to make the check: its kind and settings, as the principle states them."""

    kind: str
    settings: object
    principle: str
    scopes: frozenset[Scope]


class Answer(msgspec.Struct, frozen=True):
    """What another process says to a job: its findings, or why there are none; and whether to use it again."""

    findings: Findings
    failed: str = ""
    again: bool = True


class Task(msgspec.Struct, frozen=True):
    """A check as it was prepared. `digest` names the kind, its version and its settings. Its job has the scopes that
    the principle applies to and the check reads; `idle` says that the exchange has none of them."""

    job: Job
    check: Check
    digest: str
    needs: Needs
    idle: bool

    def run(self, exchange: Exchange) -> Findings:
        """The check's findings. Whatever it does wrong is one inconclusive finding."""
        if self.idle:
            reason = f"The exchange has nothing under this principle that the check '{self.job.kind}' reads."
            return (Finding(self.job.principle, OUT_OF_SCOPE, "not_applicable", reason),)
        try:
            return examined(self.job, self.check, exchange)
        except LawspeakerError as error:
            return (unfinished(self.job, f"{error}."),)


def task(spec: CheckSpec, principle: Principle, present: frozenset[Scope]) -> Task:
    """The task of a deterministic check of `principle`, in an exchange that has parts of the scopes `present`."""
    scopes = frozenset(principle.applies_to).intersection(spec.needs.reads)
    job = Job(spec.kind, spec.settings, principle.id, scopes)
    return Task(job, spec.check, spec.digest, spec.needs, scopes.isdisjoint(present))


def examined(job: Job, check: Check, exchange: Exchange) -> Findings:
    """The findings of `check`, which `job` describes. Raises `BoundaryError`."""
    with boundary(f"the check '{job.kind}'"):
        return validated(job, check.examine(exchange, job.scopes))


def written_answer(answer: Answer) -> bytes:
    """`answer` as plain data, so that whoever reads it runs nothing of what was written; half of a surrogate pair
    included."""
    return json.dumps(msgspec.to_builtins(answer)).encode()


def read_answer(data: bytes) -> Answer:
    """The answer that `data` is. Raises `ValueError` where it is none."""
    return msgspec.convert(json.loads(data), Answer)


def unfinished(job: Job, reason: str) -> Finding:
    """What is said of a check that came to no findings of its own."""
    return Finding(job.principle, f"{job.kind}{UNFINISHED}", "inconclusive", reason)


def validated(job: Job, found: Iterable[Finding]) -> Findings:
    """`found`, which a check from elsewhere returned: it may be anything. Only `assess` supersedes: a check that did
    could silence itself. Raises `BoundaryError`."""
    findings = tuple(found)
    if not findings:
        raise BoundaryError("the check returned no finding")
    for finding in findings:
        if not isinstance(finding, Finding) or finding.principle != job.principle:
            raise BoundaryError("the check returned something that is not a finding of its principle")
        if finding.outcome not in _OUTCOMES or finding.superseded:
            raise BoundaryError("the check returned a finding that says nothing it may say")
    return findings
