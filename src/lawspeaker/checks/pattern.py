"""The kind `pattern`: texts that must not occur, as RE2 patterns.

For house rules that a regular expression can say exactly. The reason is the author's sentence, never the
match.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from lawspeaker.checks.fences import fenced
from lawspeaker.checks.readings import Reading, readings
from lawspeaker.checks.regex import PatternSet, compiled, width
from lawspeaker.checks.settings import fields, flag, missing, sentence, strings
from lawspeaker.constitution.kinds import Check, Needs
from lawspeaker.exchange import Exchange, Scope
from lawspeaker.finding import Finding

CHECK: Final = "pattern/deny"
# More places than a person reads; a text with more is as violated as a text with these.
_LIMIT: Final = 100


class PatternCheck(msgspec.Struct, frozen=True):
    principle: str
    reason: str
    deny: PatternSet
    code_only: bool
    width: int | None = None

    @property
    def needs(self) -> Needs:
        """A fence tells only at its end what is code, and a pattern without a bound may match any length."""
        return Needs("whole") if self.code_only or self.width is None else Needs("window", self.width)

    def examine(self, exchange: Exchange, scopes: frozenset[Scope]) -> Sequence[Finding]:
        found: list[Finding] = []
        read = False
        for segment in exchange.segments(scopes):
            seen: set[tuple[int, str]] = set()
            for reading in readings(segment):
                for start, end in self._places(reading):
                    read = True
                    found += self._matches(reading, start, end, seen)
        if found:
            return found
        if read:
            return (Finding(self.principle, CHECK, "upheld", "Nothing here matches a pattern that is denied."),)
        return (Finding(self.principle, CHECK, "not_applicable", "There is no code to search."),)

    def _places(self, reading: Reading) -> Iterator[tuple[int, int]]:
        """What is searched. A named text is a file or a tool call, so all of it is code."""
        if not self.code_only or reading.segment.name or reading.segment.scope == "tool_call":
            yield 0, len(reading.text)
            return
        for block in fenced(reading.text):
            yield block.start, block.end

    def _matches(self, reading: Reading, start: int, end: int, seen: set[tuple[int, str]]) -> Iterator[Finding]:
        """`seen` is what was found in other readings of the same part, with a better place."""
        text = reading.text[start:end]
        for pattern, first, last in self.deny.search(text, _LIMIT):
            match = (pattern, text[first:last])
            if reading.start is None and match in seen:
                continue
            seen.add(match)
            span = reading.span(start + first, start + last)
            size = f"{last - first} characters"
            yield Finding(self.principle, CHECK, "violated", self.reason, (span,), size)


class PatternKind:
    name: Final = "pattern"
    version: Final = "2"
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
        widths = [width(pattern) for pattern in strings(given["deny"], ("deny",))]
        known = [width for width in widths if width is not None]
        widest = max(known) if len(known) == len(widths) else None
        return PatternCheck(principle, reason, deny, flag(given.get("code", False), ("code",)), widest)

    def overrules(self, settings: object) -> bool:
        return False

    def loosened(self, base: object, extended: object) -> str | None:
        old, new = fields(base, ("deny", "reason", "code")), fields(extended, ("deny", "reason", "code"))
        if new.get("code") and not old.get("code"):
            return "searches code only, where the base searches every text"
        return missing("the pattern", strings(old["deny"]), strings(new["deny"]))
