"""The kind `secrets`: passwords, keys and tokens in plain text.

Three sources of evidence: documented token formats, a name such as `password` before a value that looks
like one, and the value's Shannon entropy where the name alone says too little. Placeholders and the
vendors' documented example keys are known as such. Neither reason nor evidence repeats a match; the spans
are exact, so that it can be redacted.
"""

import math
import re
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

import msgspec

from lawspeaker.checks.secrets.formats import (
    BEFORE_IDEMPOTENT,
    ENV_NAME,
    FORMATS,
    KEY_CONTEXT,
    PASSWORD_CONTEXT,
    PRIVATE_KEY,
    Format,
)
from lawspeaker.checks.secrets.private_keys import is_bounded, key_end
from lawspeaker.checks.settings import fields, strings
from lawspeaker.checks.text.prefixes import Beginnings, before_matches, begun
from lawspeaker.checks.text.readings import Reading
from lawspeaker.checks.text.regex import PatternSet, compiled
from lawspeaker.checks.text.sightings import Sighting, findings
from lawspeaker.checks.text.undecided import undecided_in
from lawspeaker.constitution.kinds import Check, Needs
from lawspeaker.exchange import Exchange, Scope
from lawspeaker.finding import Finding

# For each pattern: more places than a person reads.
_LIMIT: Final = 100
_LONGEST_NAME: Final = 80
# Every format is known by fewer characters than this. A private key whose body begins further from its header is
# found too, but not before its body has come.
_WINDOW: Final = 4_096
_NONE: Final = PatternSet(())
_PASSWORD: Final = Format("assigned-password", "password", "", "")
_KEY: Final = Format("assigned-secret", "secret", "", "")
# In the order of the patterns in `_ALL`.
_MEANINGS: Final = (*FORMATS, *(_PASSWORD for _ in PASSWORD_CONTEXT), *(_KEY for _ in KEY_CONTEXT))
_ALL: Final = PatternSet([*(format.pattern for format in FORMATS), *PASSWORD_CONTEXT, *KEY_CONTEXT], at_once=True)

# What stands for a secret: brackets of every template language, names of variables, and elisions.
_TEMPLATED: Final = re.compile(r"<[^>]*>|.*(\$\{|\{\{|\$\(|%\(|<%).*|[$%@]\w+%?|\[[^\]]*\]|\{[^}]*\}", re.DOTALL)
_ELIDED: Final = re.compile(r"[\W_]*|(.)\1{3,}|.*(x{4,}|X{4,}|\*{3,}|\.{3}|…|•{3,}).*", re.DOTALL)
_WORDS: Final = re.compile(
    r"example|placeholder|change[-_ ]?(me|it|this)|replace[-_ ]?(me|with|this)|your[-_ ]|^your|insert[-_ ]|dummy|"
    r"sample|redacted|not[-_ ]?(a[-_ ])?real|fake|todo|fixme|goes[-_ ]here|fill[-_ ]?in|to[-_ ]be[-_ ]",
    re.IGNORECASE,
)
# `module.db.password`, `os.environ`, `config.token`: code that names a value is no value.
_REFERENCE: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*|\[[^\]]*\])+|[A-Z][A-Z0-9_]+|/[\w/.-]+|\w+://\S+|arn:\S+")

# `password=key_password`: without quotes, a word that says "password" once more is a variable's name, not its value.
_VARIABLE: Final = re.compile(
    r"(?=\w*(?:passwo?r?d|passwd|passphrase|pwd|secret|token|key|credential))[a-z]+(?:_[a-z]+)*", re.IGNORECASE
)

_IN_SHELL: Final = re.compile(r"(?<![\w.])" + ENV_NAME + r"\Z")


class Secret(msgspec.Struct, frozen=True):
    """A secret at `text[start:end]`."""

    format: Format
    start: int
    end: int

    @property
    def evidence(self) -> str:
        """What may be shown of it: the prefix that every token of its format has, and the length."""
        prefix = f"{self.format.prefix}…, " if self.format.prefix else ""
        return f"{prefix}{self.end - self.start} characters"


def find(text: str, allow: PatternSet = _NONE) -> list[Secret]:
    """The secrets in `text` that `allow` does not match, in order and without overlaps; a documented format goes
    before a mere context. All of the text is read; the limit counts only what is returned, so that neither
    placeholders nor what is allowed can hide what follows."""
    found: list[Secret] = []
    counts: Counter[int] = Counter()
    for index, start, match_end in _ALL.search(text):
        if counts[index] >= _LIMIT:
            continue
        format = _MEANINGS[index]
        end = key_end(text, match_end) if format is PRIVATE_KEY else match_end
        if end is None or not _is_secret(format, text[start:end]) or allow.fullmatch(text[start:end]):
            continue
        if index >= len(FORMATS) and _is_variable(text, start, end):
            continue
        if format is _KEY and BEFORE_IDEMPOTENT.search(text, max(0, start - 40), start):
            continue
        counts[index] += 1
        found.append(Secret(format, start, end))
    return _apart(found)


def _is_variable(text: str, start: int, end: int) -> bool:
    """Whether the value is the name of one. In a shell a name without `$` is a text; in a call, `NAME=name,` is not."""
    in_shell = text[end : end + 1] not in {",", ")"} and _IN_SHELL.search(text, max(0, start - _LONGEST_NAME), start)
    return text[start - 1] not in "\"'" and not in_shell and bool(_VARIABLE.fullmatch(text[start:end]))


def shown(name: str) -> str:
    """`name` as a reason may show it, since reasons go to reports: whole, or not at all where it holds a secret or
    is longer than names are."""
    # A word ends at an underscore here, which it does not for a pattern: `AKIA…_password`.
    holds = len(name) > _LONGEST_NAME or find(name) or find(name.replace("_", " "))
    return "…" if holds else name


def is_placeholder(value: str) -> bool:
    """Whether `value` stands for a secret without being one."""
    return is_elided(value) or bool(_WORDS.search(value))


def is_elided(value: str) -> bool:
    """Whether `value` leaves a secret out: a template, brackets, dots or crosses."""
    return bool(_TEMPLATED.fullmatch(value) or _ELIDED.fullmatch(value))


def entropy(value: str) -> float:
    """Shannon entropy in bits for each character."""
    counts = Counter(value).values()
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts) if value else 0.0


def _is_secret(format: Format, value: str) -> bool:
    if format is _PASSWORD:
        return _plausible(value) and bool(re.search(r"[\d\W_]", value)) and entropy(value) * len(value) >= 16
    if format is _KEY:
        return _plausible(value) and bool(re.search(r"\d", value)) and len(value) >= 16 and entropy(value) >= 3
    if format.id == "authorization-header":
        return not is_placeholder(value) and bool(re.search(r"\d", value)) and entropy(value) >= 3
    # What `key_end` took for a key's body is one, whatever words stand beside it.
    return format is PRIVATE_KEY or not is_placeholder(value)


def _plausible(value: str) -> bool:
    """Whether a value that stands after a telling name may be what the name says."""
    return not (re.search(r"\s", value) or is_placeholder(value) or _REFERENCE.fullmatch(value))


def _apart(secrets: Sequence[Secret]) -> list[Secret]:
    """Without those that overlap a better one: the earlier in `_MEANINGS`, which is the order of
    `secrets`."""
    kept: list[Secret] = []
    for secret in secrets:
        at = bisect(kept, secret.start, key=lambda other: other.start)
        if (at == 0 or kept[at - 1].end <= secret.start) and (at == len(kept) or secret.end <= kept[at].start):
            kept.insert(at, secret)
    return kept


class SecretsCheck(msgspec.Struct, frozen=True, dict=True, eq=False):
    principle: str
    allow: PatternSet

    @property
    def needs(self) -> Needs:
        return Needs("window", _WINDOW)

    @cached_property
    def nothing(self) -> tuple[Finding, ...]:
        """What is found where nothing is."""
        return (Finding(self.principle, "secrets/formats", "upheld", "No secret is written in plain text."),)

    @cached_property
    def _beginnings(self) -> Beginnings:
        return Beginnings(begun([*(format.pattern for format in FORMATS), *PASSWORD_CONTEXT, *KEY_CONTEXT]))

    def undecided(self, text: str) -> int:
        return undecided_in(text, self._first)

    def _first(self, text: str) -> int:
        """A private key is under way from its header on, until what bounds it has come."""
        matches, late = [], []
        for index, start, end in _ALL.search(text):
            is_key = _MEANINGS[index] is PRIVATE_KEY
            if is_key and not is_bounded(text, end):
                late.append(start)
            matches.append((start, (key_end(text, end) if is_key else None) or end))
        return before_matches(min([self._beginnings.first(text), *late]), matches)

    def clear(self, text: str) -> bool:
        return not _ALL.occurring(text)

    def examine(self, exchange: Exchange, scopes: frozenset[Scope]) -> Sequence[Finding]:
        return findings(self.principle, exchange, scopes, self._look) or self.nothing

    def _look(self, reading: Reading) -> Iterator[Sighting]:
        for secret in find(reading.text, self.allow):
            article = "An" if secret.format.noun[0] in "AEIOUaeiou" else "A"
            reason = f"{article} {secret.format.noun} is written in plain text."
            yield Sighting(f"secrets/{secret.format.id}", reason, secret.start, secret.end, secret.evidence)


class SecretsKind:
    name: Final = "secrets"
    version: Final = "7"
    schema: Final[Mapping[str, object]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "allow": {
                "description": "RE2 patterns; a secret that one of them matches as a whole is ignored.",
                "anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}],
            }
        },
    }

    def prepare(self, settings: object, principle: str) -> Check:
        given = fields(settings, ("allow",))
        if "allow" not in given:
            return SecretsCheck(principle, _NONE)
        several = isinstance(given["allow"], list)
        return SecretsCheck(principle, compiled(strings(given["allow"], ("allow",)), ("allow",), several=several))

    def overrules(self, settings: object) -> bool:
        return False

    def loosened(self, base: object, extended: object) -> str | None:
        old, new = (_allowed(settings) for settings in (base, extended))
        more = [pattern for pattern in new if pattern not in old]
        return f"allows more secrets: {', '.join(more)}" if more else None


def _allowed(settings: object) -> tuple[str, ...]:
    given = fields(settings, ("allow",))
    return strings(given["allow"]) if "allow" in given else ()
