"""Findings and how outcomes combine.

A finding lies in layer 0 because the law (layer 1) expects outcomes in its cases and the evidence (layer 2) makes them.
"""

from collections.abc import Iterable
from typing import Final, Literal, get_args

import msgspec

from lawspeaker.exchange import Segment

Outcome = Literal["upheld", "violated", "inconclusive", "not_applicable"]
_OUTCOMES: Final = frozenset(get_args(Outcome))


class Span(msgspec.Struct, frozen=True):
    """A place in one part: `message` and `part` index the exchange, `start:end` are character offsets in the part's
    text, `line` and `end_line` count from 1 in that text."""

    message: int
    part: int
    start: int
    end: int
    line: int
    end_line: int


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one check says about one principle.

    `check` is `kind/rule`. A deterministic `reason` and `evidence` never repeat the matched text. `confidential` marks
    a reason that a model wrote: it is vault content. `superseded` marks an inconclusive finding in whose place a
    judge's outcome stands, `waived` one that a waiver of the deployment keeps from deciding.
    """

    principle: str
    check: str
    outcome: Outcome
    reason: str
    spans: tuple[Span, ...] = ()
    evidence: str = ""
    confidential: bool = False
    superseded: bool = False
    waived: bool = False


def combine(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of a principle from the outcomes of its checks: violated, else inconclusive, else upheld, else
    not applicable. A word that is none of the four is inconclusive: nobody knows what it was meant to say."""
    seen = set(outcomes)
    if "violated" in seen:
        return "violated"
    if seen - {"upheld", "not_applicable"}:
        return "inconclusive"
    return "upheld" if "upheld" in seen else "not_applicable"


def by_principle(findings: Iterable[Finding]) -> dict[str, Outcome]:
    """The outcome of each principle that `findings` speak of, in order of first mention."""
    outcomes: dict[str, Outcome] = {}
    for finding in findings:
        told: Outcome = "not_applicable" if finding.superseded or finding.waived else finding.outcome
        before = outcomes.get(finding.principle, "not_applicable")
        outcomes[finding.principle] = (
            told if told in _OUTCOMES and before == "not_applicable" else combine((before, told))
        )
    return outcomes


def span_of(segment: Segment, start: int, end: int) -> Span:
    """The span of `segment.text[start:end]`."""
    line = segment.text.count("\n", 0, start) + 1
    last = max(start, end - 1)
    return Span(segment.message, segment.part, start, end, line, line + segment.text.count("\n", start, last))
