"""Small check kinds and a law for these tests: the package under test is given its kinds and knows none."""

from collections.abc import Mapping, Sequence
from textwrap import dedent
from typing import Any

import msgspec

from lawspeaker.constitution.kinds import Check, CheckKind, SettingsError
from lawspeaker.constitution.load import load_text
from lawspeaker.constitution.schema import Constitution
from lawspeaker.exchange import Exchange, Scope
from lawspeaker.finding import Finding

RULES = ("public", "open", "plain")


class WordCheck(msgspec.Struct, frozen=True):
    principle: str
    words: tuple[str, ...]

    def examine(self, exchange: Exchange, scopes: frozenset[Scope]) -> Sequence[Finding]:
        said = any(word in segment.text for segment in exchange.segments(scopes) for word in self.words)
        return (Finding(self.principle, "words/deny", "violated" if said else "upheld", "A word."),)


class WordsKind:
    """`words: {deny: [word, …]}`"""

    name = "words"
    version = "1"
    schema: Mapping[str, object] = {
        "type": "object",
        "required": ["deny"],
        "additionalProperties": False,
        "properties": {"deny": {"type": "array", "items": {"type": "string"}}},
    }

    def prepare(self, settings: object, principle: str) -> Check:
        if not isinstance(settings, dict) or not isinstance(settings.get("deny"), list):
            raise SettingsError("expected a list of words", ("deny",))
        for index, word in enumerate(settings["deny"]):
            if not isinstance(word, str):
                raise SettingsError("expected a word", ("deny", index))
        return WordCheck(principle, tuple(settings["deny"]))

    def overrules(self, settings: object) -> bool:
        return False

    def loosened(self, base: Any, extended: Any) -> str | None:
        gone = [word for word in base["deny"] if word not in extended["deny"]]
        return f"drops the word {', '.join(gone)}" if gone else None


class RulesKind:
    """`rules: [rule, …]`"""

    name = "rules"
    version = "1"
    schema: Mapping[str, object] = {"type": "array", "items": {"enum": list(RULES)}}

    def prepare(self, settings: object, principle: str) -> Check:
        if not isinstance(settings, list):
            raise SettingsError("expected a list of rules")
        for index, rule in enumerate(settings):
            if rule not in RULES:
                raise SettingsError(f"no rule '{rule}'", (index,))
        return WordCheck(principle, tuple(settings))

    def overrules(self, settings: object) -> bool:
        return False

    def loosened(self, base: Any, extended: Any) -> str | None:
        gone = [rule for rule in base if rule not in extended]
        return f"drops the rule {', '.join(gone)}" if gone else None


class JudgeKind:
    """`judge: {ask: question}`"""

    name = "judge"
    version = "1"
    schema: Mapping[str, object] = {"type": "object"}

    def prepare(self, settings: object, principle: str) -> Check:
        if not isinstance(settings, dict) or not isinstance(settings.get("ask"), str):
            raise SettingsError("expected a question", ("ask",))
        return WordCheck(principle, ())

    def overrules(self, settings: object) -> bool:
        return False

    def loosened(self, base: object, extended: object) -> str | None:
        return None if base == extended else "asks another question"


KINDS: Mapping[str, CheckKind] = {kind.name: kind for kind in (WordsKind(), RulesKind(), JudgeKind())}

LAW = dedent("""\
    name: house
    version: 1.0.0
    summary: The rules of the house.
    principles:
      - id: no-shouting
        text: Answers must not shout.
        because: Shouting helps nobody.
        severity: major
        on_violation: revise
        otherwise: escalate
        on_inconclusive: escalate
        applies_to: [answer]
        critique: Name the word that is shouted.
        revision: Say it quietly.
        checks:
          - words: {deny: [HEY, STOP]}
          - rules: [public]
        maps_to: [CWE-1426]
        cases:
          - name: loud
            request: Say hello.
            answer: HEY
            expect: violated
          - name: quiet
            request: Say hello.
            answer: hello
            expect: upheld
    """)


def law(text: str = LAW, **more: Any) -> Constitution:
    """The constitution in `text`, in the file `law.yaml`."""
    return load_text(text, "law.yaml", kinds=KINDS, **more)


def changed(old: str, new: str, text: str = LAW) -> str:
    """`text` with its one `old` replaced."""
    assert text.count(old) == 1, old
    return text.replace(old, new)
