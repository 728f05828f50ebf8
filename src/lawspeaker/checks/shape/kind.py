"""The kind `shape`: how big a text is and what it is made of.

Invisible characters carry instructions that a person does not see, bidirectional ones show code in another
order than it runs (CVE-2021-42574), control characters drive terminals, and broken encodings hide both from
other checks. Structured output is held to a JSON Schema.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from lawspeaker.checks.settings import count, fields
from lawspeaker.checks.shape.json_schema import BeyondBoundsError, JsonSchema
from lawspeaker.checks.text.normal import mixed_words
from lawspeaker.checks.text.readings import Reading, readings
from lawspeaker.constitution.kinds import Check, Needs, SettingsError
from lawspeaker.exchange import Exchange, Scope, Segment
from lawspeaker.finding import Finding, span_of

_LIMIT: Final = 20
# Brackets of JSON, and its strings, in which brackets are only text.
_BRACKETS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_DENIABLE: Final = ("invisible", "control", "encoding", "homoglyphs")
_LIMITS: Final = ("max_bytes", "max_lines", "max_depth")
_SMALL: Final = 16_384  # characters of JSON that take little, whatever the schema
_KEYS: Final = (*_LIMITS, *_DENIABLE, "json_schema")
# Characters that deny a reader's eye. A zero-width joiner between emoji, a variation selector and a byte
# order mark at the start are ordinary text, so they are left out.
_INVISIBLE: Final = (
    "[\u00ad\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\u3164\uffa0"
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f]|(?<![\u00a9-\U0001faff])[\u200c\u200d]|(?<!^)\ufeff"
)
_FORBIDDEN: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "invisible": (re.compile(_INVISIBLE), "an invisible or direction-changing character"),
    "control": (re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]"), "a control character"),
    "encoding": (re.compile("[\ud800-\udfff\ufffd\ufffe\uffff]"), "a character from a broken encoding"),
}
_BEYOND_ASCII: Final = frozenset({"invisible", "encoding"})


class ShapeCheck(msgspec.Struct, frozen=True):
    principle: str
    max_bytes: int | None
    max_lines: int | None
    denied: tuple[str, ...]
    max_depth: int | None = None
    json_schema: JsonSchema | None = None

    @property
    def needs(self) -> Needs:
        """A character stays, but a later letter makes all of a word a mixed one, and how large a text is and whether
        it is JSON is known at its end."""
        if self.json_schema is not None:
            return Needs("whole", cost="heavy", small=_SMALL)
        sized = (self.max_bytes, self.max_lines, self.max_depth) != (None, None, None)
        return Needs("whole" if sized or "homoglyphs" in self.denied else "incremental")

    def examine(self, exchange: Exchange, scopes: frozenset[Scope]) -> Sequence[Finding]:
        found: list[Finding] = []
        for segment in exchange.segments(scopes):
            # Decoded, a text has more lines and other characters than its JSON; the worst reading counts.
            several = list(readings(segment))
            found += self._size(segment, max(map(_lines, several)), max(_depth(reading.text) for reading in several))
            for name in self.denied:
                found += next(filter(None, (list(self._characters(reading, name)) for reading in several)), ())
            found += self._fitting(segment)
        return found or (Finding(self.principle, "shape/size", "upheld", "Size and characters are as allowed."),)

    def _size(self, segment: Segment, lines: int, depth: int) -> Iterator[Finding]:
        size = len(segment.text.encode("utf-8", "surrogatepass"))
        whole = span_of(segment, 0, len(segment.text))
        for rule, limit, actual, unit in (
            ("max-bytes", self.max_bytes, size, "bytes"),
            ("max-lines", self.max_lines, lines, "lines"),
            ("max-depth", self.max_depth, depth, "levels of nesting"),
        ):
            if limit is not None and actual > limit:
                reason = f"The text has {actual} {unit}; {limit} are allowed."
                yield Finding(self.principle, f"shape/{rule}", "violated", reason, (whole,))

    def _fitting(self, segment: Segment) -> Iterator[Finding]:
        if self.json_schema is None:
            return
        whole = (span_of(segment, 0, len(segment.text)),)
        try:
            faults = self.json_schema.faults(segment.text)
        except BeyondBoundsError:
            reason = "The JSON is too large or too deep to be held to the schema."
            yield Finding(self.principle, "shape/json-schema", "inconclusive", reason, whole)
            return
        for place in faults:
            reason = f"The JSON breaks the schema at {place}." if place else "The text as a whole is no JSON."
            yield Finding(self.principle, "shape/json-schema", "violated", reason, whole)

    def _characters(self, reading: Reading, name: str) -> Iterator[Finding]:
        if name == "homoglyphs":
            for start, end in mixed_words(reading.text)[:_LIMIT]:
                reason = "The text has a word that mixes letters of two scripts that look alike."
                size = f"{end - start} characters"
                yield Finding(self.principle, "shape/homoglyphs", "violated", reason, (reading.span(start, end),), size)
            return
        if name in _BEYOND_ASCII and reading.text.isascii():
            return
        pattern, what = _FORBIDDEN[name]
        for index, match in enumerate(pattern.finditer(reading.text)):
            if index == _LIMIT:
                return
            span = reading.span(match.start(), match.end())
            reason = f"The text has {what}."
            yield Finding(self.principle, f"shape/{name}", "violated", reason, (span,), f"U+{ord(match[0]):04X}")


def _lines(reading: Reading) -> int:
    return reading.text.count("\n") + (not reading.text.endswith("\n"))


def _depth(text: str) -> int:
    """How deep the brackets of a JSON text are nested; 0 for any other text."""
    if text.lstrip()[:1] not in ("{", "["):
        return 0
    depth = deepest = 0
    for sign in _BRACKETS.finditer(text):
        depth += 1 if sign[0] in "[{" else -1 if sign[0] in "]}" else 0
        deepest = max(deepest, depth)
    return deepest


class ShapeKind:
    name: Final = "shape"
    version: Final = "5"
    schema: Final[Mapping[str, object]] = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {
            "max_bytes": {"type": "integer", "minimum": 1, "description": "In UTF-8, for each part."},
            "max_lines": {"type": "integer", "minimum": 1},
            "max_depth": {"type": "integer", "minimum": 1, "description": "Nesting of a JSON text."},
            "invisible": {"const": "deny", "description": "Zero-width, bidirectional and tag characters."},
            "control": {"const": "deny", "description": "Control characters other than tab and line ends."},
            "encoding": {"const": "deny", "description": "Lone surrogates and replacement characters."},
            "homoglyphs": {"const": "deny", "description": "Words that mix Latin letters with lookalikes."},
            "json_schema": {
                "type": "object",
                "description": "A JSON Schema (2020-12) that each part as a whole must fit; nothing is fetched.",
            },
        },
    }

    def prepare(self, settings: object, principle: str) -> Check:
        given = fields(settings, _KEYS)
        if not given:
            raise SettingsError("expected at least one of " + ", ".join(_KEYS))
        for name in _DENIABLE:
            if given.get(name, "deny") != "deny":
                raise SettingsError("expected 'deny'", (name,))
        return ShapeCheck(
            principle,
            count(given["max_bytes"], ("max_bytes",)) if "max_bytes" in given else None,
            count(given["max_lines"], ("max_lines",)) if "max_lines" in given else None,
            tuple(name for name in _DENIABLE if name in given),
            count(given["max_depth"], ("max_depth",)) if "max_depth" in given else None,
            JsonSchema(given["json_schema"], ("json_schema",)) if "json_schema" in given else None,
        )

    def overrules(self, settings: object) -> bool:
        return False

    def loosened(self, base: object, extended: object) -> str | None:
        old, new = (fields(settings, _KEYS) for settings in (base, extended))
        for name in old:
            if name not in new:
                return f"drops '{name}'"
            if name in _LIMITS and count(new[name]) > count(old[name]):
                return f"raises {name} from {old[name]} to {new[name]}"
        if old.get("json_schema") != new.get("json_schema") and "json_schema" in old:
            return "holds to another json_schema"
        return None
