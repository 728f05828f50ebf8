"""Findings of the checks that look for words and numbers: what they see in a text, in every way that it can be read.

A check says what it sees in one text; here that becomes findings with places, each thing once, however many readings
show it. A sighting never holds what was seen. The name of a tool that is called is read as well, and so is what stands
where one part ends and the next begins: a model reads the parts of a turn, and turns that follow each other, in one go.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

import msgspec

from lawspeaker.checks.text.readings import Reading, readings
from lawspeaker.exchange import Exchange, Scope, Segment
from lawspeaker.finding import Finding, span_of

# How far around a border between parts is read.
_REACH: Final = 400


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


def findings(
    principle: str, exchange: Exchange, scopes: frozenset[Scope], look: Look, *, disguises: bool = True
) -> list[Finding]:
    """A violated finding for everything that `look` sees in the parts within `scopes`. Without `disguises`, it looks
    into them itself."""
    segments = list(exchange.segments(scopes))
    found = [found for segment in segments for found in _in_part(principle, segment, look, disguises=disguises)]
    for run in _runs(segments):
        found += _across(principle, run, look, disguises=disguises)
    return found


def texts(exchange: Exchange, scopes: frozenset[Scope]) -> Iterator[str]:
    """Every text that `findings` has looked at, disguises and borders included."""
    segments = list(exchange.segments(scopes))
    for segment in segments:
        yield from (reading.text for reading in _all_readings(segment, disguises=True))
    for run in _runs(segments):
        for _, around in _borders(run):
            yield from (reading.text for reading in readings(around, disguises=True))


def _runs(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Parts that follow each other without anything of another kind between them, where there are two or more. Files
    are read one by one, and the arguments of a call are JSON."""
    run: list[Segment] = []
    for segment in segments:
        joins = run and run[-1].scope == segment.scope and segment.message - run[-1].message <= 1
        if segment.name or segment.scope == "tool_call" or not joins:
            if len(run) > 1:
                yield run
            run = []
        if not segment.name and segment.scope != "tool_call":
            run.append(segment)
    if len(run) > 1:
        yield run


def _across(principle: str, run: Sequence[Segment], look: Look, *, disguises: bool) -> Iterator[Finding]:
    """What reaches over the border of two parts or more; the text within `_REACH` of each border is read."""
    starts = _starts(run)
    seen: set[tuple[str, int, int]] = set()
    for first, around in _borders(run):
        for reading in readings(around, disguises=disguises):
            for sighting in look(reading):
                start, end = (first + at for at in reading.place(sighting.start, sighting.end))
                inside = bisect_right(starts, start) == bisect_right(starts, max(start, end - 1))
                if inside or (sighting.rule, start, end) in seen:
                    continue
                seen.add((sighting.rule, start, end))
                spans = tuple(
                    span_of(segment, max(0, start - at), min(len(segment.text), end - at))
                    for segment, at in zip(run, starts, strict=False)
                    if max(start, at) < min(end, at + len(segment.text))
                )
                evidence = ", ".join(filter(None, (sighting.evidence, f"over {len(spans)} parts")))
                yield Finding(principle, sighting.rule, "violated", sighting.reason, spans, evidence)


def _starts(run: Sequence[Segment]) -> list[int]:
    """Where each part of `run` begins in the text of all, and where the last one ends."""
    return list(accumulate((len(segment.text) for segment in run), initial=0))


def _borders(run: Sequence[Segment]) -> Iterator[tuple[int, Segment]]:
    """The surroundings of the borders in `run`, each as a part, with its place in the text of all."""
    text = "".join(segment.text for segment in run)
    for first, last in _windows(_starts(run)[1:-1], len(text)):
        yield first, msgspec.structs.replace(run[0], text=text[first:last])


def _windows(borders: Sequence[int], size: int) -> Iterator[tuple[int, int]]:
    """The surroundings of `borders`; those that meet are one."""
    first = last = -1
    for border in borders:
        if last >= 0 and border - _REACH > last:
            yield first, last
            first = -1
        first = max(0, border - _REACH) if first < 0 else first
        last = min(size, border + _REACH)
    if last >= 0:
        yield first, last


def _all_readings(segment: Segment, *, disguises: bool) -> Iterator[Reading]:
    yield from readings(segment, disguises=disguises)
    if segment.scope == "tool_call" and segment.name:
        yield Reading(segment, segment.name, None)


def _in_part(principle: str, segment: Segment, look: Look, *, disguises: bool) -> Sequence[Finding]:
    found: list[Finding] = []
    places: list[tuple[int, int]] = []
    texts: set[tuple[str, str]] = set()
    for reading in _all_readings(segment, disguises=disguises):
        before: Places | None = None
        for seen in look(reading):
            before = before or Places(places)
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
