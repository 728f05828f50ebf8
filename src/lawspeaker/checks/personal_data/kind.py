"""The kind `personal_data`: numbers and addresses that belong to a person.

Cards, accounts and national numbers are told by their check digits, addresses and telephone numbers by their shape,
and what is too common to be told so by a word beside it. Disguises are read too, so that full-width digits, invisible
characters and base64 hide nothing. Spans are exact, for redaction; neither reason nor evidence repeats a match.

What is not covered: names, dates of birth, and numbers that stand far from the word that says what they are.
"""

import re
from bisect import bisect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import Final, NamedTuple

import msgspec

from lawspeaker.checks.personal_data import checksums, postal
from lawspeaker.checks.personal_data import types as personal_types
from lawspeaker.checks.personal_data.formats import ADDRESSES, CARD, EMAIL, IBAN, PHONES
from lawspeaker.checks.personal_data.national_ids import NATIONAL_IDS, REACH
from lawspeaker.checks.settings import chosen, fields, missing, strings
from lawspeaker.checks.text.prefixes import Beginnings, before_matches, begun
from lawspeaker.checks.text.readings import Reading
from lawspeaker.checks.text.regex import PatternSet, compiled
from lawspeaker.checks.text.sightings import Sighting, findings
from lawspeaker.checks.text.undecided import undecided_in
from lawspeaker.constitution.kinds import Check, Needs
from lawspeaker.exchange import Exchange, Scope
from lawspeaker.finding import Finding

TYPES: Final = tuple(type.id for type in personal_types.KNOWN)
_NOUNS: Final = {type.id: type.noun for type in personal_types.KNOWN}
# For each pattern: more places than a person reads.
_LIMIT: Final = 100
# Nothing here is longer than this, with the words beside it.
_WINDOW: Final = 1_024
_NONE: Final = PatternSet(())
# Domains and numbers that are reserved for documentation (RFC 2606, RFC 6761, the 555-01xx block) are nobody's.
_RESERVED_DOMAIN: Final = re.compile(
    r"(?:^|[@.])(?:example\.(?:com|net|org)|example|test|invalid|localhost)$", re.IGNORECASE
)
_NOBODY: Final = re.compile(r"^(?:git|noreply|no-reply|donotreply)@", re.IGNORECASE)
_RESERVED_PHONE: Final = re.compile(r"(?:^|\d{3})55501\d\d$")
# The card networks' published test numbers.
_TEST: Final = (
    "4111111111111111 4242424242424242 4012888888881881 5555555555554444 5105105105105100 378282246310005 "
    "371449635398431 6011111111111117 6011000990139424 30569309025904 38520000023237 3530111333300000 "
    "3566002020360505 4000000000000002 4000056655665556 2223003122003222"
)
_TEST_CARDS: Final = frozenset(_TEST.split())


class Personal(msgspec.Struct, frozen=True):
    """Something personal at `text[start:end]`; `noun` begins a sentence."""

    type: str
    noun: str
    start: int
    end: int


class _Rule(NamedTuple):
    type: str
    noun: str
    pattern: str
    valid: Callable[[str], bool]
    words: re.Pattern[str] | None


def find(text: str, types: Sequence[str] = TYPES, allow: PatternSet = _NONE) -> list[Personal]:
    """What of `types` is in `text` and not matched by `allow`, in order and without overlaps. Check digits go before
    shapes; all of the text is read, and the limit counts only what is returned."""
    found: list[Personal] = []
    counts: dict[int, int] = {}
    for index, first, last in _ALL.search(text, among=_of(tuple(types))):
        rule = _RULES[index]
        if counts.get(index, 0) >= _LIMIT or not _holds(rule, text, first, last):
            continue
        start, end = postal.whole(text, first, last) if rule.type == "address" else (first, last)
        if allow.fullmatch(text[start:end]):
            continue
        counts[index] = counts.get(index, 0) + 1
        _add(found, Personal(rule.type, rule.noun, start, end))
    return found


def _add(found: list[Personal], new: Personal) -> None:
    """Keeps `found` sorted and apart: what is there already was found by a better rule."""
    at = bisect(found, new.start, key=lambda other: other.start)
    if (at == 0 or found[at - 1].end <= new.start) and (at == len(found) or new.end <= found[at].start):
        found.insert(at, new)


def _holds(rule: _Rule, text: str, start: int, end: int) -> bool:
    return (
        _stands_alone(text, start, end)
        and rule.valid(text[start:end])
        and (rule.words is None or _near(rule.words, text, start, end))
    )


def _near(words: re.Pattern[str], text: str, start: int, end: int) -> bool:
    """Whether one of `words` stands before, or close after, unless they are to stand right before."""
    if words.search(text[max(0, start - REACH) : start]):
        return True
    return not words.pattern.endswith(r"\Z") and bool(words.search(text[end : end + REACH // 2]))


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Not a piece of a longer number, name or version: `1.2.3.4`, a UUID, a path."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    if before and (before[-1].isalnum() or before[-1] == "_"):
        return False
    if after and (after[0].isalnum() or after[0] == "_"):
        return False
    joined_before = len(before) == 2 and before[-1] in "-./" and before[0].isdigit()
    joined_after = len(after) == 2 and after[0] in "-./" and after[1].isdigit()
    return not (joined_before or joined_after)


def _bare(value: str) -> str:
    return "".join(sign for sign in value if sign.isalnum()).upper()


def _card(value: str) -> bool:
    bare = _bare(value)
    return bare not in _TEST_CARDS and checksums.card(bare)


def _email(value: str) -> bool:
    return not (_RESERVED_DOMAIN.search(value) or _NOBODY.match(value))


def _phone(value: str) -> bool:
    digits = "".join(sign for sign in value.partition("x")[0] if sign.isdigit())
    return 6 <= len(digits) <= 15 and len(set(digits)) > 2 and not _RESERVED_PHONE.search(digits)


def _national(valid: Callable[[str], bool], *, signs: bool) -> Callable[[str], bool]:
    """The check of a number without what separates its groups; Finland's separator is one of its signs."""
    return lambda value: valid(value.upper() if signs else _bare(value))


def _rules() -> Iterator[_Rule]:
    yield _Rule("iban", _NOUNS["iban"], IBAN, lambda value: checksums.iban(_bare(value)), None)
    yield _Rule("card", _NOUNS["card"], CARD, _card, None)
    for id in NATIONAL_IDS:
        words = None if id.telling else re.compile(id.words, re.IGNORECASE)
        noun = f"{_NOUNS['national-id']} ({id.noun})"
        yield _Rule("national-id", noun, id.pattern, _national(id.valid, signs=id.country == "FI"), words)
    yield _Rule("email", _NOUNS["email"], EMAIL, _email, None)
    for type, shapes, valid in (("phone", PHONES, _phone), ("address", ADDRESSES, lambda _: True)):
        for shape in shapes:
            words = re.compile(shape.words, re.IGNORECASE) if shape.words else None
            yield _Rule(type, _NOUNS[type], shape.pattern, valid, words)


_RULES: Final = tuple(_rules())
_ALL: Final = PatternSet([rule.pattern for rule in _RULES], at_once=True)


@cache
def _of(types: tuple[str, ...]) -> frozenset[int]:
    """The rules of `types`, by their places."""
    return frozenset(place for place, rule in enumerate(_RULES) if rule.type in types)


# How far behind a match it is looked for what it stands in or beside.
_BEHIND: Final = REACH // 2 + 1


class PersonalDataCheck(msgspec.Struct, frozen=True, dict=True, eq=False):
    principle: str
    types: tuple[str, ...]
    allow: PatternSet

    @property
    def needs(self) -> Needs:
        return Needs("window", _WINDOW)

    @cached_property
    def nothing(self) -> tuple[Finding, ...]:
        """What is found where nothing is."""
        reason = f"There is no {', '.join(self.types)} here."
        return (Finding(self.principle, "personal_data/types", "upheld", reason),)

    @cached_property
    def _beginnings(self) -> Beginnings:
        return Beginnings(begun([rule.pattern for rule in _RULES if rule.type in self.types]))

    def undecided(self, text: str) -> int:
        return undecided_in(text, self._first)

    def _first(self, text: str) -> int:
        matches, late = [], []
        for index, first, last in _ALL.search(text, among=_of(self.types)):
            is_address = _RULES[index].type == "address"
            start, end = postal.whole(text, first, last) if is_address else (first, last)
            matches.append((start, end))
            if last + (postal.BEHIND if is_address else _BEHIND) > len(text):
                late.append(start)
        # A house number or a flat belongs to a street that is still to come.
        begun = self._beginnings.first(text) - (postal.BEFORE if "address" in self.types else 0)
        return before_matches(max(0, min([begun, *late])), matches)

    def clear(self, text: str) -> bool:
        return _of(self.types).isdisjoint(_ALL.occurring(text))

    def examine(self, exchange: Exchange, scopes: frozenset[Scope]) -> Sequence[Finding]:
        return findings(self.principle, exchange, scopes, self._look) or self.nothing

    def _look(self, reading: Reading) -> Iterator[Sighting]:
        for personal in find(reading.text, self.types, self.allow):
            reason, size = f"{personal.noun} is written out.", f"{personal.end - personal.start} characters"
            yield Sighting(f"personal_data/{personal.type}", reason, personal.start, personal.end, size)


class PersonalDataKind:
    name: Final = "personal_data"
    version: Final = "2"
    schema: Final[Mapping[str, object]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "types": {
                "type": "array",
                "minItems": 1,
                "uniqueItems": True,
                "items": {"enum": list(TYPES)},
                "description": "What is looked for; all of them where this is left out.",
            },
            "allow": {
                "description": "RE2 patterns; what one of them matches as a whole is ignored.",
                "anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}],
            },
        },
    }

    def prepare(self, settings: object, principle: str) -> Check:
        given = fields(settings, ("types", "allow"))
        types = chosen(given, "types", TYPES)
        if "allow" not in given:
            return PersonalDataCheck(principle, types, _NONE)
        several = isinstance(given["allow"], list)
        allow = compiled(strings(given["allow"], ("allow",)), ("allow",), several=several)
        return PersonalDataCheck(principle, types, allow)

    def overrules(self, settings: object) -> bool:
        return False

    def loosened(self, base: object, extended: object) -> str | None:
        old, new = fields(base, ("types", "allow")), fields(extended, ("types", "allow"))
        before, after = (strings(given["allow"]) if "allow" in given else () for given in (old, new))
        more = [pattern for pattern in after if pattern not in before]
        if more:
            return f"allows more personal data: {', '.join(more)}"
        return missing("the type", chosen(old, "types", TYPES), chosen(new, "types", TYPES))
