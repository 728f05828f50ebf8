"""The kind `prompt_injection`: text that tries to steer the model that reads it.

Structure goes first: marks of roles that the writer does not have, words that only a machine can see, letters of
another script, encoded instructions; then the words themselves. All is read in its normal form and, within bounds,
decoded. The signs are in `injection_signs`; places are exact, and a match is never repeated.

What is not covered: requests that are harmful without any of these signs, such as a plain question for something that
only the system prompt forbids, and a language that no sign is written in. A judge is for those.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from lawspeaker.checks.injection_signs import RULES, SIGNS
from lawspeaker.checks.normal import mixed_words
from lawspeaker.checks.payloads import rot13
from lawspeaker.checks.readings import Form, forms
from lawspeaker.checks.regex import PatternSet
from lawspeaker.checks.settings import fields, missing, strings
from lawspeaker.constitution.kinds import Check, Needs, SettingsError
from lawspeaker.exchange import Exchange, Scope
from lawspeaker.finding import Finding, span_of

# For each sign: more places than a person reads.
_LIMIT: Final = 20
_REASONS: Final = {
    "role-marker": "The text marks itself as another speaker, such as the system.",
    "override": "The text sets earlier instructions aside.",
    "persona": "The text gives the model another role, mode or set of rules.",
    "extraction": "The text asks for what the model was told to keep.",
    "data-instruction": "The text speaks to the model that reads it, as data should not.",
    "hidden-text": "The text holds words that a reader does not see.",
    "obfuscation": "The text hides its words in a code, in pieces or behind repetition.",
}
_ALL: Final = PatternSet([f"(?is){sign.pattern}" for sign in SIGNS], at_once=True)
# Three letters with an invisible character between them, or a run of direction overrides: no honest text has either.
_INSIDE: Final = re.compile(
    "(?:[a-zA-Z][\u200b\u2060\u2061-\u2064\u00ad\ufeff]+){3,}[a-zA-Z]|[\u202d\u202e][^\n]{2,200}"
)
# Letters as tags, which are not drawn; after a black flag they name the flag of a country.
_TAGS: Final = re.compile("\U0001f3f4[\U000e0020-\U000e007f]+|([\U000e0020-\U000e007e]{4,})")
_REPEATED: Final = re.compile(r"(\b\w{3,20}(?: \w{1,20}){0,3})(?:[ ,.\n]{1,3}\1){19,}")
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


def find(text: str, rules: Sequence[str] = RULES) -> list[Injection]:
    """The signs of `rules` in `text`, in order: strong ones, weak ones where two different ones come together, and
    what is hidden."""
    plain, coded = Form(text, ()), []
    for form in forms(text):
        if form.codes:
            coded.append(form)
        else:
            plain = form
    found = [Injection(rule, *plain.span(start, end)) for rule, start, end in _signs(plain.text, rules)]
    if "hidden-text" in rules:
        found += _hidden(text)
    if "obfuscation" in rules:
        found += _obfuscated(text, plain.text, coded)
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


def _signs(text: str, rules: Sequence[str]) -> list[tuple[str, int, int]]:
    strong: list[tuple[str, int, int]] = []
    weak: dict[int, tuple[str, int, int]] = {}
    for index, start, end in _ALL.search(text, _LIMIT):
        sign = SIGNS[index]
        if sign.rule not in rules:
            continue
        if sign.strong:
            strong.append((sign.rule, start, end))
        else:
            weak.setdefault(index, (sign.rule, start, end))
    return strong + (list(weak.values()) if len(weak) > 1 else [])


def _hidden(text: str) -> Iterator[Injection]:
    for match in _INSIDE.finditer(text):
        yield Injection("hidden-text", *match.span(), "invisible characters")
    for match in _UNDRAWN.finditer(text):
        if _signs(match[2], RULES):
            yield Injection("hidden-text", *match.span(2), "a style")
    for match in _TAGS.finditer(text):
        if match[1]:
            yield Injection("hidden-text", *match.span(), "tag characters")


def _obfuscated(text: str, plain: str, coded: Sequence[Form]) -> Iterator[Injection]:
    open_signs = {plain[start:end] for _, start, end in _signs(plain, RULES)}
    for form in coded:
        for _, start, end in _signs(form.text, RULES):
            # What stands in the plain text too is no code's.
            if form.text[start:end] not in open_signs:
                yield Injection("obfuscation", *form.span(start, end), ", ".join(form.codes))
    turned = rot13(plain)
    if any(rule == "override" for rule, _, _ in _signs(turned, RULES)):
        yield Injection("obfuscation", 0, len(text), "ROT13")
    for match in _REPEATED.finditer(text):
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
        found = [
            Finding(
                self.principle,
                f"prompt_injection/{sign.rule}",
                "violated",
                _REASONS[sign.rule],
                (span_of(segment, sign.start, sign.end),),
                sign.how,
            )
            for segment in exchange.segments(scopes)
            for sign in find(segment.text, self.rules)
        ]
        return found or (Finding(self.principle, "prompt_injection/signs", "upheld", reason),)


class InjectionKind:
    name: Final = "prompt_injection"
    version: Final = "2"
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
        return InjectionCheck(principle, _chosen(fields(settings, ("rules",))))

    def overrules(self, settings: object) -> bool:
        return False

    def loosened(self, base: object, extended: object) -> str | None:
        old, new = (_chosen(fields(settings, ("rules",))) for settings in (base, extended))
        return missing("the rule", old, new)


def _chosen(given: Mapping[str, object]) -> tuple[str, ...]:
    """In the order of `RULES`."""
    if "rules" not in given:
        return RULES
    chosen = strings(given["rules"], ("rules",))
    for index, name in enumerate(chosen):
        if name not in RULES:
            raise SettingsError(f"unknown rule '{name}'; known are {', '.join(RULES)}", ("rules", index))
        if name in chosen[:index]:
            raise SettingsError(f"'{name}' stands twice", ("rules", index))
    return tuple(name for name in RULES if name in chosen)
