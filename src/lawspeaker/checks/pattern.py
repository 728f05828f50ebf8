"""The kind `pattern`: texts that must not occur, as RE2 patterns.

For house rules that a regular expression can say exactly. The reason is the author's sentence, never the
match.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from lawspeaker.checks.fences import fenced
from lawspeaker.checks.regex import PatternSet, compiled
from lawspeaker.checks.settings import fields, flag, missing, sentence, strings
from lawspeaker.constitution.kinds import Check
from lawspeaker.exchange import Exchange, Scope, Segment
from lawspeaker.finding import Finding, span_of

CHECK: Final = "pattern/deny"
# More places than a person reads; a text with more is as violated as a text with these.
_LIMIT: Final = 100


class PatternCheck(msgspec.Struct, frozen=True):
    principle: str
    reason: str
    deny: PatternSet
    code_only: bool

    def examine(self, exchange: Exchange, scopes: frozenset[Scope]) -> Sequence[Finding]:
        found: list[Finding] = []
        read = False
        for segment in exchange.segments(scopes):
            for start, end in self._places(segment):
                read = True
                found += self._matches(segment, start, end)
        if found:
            return found
        if read:
            return (Finding(self.principle, CHECK, "upheld", "Nothing here matches a pattern that is denied."),)
        return (Finding(self.principle, CHECK, "not_applicable", "There is no code to search."),)

    def _places(self, segment: Segment) -> Iterator[tuple[int, int]]:
        """What of `segment` is searched. A named text is a file, so all of it is code."""
        if not self.code_only or segment.name:
            yield 0, len(segment.text)
            return
        for block in fenced(segment.text):
            yield block.start, block.end

    def _matches(self, segment: Segment, start: int, end: int) -> Iterator[Finding]:
        for _, first, last in self.deny.search(segment.text[start:end], _LIMIT):
            span = span_of(segment, start + first, start + last)
            size = f"{last - first} characters"
            yield Finding(self.principle, CHECK, "violated", self.reason, (span,), size)


class PatternKind:
    name: Final = "pattern"
    version: Final = "1"
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
        return PatternCheck(principle, reason, deny, flag(given.get("code", False), ("code",)))

    def loosened(self, base: object, extended: object) -> str | None:
        old, new = fields(base, ("deny", "reason", "code")), fields(extended, ("deny", "reason", "code"))
        if new.get("code") and not old.get("code"):
            return "searches code only, where the base searches every text"
        return missing("the pattern", strings(old["deny"]), strings(new["deny"]))
