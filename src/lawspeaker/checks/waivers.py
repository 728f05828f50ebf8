"""Waivers: principles that a deployment keeps from deciding for a while, by name of who answers for it.

A waiver does not stop a check. What is found is recorded as it is, and does not decide; the log counts what was let
pass.
"""

from collections.abc import Iterable, Sequence

import msgspec

from lawspeaker.checks.assess import assess
from lawspeaker.checks.processes.task import Findings
from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.exchange import Exchange, Scope
from lawspeaker.finding import Finding, by_principle
from lawspeaker.models.base import Model

_TELLING = frozenset({"violated", "inconclusive"})


class Waiver(msgspec.Struct, frozen=True):
    """`principle` does not decide in `scope` until `expires` (seconds since 1970, at which it is over)."""

    principle: str
    scope: tuple[Scope, ...]
    owner: str
    reason: str
    expires: int

    def terms(self) -> dict[str, object]:
        """What a leaf may show: all but the reason, which is prose."""
        return {"principle": self.principle, "scope": self.scope, "owner": self.owner, "expires": self.expires}


async def assess_waived(
    exchange: Exchange,
    constitution: Constitution,
    waivers: Sequence[Waiver],
    *,
    judge: Model | None = None,
    budget: float = 30.0,
) -> Findings:
    """`assess`, with the findings of waived principles marked where nothing is wrong outside the waivers' scope.

    That is asked of the checks once more, over the rest of the scope alone, and not read from the places of findings:
    a check reports a bounded number of them, so that many in the waived scope would hide one outside it.
    """
    findings = await assess(exchange, constitution, judge=judge, budget=budget)
    if not waivers:
        return findings
    outcomes = by_principle(findings)
    aside = set()
    for principle in constitution.principles:
        scope = {each for waiver in waivers if waiver.principle == principle.id for each in waiver.scope}
        if scope and outcomes.get(principle.id) in _TELLING:
            rest = tuple(each for each in principle.applies_to if each not in scope)
            if not rest or await _upheld(exchange, constitution, principle, rest, judge, budget):
                aside.add(principle.id)
    return tuple(
        msgspec.structs.replace(finding, waived=True)
        if finding.principle in aside and finding.outcome in _TELLING
        else finding
        for finding in findings
    )


def waived(findings: Iterable[Finding]) -> set[str]:
    """The principles that were kept from deciding."""
    return {finding.principle for finding in findings if finding.waived}


async def _upheld(
    exchange: Exchange,
    constitution: Constitution,
    principle: Principle,
    scope: tuple[Scope, ...],
    judge: Model | None,
    budget: float,
) -> bool:
    """Whether nothing speaks against `principle` in `scope`."""
    alone = msgspec.structs.replace(constitution, principles=(msgspec.structs.replace(principle, applies_to=scope),))
    found = await assess(exchange, alone, judge=judge, budget=budget)
    return not _TELLING & set(by_principle(found).values())
