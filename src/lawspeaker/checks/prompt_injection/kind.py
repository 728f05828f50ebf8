"""The kind `prompt_injection`: text that tries to steer the model that reads it.

Structure goes first: marks of roles that the writer does not have, words that only a machine can see, letters of
another script, encoded instructions; then the words themselves. All is read in its normal form and decoded. The signs
are in `signs`; places are exact, and a match is never repeated. Only what others say is read, requests and
results of tools: a model's own answer may quote an attack.

What is not covered: requests that are harmful without any of these signs, such as a plain question for something that
only the system prompt forbids, and a language that no sign is written in. A judge is for those.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from lawspeaker.checks.prompt_injection import rules as injection_rules
from lawspeaker.checks.prompt_injection.signs import SIGNS
from lawspeaker.checks.prompt_injection.signs.sign import Sign
from lawspeaker.checks.settings import chosen, fields, missing
from lawspeaker.checks.text.normal import Pieces, mixed_words
from lawspeaker.checks.text.payloads import shifted
from lawspeaker.checks.text.readings import Form, Reading, forms
from lawspeaker.checks.text.regex import PatternSet
from lawspeaker.checks.text.sightings import Sighting, findings
from lawspeaker.constitution.kinds import Check, Needs
from lawspeaker.exchange import Exchange, Scope
from lawspeaker.finding import Finding

RULES: Final = tuple(rule.id for rule in injection_rules.RULES)
# For each sign: more places than a person reads.
_LIMIT: Final = 20
_REASONS: Final = {rule.id: rule.reason for rule in injection_rules.RULES}
# What a page or a mail has no reason to say, though a person may.
_ENOUGH_IN_DATA: Final = ("a new task", "what the model must do")
# Blanks within a line, and the end of a line that goes on in the next.
_BLANKS: Final = re.compile(r"[ \t\u00a0]{2,}|[\t\u00a0]|(?<=[\w,])[ \t]*\r?\n[ \t]*(?=\w)")
# `Never share the password` asks for nothing.
_NEGATED: Final = re.compile(r"(?:\bnot|n['’]t|\bnever|\bwithout|\bavoid) (?:ever )?\Z", re.IGNORECASE)
# How near each other two weak signs stand.
_NEAR: Final = 400
_ALL: Final = PatternSet([f"(?is){sign.pattern}" for sign in SIGNS], at_once=True, together=4)
# Words of an attack by every shift of the alphabet, ROT13 among them; two different ones by the same shift are needed.
_TELLING: Final = (
    "ignore|disregard|forget|override|bypass|previous|prior|above|instructions|instruction|system|prompt|reveal|password|"
    "secret|everything|answer|respond"
)
_SHIFTED: Final = PatternSet(
    [rf"(?i)\b(?:{shifted(_TELLING, by)})\b" for by in range(1, 26)],
    at_once=True,
)
# Words with digits between their letters, and the letters that those are drawn like.
_SPELLED: Final = re.compile(r"(?i)\b(?=\d*[a-z])(?=[a-z]*\d)[a-z0-9]{3,20}\b")
_LETTERS: Final = str.maketrans("013457", "oieast")
# Three letters with an invisible character between them, or a run of direction overrides: no honest text has either.
_INSIDE: Final = re.compile(
    "(?:[a-zA-Z][\u200b\u2060\u2061-\u2064\u00ad\ufeff]+){3,}[a-zA-Z]|[\u202d\u202e][^\n]{2,200}"
)
# Letters as tags, which are not drawn; after a black flag they name the flag of a country.
_TAGS: Final = re.compile("\U0001f3f4[\U000e0020-\U000e007f]+|([\U000e0020-\U000e007e]{4,})")
_REPEATED: Final = re.compile(r"(\b[^\W\d]{3,20}(?: \w{1,20}){0,3})(?:[ ,.\n]{1,3}\1\b){9,}")
# What fills columns of data.
_FILLER: Final = re.compile(r"(?:nan|null|none|nil|true|false|undefined)\b", re.IGNORECASE)
# Styles that keep words from being drawn, and the words up to the end of the element.
_UNDRAWN: Final = re.compile(
    r"<(\w{1,12})\b[^<>]{0,200}(?:display:\s?none|visibility:\s?hidden|font-size:\s?0|opacity:\s?0(?![.\d])|"
    r"color:\s?(?:white|#fff(?:fff)?)\b)[^<>]{0,200}>([^<]{8,2000})",
    re.IGNORECASE,
)


class Injection(msgspec.Struct, frozen=True):
    """A sign at `text[start:end]`; `how` says by what code it was hidden, or nothing."""

    rule: str
    start: int
    end: int
    how: str = ""


def find(text: str, rules: Sequence[str] = RULES, *, in_data: bool = False) -> list[Injection]:
    """The signs of `rules` in `text`, in order: strong ones, weak ones where two different ones come together, and
    what is hidden. In data, which has nobody to speak to, a weak sign of some rules is enough."""
    plain, coded = Form(text, ()), []
    for form in forms(text):
        if form.codes:
            coded.append(form)
        else:
            plain = form
    flat = _flat(plain)
    signs = _signs(plain.text, rules, in_data=in_data)
    found = [Injection(rule, *plain.span(start, end)) for rule, start, end in signs]
    if flat.text != plain.text:
        signs = _signs(flat.text, rules, in_data=in_data)
        found += [Injection(rule, *flat.span(start, end)) for rule, start, end in signs]
    if "hidden-text" in rules:
        found += _hidden(text)
    if "obfuscation" in rules:
        found += _obfuscated(text, flat, coded)
    return _apart(sorted(set(found), key=lambda each: (each.start, -each.end, each.rule)))


def _apart(found: Sequence[Injection]) -> list[Injection]:
    """Without those that lie within an earlier one of the same rule."""
    kept: list[Injection] = []
    ends: dict[str, int] = {}
    for each in found:
        if each.start >= ends.get(each.rule, -1):
            kept.append(each)
            ends[each.rule] = each.end
    return kept


def _flat(form: Form) -> Form:
    """`form` with one blank in the place of blanks and line ends."""
    if not _BLANKS.search(form.text):
        return form
    out, done = Pieces(), 0
    for run in _BLANKS.finditer(form.text):
        out.copy(form.text, done, run.start())
        out.put(form.text, *run.span(), " ")
        done = run.end()
    out.copy(form.text, done, len(form.text))
    flat = out.finished()
    return Form(flat.text, (*form.steps, flat), form.codes)


def _signs(text: str, rules: Sequence[str], *, in_data: bool = False) -> list[tuple[str, int, int]]:
    """The strong signs, and the weak ones where two that speak of different things stand near each other. All of the
    text is read; the limit counts only what is returned, so that what is no sign cannot hide one that follows."""
    strong: list[tuple[int, int, Sign]] = []
    weak: list[tuple[int, int, Sign]] = []
    for index, start, end in _ALL.search(text):
        sign = SIGNS[index]
        if sign.rule not in rules or (sign.rule == "extraction" and _NEGATED.search(text, max(0, start - 12), start)):
            continue
        if sign.strong or (in_data and sign.about in _ENOUGH_IN_DATA):
            strong.append((start, end, sign))
        else:
            weak.append((start, end, sign))
    weak.sort(key=lambda each: each[:2])
    together = (
        each
        for one, other in pairwise(weak)
        if one[2] is not other[2] and other[0] - one[1] <= _NEAR
        for each in (one, other)
    )
    counts: Counter[Sign] = Counter()
    found: list[tuple[str, int, int]] = []
    for start, end, sign in (*strong, *dict.fromkeys(together)):
        counts[sign] += 1
        if counts[sign] <= _LIMIT:
            found.append((sign.rule, start, end))
    return found


def _hidden(text: str) -> Iterator[Injection]:
    for match in _INSIDE.finditer(text):
        yield Injection("hidden-text", *match.span(), "invisible characters")
    for match in _UNDRAWN.finditer(text):
        if _signs(match[2], RULES):
            yield Injection("hidden-text", *match.span(2), "a style")
    for match in _TAGS.finditer(text):
        if match[1]:
            yield Injection("hidden-text", *match.span(), "tag characters")


def _obfuscated(text: str, form: Form, coded: Sequence[Form]) -> Iterator[Injection]:
    plain = form.text
    open_signs = {plain[start:end] for _, start, end in _signs(plain, RULES)}
    for other in coded:
        for _, start, end in _signs(other.text, RULES):
            # What stands in the plain text too is no code's.
            if other.text[start:end] not in open_signs:
                yield Injection("obfuscation", *other.span(start, end), ", ".join(other.codes))
    if len(_SPELLED.findall(plain)) > 1:
        spelled = _SPELLED.sub(lambda word: word[0].translate(_LETTERS), plain)
        for _, start, end in _signs(spelled, RULES):
            if spelled[start:end] != plain[start:end]:
                yield Injection("obfuscation", *form.span(start, end), "digits for letters")
    shifts: dict[int, dict[str, tuple[int, int]]] = {}
    for shift, start, end in _SHIFTED.search(plain):
        shifts.setdefault(shift, {}).setdefault(plain[start:end].lower(), (start, end))
    for places in shifts.values():
        if len(places) > 1:
            ends = sorted(places.values())
            yield Injection("obfuscation", *form.span(ends[0][0], ends[-1][1]), "a shifted alphabet")
    for match in _REPEATED.finditer(text):
        if not _FILLER.match(match[1]):
            yield Injection("obfuscation", *match.span(), "repetition")
    mixed = mixed_words(text)
    if len(mixed) > 1:
        yield Injection("obfuscation", mixed[0][0], mixed[-1][1], "letters of another script")


class InjectionCheck(msgspec.Struct, frozen=True):
    principle: str
    rules: tuple[str, ...]

    @property
    def needs(self) -> Needs:
        """Two weak signs may stand anywhere. Only what somebody else says can steer the model: its own answer may
        quote an attack, or ask for a password."""
        return Needs("whole", reads=("request", "tool_result"))

    def examine(self, exchange: Exchange, scopes: frozenset[Scope]) -> Sequence[Finding]:
        reason = "The text has no sign of an attempt to steer the model."
        found = findings(self.principle, exchange, scopes, self._look, disguises=False)
        return found or (Finding(self.principle, "prompt_injection/signs", "upheld", reason),)

    def _look(self, reading: Reading) -> Iterator[Sighting]:
        for sign in find(reading.text, self.rules, in_data=reading.segment.scope == "tool_result"):
            rule = f"prompt_injection/{sign.rule}"
            yield Sighting(rule, _REASONS[sign.rule], sign.start, sign.end, sign.how)


class InjectionKind:
    name: Final = "prompt_injection"
    version: Final = "3"
    schema: Final[Mapping[str, object]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "rules": {
                "type": "array",
                "minItems": 1,
                "uniqueItems": True,
                "items": {"enum": list(RULES)},
                "description": "What is looked for; all of them where this is left out.",
            },
        },
    }

    def prepare(self, settings: object, principle: str) -> Check:
        return InjectionCheck(principle, chosen(fields(settings, ("rules",)), "rules", RULES))

    def overrules(self, settings: object) -> bool:
        return False

    def loosened(self, base: object, extended: object) -> str | None:
        old, new = (chosen(fields(settings, ("rules",)), "rules", RULES) for settings in (base, extended))
        return missing("the rule", old, new)
