"""Findings of the checks that look for words and numbers: what they see in a text, in every way that it can be read.

A check says what it sees in one text; here that becomes findings with places, each thing once, however many readings
show it. A sighting never holds what was seen.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from lawspeaker.checks.readings import Reading, readings
from lawspeaker.exchange import Exchange, Scope, Segment
from lawspeaker.finding import Finding


class Sighting(NamedTuple):
    """Something to report at `start:end` of a text: by which rule, in which words."""

    rule: str
    reason: str
    start: int
    end: int
    evidence: str
    disguised: bool = False


class Places:
    """Places of a text, to ask whether another lies within one of them."""

    def __init__(self, places: Sequence[tuple[int, int]]) -> None:
        ordered = sorted(places)
        self._starts = [start for start, _ in ordered]
        # The furthest end of a place that begins here or before.
        self._ends = list(accumulate((end for _, end in ordered), max))

    def hold(self, start: int, end: int) -> bool:
        before = bisect_right(self._starts, start)
        return before > 0 and end <= self._ends[before - 1]


Look = Callable[[Reading], Iterable[Sighting]]


def findings(principle: str, exchange: Exchange, scopes: frozenset[Scope], look: Look) -> list[Finding]:
    """A violated finding for everything that `look` sees in the parts within `scopes`."""
    return [found for segment in exchange.segments(scopes) for found in _in_part(principle, segment, look)]


def _in_part(principle: str, segment: Segment, look: Look) -> Sequence[Finding]:
    found: list[Finding] = []
    places: list[tuple[int, int]] = []
    texts: set[tuple[str, str]] = set()
    for reading in readings(segment, disguises=True):
        before = Places(places)
        for seen in look(reading):
            start, end = reading.place(seen.start, seen.end)
            match = (seen.rule, reading.text[seen.start : seen.end])
            # Seen in an earlier reading, with the same place or a better one.
            if match in texts if reading.start is None else before.hold(start, end):
                continue
            texts.add(match)
            if reading.start is not None:
                places.append((start, end))
            disguised = ", disguised" if seen.disguised or reading.form else ""
            span = reading.span(seen.start, seen.end)
            found.append(Finding(principle, seen.rule, "violated", seen.reason, (span,), seen.evidence + disguised))
    return found
