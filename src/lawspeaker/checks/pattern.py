"""The kind `pattern`: texts that must not occur, as RE2 patterns.

For house rules that a regular expression can say exactly. Every pattern is searched in the text, in its normal form
and in what its codes say; one that is a word or a phrase also in the ways to write it that `guises` knows, among them
the first letters of lines and of words. The reason is the author's sentence, never the match.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

import msgspec

from lawspeaker.checks.settings import fields, flag, missing, sentence, strings
from lawspeaker.checks.text.fences import fenced
from lawspeaker.checks.text.guises import guises, initials
from lawspeaker.checks.text.prefixes import Beginnings, begun
from lawspeaker.checks.text.readings import Reading
from lawspeaker.checks.text.regex import PatternSet, compiled, width
from lawspeaker.checks.text.sightings import Places, Sighting, findings
from lawspeaker.checks.text.undecided import undecided_in
from lawspeaker.constitution.kinds import Check, Needs
from lawspeaker.exchange import Exchange, Scope
from lawspeaker.finding import Finding

CHECK: Final = "pattern/deny"
# More places than a person reads; a text with more is as violated as a text with these.
_LIMIT: Final = 100


class PatternCheck(msgspec.Struct, frozen=True, dict=True, eq=False):
    principle: str
    reason: str
    deny: PatternSet
    guises: PatternSet
    code_only: bool
    spelt: PatternSet
    width: int | None = None
    begun: tuple[str, ...] | None = None
    spelt_begun: tuple[str, ...] | None = None

    @property
    def needs(self) -> Needs:
        """A fence tells only at its end what is code, and a pattern without a bound may match any length."""
        if self.code_only or self.begun is None:
            return Needs("whole")
        return Needs("open") if self.width is None else Needs("window", self.width)

    @property
    def patterns(self) -> tuple[str, ...]:
        """One of them occurs in every text in which something is found. None, where that cannot be said: code is a part
        of a text, and first letters spell what does not stand there."""
        return () if self.code_only or self.spelt.patterns else self.deny.patterns + self.guises.patterns

    @cached_property
    def nothing(self) -> tuple[Finding, ...]:
        """What is found where nothing is, if there is something to search."""
        return (Finding(self.principle, CHECK, "upheld", "Nothing here matches a pattern that is denied."),)

    @cached_property
    def _beginnings(self) -> Beginnings:
        return Beginnings(self.begun)

    @cached_property
    def _spelt_beginnings(self) -> Beginnings:
        return Beginnings(self.spelt_begun)

    def undecided(self, text: str) -> int:
        return 0 if self.code_only or self.begun is None else undecided_in(text, self._first)

    def _first(self, text: str) -> int:
        first = self._beginnings.first(text)
        for letters in initials(text) if self.spelt_begun else ():
            at = self._spelt_beginnings.first(letters.text)
            if at < len(letters.text):
                first = min(first, letters.span(at, at)[0])
        return first

    def clear(self, text: str) -> bool:
        if self.code_only or any(True for each in (self.deny, self.guises) for _ in each.search(text, 1)):
            return False
        return not any(True for _ in self._spelt(text))

    def examine(self, exchange: Exchange, scopes: frozenset[Scope]) -> Sequence[Finding]:
        found = findings(self.principle, exchange, scopes, self._look)
        if found:
            return found
        parts = (Reading(segment, segment.text, 0) for segment in exchange.segments(scopes))
        if any(place for reading in parts for place in self._places(reading)):
            return self.nothing
        return (Finding(self.principle, CHECK, "not_applicable", "There is no code to search."),)

    def _places(self, reading: Reading) -> Iterator[tuple[int, int]]:
        """What is searched. A named text is a file or a tool call, so all of it is code."""
        if not self.code_only or reading.segment.name or reading.segment.scope == "tool_call":
            yield 0, len(reading.text)
            return
        for block in fenced(reading.text):
            yield block.start, block.end

    def _look(self, reading: Reading) -> Iterator[Sighting]:
        for start, end in self._places(reading):
            text = reading.text if (start, end) == (0, len(reading.text)) else reading.text[start:end]
            plain = dict.fromkeys((first, last) for _, first, last in self.deny.search(text, _LIMIT))
            known = Places(list(plain))
            guised = dict.fromkeys((*((a, b) for _, a, b in self.guises.search(text, _LIMIT)), *self._spelt(text)))
            for first, last in (*plain, *(place for place in guised if not known.hold(*place))):
                size, disguised = f"{last - first} characters", (first, last) not in plain
                yield Sighting(CHECK, self.reason, start + first, start + last, size, disguised)

    def _spelt(self, text: str) -> Iterator[tuple[int, int]]:
        for letters in initials(text) if self.spelt_begun else ():
            for _, first, last in self.spelt.search(letters.text, _LIMIT):
                yield letters.span(first, last)


class PatternKind:
    name: Final = "pattern"
    version: Final = "4"
    schema: Final[Mapping[str, object]] = {
        "type": "object",
        "required": ["deny", "reason"],
        "additionalProperties": False,
        "properties": {
            "deny": {
                "description": "RE2 patterns that must not occur.",
                "anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}],
            },
            "reason": {"type": "string", "description": "One sentence, shown in place of the match."},
            "code": {"type": "boolean", "description": "Search fenced code and files only."},
        },
    }

    def prepare(self, settings: object, principle: str) -> Check:
        given = fields(settings, ("deny", "reason", "code"), required=("deny", "reason"))
        several = isinstance(given["deny"], list)
        deny = compiled(strings(given["deny"], ("deny",)), ("deny",), several=several)
        reason = sentence(given["reason"], ("reason",))
        patterns = strings(given["deny"])
        other = [found for found in map(guises, patterns) if found is not None]
        widths = [width(pattern) for pattern in patterns]
        known = [width for width in widths if width is not None]
        widest = max(*known, *(each.width for each in other), 0) if len(known) == len(widths) else None
        disguised = [pattern for each in other for pattern in each.patterns]
        code, told = flag(given.get("code", False), ("code",)), begun([*patterns, *disguised])
        # Its letters alone: the case of first ones goes by where they stand.
        spelt = [f"(?i){each.spelt}" for each in other if each.spelt]
        return PatternCheck(
            principle, reason, deny, PatternSet(disguised), code, PatternSet(spelt), widest, told, begun(spelt)
        )

    def overrules(self, settings: object) -> bool:
        return False

    def loosened(self, base: object, extended: object) -> str | None:
        old, new = fields(base, ("deny", "reason", "code")), fields(extended, ("deny", "reason", "code"))
        if new.get("code") and not old.get("code"):
            return "searches code only, where the base searches every text"
        return missing("the pattern", strings(old["deny"]), strings(new["deny"]))
